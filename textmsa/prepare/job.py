"""One run of `textmsa prepare`, stage by stage.

Corpus -> observations (by workers, one decode a clip) -> statistics of the training split, frozen -> explanations ->
Arrow data -> manifest. Each stage keeps what it has done in `OUT/work`, so that a killed run goes on where it was.
"""

import csv
import io
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from textmsa import seams
from textmsa.corpora import Corpus
from textmsa.errors import UserError, WorkerDied
from textmsa.explain import explain_each
from textmsa.features.statistics import Statistics, modality_statistics
from textmsa.prepare.one_clip import with_translation
from textmsa.prepare.parts import build_explainer
from textmsa.prepare.work_folder import Failure, Observations, WorkFolder
from textmsa.prepare.worker import ObservationTask, work_on
from textmsa.runtime.atomic import UNFINISHED, write_text
from textmsa.runtime.progress import track
from textmsa.runtime.versions import PREPARING, package_versions
from textmsa.runtime.workers import Crew
from textmsa.store.manifest import MANIFEST, Manifest
from textmsa.store.preparation import STATISTICS, Preparation
from textmsa.store.reading import Store
from textmsa.store.rows import StoredClip
from textmsa.store.writing import write_store
from textmsa.types import MODALITIES, SPLITS, Clip, Explanation, Sample

FAILURES = "failures.csv"
WORK = "work"


@dataclass(frozen=True)
class PrepareResult:
    """What came of a preparation."""

    store: Path
    prepared: int
    skipped: int
    missing: dict[str, dict[str, int]]
    """Modality -> reason -> clips."""
    unexplained: int = 0
    """Clips whose explanation failed."""
    damaged: int = 0
    """Clips of which a part could not be decoded, and the rest was used."""
    changed: bool = True
    """False where the store was complete already and nothing had to be done."""

    @property
    def exit_code(self) -> int:
        """0 all clips are in the store and explained, 1 some are not."""
        return int(self.skipped > 0 or self.unexplained > 0)

    def __str__(self) -> str:
        """The last line that `textmsa prepare` prints."""
        parts = [f"{self.store}: {self.prepared} of {self.prepared + self.skipped} clips prepared"]
        parts += [_missing_line(modality, reasons) for modality, reasons in self.missing.items()]
        parts.append(f"{self.skipped} skipped" + (f" (see {self.store / FAILURES})" if self.exit_code else ""))
        if self.unexplained:
            parts.append(f"{self.unexplained} without explanation, which failed")
        if self.damaged:
            parts.append(f"{self.damaged} broken files used as far as they go (the store's column damage)")
        if not self.changed:
            parts.append("nothing to do")
        return "; ".join(parts)


def _missing_line(modality: str, reasons: dict[str, int]) -> str:
    commonest = Counter(reasons).most_common(3)
    shown = [f"{reason}: {count}" for reason, count in commonest]
    if len(reasons) > len(commonest):
        shown.append(f"{len(reasons) - len(commonest)} other reasons")
    return f"{sum(reasons.values())} without {modality} ({', '.join(shown)})"


class Job:
    """One run of `prepare`, stage by stage."""

    def __init__(
        self, corpus: Corpus, out: Path, preparation: Preparation, workers: int, passing: dict[str, Any]
    ) -> None:
        self.corpus, self.out, self.preparation, self.workers = corpus, out, preparation, workers
        self.passing = passing
        self.finished = Store.open(out) if (out / MANIFEST).is_file() else None
        _clear_leftovers(out)
        self.work = WorkFolder(out / WORK, preparation, self.finished)
        self.failures: list[Failure] = []

    def run(self) -> PrepareResult:
        """All stages; what an earlier run has done is taken over."""
        clips = self.observe()
        statistics = self.freeze_statistics(clips)
        unexplained = self.explain(clips, statistics)
        write_text(self.out / FAILURES, self._failures_csv())
        manifest = self._manifest(clips, statistics)
        changed = not self._is_up_to_date(clips, statistics, manifest)
        if changed:
            rows = track(self._rows(clips, statistics), total=len(clips), label="writing")
            write_store(self.out, rows, manifest=manifest, statistics=statistics)
            _clear_leftovers(self.out)
        shutil.rmtree(self.out / WORK)
        return PrepareResult(
            store=self.out,
            prepared=len(clips),
            skipped=manifest.skipped,
            missing=manifest.missing,
            unexplained=unexplained,
            damaged=sum(damage is not None for damage in Store.open(self.out).damage()),
            changed=changed,
        )

    def observe(self) -> list[Clip]:
        """Observe what is not observed yet; the clips that could be observed, in the corpus' order."""
        absent = [clip for clip in self.corpus.clips if self.work.source(clip) is None]
        self.failures += [self._failure(clip, "file", "there is no such media file") for clip in absent]
        failed = {clip.id for clip in absent}
        todo = [clip for clip in self.corpus.clips if clip.id not in failed and not self.work.is_observed(clip)]
        if todo:
            done = len(self.corpus.clips) - len(absent) - len(todo)
            outcomes = self._outcomes(todo)
            for clip, stage, reason in track(outcomes, total=done + len(todo), label="observing", done=done):
                if stage:
                    failed.add(clip.id)
                    self.failures.append(self._failure(clip, stage, reason))
        return [clip for clip in self.corpus.clips if clip.id not in failed]

    def _outcomes(self, clips: list[Clip]) -> Iterator[tuple[Clip, str, str]]:
        """Clips with the stage and reason of their failure, as workers are done with them; "" where all is well."""
        audio, video = self.preparation.audio.extractor, self.preparation.video.extractor
        tasks = {
            ObservationTask(clip.path, clip.transcript, audio, video, self.work.record(clip)): clip for clip in clips
        }
        for task, outcome in Crew(work_on, workers=self.workers).each(list(tasks)):
            if isinstance(outcome, WorkerDied):
                yield tasks[task], "worker", str(outcome)
            else:
                stage, reason = outcome or ("", "")
                yield tasks[task], stage, reason

    def _failure(self, clip: Clip, stage: str, reason: str) -> Failure:
        return Failure(clip.id, str(clip.path.relative_to(self.corpus.folder)), stage, reason)

    def freeze_statistics(self, clips: list[Clip]) -> Statistics:
        """Those written by an earlier run, else those of the training clips, now written for good."""
        if self.preparation.statistics is not None:
            return self.preparation.statistics
        training = Observations(self.work, [clip for clip in clips if clip.split == "train"])
        if not training:
            write_text(self.out / FAILURES, self._failures_csv())
            first = next(failure for failure in self.failures)
            raise UserError(
                f"{self.corpus.folder}: no training clip could be prepared (see {self.out / FAILURES}; the first: "
                f"{first.path}: {first.reason})"
            )
        explainer = self.preparation.explainer.explainer
        class_ = seams.load(seams.EXPLAINERS, explainer, what="explainer")
        statistics = Statistics(
            audio=modality_statistics(seen.audio for seen in training),
            video=modality_statistics(seen.video for seen in training),
            explainer=class_.fit(training) if class_.needs_statistics else {},
            clips=len(training),
        )
        statistics.save(self.out / STATISTICS)
        return Statistics.load(self.out / STATISTICS)

    def explain(self, clips: list[Clip], statistics: Statistics) -> int:
        """Explain what is not explained yet; the number of clips whose explanation failed."""
        keys = {clip.id: self.work.explanation_source(clip, statistics.sha256) for clip in clips}
        todo = [clip for clip in clips if (clip.id, keys[clip.id]) not in self.work.explained]
        if not todo:
            return 0
        explainer = build_explainer(replace(self.preparation, statistics=statistics), self.passing)
        before = len(self.failures)
        waiting = ((c, replace(self.work.observation(c), transcript_en=c.transcript_en)) for c in todo)
        made = explain_each(explainer, waiting)
        for clip, told in track(made, total=len(clips), label="explaining", done=len(clips) - len(todo)):
            if isinstance(told, UserError):
                raise told
            explanation = told if isinstance(told, Explanation) else self._failed_explanation(told)
            if "failed" in explanation.provenance:
                self.failures.append(self._failure(clip, "explanation", str(explanation.provenance["failed"])))
            self.work.add_explanation(clip, keys[clip.id], explanation)
        return len(self.failures) - before

    def _failed_explanation(self, error: Exception) -> Explanation:
        spec = self.preparation.explainer
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        return Explanation(provenance={"explainer": spec.explainer, "version": spec.version, "failed": reason})

    def _rows(self, clips: list[Clip], statistics: Statistics) -> Iterator[StoredClip]:
        for clip in clips:
            key = self.work.explanation_source(clip, statistics.sha256)
            told = self.work.explained[clip.id, key]
            sample = Sample(with_translation(clip, told), self.work.observation(clip), told)
            yield StoredClip(sample, source=self.work.source(clip) or "", explanation_source=key)

    def _is_up_to_date(self, clips: list[Clip], statistics: Statistics, manifest: Manifest) -> bool:
        """Whether the finished store says already all that this run would write."""
        store = self.finished
        if store is None:
            return False
        old = replace(store.manifest, created=manifest.created, packages=manifest.packages, data=manifest.data)
        keys = [self.work.explanation_source(clip, statistics.sha256) for clip in clips]
        told = [self.work.explained[clip.id, key] for clip, key in zip(clips, keys, strict=True)]
        return (
            old == manifest
            and store.clips() == list(map(with_translation, clips, told))
            and store.column("source") == [self.work.source(clip) for clip in clips]
            and store.column("explanation_source") == keys
            and store.explanations() == told
        )

    def _manifest(self, clips: list[Clip], statistics: Statistics) -> Manifest:
        previous = int(self.finished.manifest.data.rpartition("-")[2]) if self.finished else 0
        return Manifest(
            corpus=self.corpus.name,
            corpus_folder=str(self.corpus.folder),
            score_range=self.corpus.score_range,
            score_range_source=self.corpus.score_range_source,
            counts={split: sum(clip.split == split for clip in clips) for split in SPLITS},
            missing=self._missing(clips),
            skipped=len(self.corpus.clips) - len(clips),
            audio=self.preparation.audio,
            video=self.preparation.video,
            explainer=self.preparation.explainer,
            statistics_sha256=statistics.sha256,
            packages=package_versions(PREPARING),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            data=f"data-{previous + 1:04d}",
        )

    def _missing(self, clips: list[Clip]) -> dict[str, dict[str, int]]:
        """Modality -> reason -> clips, for what is missing somewhere."""
        counts: dict[str, Counter[str]] = {modality: Counter() for modality in MODALITIES}
        for clip in clips:
            for modality, reason in self.work.missing(clip).items():
                counts[modality][reason] += 1
        return {modality: dict(reasons) for modality, reasons in counts.items() if reasons}

    def _failures_csv(self) -> str:
        order = {clip.id: place for place, clip in enumerate(self.corpus.clips)}
        text = io.StringIO()
        table = csv.writer(text, lineterminator="\n")
        table.writerow(["id", "path", "stage", "reason"])
        for failure in sorted(self.failures, key=lambda failure: order[failure.id]):
            table.writerow([failure.id, failure.path, failure.stage, failure.reason])
        return text.getvalue()


def _clear_leftovers(out: Path) -> None:
    """Remove what a killed run was writing, and data that the manifest no longer names."""
    current = Manifest.load(out / MANIFEST).data if (out / MANIFEST).is_file() else None
    for path in [*out.iterdir(), *(out / WORK).rglob(f"*{UNFINISHED}")]:
        if path.name.endswith(UNFINISHED) or (path.name.startswith("data-") and path.name != current):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
