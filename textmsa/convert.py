"""The field's pickles in and out: MMSA, MMSA-FET and TEXT files <-> store.

A file is {"train", "valid", "test"} of columns over N clips (DESIGN, formats):

    raw_text, id                        what was said, "video$_$clip"
    text_bert (N, 3, L)                 word pieces: ids, mask, segments; TEXT files have more of them
    audio (N, La, Da), vision (N, Lv, Dv)   padded with zeros, -inf where not measured
    regression_labels (N,)              and in SIMS _T, _A, _V
    audio_clue, visual_clue, text_clue, clue_summary, reason   TEXT's explanations

Shapes: N clips, T steps, F features, L word pieces.
"""

import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from textmsa import __version__
from textmsa.batch import pool_to_grid, without_padding
from textmsa.corpora import read_corpus
from textmsa.errors import UserError
from textmsa.feature_statistics import Statistics, modality_statistics
from textmsa.preparation import CONVERTED, ExplainerSpec, FeatureSpec, Preparation
from textmsa.store import Manifest, Store, StoredClip, write_store
from textmsa.types import SPLITS, Clip, Explanation, FeatureSequence, FloatArray, Observation, Sample

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
PIECES = {
    "transcript": "text_bert",
    "translated": "text_en_bert",
    "residual": "text_residual_bert",
    "reason": "reason_bert",
    "audio": "audio_clue_bert",
    "video": "visual_clue_bert",
}
"""What the network can read of a clip (`InputConfig.text_input`, and the explanations) -> column of word pieces."""
EXPLANATIONS = {
    "audio": "audio_clue",
    "video": "visual_clue",
    "text": "text_clue",
    "summary": "clue_summary",
    "reason": "reason",
}
LABELS = {
    "label": "regression_labels",
    "label_text": "regression_labels_T",
    "label_audio": "regression_labels_A",
    "label_video": "regression_labels_V",
}
COLUMN_OF = {"audio": "audio", "video": "vision"}


class _Unpickler(pickle.Unpickler):
    """Builds numpy arrays and plain containers, and refuses everything else by name."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in ADMITTED or module == "numpy.dtypes":
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it holds {module}.{name}, and only numpy arrays and plain containers are read")


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
    splits = {split: _Split(content[split], f"{file}: {split}") for split in SPLITS if split in content}
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


def read_pickle(file: Path) -> dict[str, Any]:
    """The content of a data file; UserError for anything that is not one, or that would run code."""
    if not file.is_file():
        raise UserError(f"{file}: no such file; give a pickle of MMSA, MMSA-FET or TEXT")
    try:
        with file.open("rb") as stream:
            content = _load(stream)
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise UserError(f"{file}: not a data file of the field ({error})") from error
    except (ImportError, MemoryError, OverflowError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{file}: not a data file of the field ({type(error).__name__}: {error})") from error
    if not isinstance(content, dict) or not any(split in content for split in SPLITS):
        raise UserError(f"{file}: no dictionary with train, valid and test; give a pickle of MMSA, MMSA-FET or TEXT")
    for split in SPLITS:
        if split in content and not isinstance(content[split], dict):
            raise UserError(f"{file}: {split} is a {type(content[split]).__name__}, not a dictionary of columns")
    return content


def _load(stream: IO[bytes]) -> Any:
    return _Unpickler(stream, encoding="latin1").load()


class _Split:
    """The columns of one split, checked."""

    def __init__(self, columns: dict[str, Any], where: str) -> None:
        self.columns, self.where = columns, where
        for key in REQUIRED:
            if key not in columns:
                raise UserError(f"{where}: has no {key!r}; it has {', '.join(map(str, columns))}")
        if "raw_text" not in columns and "text_bert" not in columns:
            raise UserError(f"{where}: has neither 'raw_text' nor 'text_bert', one of which the text stream needs")
        self.ids = [_identity(value) for value in columns["id"]]
        for key in (*REQUIRED, "raw_text", *EXPLANATIONS.values(), *PIECES.values(), *LABELS.values()):
            if key in columns and len(columns[key]) != len(self.ids):
                raise UserError(f"{where}: {key!r} has {len(columns[key])} rows for {len(self.ids)} ids")
        self.features = {modality: self._features(column) for modality, column in COLUMN_OF.items()}
        for key in PIECES.values():
            if key in columns and (np.ndim(columns[key]) != 3 or np.shape(columns[key])[1] != 3):
                raise UserError(f"{where}: {key!r} has shape {np.shape(columns[key])}; it must be (clips, 3, length)")

    def __len__(self) -> int:
        return len(self.ids)

    def not_finite(self, modality: str) -> int:
        """Values of a modality that are infinite or NaN."""
        return int((~np.isfinite(self.features[modality])).sum())

    def samples(self, split: str, specs: dict[str, FeatureSpec]) -> Iterator[Sample]:
        """The clips of the split."""
        for i, identity in enumerate(self.ids):
            labels = {field: self._number(key, i) for field, key in LABELS.items()}
            transcript = self._text("raw_text", i)
            clip = Clip(
                id=identity,
                path=Path(identity),
                transcript=transcript,
                split=split,
                video_id=identity.split("$_$")[0],
                transcript_en=self._text("raw_text_en", i),
                **labels,
            )
            sequences = {modality: self._sequence(modality, i, specs[modality]) for modality in COLUMN_OF}
            pieces = {
                source: np.nan_to_num(np.asarray(self.columns[key][i], np.float64)).astype(np.int32)
                for source, key in PIECES.items()
                if key in self.columns
            }
            missing = {} if transcript or "transcript" in pieces else {"text": "no text in the file"}
            missing |= {m: "all zeros in the file" for m, s in sequences.items() if without_padding(s) is None}
            seen = Observation(clip.path, transcript, None, sequences["audio"], sequences["video"], missing)
            told = {field: self._text(key, i) for field, key in EXPLANATIONS.items()}
            explanation = Explanation(**told, provenance={"explainer": CONVERTED})
            yield Sample(clip, seen, explanation, pieces)

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
        return str(self.columns[key][row]) or None if key in self.columns else None

    def _number(self, key: str, row: int) -> float | None:
        if key not in self.columns:
            return None
        return float(np.asarray(self.columns[key][row], dtype=np.float64).reshape(-1)[0])


def _identity(value: Any) -> str:
    """An id as text: "video$_$clip"; of ids given in parts (aligned MOSEI files) the parts joined in the same way."""
    parts = value if isinstance(value, (list, tuple, np.ndarray)) else [value]
    words = [part.decode() if isinstance(part, bytes) else str(part) for part in np.ravel(np.asarray(parts, object))]
    return "$_$".join(words)


def _spec(modality: str, splits: dict[str, _Split], file: Path) -> FeatureSpec:
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


@dataclass(frozen=True)
class ExportResult:
    """What was written."""

    file: Path
    clips: int


def export(store: Path, *, out: Path, tokenizer: str = "minilm", max_steps: int = 500) -> ExportResult:
    """Write a store as MMSA's pickle, so that MMSA's own models train on these features and explanations.

    Parameters
    ----------
    store
        A store.
    out
        The pickle to write.
    tokenizer
        Text encoder whose word pieces and hidden states are written ("minilm" has BERT's vocabulary).
    max_steps
        Longer sequences are averaged over this many equal windows.

    Examples
    --------
    textmsa export store --out features.pkl
    """
    opened = Store.open(store)
    if out.suffix != ".pkl":
        raise UserError(f"--out {out}: give a name that ends in .pkl")
    if max_steps < 1:
        raise UserError(f"--max-steps {max_steps}: must be at least 1")
    splits = {split: opened.indices(split) for split in SPLITS if opened.manifest.counts.get(split)}
    longest = {m: _longest(opened, m, max_steps) for m in COLUMN_OF}
    writer = _TextWriter(tokenizer)
    content = {split: _exported(opened, indices, longest, max_steps, writer) for split, indices in splits.items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = out.with_name(out.name + ".part")
    with unfinished.open("wb") as stream:
        pickle.dump(content, stream, protocol=4)
    unfinished.replace(out)
    clips = sum(map(len, splits.values()))
    print(f"{out}: {clips} clips, audio up to {longest['audio']} steps, video up to {longest['video']}")
    return ExportResult(out, clips)


def _longest(store: Store, modality: str, limit: int) -> int:
    sequences = (getattr(sample.observation, modality) for sample in store)
    return min(limit, max((len(s.values_TF) for s in sequences if s is not None), default=1))


class _TextWriter:
    """Word pieces (N, 3, L) and hidden states (N, L, F) of texts, as MMSA's files have them."""

    def __init__(self, encoder: str) -> None:
        from textmsa.model.text_encoder import load_encoder

        self.encoder, self.tokenizer = load_encoder(encoder)

    def pieces(self, texts: list[str | None], length: int = 50) -> FloatArray:
        """Ids, mask and segments; zeros where there is no text."""
        rows = self.tokenizer(
            [text or "" for text in texts],
            truncation=True,
            max_length=length,
            padding="max_length",
            return_tensors="np",
        )
        segments = rows.get("token_type_ids", np.zeros_like(rows["input_ids"]))
        stacked = np.stack([rows["input_ids"], rows["attention_mask"], segments], axis=1).astype(np.float32)
        stacked[[not text for text in texts]] = 0
        return stacked

    def states(self, pieces_N3L: FloatArray) -> FloatArray:
        """The encoder's output, zeros at padding."""
        import torch

        found = []
        with torch.inference_mode():
            for start in range(0, len(pieces_N3L), 64):
                ids, mask, _ = torch.from_numpy(pieces_N3L[start : start + 64]).long().unbind(dim=1)
                seen = mask.clone()
                seen[:, 0] = 1
                hidden = self.encoder.eval()(input_ids=ids, attention_mask=seen).last_hidden_state
                found.append((hidden * mask[..., None]).numpy())
        return np.concatenate(found)


def _exported(
    store: Store, indices: list[int], longest: dict[str, int], limit: int, writer: _TextWriter
) -> dict[str, Any]:
    samples = [store[i] for i in indices]
    clips = [sample.clip for sample in samples]
    if any(clip.label is None for clip in clips):
        raise UserError(f"{store.path}: clips without a label cannot be exported; MMSA's files need one for each")
    labels = np.array([clip.label for clip in clips], np.float32)
    pieces = writer.pieces([clip.transcript for clip in clips])
    columns: dict[str, Any] = {
        "raw_text": np.array([clip.transcript or "" for clip in clips], object),
        "id": np.array([clip.id for clip in clips], object),
        "text": writer.states(pieces),
        "text_bert": pieces,
        "annotations": np.array([("Negative", "Neutral", "Positive")[int(np.sign(y)) + 1] for y in labels], object),
        "classification_labels": (np.sign(labels) + 1).astype(np.float32),
        "regression_labels": labels,
    }
    for modality, column in COLUMN_OF.items():
        size = len(getattr(store.manifest, modality).names)
        made = [_padded(getattr(s.observation, modality), longest[modality], limit, size) for s in samples]
        columns[column] = np.stack([values for values, _ in made])
        columns[f"{column}_lengths"] = [length for _, length in made]
    for field, column in EXPLANATIONS.items():
        texts = [getattr(sample.explanation, field) for sample in samples]
        if any(texts):
            columns[column] = np.array([text or "" for text in texts], object)
            columns[f"{column}_bert"] = writer.pieces(texts)
    for field, column in list(LABELS.items())[1:]:
        values = [getattr(clip, field) for clip in clips]
        if None not in values:
            columns[column] = np.array(values, np.float32)
    return columns


def _padded(sequence: FeatureSequence | None, longest: int, limit: int, size: int) -> tuple[FloatArray, int]:
    """Values (longest, F) with zeros after the end and where nothing was measured, and the length (at least 1)."""
    if sequence is None:
        return np.zeros((longest, size), np.float32), 1
    values: npt.NDArray[Any] = sequence.values_TF
    if len(values) > limit:
        values, _ = pool_to_grid(values, None, None, limit)
    values = np.where(np.isfinite(values), values, 0).astype(np.float32)
    return np.pad(values, ((0, longest - len(values)), (0, 0))), max(len(values), 1)
