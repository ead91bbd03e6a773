"""A prepared clip as the network reads it, before padding.

Shapes: L word pieces, T steps, F features.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from textmsa.errors import UserError
from textmsa.inputs.time_grid import Standardisation, steps_of
from textmsa.types import Explanation, FloatArray, Sample

RESIDUAL_SEPARATOR = " | "


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
