"""What is to stand in a store: its rows and its manifest, from what is observed and explained."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from textmsa.corpora import Corpus
from textmsa.features.statistics import Statistics
from textmsa.prepare.one_clip import with_translation
from textmsa.prepare.work_folder import WorkFolder
from textmsa.runtime.versions import PREPARING, package_versions
from textmsa.store.manifest import Manifest
from textmsa.store.reading import Store
from textmsa.store.rows import StoredClip
from textmsa.types import MODALITIES, SPLITS, Clip, Explanation, Sample


@dataclass(frozen=True)
class Contents:
    """The clips of a corpus that are observed and explained, with the statistics that they go by."""

    corpus: Corpus
    clips: list[Clip]
    work: WorkFolder
    statistics: Statistics

    def key(self, clip: Clip) -> str:
        """Of a clip's explanation."""
        return self.work.explanation_source(clip, self.statistics.sha256)

    def explanation(self, clip: Clip) -> Explanation:
        """The explanation of a clip."""
        return self.work.explained[clip.id, self.key(clip)]

    def rows(self) -> Iterator[StoredClip]:
        """What is written, clip by clip in the corpus' order."""
        for clip in self.clips:
            explanation = self.explanation(clip)
            sample = Sample(with_translation(clip, explanation), self.work.observation(clip), explanation)
            yield StoredClip(sample, source=self.work.source(clip) or "", explanation_source=self.key(clip))

    def manifest(self) -> Manifest:
        """What the store's manifest is to say; its data go into a new folder."""
        finished, preparation = self.work.finished, self.work.preparation
        previous = int(finished.manifest.data.rpartition("-")[2]) if finished else 0
        unlabelled = Counter(clip.split for clip in self.clips if clip.label is None)
        return Manifest(
            corpus=self.corpus.name,
            corpus_folder=str(self.corpus.folder),
            score_range=self.corpus.score_range,
            score_range_source=self.corpus.score_range_source,
            counts={split: sum(clip.split == split for clip in self.clips) for split in SPLITS},
            missing=self._missing(),
            skipped=len(self.corpus.clips) - len(self.clips),
            audio=preparation.audio,
            video=preparation.video,
            explainer=preparation.explainer,
            statistics_sha256=self.statistics.sha256,
            packages=package_versions(PREPARING),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            data=f"data-{previous + 1:04d}",
            unlabelled={split: unlabelled[split] for split in SPLITS if unlabelled[split]},
        )

    def _missing(self) -> dict[str, dict[str, int]]:
        """Modality -> reason -> clips, for what is missing somewhere."""
        counts: dict[str, Counter[str]] = {modality: Counter() for modality in MODALITIES}
        for clip in self.clips:
            for modality, reason in self.work.missing(clip).items():
                counts[modality][reason] += 1
        return {modality: dict(reasons) for modality, reasons in counts.items() if reasons}

    def are_in(self, store: Store | None, manifest: Manifest) -> bool:
        """Whether a finished store says already all that would be written."""
        if store is None:
            return False
        old = replace(store.manifest, created=manifest.created, packages=manifest.packages, data=manifest.data)
        explanations = [self.explanation(clip) for clip in self.clips]
        return (
            old == manifest
            and store.clips() == list(map(with_translation, self.clips, explanations))
            and store.column("source") == [self.work.source(clip) for clip in self.clips]
            and store.column("explanation_source") == [self.key(clip) for clip in self.clips]
            and store.explanations() == explanations
        )
