"""`textmsa evaluate`: run + store -> metrics beside baselines and floors."""

import csv
import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from textmsa import metrics
from textmsa.errors import UserError
from textmsa.evaluate.paired import paired
from textmsa.run import Precision, Run
from textmsa.runtime.atomic import write_text
from textmsa.scoring import Scored, mean_of
from textmsa.store.reading import Store
from textmsa.types import MODALITIES

READINGS = "readings.csv"
"""In the run folder: when which split was scored against its labels."""


@dataclass(frozen=True)
class Evaluation:
    """What a run reaches on a split."""

    split: str
    clips: int
    test: dict[str, float]
    baselines: dict[str, dict[str, float]]
    floors: dict[str, float]
    """Best MAE by what a predictor may know exactly; of the demo corpus only."""
    difference: dict[str, Any]
    """TEXT's MAE less that of the best baseline, with a 95 % bootstrap interval."""
    by_seed: dict[str, dict[str, float]]
    """Metrics of each seed's network, where several were trained; `test` is then of the mean of their scores."""

    def table(self) -> str:
        """For people: one row a predictor."""
        name = f"TEXT, mean of {len(self.by_seed)} seeds" if self.by_seed else "TEXT"
        rows = [(name, self.test), *self.baselines.items()]
        lines = [f"{self.split}, {self.clips} clips      MAE    corr"]
        lines += [f"  {name:<22}{row['mae']:6.3f}  {row['corr']:6.3f}" for name, row in rows]
        lines += [f"  {'floor: ' + name:<30}{value:6.3f}" for name, value in self.floors.items()]
        if len(self.by_seed) > 1:
            spread = {m: [row[m] for row in self.by_seed.values()] for m in ("mae", "corr")}
            told = (f"{m} {np.mean(v):.3f} +- {np.std(v, ddof=1):.3f}" for m, v in spread.items())
            lines.append(f"one seed's network: {', '.join(told)} (mean and standard deviation over the seeds)")
        if self.difference:
            low, high = self.difference["interval"]
            lines.append(
                f"TEXT - {self.difference['baseline']}: {self.difference['mae']:+.3f} MAE, "
                f"95 % bootstrap interval [{low:+.3f}, {high:+.3f}]"
            )
        return "\n".join(lines)


def evaluate(
    run: Path,
    *,
    data: Path,
    split: str = "test",
    out: Path | None = None,
    no_baselines: bool = False,
    precision: Precision = "fp32",
    missing_rate: str = "",
) -> Evaluation:
    """Score a split and compare with baselines fitted on the same store.

    Parameters
    ----------
    run
        A finished run folder.
    data
        The store.
    split
        "train", "valid" or "test".
    out
        Folder for metrics.json and predictions.csv; RUN/evaluation-SPLIT unless given.
    no_baselines
        Leave the baselines out.
    precision
        "fp32", or "int8": the text encoder in 8-bit integers, with the drift of the scores printed.
    missing_rate
        Also the error with modalities missing at random, at these rates: FIRST:LAST:STEP, or rates with commas
        between; a table, a csv and a plot.

    Examples
    --------
    textmsa evaluate run --data store
    textmsa evaluate run --data store --split valid --missing-rate 0.0:0.9:0.1
    """
    from textmsa.evaluate import baselines, robustness

    rates = robustness.parse_rates(missing_rate) if missing_rate else []
    opened, store = Run.open(run), Store.open(data)
    opened.check(store)
    indices = store.indices(split)
    true = store.labels(split)
    if not np.isfinite(true).all():
        raise UserError(f"{data}: clips of {split!r} have no label to compare with; use textmsa predict")
    members = opened.score_members(store, indices, precision=precision)
    readings = _note_reading(run, store, split)
    scored = mean_of(members)
    if precision == "int8":
        print(opened.drift(store, indices, scored))
    others = {} if no_baselines else baselines.predictions(opened, store, split, indices)
    family = metrics.family_of(store.manifest.score_range)
    result = Evaluation(
        split=split,
        clips=len(indices),
        test=metrics.evaluate(scored.score_N, true, family),
        baselines={name: metrics.evaluate(pred, true, family) for name, pred in others.items()},
        floors=corpus_floors(Path(store.manifest.corpus_folder)),
        difference=difference(scored.score_N, others, true),
        by_seed={
            str(seed): metrics.evaluate(member.score_N, true, family)
            for seed, member in zip(opened.info.seeds, members, strict=False)
        },
    )
    columns = {f"seed_{seed}": m.score_N for seed, m in zip(opened.info.seeds, members, strict=False)} | others
    _write(result, scored, columns, true, out or run / f"evaluation-{split}")
    print(result.table())
    if split == "test" and readings > 1:
        print(f"this run's test split was read {readings} times ({run / READINGS}); choose by validation only")
    if rates:
        rows = robustness.robustness(opened, store, split, rates)
        robustness.write_robustness(rows, out or run / f"evaluation-{split}")
        print(robustness.table(rows))
    return result


def _note_reading(run: Path, store: Store, split: str) -> int:
    """Add a line to the run's record of what was scored with labels; how often this split was."""
    path = run / READINGS
    lines = path.read_text().splitlines() if path.is_file() else ["date,split,store"]
    lines.append(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ},{split},{store.path}")
    write_text(path, "\n".join(lines) + "\n")
    return sum(line.split(",")[1] == split for line in lines[1:])


def corpus_floors(corpus: Path) -> dict[str, float]:
    """The floors that the demo corpus carries; nothing for other corpora."""
    path = corpus / "corpus.json"
    if not path.is_file():
        return {}
    content = json.loads(path.read_text())
    oracle = {"oracle on these clips": content["oracle_test_mae"]} if "oracle_test_mae" in content else {}
    return dict(content.get("floors", {})) | oracle


def difference(score_N: Any, others: dict[str, Any], true_N: Any) -> dict[str, Any]:
    """MAE less that of the best baseline, with its paired 95 % bootstrap interval over clips."""
    if not others:
        return {}
    best = min(others, key=lambda name: float(np.abs(others[name] - true_N).mean()))
    found = paired(np.abs(score_N - true_N), np.abs(others[best] - true_N))
    return {
        "baseline": best,
        "mae": found.difference,
        "interval": list(found.interval),
        "permutation_p": found.permutation_p,
    }


def _write(result: Evaluation, scored: Scored, others: dict[str, Any], true_N: Any, out: Path) -> None:
    import io

    out.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.writer(text)
    gates = [f"gate_{name}" for name in MODALITIES]
    writer.writerow(["id", "label", "score", *gates, *others])
    for i, identity in enumerate(scored.ids):
        values = [true_N[i], scored.score_N[i], *scored.gates_NM[i], *(pred[i] for pred in others.values())]
        writer.writerow([identity, *(f"{value:.6f}" for value in values)])
    write_text(out / "predictions.csv", text.getvalue())
    content = asdict(result)
    write_text(out / "metrics.json", json.dumps(without_nan(content), indent=2) + "\n")


def without_nan(value: Any) -> Any:
    """JSON has no NaN: what is undefined is null."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    return None if isinstance(value, float) and not np.isfinite(value) else value
