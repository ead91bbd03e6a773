"""A prepared clip as the network reads it, before padding.

Shapes: L word pieces, T steps, F features.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from textmsa.config import InputConfig
from textmsa.errors import UserError
from textmsa.inputs.time_grid import Standardisation, steps_of
from textmsa.types import MODALITIES, RESIDUAL_SEPARATOR, Clip, Explanation, FloatArray, Sample, Samples

if TYPE_CHECKING:
    from textmsa.model import TextMsaConfig


EXAMPLE_BYTES = 1500
"""Of an example without its arrays and texts."""
UNREAD = "not read by this network"
UNMEASURED = "too little of it could be measured"


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
    unimodal_labels: tuple[float | None, float | None, float | None] = (None, None, None)
    """Of words, voice and face alone."""


Pieces = npt.NDArray[np.int32]
"""Word pieces (3, L) of a text as a published data file gives them: ids, mask, segments."""


def text_of(transcript: str | None, transcript_en: str | None, explanation: Explanation, source: str) -> str | None:
    """The text stream's text for `InputConfig.text_input`; None where the text is missing.

    Residual text without a summary is the transcript alone; without a transcript the text is missing. Of "both",
    transcript and translation, one alone is the text where the other is not there.
    """
    if source == "residual" and transcript and explanation.summary:
        return transcript + RESIDUAL_SEPARATOR + explanation.summary
    chosen = {
        "transcript": transcript,
        "residual": transcript,
        "reason": explanation.reason,
        "translated": transcript_en,
        "both": RESIDUAL_SEPARATOR.join(text for text in (transcript, transcript_en) if text),
    }
    return chosen[source] or None


def words_of(sample: Sample, source: str) -> str | None:
    """What of the text for `InputConfig.text_input` is words of the clip: no summary, nothing of a reason."""
    if source == "reason":
        return None
    spoken = "transcript" if source == "residual" else source
    return text_of(sample.observation.transcript, sample.clip.transcript_en, sample.explanation, spoken)


def missing_of(sample: Sample, example: Example, config: "InputConfig | TextMsaConfig") -> dict[str, str]:
    """Modality -> why the network reads nothing of it, for each that the example of this sample lacks."""
    reasons = dict.fromkeys(("audio", "video"), UNMEASURED) | sample.observation.missing
    reasons["text"] = _why_no_text(sample, config)
    reasons |= {modality: UNREAD for modality in MODALITIES if modality not in config.modalities}
    return {modality: reasons[modality] for modality in MODALITIES if getattr(example, modality) is None}


def _why_no_text(sample: Sample, config: "InputConfig | TextMsaConfig") -> str:
    if config.pieces == "given":
        return f"no word pieces of the text {config.text_input!r}"
    reasons = {"translated": "no translation (text_en)", "reason": "the explanation has no reason"}
    return reasons.get(config.text_input) or sample.observation.missing.get("text", "no transcript")


def _text_of(sample: Sample, config: "InputConfig | TextMsaConfig") -> "str | Pieces | None":
    if config.pieces == "given":
        return sample.pieces.get(config.text_input)
    clip, observation = sample.clip, sample.observation
    return text_of(observation.transcript, clip.transcript_en, sample.explanation, config.text_input)


def example_of(sample: Sample, standards: dict[str, Standardisation], config: "TextMsaConfig") -> Example:
    """One prepared clip as the network reads it; `config` is the model's."""
    observation, explanation = sample.observation, sample.explanation
    audio = steps_of(observation.audio, observation.duration, standards.get("audio"), config)
    video = steps_of(observation.video, observation.duration, standards.get("video"), config)
    explained: dict[str, str | Pieces | None] = {"audio": explanation.audio, "video": explanation.video}
    if config.pieces == "given":
        explained = {name: sample.pieces.get(name) for name in explained}
    read = config.modalities
    audio, video = audio if "audio" in read else None, video if "video" in read else None
    return Example(
        id=sample.clip.id,
        text=_text_of(sample, config) if "text" in read else None,
        audio_explanation=explained["audio"] if audio is not None else None,
        video_explanation=explained["video"] if video is not None else None,
        audio=audio,
        video=video,
        label=sample.clip.label,
        unimodal_labels=(sample.clip.label_text, sample.clip.label_audio, sample.clip.label_video),
    )


def texts_of(samples: Samples, config: "InputConfig | TextMsaConfig") -> "list[str | Pieces]":
    """All texts that the text encoder may read of some samples; features are not read.

    Raises UserError where the recipe asks for word pieces that the samples do not have.
    """
    if config.pieces == "given":
        columns = {name: samples.pieces(name) for name in (config.text_input, "audio", "video")}
        if not any(piece is not None for piece in columns[config.text_input]):
            raise UserError(
                f"inputs.pieces given: the store holds no word pieces of the text {config.text_input!r}: set "
                "inputs.pieces to tokenize, or inputs.text_input to another text"
            )
        return [piece for column in columns.values() for piece in column if piece is not None]
    texts: set[str | None] = set()
    for clip, explanation in zip(samples.clips(), samples.explanations(), strict=True):
        text = text_of(clip.transcript, clip.transcript_en, explanation, config.text_input)
        texts |= {text, explanation.audio, explanation.video}
    return sorted(text for text in texts if text)


def have_text(samples: Samples, config: "InputConfig | TextMsaConfig") -> list[bool]:
    """For each sample whether the network reads a text of it; features are not read."""
    if config.pieces == "given":
        return [piece is not None for piece in samples.pieces(config.text_input)]
    return [
        text_of(clip.transcript, clip.transcript_en, explanation, config.text_input) is not None
        for clip, explanation in zip(samples.clips(), samples.explanations(), strict=True)
    ]


class SampleList:
    """Samples that lie in memory, one by one: of no store, so that nothing of theirs has a column."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = list(samples)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        return self.samples[index]

    def clips(self) -> list[Clip]:
        """The clip of each."""
        return [sample.clip for sample in self.samples]

    def explanations(self) -> list[Explanation]:
        """The explanation of each."""
        return [sample.explanation for sample in self.samples]

    def pieces(self, name: str) -> "list[Pieces | None]":
        """The word pieces (3, L) of one text of each."""
        return [sample.pieces.get(name) for sample in self.samples]

    def column(self, name: str) -> list[Any]:
        """Raises UserError: what asks for a column compares a clip with the others of its split."""
        raise UserError(f"single clips have no {name!r} column: such a run is for evaluation on a store, not for clips")


class SampleDataset:
    """Prepared clips as examples, made on access; what `torch.utils.data.DataLoader` and the Trainer read.

    `change` is applied to each example. Of the first `keep_bytes` of examples what was made is kept, so that the next
    epoch does not read and pool them again.
    """

    def __init__(
        self,
        samples: Samples,
        indices: Sequence[int],
        standards: dict[str, Standardisation],
        config: "TextMsaConfig",
        change: Callable[[Example], Example] | None = None,
        *,
        keep_bytes: int = 0,
    ) -> None:
        self.samples, self.indices, self.standards, self.config = samples, list(indices), standards, config
        self.change, self.keep_bytes = change, keep_bytes
        self._kept: dict[int, Example] = {}

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Example:
        example = self._kept.get(index)
        if example is None:
            example = example_of(self.samples[self.indices[index]], self.standards, self.config)
            if (size := bytes_of(example)) <= self.keep_bytes:
                self.keep_bytes -= size
                self._kept[index] = example
        return example if self.change is None else self.change(example)

    def __getstate__(self) -> dict[str, Any]:
        """Data loading workers keep what they make themselves."""
        return self.__dict__ | {"_kept": {}}


def bytes_of(example: Example) -> int:
    """About what an example takes in memory."""
    texts = (example.text, example.audio_explanation, example.video_explanation)
    streams = [stream for stream in (example.audio, example.video) if stream is not None]
    return EXAMPLE_BYTES + sum(
        [values.nbytes + mask.nbytes for values, mask in streams]
        + [text.nbytes if isinstance(text, np.ndarray) else len(text or "") for text in texts]
    )
