"""The store: samples <-> disk, as Arrow data that is memory-mapped when read.

A store is a folder:

    preparation.json    extractors and explainer with their versions (see `preparation.py`)
    statistics.json     of the training split; written once, never changed
    data-0001/          clips.arrow: one row a clip; `datasets.Dataset.from_file` reads it too
    explanations.jsonl  the same explanations, for people
    failures.csv        clips that were skipped, with stage and reason
    manifest.json       written last: its presence means that the store is complete; names the data folder

Shape suffixes: T time steps, F features.
"""

import json
import mmap
import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from textmsa.atomic import UNFINISHED, read_json, to_disk, write_json
from textmsa.errors import UserError
from textmsa.feature_statistics import Statistics
from textmsa.preparation import PREPARATION, STATISTICS, ExplainerSpec, FeatureSpec
from textmsa.types import Clip, Explanation, FeatureSequence, Observation, Sample

ROWS_PER_BATCH = 64  # about 6 MB of features; what is in memory while writing
MAPPED_AROUND = 1 << 18  # bytes that the system may map on either side of what is read
MANIFEST = "manifest.json"
DATA_FILE = "clips.arrow"

CLIP_TEXTS = ("id", "path", "transcript", "transcript_en", "split", "video_id")
CLIP_LABELS = ("label", "label_text", "label_audio", "label_video")
PIECES = ("transcript", "translated", "residual", "reason", "audio", "video")
"""Texts whose word pieces a published data file may give."""
EXPLANATION_TEXTS = ("audio", "video", "text", "summary", "reason")
PROVENANCE = ("source", "explanation_source")


@dataclass(frozen=True)
class Manifest:
    """What a store holds and how it was made."""

    corpus: str
    corpus_folder: str
    """Absolute; the clips' paths are kept relative to it."""
    score_range: tuple[float, float]
    score_range_source: str
    counts: dict[str, int]
    """Split -> clips."""
    missing: dict[str, dict[str, int]]
    """Modality -> reason -> clips."""
    skipped: int
    """Clips of the corpus that are not in the store (failures.csv names them)."""
    audio: FeatureSpec | None
    video: FeatureSpec | None
    explainer: ExplainerSpec | None
    statistics_sha256: str
    packages: dict[str, str]
    """Package -> version."""
    created: str
    """ISO 8601, UTC."""
    data: str = "data-0001"
    """The folder with the Arrow data."""

    def save(self, folder: Path) -> None:
        """Write manifest.json at once or not at all."""
        write_json(folder / MANIFEST, asdict(self))

    @staticmethod
    def load(path: Path) -> "Manifest":
        """Read manifest.json; raises UserError for a newer format."""
        document = read_json(path)
        document["score_range"] = tuple(document["score_range"])
        for modality in ("audio", "video"):
            document[modality] = FeatureSpec.from_json(document[modality])
        if document["explainer"] is not None:
            document["explainer"] = ExplainerSpec(**document["explainer"])
        return Manifest(**document)


@dataclass(frozen=True)
class StoredClip:
    """A row of the store: a sample, and keys that say what it was made from."""

    sample: Sample
    source: str = ""
    """Changes with the media file and the extractors."""
    explanation_source: str = ""
    """Changes with the above, the transcript, the statistics and the explainer."""


class Store:
    """The clips of a store, in the corpus' order; `store[i]` reads one from the memory-mapped file.

    Use `Store.open`. Arrays are copies: they may be written to, and outlive the store.
    """

    def __init__(self, path: Path, manifest: Manifest, statistics: Statistics) -> None:
        import pyarrow as pa

        self.path = path
        self.manifest = manifest
        self.statistics = statistics
        with (path / manifest.data / DATA_FILE).open("rb") as stream:
            self._map = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        mapped = pa.py_buffer(self._map)
        self._address: int = mapped.address
        table = pa.ipc.open_stream(mapped).read_all()
        starts = np.cumsum([0, *(len(chunk) for chunk in table.column("id").chunks)])
        self._starts: list[int] = starts.tolist()
        self._chunks = {name: table.column(name).chunks for name in table.column_names}
        self._length = table.num_rows

    @staticmethod
    def open(path: Path) -> "Store":
        """Open a complete store; raises UserError, saying what to do, for anything else."""
        path = Path(path)
        if not path.is_dir():
            raise UserError(f"{path}: no such folder; make a store with: textmsa prepare CORPUS --out {path}")
        if not (path / MANIFEST).is_file():
            begun = (path / PREPARATION).is_file()
            if begun:
                raise UserError(f"{path}: not finished; run textmsa prepare ... --out {path} again, as before")
            raise UserError(f"{path}: not a store; make one with: textmsa prepare CORPUS --out {path}")
        manifest = Manifest.load(path / MANIFEST)
        statistics = Statistics.load(path / STATISTICS)
        if statistics.sha256 != manifest.statistics_sha256:
            raise UserError(f"{path / STATISTICS}: changed since the store was made; prepare into another --out")
        return Store(path, manifest, statistics)

    def __reduce__(self) -> tuple[Any, ...]:
        return Store.open, (self.path,)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Sample:
        return self.row(index).sample

    def row(self, index: int) -> StoredClip:
        """The sample at `index` with the keys of what it was made from."""
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        chunk = bisect_right(self._starts, index % len(self)) - 1
        return self._read(chunk, index % len(self) - self._starts[chunk])

    def clips(self) -> list[Clip]:
        """What the corpus says of each clip; features and explanations are not read."""
        columns = {name: self.column(name) for name in (*CLIP_TEXTS, *CLIP_LABELS)}
        folder = Path(self.manifest.corpus_folder)
        columns["path"] = [folder / path for path in columns["path"]]
        return [Clip(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]

    def explanations(self) -> list[Explanation]:
        """The explanation of each clip; features are not read."""
        columns = {name: self.column(f"explanation_{name}") for name in (*EXPLANATION_TEXTS, "provenance")}
        columns["provenance"] = [json.loads(text) for text in columns["provenance"]]
        return [Explanation(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]

    def _read(self, chunk: int, row: int) -> StoredClip:
        def cell(name: str) -> Any:
            return self._chunks[name][chunk][row].as_py()

        texts = {name: cell(name) for name in CLIP_TEXTS}
        texts["path"] = Path(self.manifest.corpus_folder) / texts["path"]
        clip = Clip(**texts, **{name: cell(name) for name in CLIP_LABELS})
        observation = Observation(
            path=clip.path,
            transcript=clip.transcript,
            duration=cell("duration"),
            audio=self._sequence("audio", self.manifest.audio, chunk, row),
            video=self._sequence("video", self.manifest.video, chunk, row),
            missing=json.loads(cell("missing")),
            damage=cell("damage") if "damage" in self._chunks else None,
        )
        explanation = Explanation(
            **{name: cell(f"explanation_{name}") for name in EXPLANATION_TEXTS},
            provenance=json.loads(cell("explanation_provenance")),
        )
        sample = Sample(clip, observation, explanation, self._pieces(chunk, row))
        return StoredClip(sample, cell("source"), cell("explanation_source"))

    def _pieces(self, chunk: int, row: int) -> dict[str, npt.NDArray[np.int32]]:
        cells = {name: self._array(f"pieces_{name}", chunk, row) for name in PIECES if f"pieces_{name}" in self._chunks}
        return {name: cell.reshape(3, -1) for name, cell in cells.items() if cell is not None}

    def pieces(self, name: str) -> list[npt.NDArray[np.int32] | None]:
        """The word pieces (3, L) of one text of each clip; features are not read."""
        column = f"pieces_{name}"
        if column not in self._chunks:
            return [None] * len(self)
        sizes = [len(chunk) for chunk in self._chunks["id"]]
        cells = [self._array(column, chunk, row) for chunk, size in enumerate(sizes) for row in range(size)]
        return [None if cell is None else cell.reshape(3, -1) for cell in cells]

    def _sequence(self, modality: str, spec: FeatureSpec | None, chunk: int, row: int) -> FeatureSequence | None:
        values = self._array(f"{modality}_values", chunk, row)
        times_T = self._array(f"{modality}_times", chunk, row)
        if values is None or times_T is None:
            return None
        assert spec is not None, f"{modality} values without a description in the manifest"
        return FeatureSequence(values.reshape(len(times_T), len(spec.names)), times_T, spec.names)

    def _array(self, name: str, chunk: int, row: int) -> npt.NDArray[Any] | None:
        """One list cell as a numpy array, without passing through Python numbers; None where it is null."""
        column = self._chunks[name][chunk]
        if not column[row].is_valid:
            return None
        start, end = column.offsets[row].as_py(), column.offsets[row + 1].as_py()
        mapped = column.values.slice(start, end - start).to_numpy(zero_copy_only=True)
        copied = np.array(mapped)
        self._release(mapped.ctypes.data - self._address, mapped.nbytes)
        return copied

    def _release(self, offset: int, size: int) -> None:
        """Unmap what was copied: the file's pages stay cached, but do not count as this process' memory.

        Without it a process that goes through the store would seem to hold all of it.
        """
        first = max(0, offset - MAPPED_AROUND) // mmap.PAGESIZE * mmap.PAGESIZE
        end = min(len(self._map), offset + size + MAPPED_AROUND)
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED, first, end - first)

    def column(self, name: str) -> list[Any]:
        """All values of a column of plain values, features not read."""
        return [value for chunk in self._chunks[name] for value in chunk.to_pylist()]

    def damage(self) -> list[str | None]:
        """What could not be decoded of each clip's file; None where nothing was lost."""
        return self.column("damage") if "damage" in self._chunks else [None] * len(self)

    @cached_property
    def _splits(self) -> list[str | None]:
        return self.column("split")

    def indices(self, split: str) -> list[int]:
        """Where the clips of a split stand; UserError for a split that the store does not have."""
        found = [index for index, value in enumerate(self._splits) if value == split]
        if not found:
            have = ", ".join(self.manifest.counts)
            raise UserError(f"{self.path}: has no clip in the split {split!r}; it has {have}")
        return found

    def labels(self, split: str) -> npt.NDArray[np.float64]:
        """Labels (N,) of a split in the order of `indices`; NaN where a clip has none."""
        labels = self.column("label")
        return np.array([labels[index] for index in self.indices(split)], np.float64)

    def ids(self, split: str) -> list[str]:
        """Ids of a split in the order of `indices`."""
        ids = self.column("id")
        return [ids[index] for index in self.indices(split)]


def write_store(folder: Path, clips: Iterable[StoredClip], *, manifest: Manifest, statistics: Statistics) -> None:
    """Write data, explanations, statistics and, last, the manifest into `folder`.

    The data goes into the manifest's new data folder; an older one stays untouched until the manifest is
    replaced, so that the store is whole at any moment. Raises ValueError where features differ from the
    manifest's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / (manifest.data + UNFINISHED)
    unfinished.mkdir(exist_ok=True)
    with (unfinished / "explanations.jsonl").open("w", encoding="utf-8") as lines:
        _write_rows(unfinished / DATA_FILE, _with_lines(clips, lines), manifest)
        to_disk(lines)
    with (unfinished / DATA_FILE).open("rb+") as data:
        to_disk(data)
    os.replace(unfinished / "explanations.jsonl", folder / "explanations.jsonl")
    os.rename(unfinished, folder / manifest.data)
    statistics.save(folder / STATISTICS)
    manifest.save(folder)


def _with_lines(clips: Iterable[StoredClip], lines: Any) -> Iterator[StoredClip]:
    """Pass `clips` through, writing the readable line of each explanation."""
    for clip in clips:
        lines.write(explanation_line(clip.sample.clip.id, clip.sample.explanation))
        yield clip


def explanation_line(identity: str, explanation: Explanation) -> str:
    """One line of explanations.jsonl."""
    return json.dumps({"id": identity, **asdict(explanation)}, ensure_ascii=False) + "\n"


def _write_rows(path: Path, clips: Iterable[StoredClip], manifest: Manifest) -> None:
    import pyarrow as pa
    from datasets.arrow_writer import ArrowWriter

    features = _columns()
    schema = features.arrow_schema
    source = iter(clips)
    with ArrowWriter(path=str(path), features=features) as writer:
        while batch := [_row(clip, manifest) for clip in islice(source, ROWS_PER_BATCH)]:
            arrays = [pa.array([row[name] for row in batch], schema.field(name).type) for name in schema.names]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
        if not writer.finalize()[0]:
            raise ValueError("a store must hold at least one clip")


def _columns() -> Any:
    from datasets import Features, List, Value

    texts = [*CLIP_TEXTS, *PROVENANCE, "missing", "damage", *(f"explanation_{name}" for name in EXPLANATION_TEXTS)]
    columns: dict[str, Any] = {name: Value("string") for name in [*texts, "explanation_provenance"]}
    columns |= {name: Value("float64") for name in (*CLIP_LABELS, "duration")}
    for modality in ("audio", "video"):
        columns |= {f"{modality}_values": List(Value("float32")), f"{modality}_times": List(Value("float64"))}
    columns |= {f"pieces_{name}": List(Value("int32")) for name in PIECES}
    return Features(columns)


def _row(stored: StoredClip, manifest: Manifest) -> dict[str, Any]:
    clip, seen, explanation = stored.sample.clip, stored.sample.observation, stored.sample.explanation
    assert (seen.path, seen.transcript) == (clip.path, clip.transcript), f"{clip.id}: observed something else"
    row: dict[str, Any] = {name: getattr(clip, name) for name in (*CLIP_TEXTS, *CLIP_LABELS)}
    inside = clip.path.is_relative_to(manifest.corpus_folder)
    row["path"] = str(clip.path.relative_to(manifest.corpus_folder) if inside else clip.path.absolute())
    row |= {f"explanation_{name}": getattr(explanation, name) for name in EXPLANATION_TEXTS}
    row["explanation_provenance"] = json.dumps(explanation.provenance, ensure_ascii=False)
    row |= {"duration": seen.duration, "missing": json.dumps(seen.missing, ensure_ascii=False), "damage": seen.damage}
    row |= {name: getattr(stored, name) for name in PROVENANCE}
    for modality, spec in (("audio", manifest.audio), ("video", manifest.video)):
        sequence: FeatureSequence | None = getattr(seen, modality)
        if sequence is not None and (spec is None or sequence.names != spec.names):
            raise ValueError(f"{clip.id}: {modality} features are not those of the manifest")
        row[f"{modality}_values"] = None if sequence is None else sequence.values_TF.reshape(-1)
        row[f"{modality}_times"] = None if sequence is None else sequence.times_T
    given = stored.sample.pieces
    row |= {f"pieces_{name}": given[name].reshape(-1) if name in given else None for name in PIECES}
    return row
