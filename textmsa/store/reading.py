"""A store that is read: memory-mapped, one clip at a time.

Shape suffixes: N clips of the store or of a split, T time steps, F features.
"""

import json
import mmap
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from textmsa.errors import UserError, first_line
from textmsa.features.statistics import Statistics
from textmsa.runtime.atomic import REMEDY
from textmsa.store.manifest import DATA_FILE, MANIFEST, Manifest
from textmsa.store.preparation import PREPARATION, STATISTICS, Preparation
from textmsa.store.rows import CLIP_LABELS, CLIP_TEXTS, PIECES, PROVENANCE, StoredClip
from textmsa.types import (
    EXPLANATION_PARTS,
    Clip,
    Explanation,
    FeatureSequence,
    FeatureSpec,
    Observation,
    Sample,
    Transcript,
)

IDENTIFYING = (
    *("id", "split", *CLIP_LABELS, "transcript", "transcript_en"),
    *(f"explanation_{part}" for part in EXPLANATION_PARTS),
    *PROVENANCE,
)
"""Columns that tell a store from another, wherever it lies; the sources stand for the features."""
MAPPED_AROUND = 1 << 18  # bytes that the system may map on either side of what is read


class Store:
    """The clips of a store, in the corpus' order; `store[i]` reads one from the memory-mapped file.

    Use `Store.open`. Arrays are copies: they may be written to, and outlive the store.
    """

    def __init__(self, path: Path, manifest: Manifest, statistics: Statistics) -> None:
        import pyarrow as pa

        self.path = path
        self.manifest = manifest
        self.statistics = statistics
        data = path / manifest.data / DATA_FILE
        try:
            with data.open("rb") as stream:
                self._map = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            mapped = pa.py_buffer(self._map)
            self._address: int = mapped.address
            table = pa.ipc.open_stream(mapped).read_all()
        except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: an empty file cannot be mapped
            raise UserError(f"{data}: damaged ({first_line(error)}); {REMEDY}") from error
        starts = np.cumsum([0, *(len(chunk) for chunk in table.column("id").chunks)])
        self._starts: list[int] = starts.tolist()
        self._chunks = {name: table.column(name).chunks for name in table.column_names}
        self._length: int = table.num_rows

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
            raise UserError(f"{path}: not a store; give one, made with: textmsa prepare CORPUS --out STORE")
        manifest = Manifest.load(path / MANIFEST)
        statistics = Statistics.load(path / STATISTICS)
        if statistics.sha256 != manifest.statistics_sha256:
            raise UserError(f"{path / STATISTICS}: changed since the store was made; make it again in another folder")
        return Store(path, manifest, statistics)

    @cached_property
    def preparation(self) -> Preparation:
        """Extractors, explainer and statistics that the store was made with; UserError where its file is damaged."""
        return Preparation.load(self.path)

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
        if "spoken" in self._chunks:
            columns["spoken"] = list(map(_spoken, self.column("spoken")))
        return [Clip(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]

    def explanations(self) -> list[Explanation]:
        """The explanation of each clip; features are not read."""
        columns = {name: self.column(f"explanation_{name}") for name in (*EXPLANATION_PARTS, "provenance")}
        columns["provenance"] = [json.loads(text) for text in columns["provenance"]]
        return [Explanation(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]

    def _read(self, chunk: int, row: int) -> StoredClip:
        def cell(name: str) -> Any:
            return self._chunks[name][chunk][row].as_py()

        texts = {name: cell(name) for name in CLIP_TEXTS}
        texts["path"] = Path(self.manifest.corpus_folder) / texts["path"]
        spoken = _spoken(cell("spoken")) if "spoken" in self._chunks else None
        clip = Clip(**texts, **{name: cell(name) for name in CLIP_LABELS}, spoken=spoken)
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
            **{name: cell(f"explanation_{name}") for name in EXPLANATION_PARTS},
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

    @cached_property
    def label_N(self) -> npt.NDArray[np.float64]:
        """Labels (N,) of all clips; NaN where a clip has none, or none that is a number."""
        label_N = np.array(self.column("label"), np.float64)
        return np.where(np.isfinite(label_N), label_N, np.nan)

    @property
    def has_label_N(self) -> npt.NDArray[np.bool_]:
        """Which clips (N,) have a label: only these are trained on, scored and exported."""
        return np.isfinite(self.label_N)

    @cached_property
    def content_sha256(self) -> str:
        """SHA-256 of the clips' labels, texts and explanations, and of what their features were made from."""
        digest = sha256()
        for name in IDENTIFYING:
            digest.update(json.dumps([name, self.column(name)]).encode())
        return digest.hexdigest()

    def indices(self, split: str) -> list[int]:
        """Where the clips of a split stand; UserError for a split that the store does not have."""
        indices = [index for index, value in enumerate(self._splits) if value == split]
        if not indices:
            have = ", ".join(self.manifest.counts)
            raise UserError(f"{self.path}: has no clip in the split {split!r}; it has {have}")
        return indices

    def labelled(self, split: str) -> list[int]:
        """Where the clips of a split stand that have a label; UserError where none has one."""
        indices = [index for index in self.indices(split) if self.has_label_N[index]]
        if not indices:
            raise UserError(f"{self.path}: no clip of the split {split!r} has a label; label some in the corpus")
        return indices

    def labels(self, split: str) -> npt.NDArray[np.float64]:
        """Labels (N,) of a split in the order of `indices`; NaN where a clip has none."""
        return np.asarray(self.label_N[self.indices(split)])


def _spoken(text: str | None) -> Transcript | None:
    """What a cell of the column `spoken` says."""
    return None if text is None else Transcript.from_json(json.loads(text))
