"""`textmsa zero-shot`: the score that a language model gives a clip without any training, as a baseline.

An answer that is no number in the range is counted as missing; it never becomes a score.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from textmsa import metrics, seams
from textmsa.errors import UserError, first_line
from textmsa.evaluate.command import write_metrics
from textmsa.evaluate.labelled import Labelled, labelled_clips
from textmsa.evaluate.origin import Origin
from textmsa.evaluate.paired import Floats
from textmsa.evaluate.predictions import Predictions
from textmsa.explain import ScoringExplainer, can_score, concurrency_of
from textmsa.prepare.command import prepare
from textmsa.prepare.failures import FAILURES
from textmsa.prepare.parts import build_explainer
from textmsa.prepare.result import PrepareResult
from textmsa.runtime.atomic import write_text
from textmsa.runtime.progress import track
from textmsa.runtime.threads import in_threads
from textmsa.store.manifest import MANIFEST
from textmsa.store.reading import Store
from textmsa.types import SPLITS, ExplainerSpec


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
    middle: float = 0.0
    unlabelled: int = 0
    """Clips of the split that have no label, and were left out."""
    skipped: int = 0
    """Clips of the corpus, of any split, that could not be prepared; 0 where a store was given."""
    stamp: dict[str, Any] = field(default_factory=dict)
    """Versions, commit and date."""

    @property
    def exit_code(self) -> int:
        """0 all clips have a score, 1 some have none, or could not be prepared."""
        return int(self.scored < self.clips or self.skipped > 0)

    def text(self) -> str:
        """For people."""
        lines = [f"{self.split}: {self.scored} of {self.clips} clips scored"]
        if self.unlabelled:
            lines.append(f"  {self.unlabelled} without label left out")
        if self.skipped:
            lines.append(f"  {self.skipped} of the corpus skipped (see {FAILURES} of the store beside the results)")
        lines += [f"  without score: {reason}: {count}" for reason, count in self.missing.items()]
        lines += [f"  {name:<12}{value:7.3f}" for name, value in self.metrics.items()]
        if self.scored < self.clips:
            lines.append(
                f"  over the clips with a score; MAE with {self.middle:g} for the others {self.middle_mae:.3f}"
            )
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
    textmsa zero-shot store --out scores --explainer echo
    textmsa zero-shot store --out scores --explainer chat_endpoint --explainer-options.model MODEL
    """
    if split not in SPLITS:
        raise UserError(f"--split {split!r}: give one of {', '.join(SPLITS)}")
    class_ = seams.load(seams.EXPLAINERS, explainer, what="explainer")
    if not can_score(class_):
        raise UserError(f"explainer {explainer!r} has no language model that could score; give another --explainer")
    lasting, passing = seams.split_options(seams.EXPLAINERS, explainer, dict(explainer_options or {}), what="explainer")
    spec = ExplainerSpec(explainer, str(class_.version), lasting)
    source, out = Path(source), Path(out)
    prepared = None if (source / MANIFEST).is_file() else _prepared(source, out, workers, layout)
    store = Store.open(source if prepared is None else prepared.store)
    clips = labelled_clips(store, split)
    answers = _ask(_built(spec, passing, store), store, clips)
    score_N = np.array([np.nan if answer.score is None else answer.score for answer in answers], np.float64)
    origin = Origin.of_explainer(spec, store, clips)
    result = _measured(clips, score_N, answers, store.manifest.score_range)
    result = replace(result, stamp=origin.stamp, skipped=0 if prepared is None else prepared.skipped)
    Predictions(clips.ids, clips.label_N, score_N, origin=origin).save(out)
    lines = ({"id": name, **answer.provenance} for name, answer in zip(clips.ids, answers, strict=True))
    write_text(out / "answers.jsonl", "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
    write_metrics(out, asdict(result))
    return result


@dataclass(frozen=True)
class Answer:
    """What came of a clip."""

    score: float | None
    provenance: dict[str, Any]

    @property
    def kind_of_failure(self) -> str:
        """The reason without its particulars: "refused" of "score: refused: ..."; the whole of one in another form."""
        reason = str(self.provenance.get("failed", "no reason given"))
        return (reason.partition(": ")[2] or reason).split(": ")[0]


def _prepared(corpus: Path, out: Path, workers: int, layout: str) -> PrepareResult:
    """A store of what is measured of the corpus, beside the results."""
    out.mkdir(parents=True, exist_ok=True)
    return prepare(corpus, out=out / "store", workers=workers, layout=layout)


def _built(spec: ExplainerSpec, passing: dict[str, Any], store: Store) -> ScoringExplainer:
    """The explainer; the measured voice is graded by the store's statistics where it has those of this version."""
    from textmsa.explain.measured.explainer import MeasuredExplainer

    fitted = store.statistics.explainer
    graded = fitted.get("version") == MeasuredExplainer.version and "quantiles" in fitted
    preparation = replace(store.preparation, explainer=spec, statistics=store.statistics if graded else None)
    return cast(ScoringExplainer, build_explainer(preparation, passing, may_lack_statistics=True))


def _ask(explainer: ScoringExplainer, store: Store, clips: Labelled) -> list[Answer]:
    """The explainer's answer on each clip; one that breaks down on a clip has no score there, and goes on."""
    score_range = store.manifest.score_range
    waiting = ((place, store[index].observation) for place, index in enumerate(clips.indices))
    outcomes = in_threads(lambda o: explainer.score(o, score_range), waiting, threads=concurrency_of(explainer))
    answers: dict[int, Answer] = {}
    for place, outcome in track(outcomes, total=len(clips.indices), label="scoring"):
        if isinstance(outcome, UserError):
            raise outcome
        if isinstance(outcome, Exception):
            reason = f"score: {type(outcome).__name__}: {first_line(outcome)}"
            answers[place] = Answer(None, {"failed": reason})
        else:
            answers[place] = Answer(*outcome)
    return [answers[place] for place in range(len(answers))]


def _measured(
    clips: Labelled, score_N: Floats, answers: Sequence[Answer], score_range: tuple[float, float]
) -> ZeroShot:
    """The metrics, and how much was asked."""
    there_N, true_N, middle = np.isfinite(score_N), clips.label_N, sum(score_range) / 2
    family = metrics.family_of(score_range)
    provenances = [answer.provenance for answer in answers]
    costs = [about["cost"] for about in provenances if "cost" in about]
    return ZeroShot(
        split=clips.split,
        clips=len(clips.ids),
        scored=int(there_N.sum()),
        missing=dict(Counter(a.kind_of_failure for a in answers if a.score is None).most_common()),
        metrics=metrics.evaluate(score_N[there_N], true_N[there_N], family) if there_N.any() else {},
        middle_mae=float(np.abs(np.where(there_N, score_N, middle) - true_N).mean()),
        tokens_in=sum(about.get("tokens_in", 0) for about in provenances),
        tokens_out=sum(about.get("tokens_out", 0) for about in provenances),
        cost=sum(costs) if costs else None,
        middle=middle,
        unlabelled=clips.unlabelled,
    )
