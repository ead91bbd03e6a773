"""One run of `textmsa prepare`, stage by stage.

Corpus -> observations (by workers, one decode a clip) -> statistics of the training split, frozen -> explanations ->
Arrow data -> manifest. Each stage keeps what it has done in `OUT/work`, so that a killed run goes on where it was.
"""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from textmsa import seams
from textmsa.corpora import Corpus
from textmsa.errors import WorkerDied
from textmsa.explain import Explainer, check_clips, explain_each
from textmsa.features.statistics import Statistics
from textmsa.prepare.contents import Contents
from textmsa.prepare.failures import EXPLANATION_STAGE, STATISTICS_STAGE, Failures
from textmsa.prepare.one_clip import as_explanation
from textmsa.prepare.parts import build_explainer
from textmsa.prepare.result import PrepareResult
from textmsa.prepare.training_statistics import statistics_of
from textmsa.prepare.transcribe import with_words
from textmsa.prepare.work_folder import WorkFolder
from textmsa.prepare.worker import ObservationTask, work_on
from textmsa.runtime.atomic import UNFINISHED
from textmsa.runtime.progress import track
from textmsa.runtime.workers import Crew
from textmsa.store.manifest import MANIFEST, Manifest
from textmsa.store.preparation import STATISTICS, Preparation
from textmsa.store.reading import Store
from textmsa.store.writing import write_store
from textmsa.types import Clip

WORK = "work"


class Job:
    """One run of `prepare`, stage by stage."""

    def __init__(
        self, corpus: Corpus, out: Path, preparation: Preparation, workers: int, passing: dict[str, Any]
    ) -> None:
        self.corpus, self.out, self.preparation, self.workers = corpus, out, preparation, workers
        self.passing = passing
        finished = Store.open(out) if (out / MANIFEST).is_file() else None
        _clear_leftovers(out)
        self.work = WorkFolder(out / WORK, preparation, finished)
        self.failures = Failures(corpus, out)
        self.explainer: Explainer | None = None
        """Once it is built."""

    def run(self) -> PrepareResult:
        """All stages; what an earlier run has done is taken over."""
        class_ = seams.load(seams.EXPLAINERS, self.preparation.explainer.explainer, what="explainer")
        if not class_.needs_statistics:  # it can look at the corpus before hours are spent on measuring
            self.explainer = self.built_explainer(self.preparation)
        words = with_words(self.corpus.clips, self.work, self.preparation.recogniser, workers=self.workers)
        self.corpus = replace(self.corpus, clips=tuple(words))
        clips = self.observe()
        statistics = self.freeze_statistics(clips)
        contents = Contents(self.corpus, clips, self.work, statistics)
        self.explain(contents)
        self.failures.write()
        manifest = contents.manifest()
        changed = not contents.are_in(self.work.finished, manifest)
        if changed:
            rows = track(contents.rows(), total=len(clips), label="writing")
            write_store(self.out, rows, manifest=manifest, statistics=statistics)
            _clear_leftovers(self.out)
        shutil.rmtree(self.out / WORK)
        return PrepareResult(
            store=self.out,
            prepared=len(clips),
            skipped=manifest.skipped,
            missing=manifest.missing,
            unexplained=self.failures.count(EXPLANATION_STAGE),
            damaged=sum(damage is not None for damage in Store.open(self.out).damage()),
            changed=changed,
            unlabelled=sum(manifest.unlabelled.values()),
            left_out=self.failures.count(STATISTICS_STAGE),
            spoken=[clip.spoken for clip in clips if clip.spoken is not None],
        )

    def built_explainer(self, preparation: Preparation) -> Explainer:
        """The explainer, after it has looked at the corpus."""
        explainer = build_explainer(preparation, self.passing)
        check_clips(explainer, [clip.path for clip in self.corpus.clips])
        return explainer

    def observe(self) -> list[Clip]:
        """Observe what is not observed yet; the clips that could be observed, in the corpus' order."""
        absent = [clip for clip in self.corpus.clips if self.work.source(clip) is None]
        for clip in absent:
            self.failures.add(clip, "file", "there is no such media file")
        failed = {clip.id for clip in absent}
        todo = [clip for clip in self.corpus.clips if clip.id not in failed and not self.work.is_observed(clip)]
        if todo:
            done = len(self.corpus.clips) - len(absent) - len(todo)
            outcomes = self._outcomes(todo)
            for clip, stage, reason in track(outcomes, total=done + len(todo), label="observing", done=done):
                if stage:
                    failed.add(clip.id)
                    self.failures.add(clip, stage, reason)
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

    def freeze_statistics(self, clips: list[Clip]) -> Statistics:
        """Those written by an earlier run, else those of the training clips, now written for good."""
        if self.preparation.statistics is not None:
            self.failures.take_over(STATISTICS_STAGE)
            return self.preparation.statistics
        statistics_of(clips, self.work, self.failures).save(self.out / STATISTICS)
        return Statistics.load(self.out / STATISTICS)

    def explain(self, contents: Contents) -> None:
        """Explain what is not explained yet."""
        clips = contents.clips
        keys = {clip.id: contents.key(clip) for clip in clips}
        todo = [clip for clip in clips if (clip.id, keys[clip.id]) not in self.work.explained]
        if not todo:
            return
        explainer = self.explainer or self.built_explainer(replace(self.preparation, statistics=contents.statistics))
        waiting = ((c, replace(self.work.observation(c), transcript_en=c.transcript_en)) for c in todo)
        outcomes = explain_each(explainer, waiting)
        for clip, outcome in track(outcomes, total=len(clips), label="explaining", done=len(clips) - len(todo)):
            explanation = as_explanation(outcome, self.preparation.explainer)
            if "failed" in explanation.provenance:
                self.failures.add(clip, EXPLANATION_STAGE, str(explanation.provenance["failed"]))
            self.work.add_explanation(clip, keys[clip.id], explanation)


def _clear_leftovers(out: Path) -> None:
    """Remove what a killed run was writing, and data that the manifest no longer names."""
    current = Manifest.load(out / MANIFEST).data if (out / MANIFEST).is_file() else None
    for path in [*out.iterdir(), *(out / WORK).rglob(f"*{UNFINISHED}")]:
        if path.name.endswith(UNFINISHED) or (path.name.startswith("data-") and path.name != current):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
