"""`textmsa evaluate`: run + store -> metrics beside baselines and floors."""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from textmsa import metrics
from textmsa.corpora import DESCRIPTION, read_description
from textmsa.errors import UserError
from textmsa.evaluate.baselines import Baselines
from textmsa.evaluate.labelled import Labelled, labelled_clips
from textmsa.evaluate.origin import Origin, stamped
from textmsa.evaluate.paired import Floats, paired
from textmsa.evaluate.predictions import Predictions
from textmsa.evaluate.readings import note_reading
from textmsa.evaluate.robustness import RobustnessRow, parse_rates, robustness, write_robustness
from textmsa.evaluate.robustness import table as robustness_table
from textmsa.evaluate.trust import Counted, Coverage, counted_in, coverage_of
from textmsa.run import Precision, Run
from textmsa.runtime.atomic import write_text
from textmsa.scoring import Scores, mean_of
from textmsa.store.reading import Store
from textmsa.types import MODALITIES

ALONE = "alone_"
ORACLE = "oracle on these clips"


@dataclass(frozen=True)
class Evaluation:
    """What a run reaches on a split."""

    split: str
    clips: int
    metrics: dict[str, float]
    """In files this is called "test", whichever the split."""
    baselines: dict[str, dict[str, float]]
    floors: dict[str, float]
    """Best MAE by what a predictor may know exactly; of the demo corpus only."""
    difference: dict[str, Any]
    """TEXT's MAE less that of the best baseline, with a 95 % bootstrap interval."""
    by_seed: dict[str, dict[str, float]]
    """Metrics of each seed's network, where several were trained; `metrics` is then of the mean of their scores."""
    unimodal: dict[str, dict[str, float]] = field(default_factory=dict)
    """Modality -> metrics of the network's score of it alone against its label, and "clips", how many have both."""
    unlabelled: int = 0
    """Clips of the split that have no label, and were left out."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Baseline -> why it was not fitted."""
    stamp: dict[str, Any] = field(default_factory=dict)
    """Versions, commit and date."""
    robustness: list[RobustnessRow] = field(default_factory=list)
    """By the rate of missing modalities, where that was asked for."""
    drift: str = ""
    """How far scores in int8 lie from those in fp32, in words, where they are int8."""
    coverage: list[Coverage] = field(default_factory=list)
    """Of the run's intervals, where it is calibrated and these clips were not."""
    interval_note: str = ""
    """What is to be known of the intervals, or why there are none."""
    counted: Counted | None = None
    """What text, audio and video add to the scores, where that was asked for."""
    reading: str = ""
    """How often the split was read, in words, where that is to be known."""

    def table(self) -> str:
        """One row a predictor."""
        name = f"TEXT, mean of {len(self.by_seed)} seeds" if self.by_seed else "TEXT"
        rows = [(name, self.metrics), *self.baselines.items()]
        lines = [f"{self.split}, {self.clips} clips      MAE    corr"]
        lines += [f"  {name:<22}{row['mae']:6.3f}  {row['corr']:6.3f}" for name, row in rows]
        lines += [f"  {name:<22}left out: {reason}" for name, reason in self.left_out.items()]
        lines += [f"  {'floor: ' + name:<30}{value:6.3f}" for name, value in self.floors.items()]
        lines += [
            f"  {name + ' alone':<22}{row['mae']:6.3f}  {row['corr']:6.3f}  against the label of {name}, "
            f"{row['clips']:.0f} clips"
            for name, row in self.unimodal.items()
        ]
        if self.unlabelled:
            lines.append(f"{self.unlabelled} without label left out")
        if len(self.by_seed) > 1:
            spread = {m: [row[m] for row in self.by_seed.values()] for m in ("mae", "corr")}
            words = (f"{m} {np.mean(v):.3f} +- {np.std(v, ddof=1):.3f}" for m, v in spread.items())
            lines.append(f"one seed's network: {', '.join(words)} (mean and standard deviation over the seeds)")
        if self.difference:
            low, high = self.difference["interval"]
            lines.append(
                f"TEXT - {self.difference['baseline']}: {self.difference['mae']:+.3f} MAE, "
                f"95 % bootstrap interval [{low:+.3f}, {high:+.3f}]"
            )
        lines += [row.text() for row in self.coverage]
        lines += [self.interval_note] if self.interval_note else []
        lines += [self.counted.text()] if self.counted else []
        if self.split == "train":
            lines.append("the networks were fitted on these clips: fitted values, which no baseline is compared with")
        if self.split == "valid":
            others = ", the baselines' settings on training clips only" if self.baselines else ""
            lines.append(f"the networks' epochs were chosen on these clips{others}")
        return "\n".join(lines)

    def text(self) -> str:
        """All that is told: the table, what is to be known besides, the robustness curve."""
        curve = robustness_table(self.robustness) if self.robustness else ""
        return "\n".join(part for part in (self.drift, self.table(), self.reading, curve) if part)

    def save(self, out: Path) -> None:
        """Write metrics.json."""
        document = asdict(self)
        for name in ("drift", "reading", "robustness", "interval_note"):
            del document[name]
        for name in ("coverage", "counted"):
            if not document[name]:
                del document[name]
        named = {"test" if name == "metrics" else name: value for name, value in document.items()}
        write_metrics(out, named)


def evaluate(
    run: Path,
    *,
    data: Path,
    split: str = "test",
    out: Path | None = None,
    no_baselines: bool = False,
    precision: Precision = "fp32",
    missing_rate: str = "",
    contributions: bool = False,
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
    contributions
        Also what text, audio and video add to each score (exact Shapley values): columns of predictions.csv, and
        their means.

    Examples
    --------
    textmsa evaluate run --data store
    textmsa evaluate run --data store --split valid --missing-rate 0.0:0.9:0.1
    """
    rates = parse_rates(missing_rate) if missing_rate else []
    opened, store = Run.open(Path(run)), Store.open(data)
    opened.check(store)
    clips = labelled_clips(store, split)
    floors = corpus_floors(Path(store.manifest.corpus_folder), split)
    folder = Path(out) if out else opened.path / f"evaluation-{split}"
    folder.mkdir(parents=True, exist_ok=True)  # before the work, so that it is not in vain
    scored, result = _scored(opened, store, clips, precision)
    if contributions:
        counted, columns = counted_in(opened, store, clips, precision)
        scored = replace(scored, columns={**scored.columns, **columns})
        result = replace(result, counted=counted)
    result = replace(result, floors=floors, reading=note_reading(opened.path, folder, store.path, split).text())
    if not no_baselines and split != "train":
        scored, result = _beside_baselines(opened, store, clips, scored, result)
    scored.save(folder)
    result.save(folder)
    if rates:
        result = replace(result, robustness=robustness(opened, store, clips, rates))
        write_robustness(result.robustness, folder)
    return result


def _scored(run: Run, store: Store, clips: Labelled, precision: Precision) -> tuple[Predictions, Evaluation]:
    """The run's scores, gates and metrics."""
    members = run.score_members(store, clips.indices, precision=precision)
    scores = mean_of(members)
    by_seed = {str(seed): member.score_N for seed, member in zip(run.info.seeds, members, strict=False)}
    alone = unimodal_scores(scores)
    coverage, interval_note = coverage_of(run, store, clips, members)
    gates = {f"gate_{name}": scores.gates_NM[:, place] for place, name in enumerate(MODALITIES)}
    family = metrics.family_of(store.manifest.score_range)
    origin = Origin.of_run(run, store, clips, precision)
    predictions = Predictions(
        ids=scores.ids,
        label_N=clips.label_N,
        score_N=scores.score_N,
        columns=gates | alone | {f"seed_{seed}": score_N for seed, score_N in by_seed.items()},
        origin=origin,
    )
    evaluation = Evaluation(
        split=clips.split,
        clips=len(clips.ids),
        metrics=metrics.evaluate(scores.score_N, clips.label_N, family),
        baselines={},
        floors={},
        difference={},
        by_seed={seed: metrics.evaluate(score_N, clips.label_N, family) for seed, score_N in by_seed.items()},
        unimodal=unimodal_metrics(alone, store, clips, family),
        unlabelled=clips.unlabelled,
        coverage=coverage,
        interval_note=interval_note,
        stamp=origin.stamp,
        drift=run.drift(store, clips.indices, scores) if precision == "int8" else "",
    )
    return predictions, evaluation


def _beside_baselines(
    run: Run, store: Store, clips: Labelled, scored: Predictions, evaluation: Evaluation
) -> tuple[Predictions, Evaluation]:
    """Both with the baselines in them."""
    fitted = Baselines.fit(run, store, clips)
    family = metrics.family_of(store.manifest.score_range)
    return (
        replace(scored, columns={**scored.columns, **fitted.scores}),
        replace(
            evaluation,
            baselines={n: metrics.evaluate(score_N, clips.label_N, family) for n, score_N in fitted.scores.items()},
            left_out=fitted.left_out,
            difference=difference(scored.score_N, fitted.scores, clips.label_N),
        ),
    )


def unimodal_scores(scores: Scores) -> dict[str, Floats]:
    """Column -> the network's scores (N,) of a modality alone, for those that it says anything of."""
    if scores.unimodal_NM is None:
        return {}
    columns = zip(MODALITIES, scores.unimodal_NM.T, strict=True)
    return {f"{ALONE}{name}": score_N for name, score_N in columns if np.isfinite(score_N).any()}


def unimodal_metrics(
    alone: dict[str, Floats], store: Store, clips: Labelled, family: metrics.Family
) -> dict[str, dict[str, float]]:
    """Modality -> metrics over the clips that have both a score and a label of it alone, and how many they are."""
    found = {}
    for column, score_N in alone.items():
        modality = column.removeprefix(ALONE)
        label_N = np.array(store.column(f"label_{modality}"), np.float64)[clips.indices]
        both = np.isfinite(label_N) & np.isfinite(score_N)
        if both.any():
            values = metrics.evaluate(score_N[both], label_N[both], family)
            found[modality] = {**values, "clips": float(both.sum())}
    return found


def corpus_floors(corpus: Path, split: str = "test") -> dict[str, float]:
    """The floors that the demo corpus carries, that of its test clips for those only; nothing for other corpora.

    Raises UserError where the corpus' description is damaged.
    """
    described = read_description(corpus)
    floors = described.get("floors", {})
    if not isinstance(floors, dict):
        raise _no_floors(corpus, "floors is no object of numbers")
    if split == "test" and "oracle_test_mae" in described:
        floors = {**floors, ORACLE: described["oracle_test_mae"]}
    for name, value in floors.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _no_floors(corpus, f"the floor {name!r} is no number")
    return floors


def _no_floors(corpus: Path, what: str) -> UserError:
    return UserError(f"{corpus / DESCRIPTION}: {what}; mend or remove it")


def difference(score_N: Floats, others: dict[str, Floats], true_N: Floats) -> dict[str, Any]:
    """MAE less that of the best baseline, with its paired 95 % bootstrap interval over clips."""
    if not others:
        return {}
    best = min(others, key=lambda name: float(np.abs(others[name] - true_N).mean()))
    comparison = paired(np.abs(score_N - true_N), np.abs(others[best] - true_N))
    return {
        "baseline": best,
        "mae": comparison.difference,
        "interval": list(comparison.interval),
        "permutation_p": comparison.permutation_p,
    }


def write_metrics(out: Path, document: dict[str, Any]) -> None:
    """Write metrics.json into `out`, at once or not at all."""
    write_text(out / "metrics.json", json.dumps(without_nan(stamped(document)), indent=2) + "\n")


def without_nan(value: object) -> object:
    """JSON has no NaN: what is undefined is null."""
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
