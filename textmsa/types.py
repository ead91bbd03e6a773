"""The nouns that cross file borders.

Shape suffixes: T time steps, F features. A modality is "text", "audio" or "video".
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
SPLITS = ("train", "valid", "test")
MODALITIES = ("text", "audio", "video")
ID_SEPARATOR = "$_$"  # between a video's id and its clip's, in the MMSA layout
RESIDUAL_SEPARATOR = " | "  # between the transcript and what is appended to it, in the text that is encoded
Shown = Literal["modalities", "words", "time", "all"]
"""Of what counted in a score."""
Precision = Literal["fp32", "int8"]
"""Of a run that scores: "int8" has the text encoder in 8-bit integers."""
EXPLANATION_PARTS = ("audio", "video", "text", "summary", "reason")


@dataclass(frozen=True)
class Word:
    """A word, or the line of a subtitle, with the time at which it is said."""

    text: str
    start: float
    """Seconds from the start of the file."""
    end: float
    probability: float | None = None
    """The recogniser's; None where nothing was recognised."""


@dataclass(frozen=True)
class Transcript:
    """What is said in a file, and how that is known."""

    text: str | None
    """None where nothing is said, or it cannot be known; `reason` then says why."""
    source: str
    """"given", "subtitles", "speech recognition", or "none" where nobody gave any words."""
    words: tuple[Word, ...] = ()
    """Of speech recognition each word, of subtitles each line; in the order of their starts."""
    language: str | None = None
    """ISO 639-1, where it was recognised."""
    language_probability: float | None = None
    """None where the recogniser knows one language only."""
    reason: str | None = None
    """Why there is no text."""
    made_with: str | None = None
    """The recogniser's model, or the name of the file of subtitles."""
    made_of: str | None = None
    """A key that changes with the file and the recogniser; of what `textmsa prepare` keeps."""

    @staticmethod
    def from_json(document: dict[str, Any]) -> "Transcript":
        """From what `dataclasses.asdict` made of one."""
        return Transcript(**{**document, "words": tuple(Word(**word) for word in document["words"])})


@dataclass(frozen=True)
class Clip:
    """One row of a corpus: where the clip lies, what is said in it, and its label."""

    id: str
    """Unique in the corpus; in the MMSA layout `<video_id>$_$<clip_id>`."""
    path: Path
    transcript: str | None
    label: float | None = None
    """Sentiment in the corpus' range: [-3, 3] or [-1, 1]."""
    split: str | None = None
    """One of `SPLITS`."""
    video_id: str = ""
    transcript_en: str | None = None
    """English translation, where the corpus has one."""
    label_text: float | None = None
    label_audio: float | None = None
    label_video: float | None = None
    spoken: Transcript | None = None
    """Where the transcript comes from, or why there is none, where the corpus itself does not give it."""


@dataclass(frozen=True)
class FeatureSequence:
    """Feature values with the times they belong to.

    NaN marks a value that could not be measured (log F0 where nothing is voiced, a blendshape where no face is
    seen). It is never replaced in the store.
    """

    values_TF: FloatArray
    times_T: npt.NDArray[np.float64]
    """Seconds from the start of the clip: the centre of each frame, ascending."""
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        assert self.values_TF.shape == (len(self.times_T), len(self.names)), (
            f"{self.values_TF.shape} values for {len(self.times_T)} times and {len(self.names)} names"
        )

    def column(self, name: str) -> FloatArray:
        """The values (T,) of one named feature."""
        return self.values_TF[:, self.names.index(name)]


@dataclass(frozen=True)
class Observation:
    """What can be seen and heard of a clip: everything but its label, split and identity.

    Explainers are given this type and nothing else, so that no label can reach an explanation.
    """

    path: Path
    transcript: str | None
    duration: float | None
    """Seconds; None where the features have no times (published data files): their times then only count steps."""
    audio: FeatureSequence | None
    video: FeatureSequence | None
    missing: dict[str, str] = field(default_factory=dict)
    """Modality -> reason, for each of "text", "audio", "video" that is absent."""
    damage: str | None = None
    """What of the file could not be decoded, although the rest was used."""
    transcript_en: str | None = None
    """English translation, where the corpus has one; only explainers that translate look at it."""


@dataclass(frozen=True)
class Explanation:
    """What voice and face express, in words. None where there is nothing to explain or the explainer failed."""

    audio: str | None = None
    video: str | None = None
    text: str | None = None
    summary: str | None = None
    reason: str | None = None
    provenance: dict[str, Any] = field(default_factory=dict)
    """Explainer, version, parameters; `failed` holds the reason where it failed, `text_en` the explainer's translation
    of the transcript where it was asked for one."""


@dataclass(frozen=True)
class Sample:
    """One clip as prepared: what the corpus says, what was observed, how it is explained."""

    clip: Clip
    observation: Observation
    explanation: Explanation
    pieces: dict[str, npt.NDArray[np.int32]] = field(default_factory=dict)
    """Text -> word pieces (3, L): ids, mask, segments, where a published data file gave them."""


class Samples(Protocol):
    """Clips as prepared, in one order: a store, or a view of one."""

    def __len__(self) -> int:
        """How many clips."""
        ...

    def __getitem__(self, index: int) -> Sample:
        """One clip with all that was prepared of it."""
        ...

    def clips(self) -> Sequence[Clip]:
        """What the corpus says of each clip; features and explanations are not read."""
        ...

    def explanations(self) -> Sequence[Explanation]:
        """The explanation of each clip; features are not read."""
        ...

    def pieces(self, name: str) -> Sequence[npt.NDArray[np.int32] | None]:
        """The word pieces (3, L) of one text of each clip; features are not read."""
        ...

    def column(self, name: str) -> list[Any]:
        """All values of a column of plain values of the store; features are not read."""
        ...


@dataclass(frozen=True)
class WordsChange:
    """What a score loses without some words of the text."""

    words: str
    change: float


@dataclass(frozen=True)
class ChangeOverTime:
    """What a score loses without what was measured, or said, in a window of the clip."""

    start: float
    """Seconds; a share of the clip where it has no duration."""
    end: float
    change: dict[str, float]
    """Modality -> change, for those that have something there."""


@dataclass(frozen=True)
class Interval:
    """Where the true score lies with a probability of `level`, as far as clips are like those calibrated on."""

    level: float
    low: float
    high: float
    clips: int
    """That it was calibrated on."""
    source: str
    """Which clips these were, in words."""


@dataclass(frozen=True)
class Prediction:
    """The score of one clip with all that led to it."""

    path: str
    score: float
    score_range: tuple[float, float]
    polarity: str
    """"negative", "neutral" or "positive"."""
    transcript: str | None
    explanation: Explanation
    gates: dict[str, float]
    """Modality -> weight in the fusion, an inner figure; they sum to 1 over those present. `contributions` say what
    counted."""
    experts: list[list[float]]
    """Layer -> expert -> weight, an inner figure; zero for experts not chosen."""
    missing: dict[str, str]
    """Modality -> why the network read nothing of it."""
    seconds: dict[str, float]
    """Stage -> seconds."""
    damage: str | None = None
    """What of the file could not be decoded, although the rest was used."""
    text_read: str | None = None
    """What the network read as its text: the transcript, or what `inputs.text_input` makes of or puts in its place."""
    unimodal: dict[str, float] = field(default_factory=dict)
    """Modality -> the score of it alone; empty where the network was not trained with `unimodal_weight`."""
    spoken: Transcript | None = None
    """Where the transcript comes from, its words with their times, and the language."""
    contributions: dict[str, float] = field(default_factory=dict)
    """Modality -> what it adds to `base` (exact Shapley values); with the base they sum to the score."""
    base: float | None = None
    """The score of nothing."""
    base_of: str = ""
    """What the base is, in words."""
    interval: Interval | None = None
    """None where the run has no calibration."""
    no_interval: str = ""
    """Why there is no interval, in words."""
    words: list[WordsChange] = field(default_factory=list)
    """What each word did, in their order, where that was asked for."""
    over_time: list[ChangeOverTime] = field(default_factory=list)
    """What each moment did, where that was asked for."""
    scored_by: tuple[str, ...] = MODALITIES
    """Modalities that the model scores where they are there; the others are explained and not scored."""
    notes: tuple[str, ...] = ()
    """What is to be known of the score besides, in sentences."""


@dataclass(frozen=True)
class FeatureSpec:
    """What measured a modality: the columns of every `FeatureSequence` of the store."""

    extractor: str
    """The name in the seam, or the outside "module:Class"."""
    version: str
    names: tuple[str, ...]

    @staticmethod
    def from_json(document: dict[str, Any] | None) -> "FeatureSpec | None":
        """From what `dataclasses.asdict` made of one."""
        return None if document is None else FeatureSpec(**{**document, "names": tuple(document["names"])})


@dataclass(frozen=True)
class RecogniserSpec:
    """What wrote down what is said."""

    model: str
    """"tiny.en", "base", or a folder or id of faster-whisper."""
    version: str


@dataclass(frozen=True)
class ExplainerSpec:
    """What wrote the explanations."""

    explainer: str
    """The name in the seam, or the outside "module:Class"."""
    version: str
    options: dict[str, Any] = field(default_factory=dict)
