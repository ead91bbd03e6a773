"""Prepared clips -> one padded, masked `Batch`.

Shapes: B clips, L word pieces, T steps, F features. Masks are True where real.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from textmsa.errors import UserError
from textmsa.types import Explanation, FeatureSequence, FloatArray, Sample

if TYPE_CHECKING:
    from textmsa.encoded_texts import EncodedTexts

STEP_SECONDS = 0.1  # the common time grid (DESIGN, "Our semantics")
LEAST_MEASURED = 0.5  # a window is real if at least this share of its columns has a value
STANDARD_LIMIT = 5.0  # standardised values are kept within this many standard deviations
RESIDUAL_SEPARATOR = " | "


class States(NamedTuple):
    """Hidden states (B, L, F) of word pieces after the text encoder's first `layer` layers."""

    values_BLF: Tensor
    layer: int


class Tokens(NamedTuple):
    """Word pieces of one text per clip; a clip without the text has an empty mask."""

    ids_BL: Tensor
    mask_BL: Tensor
    segments_BL: Tensor
    states: States | None = None
    """What a frozen part of the text encoder made of them before, if it did."""

    def each(self, change: Callable[[Tensor], Tensor]) -> "Tokens":
        """Ids, mask and segments changed alike, without states."""
        return Tokens(change(self.ids_BL), change(self.mask_BL), change(self.segments_BL))


class Steps(NamedTuple):
    """Feature steps of one modality; a clip without the modality has an empty mask."""

    values_BTF: Tensor
    mask_BT: Tensor


@dataclass(frozen=True)
class Batch:
    """What the network reads. None: no clip of the batch has it, and nothing is computed for it."""

    text: Tokens | None
    audio: Steps | None
    video: Steps | None
    audio_explanation: Tokens | None = None
    video_explanation: Tokens | None = None
    label_B: Tensor | None = None
    ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.present_BM.device.type == "cpu" and not self.present_BM.any(dim=1).all():
            rows = (~self.present_BM.any(dim=1)).nonzero().flatten().tolist()
            names = ", ".join(self.ids[row] if self.ids else f"row {row}" for row in rows[:3])
            raise UserError(f"{names}: text, audio and video are all missing; a score needs at least one of them")

    def __len__(self) -> int:
        stream = next(stream for stream in (self.text, self.audio, self.video) if stream is not None)
        return len(stream[0])

    @property
    def present_BM(self) -> Tensor:
        """Which of text, audio and video (M = 3) each clip has."""
        streams = (self.text, self.audio, self.video)
        known = next((stream for stream in streams if stream is not None), None)
        if known is None:
            raise UserError("text, audio and video are all missing; a score needs at least one of them")
        absent = known[1].new_zeros(len(known[1]))
        return torch.stack([absent if s is None else s[1].any(dim=1) for s in streams], dim=1)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Batch":
        """The batch on another device."""

        def moved(value: Any) -> Any:
            if isinstance(value, Tensor):
                return value.to(device, non_blocking=non_blocking)
            if isinstance(value, Tokens | Steps | States):
                return type(value)(*(moved(part) for part in value))
            return value

        return replace(self, **{f.name: moved(getattr(self, f.name)) for f in fields(self)})


@dataclass(frozen=True)
class Standardisation:
    """Frozen statistics of one modality's features over the training split."""

    mean_F: FloatArray
    std_F: FloatArray


@dataclass(frozen=True)
class Example:
    """One clip as the network reads it, before padding."""

    id: str
    text: "str | Pieces | None"
    audio_explanation: "str | Pieces | None"
    video_explanation: "str | Pieces | None"
    audio: tuple[FloatArray, npt.NDArray[np.bool_]] | None
    """Values (T, F) and mask (T,)."""
    video: tuple[FloatArray, npt.NDArray[np.bool_]] | None
    label: float | None


Pieces = npt.NDArray[np.int32]
"""Word pieces (3, L) of a text as a published data file gives them: ids, mask, segments."""


def text_of(transcript: str | None, transcript_en: str | None, explanation: Explanation, source: str) -> str | None:
    """The text stream's text for `InputConfig.text_input`; None where the text is missing.

    Residual text without a summary is the transcript alone; without a transcript the text is missing.
    """
    if source == "residual" and transcript and explanation.summary:
        return transcript + RESIDUAL_SEPARATOR + explanation.summary
    chosen = {
        "transcript": transcript,
        "residual": transcript,
        "reason": explanation.reason,
        "translated": transcript_en,
    }
    return chosen[source] or None


def grid_steps(duration: float | None, length: int, max_steps: int) -> int:
    """Windows of the time grid: one per 0.1 s, between 1 and `max_steps`; one per value where there are no times."""
    wanted = length if duration is None else int(np.ceil(duration / STEP_SECONDS - 1e-6))
    return min(max(wanted, 1), max_steps)


def pool_to_grid(
    values_TF: FloatArray, times_T: npt.NDArray[np.float64] | None, duration: float | None, max_steps: int
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Mean of the values in each of the equal windows over the clip, and which windows are real.

    Means skip NaN column by column; a column without a value stays NaN. A window is real if at least half of its
    columns have a value. Without times, values are spread evenly by index.
    """
    length = len(values_TF)
    steps = grid_steps(duration if times_T is not None else None, length, max_steps)
    if times_T is None or duration is None:
        position_T = (np.arange(length) + 0.5) / max(length, 1)
    else:
        position_T = times_T / max(duration, 1e-9)
    window_T = np.clip(np.floor(position_T * steps), 0, steps - 1).astype(int)
    member_ST = (np.arange(steps)[:, None] == window_T).astype(np.float32)  # S = steps
    finite_TF = np.isfinite(values_TF)
    count_SF = member_ST @ finite_TF.astype(np.float32)
    total_SF = member_ST @ np.where(finite_TF, values_TF, 0).astype(np.float32)
    mean_SF = np.divide(total_SF, count_SF, out=np.full_like(total_SF, np.nan), where=count_SF > 0)
    return mean_SF, (count_SF > 0).mean(axis=1) >= LEAST_MEASURED


def first_steps(values_TF: FloatArray, max_steps: int) -> FloatArray:
    """The reference code's cut: `max_steps` rows (max_steps, F), non-finite values as 0.

    A sequence of exactly that length stays; else the rows from the first that is not all zero, or the last
    `max_steps` where fewer remain; shorter ones are padded with zeros at the end.
    """
    values = np.where(np.isfinite(values_TF), values_TF, 0).astype(np.float32)
    if len(values) > max_steps:
        seen = np.flatnonzero(values.any(axis=1))
        start = min(int(seen[0]) if len(seen) else 0, len(values) - max_steps)
        values = values[start : start + max_steps]
    return np.pad(values, ((0, max_steps - len(values)), (0, 0)))


def without_padding(sequence: FeatureSequence | None) -> FeatureSequence | None:
    """The sequence from its first to its last step that is not all zeros or NaN; None where there is no such step."""
    if sequence is None:
        return None
    filled = np.flatnonzero((np.nan_to_num(sequence.values_TF, posinf=0, neginf=0) != 0).any(axis=1))
    if not len(filled):
        return None
    real = slice(filled[0], filled[-1] + 1)
    return FeatureSequence(sequence.values_TF[real], sequence.times_T[real], sequence.names)


def steps_of(
    sequence: FeatureSequence | None, duration: float | None, standard: Standardisation | None, config: Any
) -> tuple[FloatArray, npt.NDArray[np.bool_]] | None:
    """One modality's steps for the network; None where it is missing or has no real window.

    A `duration` of None says that the features come from a published data file: they have no times, and their padding
    is still there.
    """
    if sequence is None:
        return None
    if config.frames == "first":
        steps = first_steps(sequence.values_TF, config.max_steps)
        return steps, np.ones(len(steps), dtype=bool)
    if duration is None:
        sequence = without_padding(sequence)
        if sequence is None:
            return None
    values, mask = pool_to_grid(sequence.values_TF, sequence.times_T, duration, config.max_steps)
    if not mask.any():
        return None
    if standard is not None:
        values = np.clip((values - standard.mean_F) / standard.std_F, -STANDARD_LIMIT, STANDARD_LIMIT)
    # What is not measured in a real window enters as the training mean, that is 0; padding too is 0 here.
    return np.where(np.isfinite(values) & mask[:, None], values, 0).astype(np.float32), mask


def example_of(sample: Sample, standards: dict[str, Standardisation], config: Any) -> Example:
    """One prepared clip as the network reads it; `config` is the model's `TextMsaConfig`."""
    seen, told, given = sample.observation, sample.explanation, sample.pieces
    audio = steps_of(seen.audio, seen.duration, standards.get("audio"), config)
    video = steps_of(seen.video, seen.duration, standards.get("video"), config)
    texts: dict[str, str | Pieces | None] = {
        "text": text_of(seen.transcript, sample.clip.transcript_en, told, config.text_input),
        "audio": told.audio,
        "video": told.video,
    }
    if config.pieces == "given":
        texts = {"text": given.get(config.text_input), "audio": given.get("audio"), "video": given.get("video")}
    read = config.modalities
    audio, video = audio if "audio" in read else None, video if "video" in read else None
    return Example(
        id=sample.clip.id,
        text=texts["text"] if "text" in read else None,
        audio_explanation=texts["audio"] if audio is not None else None,
        video_explanation=texts["video"] if video is not None else None,
        audio=audio,
        video=video,
        label=sample.clip.label,
    )


def texts_of(store: Any, config: Any) -> "list[str | Pieces]":
    """All texts that the text encoder may read of a store's clips; features are not read.

    Raises UserError where the recipe asks for word pieces that the store does not have.
    """
    if config.pieces == "given":
        columns = {name: store.pieces(name) for name in (config.text_input, "audio", "video")}
        if not any(piece is not None for piece in columns[config.text_input]):
            raise UserError(
                f"{store.path}: holds no word pieces of the text {config.text_input!r}: set inputs.pieces to tokenize, "
                "or inputs.text_input to another text"
            )
        return [piece for column in columns.values() for piece in column if piece is not None]
    found: set[str | None] = set()
    for clip, told in zip(store.clips(), store.explanations(), strict=True):
        text = text_of(clip.transcript, clip.transcript_en, told, config.text_input)
        found |= {text, told.audio, told.video}
    return sorted(text for text in found if text)


class Collator:
    """Examples -> `Batch`, padded to the longest of the batch (to the full length where padding is attended).

    Parameters
    ----------
    tokenizer, config
        The model's.
    encoded
        What the frozen part of its text encoder makes of the texts, where that was computed before.
    """

    def __init__(self, tokenizer: Any, config: Any, encoded: "EncodedTexts | None" = None) -> None:
        self.tokenizer, self.config, self.encoded = tokenizer, config, encoded

    def __call__(self, examples: Sequence[Example]) -> Batch:
        """Raises UserError where a clip has no modality at all."""
        labels = [example.label for example in examples]
        return Batch(
            text=self.tokens([e.text for e in examples]),
            audio=self._steps([e.audio for e in examples]),
            video=self._steps([e.video for e in examples]),
            audio_explanation=self.tokens([e.audio_explanation for e in examples]),
            video_explanation=self.tokens([e.video_explanation for e in examples]),
            label_B=None if None in labels else torch.tensor(labels, dtype=torch.float32),
            ids=tuple(example.id for example in examples),
        )

    def tokens(self, texts: "Sequence[str | Pieces | None]") -> Tokens | None:
        """Word pieces of one text per clip; None where no clip has one."""
        if any(isinstance(text, np.ndarray) for text in texts):
            tokens = self._given([text for text in texts if not isinstance(text, str)])
        elif any(texts):
            tokens = self._tokenized([text for text in texts if not isinstance(text, np.ndarray)])
        else:
            return None
        return tokens if self.encoded is None else tokens._replace(states=self.encoded.states(tokens))

    def _tokenized(self, texts: list[str | None]) -> Tokens:
        encoded = self.tokenizer(
            [text or "" for text in texts],
            truncation=True,
            max_length=self.config.max_text_length,
            padding="longest" if self.config.mask_padding else "max_length",
            return_tensors="pt",
        )
        real_B1 = torch.tensor([bool(text) for text in texts])[:, None]
        mask = encoded["attention_mask"].bool() & real_B1
        segments = encoded.get("token_type_ids", torch.zeros_like(encoded["input_ids"]))
        return Tokens(encoded["input_ids"], mask, segments)

    def _given(self, texts: "list[Pieces | None]") -> Tokens:
        """Pieces as they were given, cut after `max_text_length` as the reference code does."""
        limit = self.config.max_text_length
        stacked = np.zeros((len(texts), 3, limit), np.int64)
        for row, pieces in enumerate(texts):
            if pieces is not None:
                stacked[row, :, : min(pieces.shape[1], limit)] = pieces[:, :limit]
        longest = int(np.flatnonzero(np.any(stacked[:, 1], axis=0)).max(initial=0)) + 1
        kept = torch.from_numpy(stacked[:, :, :longest] if self.config.mask_padding else stacked)
        if kept.numel() and not 0 <= int(kept[:, 0].min()) <= int(kept[:, 0].max()) < len(self.tokenizer):
            raise UserError(
                f"the data file's word pieces (up to {int(kept[:, 0].max())}) are not of the text encoder's tokenizer "
                f"({len(self.tokenizer)} pieces): give the encoder they were made for, or inputs.pieces: tokenize"
            )
        return Tokens(kept[:, 0], kept[:, 1] > 0, kept[:, 2])

    def _steps(self, rows: Iterable[tuple[FloatArray, npt.NDArray[np.bool_]] | None]) -> Steps | None:
        rows = list(rows)
        present = [row for row in rows if row is not None]
        if not present:
            return None
        longest = max(len(mask) for _, mask in present) if self.config.mask_padding else self.config.max_steps
        values = np.zeros((len(rows), longest, present[0][0].shape[1]), dtype=np.float32)
        mask = np.zeros((len(rows), longest), dtype=bool)
        for i, row in enumerate(rows):
            if row is not None:
                values[i, : len(row[1])], mask[i, : len(row[1])] = row
        return Steps(torch.from_numpy(values), torch.from_numpy(mask))


class SampleDataset:
    """Prepared clips as examples, made on access; what `torch.utils.data.DataLoader` and the Trainer read.

    `change` is applied to each example.
    """

    def __init__(
        self,
        samples: Any,
        indices: Sequence[int],
        standards: dict[str, Standardisation],
        config: Any,
        change: Callable[[Example], Example] | None = None,
    ) -> None:
        self.samples, self.indices, self.standards, self.config = samples, list(indices), standards, config
        self.change = change

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Example:
        example = example_of(self.samples[self.indices[index]], self.standards, self.config)
        return example if self.change is None else self.change(example)


def standards_of(statistics: Any) -> dict[str, Standardisation]:
    """Means and deviations of the training split from a preparation's `Statistics`."""
    found = {name: getattr(statistics, name) for name in ("audio", "video")}
    return {name: Standardisation(s.mean_F, s.std_F) for name, s in found.items() if s is not None}
