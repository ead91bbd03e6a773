"""`textmsa convert`: a published data file, or a table of transcripts -> a store."""

import math
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from textmsa import __version__
from textmsa.corpora import DESCRIPTION, ScoreRange, described_range, read_corpus, read_description
from textmsa.data_files.pickles import COLUMN_OF, LABELS, SplitTable, read_pickle
from textmsa.errors import UserError
from textmsa.features.statistics import Statistics, modality_statistics
from textmsa.inputs.time_grid import without_padding
from textmsa.runtime.atomic import file_sha256
from textmsa.runtime.claim import check_empty
from textmsa.store.manifest import Manifest
from textmsa.store.preparation import CONVERTED, Preparation
from textmsa.store.rows import StoredClip
from textmsa.store.writing import write_store
from textmsa.types import SPLITS, Clip, ExplainerSpec, Explanation, FeatureSpec, Observation, Sample


@dataclass(frozen=True)
class ConvertResult:
    """What was made of a file."""

    store: Path
    counts: dict[str, int]
    """Clips by split."""
    not_finite: dict[str, int]
    """Values that are infinite or NaN, by modality; they count as not measured."""
    empty: dict[str, int]
    """Clips without a modality, among them those whose sequence is all zeros."""
    features: dict[str, int]
    """Columns, by modality."""
    unlabelled: dict[str, int]
    """Clips without a label by split, where there are some."""

    def text(self) -> str:
        """What `textmsa convert` prints."""
        counts = ", ".join(f"{split} {count}" for split, count in self.counts.items())
        lines = [f"{self.store}: {counts} clips"]
        lines += [
            f"  {modality}: {self.features[modality]} features, {self.not_finite[modality]} values not finite (not "
            f"measured), {self.empty[modality]} clips without"
            for modality in COLUMN_OF
        ]
        if self.unlabelled:
            without = ", ".join(f"{split} {count}" for split, count in self.unlabelled.items())
            lines.append(f"  without a label, for prediction only: {without}")
        return "\n".join(lines)


def convert(file: Path, *, out: Path, name: str | None = None) -> ConvertResult:
    """Make a store of a published data file (MMSA, MMSA-FET or TEXT pickle), or of a table of transcripts.

    Parameters
    ----------
    file
        The pickle, in which only numpy arrays and plain containers are admitted; or a label.csv in MMSA's layout,
        whose transcripts and labels alone make a store without audio and video.
    out
        The store to write; must not exist.
    name
        The corpus' name; unless given that of a corpus.json beside the file, else the pickle's or the table's folder's.

    Examples
    --------
    textmsa convert unaligned_50.pkl --out store
    textmsa convert label.csv --out store
    """
    check_empty(out)
    content = _of_table(file) if file.suffix == ".csv" else _of_pickle(file)
    statistics = _statistics(content.samples)
    manifest = _manifest(content, statistics, name or content.corpus, file.parent.resolve())
    explainer = ExplainerSpec(CONVERTED, __version__)
    Preparation(content.specs["audio"], content.specs["video"], explainer, statistics).save(out)
    source = file_sha256(file)
    rows = [StoredClip(sample, source) for sample in content.samples]
    write_store(out, rows, manifest=manifest, statistics=statistics)
    return ConvertResult(
        store=out,
        counts=manifest.counts,
        not_finite=content.not_finite,
        empty={modality: sum(manifest.missing.get(modality, {}).values()) for modality in COLUMN_OF},
        features={modality: len(spec.names) for modality, spec in content.specs.items()},
        unlabelled=manifest.unlabelled,
    )


@dataclass(frozen=True)
class _Content:
    """What a file held."""

    corpus: str
    samples: list[Sample]
    specs: dict[str, FeatureSpec]
    not_finite: dict[str, int]
    score_range: ScoreRange
    score_range_source: str


def _of_pickle(file: Path) -> _Content:
    columns = read_pickle(file)
    splits = {split: SplitTable(columns[split], f"{file}: {split}") for split in SPLITS if split in columns}
    if not any(len(table) for table in splits.values()):
        raise UserError(f"{file}: holds no clip; give a data file with clips in train, valid or test")
    specs = {modality: _spec(modality, splits, file) for modality in COLUMN_OF}
    folder = file.parent.resolve()
    samples = [sample for split, table in splits.items() for sample in table.samples(split, specs, folder)]
    _check_ids(samples, file)
    described = read_description(file.parent)
    score_range, source = _checked_range([sample.clip for sample in samples], file, described)
    not_finite = {modality: sum(table.not_finite(modality) for table in splits.values()) for modality in COLUMN_OF}
    name = str(described.get("name", file.stem))
    return _Content(name, samples, specs, not_finite, score_range, source)


def _of_table(file: Path) -> _Content:
    if file.name != "label.csv":
        raise UserError(f"{file}: a table of transcripts must be a label.csv in MMSA's layout, in a folder of its own")
    absent = dict.fromkeys(COLUMN_OF, "a table of transcripts")
    corpus = read_corpus(file.parent, layout="textmsa.corpora:MmsaTranscripts")
    samples = [
        Sample(clip, Observation(clip.path, clip.transcript, None, None, None, missing=dict(absent)), Explanation())
        for clip in corpus.clips
    ]
    nothing = FeatureSpec(CONVERTED, __version__, ())
    specs, not_finite = dict.fromkeys(COLUMN_OF, nothing), dict.fromkeys(COLUMN_OF, 0)
    return _Content(corpus.name, samples, specs, not_finite, corpus.score_range, corpus.score_range_source)


def _statistics(samples: list[Sample]) -> Statistics:
    training = [sample.observation for sample in samples if sample.clip.split == "train"]
    return Statistics(
        audio=modality_statistics(without_padding(observation.audio) for observation in training),
        video=modality_statistics(without_padding(observation.video) for observation in training),
        clips=len(training),
    )


def _manifest(content: _Content, statistics: Statistics, name: str, folder: Path) -> Manifest:
    missing: dict[str, Counter[str]] = {}
    for sample in content.samples:
        for modality, reason in sample.observation.missing.items():
            missing.setdefault(modality, Counter())[reason] += 1
    counts = Counter(sample.clip.split for sample in content.samples)
    unlabelled = Counter(sample.clip.split for sample in content.samples if sample.clip.label is None)
    return Manifest(
        corpus=name,
        corpus_folder=str(folder),
        score_range=content.score_range,
        score_range_source=content.score_range_source,
        counts={split: counts[split] for split in SPLITS if counts[split]},
        missing={modality: dict(reasons) for modality, reasons in missing.items()},
        skipped=0,
        audio=content.specs["audio"],
        video=content.specs["video"],
        explainer=ExplainerSpec(CONVERTED, __version__),
        statistics_sha256=statistics.sha256,
        packages={"textmsa": __version__, "numpy": np.__version__},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        unlabelled={split: unlabelled[split] for split in SPLITS if unlabelled[split]},
    )


def _spec(modality: str, splits: dict[str, SplitTable], file: Path) -> FeatureSpec:
    sizes = {table.features[modality].shape[2] for table in splits.values()}
    if len(sizes) != 1:
        raise UserError(f"{file}: {COLUMN_OF[modality]!r} has {sorted(sizes)} features in different splits")
    return FeatureSpec(CONVERTED, __version__, tuple(f"{modality}_{i}" for i in range(sizes.pop())))


def _check_ids(samples: list[Sample], file: Path) -> None:
    ids: set[str] = set()
    for sample in samples:
        if sample.clip.id in ids:
            raise UserError(f"{file}: the id {sample.clip.id!r} comes twice; ids must be unique")
        ids.add(sample.clip.id)


def _checked_range(clips: list[Clip], file: Path, described: dict[str, Any]) -> tuple[ScoreRange, str]:
    """The range of `described_range`; UserError, naming the clip, at the first label outside it."""
    labels = {(clip.id, field): getattr(clip, field) for clip in clips for field in LABELS}
    values = {key: value for key, value in labels.items() if value is not None}
    (low, high), source = described_range(file.parent, described, values.values())
    for (identity, field), value in values.items():
        if not (math.isfinite(value) and low <= value <= high):
            raise UserError(
                f"{file}: clip {identity!r}: {LABELS[field]} {value:g} is outside [{low:g}, {high:g}] "
                f"(range from {source}); mend it, or name the range as score_range in {file.with_name(DESCRIPTION)}"
            )
    return (low, high), source
