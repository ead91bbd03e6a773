"""The field's pickles in and out: MMSA, MMSA-FET and TEXT files <-> store.

A file is {"train", "valid", "test"} of columns over N clips as MMSA and TEXT write it:

    raw_text, id                        what was said, "video$_$clip"
    text_bert (N, 3, L)                 word pieces: ids, mask, segments; TEXT files have more of them
    audio (N, La, Da), vision (N, Lv, Dv)   padded with zeros, -inf where not measured
    regression_labels (N,)              and in SIMS _T, _A, _V; NaN where a clip has no label
    audio_clue, visual_clue, text_clue, clue_summary, reason   TEXT's explanations

Shapes: N clips, T steps, F features, L word pieces.
"""

import math
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from textmsa.errors import UserError, first_line, reason_of
from textmsa.inputs.time_grid import without_padding
from textmsa.store.preparation import CONVERTED
from textmsa.store.rows import PIECES
from textmsa.types import (
    EXPLANATION_PARTS,
    ID_SEPARATOR,
    SPLITS,
    Clip,
    Explanation,
    FeatureSequence,
    FeatureSpec,
    FloatArray,
    Observation,
    Sample,
)

ADMITTED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    *(
        (f"numpy.{core}.multiarray", name)
        for core in ("core", "_core")
        for name in ("_reconstruct", "scalar", "_frombuffer")
    ),
    *((f"numpy.{core}.numeric", "_frombuffer") for core in ("core", "_core")),
    ("_codecs", "encode"),  # how Python 3 reads the bytes of older files
    ("collections", "OrderedDict"),
}
REQUIRED = ("id", "audio", "vision", "regression_labels")
PIECES_OF = dict(
    zip(
        PIECES,
        ("text_bert", "text_en_bert", "text_residual_bert", "reason_bert", "audio_clue_bert", "visual_clue_bert"),
        strict=True,
    )
)
"""What the network can read of a clip (`InputConfig.text_input`, and the explanations) -> column of word pieces."""
EXPLANATIONS = dict(
    zip(EXPLANATION_PARTS, ("audio_clue", "visual_clue", "text_clue", "clue_summary", "reason"), strict=True)
)
"""Part of an explanation -> column."""
LABELS = {
    "label": "regression_labels",
    "label_text": "regression_labels_T",
    "label_audio": "regression_labels_A",
    "label_video": "regression_labels_V",
}
COLUMN_OF = {"audio": "audio", "video": "vision"}
GIVE = "give a pickle of MMSA, MMSA-FET or TEXT"


class _Unpickler(pickle.Unpickler):
    """Builds numpy arrays and plain containers, and refuses everything else by name."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in ADMITTED or module == "numpy.dtypes":
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it holds {module}.{name}, and only numpy arrays and plain containers are read")


def read_pickle(file: Path) -> dict[str, Any]:
    """The content of a data file; UserError for anything that is not one, or that would run code."""
    if not file.is_file():
        raise UserError(f"{file}: no such file; {GIVE}")
    try:
        with file.open("rb") as stream:
            content = _load(stream)
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise UserError(f"{file}: not a data file of the field ({first_line(error)}); {GIVE}") from error
    except (ImportError, MemoryError, OverflowError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{file}: not a data file of the field ({reason_of(error)}); {GIVE}") from error
    if not isinstance(content, dict) or not any(split in content for split in SPLITS):
        raise UserError(f"{file}: no dictionary with train, valid and test; {GIVE}")
    for split in SPLITS:
        if split in content and not isinstance(content[split], dict):
            raise UserError(f"{file}: {split} is a {type(content[split]).__name__}, not a dictionary of columns")
    return content


def _load(stream: IO[bytes]) -> Any:
    return _Unpickler(stream, encoding="latin1").load()


class SplitTable:
    """The columns of one split, checked."""

    def __init__(self, columns: dict[str, Any], where: str) -> None:
        self.columns, self.where = columns, where
        self._check_names()
        self.ids = [_identity(value) for value in columns["id"]]
        self._check_sizes()
        self.features = {modality: self._features(column) for modality, column in COLUMN_OF.items()}

    def _check_names(self) -> None:
        for key in REQUIRED:
            if key not in self.columns:
                raise UserError(f"{self.where}: has no {key!r}; it has {', '.join(map(str, self.columns))}")
        if not {"raw_text", "text_bert"} & self.columns.keys():
            raise UserError(f"{self.where}: has neither 'raw_text' nor 'text_bert', one of which the text stream needs")

    def _check_sizes(self) -> None:
        for key in (*REQUIRED, "raw_text", *EXPLANATIONS.values(), *PIECES_OF.values(), *LABELS.values()):
            if key in self.columns and len(self.columns[key]) != len(self.ids):
                raise UserError(f"{self.where}: {key!r} has {len(self.columns[key])} rows for {len(self.ids)} ids")
        for key in PIECES_OF.values():
            shape = np.shape(self.columns[key]) if key in self.columns else (0, 3, 0)
            if len(shape) != 3 or shape[1] != 3:
                raise UserError(f"{self.where}: {key!r} has shape {shape}; it must be (clips, 3, length)")

    def __len__(self) -> int:
        return len(self.ids)

    def not_finite(self, modality: str) -> int:
        """Values of a modality that are infinite or NaN."""
        return int((~np.isfinite(self.features[modality])).sum())

    def samples(self, split: str, specs: dict[str, FeatureSpec], folder: Path) -> Iterator[Sample]:
        """The clips of the split; they have no media, and their paths stand for them in the file's `folder`."""
        return (self._sample(row, split, specs, folder) for row in range(len(self)))

    def _sample(self, row: int, split: str, specs: dict[str, FeatureSpec], folder: Path) -> Sample:
        labels: dict[str, Any] = {field: self._label(key, row) for field, key in LABELS.items()}
        clip = Clip(
            id=self.ids[row],
            path=folder / self.ids[row],
            transcript=self._text("raw_text", row),
            split=split,
            video_id=self.ids[row].split(ID_SEPARATOR)[0],
            transcript_en=self._text("raw_text_en", row),
            **labels,
        )
        sequences = {modality: self._sequence(modality, row, specs[modality]) for modality in COLUMN_OF}
        pieces = {
            text: np.nan_to_num(np.asarray(self.columns[key][row], np.float64)).astype(np.int32)
            for text, key in PIECES_OF.items()
            if key in self.columns
        }
        missing = {} if clip.transcript or "transcript" in pieces else {"text": "no text in the file"}
        missing |= {m: "all zeros in the file" for m, s in sequences.items() if without_padding(s) is None}
        observation = Observation(clip.path, clip.transcript, None, sequences["audio"], sequences["video"], missing)
        parts = {part: self._text(key, row) for part, key in EXPLANATIONS.items()}
        return Sample(clip, observation, Explanation(**parts, provenance={"explainer": CONVERTED}), pieces)

    def _features(self, column: str) -> FloatArray:
        try:
            values = np.asarray(self.columns[column], dtype=np.float32)
        except (TypeError, ValueError):
            values = np.zeros(0, np.float32)
        if values.ndim != 3:
            raise UserError(f"{self.where}: {column!r} is no array of numbers (clips, steps, features)")
        return values

    def _sequence(self, modality: str, row: int, spec: FeatureSpec) -> FeatureSequence:
        values_TF = self.features[modality][row]
        values_TF = np.where(np.isfinite(values_TF), values_TF, np.nan).astype(np.float32)
        return FeatureSequence(values_TF, np.arange(len(values_TF), dtype=np.float64), spec.names)

    def _text(self, key: str, row: int) -> str | None:
        """None where there is no such column, or nothing in it: files made with pandas hold None or NaN for no text."""
        value = self.columns[key][row] if key in self.columns else None
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return None
        return (value.decode() if isinstance(value, bytes) else str(value)) or None

    def _label(self, key: str, row: int) -> float | None:
        """None where there is no such column, or NaN in it."""
        if key not in self.columns:
            return None
        try:
            (value,) = np.asarray(self.columns[key][row], dtype=np.float64).reshape(-1)
        except (TypeError, ValueError):
            raise UserError(f"{self.where}: {key!r} of the clip {self.ids[row]!r} is not one number") from None
        return None if np.isnan(value) else float(value)


def _identity(value: Any) -> str:
    """An id as text: "video$_$clip"; of ids given in parts (aligned MOSEI files) the parts joined in the same way."""
    parts = value if isinstance(value, (list, tuple, np.ndarray)) else [value]
    words = [part.decode() if isinstance(part, bytes) else str(part) for part in np.ravel(np.asarray(parts, object))]
    return ID_SEPARATOR.join(words)
