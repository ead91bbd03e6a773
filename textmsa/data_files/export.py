"""`textmsa export`: a store -> MMSA's pickle.

Shapes: N clips, T steps, F features, L word pieces.
"""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from textmsa.data_files.pickles import COLUMN_OF, EXPLANATIONS, LABELS
from textmsa.errors import UserError
from textmsa.inputs.time_grid import pool_to_grid
from textmsa.runtime.atomic import replacing
from textmsa.store.reading import Store
from textmsa.types import SPLITS, FeatureSequence, FloatArray


@dataclass(frozen=True)
class ExportResult:
    """What was written."""

    file: Path
    clips: int
    longest: dict[str, int]
    """Steps of the longest sequence, by modality."""
    unlabelled: int = 0
    """Clips that are left out, since MMSA's files need a label for each."""

    def text(self) -> str:
        """What `textmsa export` prints."""
        line = f"{self.file}: {self.clips} clips, audio up to {self.longest['audio']} steps, video up to "
        line += str(self.longest["video"])
        return line + (f"; {self.unlabelled} without a label left out" if self.unlabelled else "")


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
    splits, unlabelled = _labelled(opened)
    longest = {m: _longest(opened, m, max_steps) for m in COLUMN_OF}
    writer = _TextWriter(tokenizer)
    content = {split: _exported(opened, indices, longest, max_steps, writer) for split, indices in splits.items()}
    out.parent.mkdir(parents=True, exist_ok=True)
    with replacing(out) as stream:
        pickle.dump(content, stream, protocol=4)
    clips = sum(map(len, splits.values()))
    return ExportResult(out, clips, longest, unlabelled)


def _labelled(store: Store) -> tuple[dict[str, list[int]], int]:
    """Split -> the indices of its clips that have a label, and how many have none."""
    splits = {split: store.indices(split) for split in SPLITS if store.manifest.counts.get(split)}
    has_label_N = store.has_label_N
    labelled = {split: [i for i in indices if has_label_N[i]] for split, indices in splits.items()}
    if not any(labelled.values()):
        raise UserError(f"{store.path}: no clip has a label; MMSA's files need one for each")
    left_out = sum(map(len, splits.values())) - sum(map(len, labelled.values()))
    return {split: indices for split, indices in labelled.items() if indices}, left_out


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

        states = []
        with torch.inference_mode():
            for start in range(0, len(pieces_N3L), 64):
                ids, mask, _ = torch.from_numpy(pieces_N3L[start : start + 64]).long().unbind(dim=1)
                attended = mask.clone()
                attended[:, 0] = 1  # without text the encoder would see nothing at all
                hidden = self.encoder.eval()(input_ids=ids, attention_mask=attended).last_hidden_state
                states.append((hidden * mask[..., None]).numpy())
        return np.concatenate(states)


def _exported(
    store: Store, indices: list[int], longest: dict[str, int], limit: int, writer: _TextWriter
) -> dict[str, Any]:
    samples = [store[i] for i in indices]
    clips = [sample.clip for sample in samples]
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
        padded = [_padded(getattr(s.observation, modality), longest[modality], limit, size) for s in samples]
        columns[column] = np.stack([values for values, _ in padded])
        columns[f"{column}_lengths"] = [length for _, length in padded]
    for field, column in EXPLANATIONS.items():
        texts = [getattr(sample.explanation, field) for sample in samples]
        if any(texts):
            columns[column] = np.array([text or "" for text in texts], object)
            columns[f"{column}_bert"] = writer.pieces(texts)
    for field, column in list(LABELS.items())[1:]:  # of the modalities
        values = np.array([getattr(clip, field) for clip in clips], np.float32)  # None becomes NaN
        if np.isfinite(values).all():
            columns[column] = values
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
