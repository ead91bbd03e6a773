"""`textmsa convert`: a published data file, or a table of transcripts -> a store."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from textmsa import __version__
from textmsa.corpora import read_corpus
from textmsa.data_files.pickles import COLUMN_OF, SplitTable, read_pickle
from textmsa.errors import UserError
from textmsa.features.statistics import Statistics, modality_statistics
from textmsa.inputs.time_grid import without_padding
from textmsa.store.manifest import Manifest
from textmsa.store.preparation import CONVERTED, Preparation
from textmsa.store.rows import StoredClip
from textmsa.store.writing import write_store
from textmsa.types import SPLITS, ExplainerSpec, Explanation, FeatureSpec, Observation, Sample


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
        The corpus' name; the file's name unless given.

    Examples
    --------
    textmsa convert unaligned_50.pkl --out store
    textmsa convert label.csv --out store
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"--out {out}: exists; give another")
    content = _of_table(file) if file.suffix == ".csv" else _of_pickle(file)
    training = [sample.observation for sample in content.samples if sample.clip.split == "train"]
    statistics = Statistics(
        audio=modality_statistics(without_padding(seen.audio) for seen in training),
        video=modality_statistics(without_padding(seen.video) for seen in training),
        clips=len(training),
    )
    explainer = ExplainerSpec(CONVERTED, __version__)
    missing: dict[str, dict[str, int]] = {}
    for sample in content.samples:
        for modality, reason in sample.observation.missing.items():
            missing.setdefault(modality, {}).setdefault(reason, 0)
            missing[modality][reason] += 1
    largest = max(abs(sample.clip.label or 0.0) for sample in content.samples)
    splits = [sample.clip.split for sample in content.samples]
    manifest = Manifest(
        corpus=name or file.stem,
        corpus_folder=str(file.parent.absolute()),
        score_range=(-1.0, 1.0) if largest <= 1 else (-3.0, 3.0),
        score_range_source=f"largest label {largest:g}",
        counts={split: splits.count(split) for split in SPLITS if split in splits},
        missing=missing,
        skipped=0,
        audio=content.specs["audio"],
        video=content.specs["video"],
        explainer=explainer,
        statistics_sha256=statistics.sha256,
        packages={"textmsa": __version__, "numpy": np.__version__},
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    Preparation(content.specs["audio"], content.specs["video"], explainer, statistics).save(out)
    rows = [StoredClip(sample, str(file)) for sample in content.samples]
    write_store(out, rows, manifest=manifest, statistics=statistics)
    empty = {modality: sum(missing.get(modality, {}).values()) for modality in COLUMN_OF}
    result = ConvertResult(out, manifest.counts, content.not_finite, empty)
    print(_told(result, content.specs))
    return result


@dataclass(frozen=True)
class _Content:
    """What a file held."""

    samples: list[Sample]
    specs: dict[str, FeatureSpec]
    not_finite: dict[str, int]


def _of_pickle(file: Path) -> _Content:
    content = read_pickle(file)
    splits = {split: SplitTable(content[split], f"{file}: {split}") for split in SPLITS if split in content}
    specs = {modality: _spec(modality, splits, file) for modality in COLUMN_OF}
    samples = [sample for split, table in splits.items() for sample in table.samples(split, specs)]
    _check_ids(samples, file)
    return _Content(samples, specs, {m: sum(table.not_finite(m) for table in splits.values()) for m in COLUMN_OF})


def _of_table(file: Path) -> _Content:
    if file.name != "label.csv":
        raise UserError(f"{file}: a table of transcripts must be a label.csv in MMSA's layout, in a folder of its own")
    absent = dict.fromkeys(COLUMN_OF, "a table of transcripts")
    samples = [
        Sample(clip, Observation(clip.path, clip.transcript, None, None, None, missing=dict(absent)), Explanation())
        for clip in read_corpus(file.parent, layout="textmsa.corpora:MmsaTranscripts").clips
    ]
    nothing = FeatureSpec(CONVERTED, __version__, ())
    return _Content(samples, dict.fromkeys(COLUMN_OF, nothing), dict.fromkeys(COLUMN_OF, 0))


def _told(result: ConvertResult, specs: dict[str, FeatureSpec]) -> str:
    lines = [f"{result.store}: " + ", ".join(f"{split} {count}" for split, count in result.counts.items()) + " clips"]
    lines += [
        f"  {modality}: {len(specs[modality].names)} features, {result.not_finite[modality]} values not finite (not "
        f"measured), {result.empty[modality]} clips without"
        for modality in COLUMN_OF
    ]
    return "\n".join(lines)


def _spec(modality: str, splits: dict[str, SplitTable], file: Path) -> FeatureSpec:
    sizes = {table.features[modality].shape[2] for table in splits.values()}
    if len(sizes) != 1:
        raise UserError(f"{file}: {COLUMN_OF[modality]!r} has {sorted(sizes)} features in different splits")
    return FeatureSpec(CONVERTED, __version__, tuple(f"{modality}_{i}" for i in range(sizes.pop())))


def _check_ids(samples: list[Sample], file: Path) -> None:
    seen: set[str] = set()
    for sample in samples:
        if sample.clip.id in seen:
            raise UserError(f"{file}: the id {sample.clip.id!r} comes twice; ids must be unique")
        seen.add(sample.clip.id)
