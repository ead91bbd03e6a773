"""`textmsa zero-shot`: the score that a language model gives a clip without any training, as a baseline.

An answer that is no number in the range is counted as missing; it never becomes a score.
"""

import csv
import io
import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from textmsa import metrics, seams
from textmsa.errors import UserError
from textmsa.evaluate.command import without_nan
from textmsa.prepare.command import explaining_options, prepare
from textmsa.runtime.atomic import write_text
from textmsa.runtime.progress import track
from textmsa.runtime.threads import in_threads
from textmsa.store.manifest import MANIFEST
from textmsa.store.reading import Store


@dataclass(frozen=True)
class ZeroShot:
    """What a model reaches on a split."""

    split: str
    clips: int
    scored: int
    missing: dict[str, int]
    """Kind of reason -> clips without a score; the reasons are in answers.jsonl."""
    metrics: dict[str, float]
    """Over the clips that have a score."""
    middle_mae: float
    """MAE over all clips, with the middle of the range for those without a score."""
    tokens_in: int
    tokens_out: int
    cost: float | None

    @property
    def exit_code(self) -> int:
        """0 all clips have a score, 1 some have none."""
        return int(self.scored < self.clips)

    def table(self) -> str:
        """For people."""
        lines = [f"{self.split}: {self.scored} of {self.clips} clips scored"]
        lines += [f"  without score: {reason}: {count}" for reason, count in self.missing.items()]
        lines += [f"  {name:<12}{value:7.3f}" for name, value in self.metrics.items()]
        if self.scored < self.clips:
            lines.append(f"  over the clips with a score; MAE with 0 for the others {self.middle_mae:.3f}")
        price = "" if self.cost is None else f", cost {self.cost:.4f}"
        lines.append(f"  tokens {self.tokens_in} in, {self.tokens_out} out{price}")
        return "\n".join(lines)


def zero_shot(
    source: Path,
    *,
    explainer: str,
    out: Path,
    split: str = "test",
    explainer_options: dict[str, Any] | None = None,
    workers: int = 2,
    layout: str = "mmsa",
) -> ZeroShot:
    """Let a language model score the clips of a split, and compare with their labels.

    It may be stopped and run again: no answer is asked for twice.

    Parameters
    ----------
    source
        A store, or the folder of a corpus.
    explainer
        An explainer with a language model, such as chat_endpoint; or "module:Class".
    out
        Folder for metrics.json, predictions.csv and answers.jsonl.
    split
        "train", "valid" or "test".
    explainer_options
        Options of the explainer: --explainer-options.model NAME ...
    workers
        Processes that decode and measure, for a corpus.
    layout
        Layout of the corpus: a name, or "module:Class".

    Examples
    --------
    textmsa zero-shot store --out scores --explainer chat_endpoint --explainer-options.model MODEL
    """
    class_ = seams.load(seams.EXPLAINERS, explainer, what="explainer")
    if not hasattr(class_, "score"):
        raise UserError(f"explainer {explainer!r} has no language model that could score; give another --explainer")
    options = explaining_options(explainer, explainer_options)
    source, out = Path(source), Path(out)
    store = Store.open(source if (source / MANIFEST).is_file() else _prepared(source, out, workers, layout))
    built = class_(_statistics(store), **options)
    indices, true_N = store.indices(split), store.labels(split)
    if not np.isfinite(true_N).all():
        raise UserError(f"{source}: clips of {split!r} have no label to compare with")
    score_range = store.manifest.score_range
    waiting = ((place, store[index].observation) for place, index in enumerate(indices))
    said = in_threads(lambda seen: built.score(seen, score_range), waiting, threads=built.concurrency)
    score_N = np.full(len(indices), np.nan)
    made: list[dict[str, Any]] = [{} for _ in indices]
    for place, told in track(said, total=len(indices), label="scoring"):
        if isinstance(told, Exception):
            raise told
        score, made[place] = told
        score_N[place] = np.nan if score is None else score
    return _written(store, split, score_N, true_N, made, out)


def _prepared(corpus: Path, out: Path, workers: int, layout: str) -> Path:
    """A store of what is measured of the corpus, beside the results."""
    out.mkdir(parents=True, exist_ok=True)
    return prepare(corpus, out=out / "store", workers=workers, layout=layout).store


def _statistics(store: Store) -> dict[str, Any] | None:
    """By which the measured voice is graded, where the store has them."""
    from textmsa.explain.measured.explainer import MeasuredExplainer

    found = store.statistics.explainer
    return found if found.get("version") == MeasuredExplainer.version and "quantiles" in found else None


def _written(store: Store, split: str, score_N: Any, true_N: Any, made: list[dict[str, Any]], out: Path) -> ZeroShot:
    there_N = np.isfinite(score_N)
    ids, family = store.ids(split), metrics.family_of(store.manifest.score_range)
    middle = sum(store.manifest.score_range) / 2
    costs = [about["cost"] for about in made if "cost" in about]
    kinds = Counter(about["failed"].split(": ")[1] for about in made if "failed" in about)
    result = ZeroShot(
        split=split,
        clips=len(ids),
        scored=int(there_N.sum()),
        missing=dict(kinds.most_common()),
        metrics=metrics.evaluate(score_N[there_N], true_N[there_N], family) if there_N.any() else {},
        middle_mae=float(np.abs(np.where(there_N, score_N, middle) - true_N).mean()),
        tokens_in=sum(about["tokens_in"] for about in made),
        tokens_out=sum(about["tokens_out"] for about in made),
        cost=sum(costs) if costs else None,
    )
    out.mkdir(parents=True, exist_ok=True)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["id", "label", "score"])
    for identity, label, score in zip(ids, true_N, score_N, strict=True):
        writer.writerow([identity, f"{label:.6f}", f"{score:.6f}" if np.isfinite(score) else ""])
    write_text(out / "predictions.csv", text.getvalue())
    lines = [json.dumps({"id": i, **about}, ensure_ascii=False) + "\n" for i, about in zip(ids, made, strict=True)]
    write_text(out / "answers.jsonl", "".join(lines))
    write_text(out / "metrics.json", json.dumps(without_nan(asdict(result)), indent=2) + "\n")
    print(result.table())
    return result
