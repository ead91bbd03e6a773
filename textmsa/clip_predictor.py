"""What every predictor does with clips: their words are found, they are observed and explained, then scored.

Who scores, a run or the model that comes with the package, is `textmsa.predict` and `textmsa.everyday`.
"""

import copy
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from textmsa.errors import ExtractorError, TextMsaError, UnreadableClip, UserError, first_line, reason_of
from textmsa.features.observe import measure
from textmsa.prepare.one_clip import (
    ObservedClip,
    explain_measured,
    observe_and_explain,
    with_translation,
    words_alone,
)
from textmsa.prepare.parts import BuiltParts, build_parts
from textmsa.scoring import polarity
from textmsa.speech.transcripts import Recogniser, given_clip, transcript_of
from textmsa.store.preparation import Preparation
from textmsa.types import Clip, Observation, Prediction, Sample, Shown, Transcript

if TYPE_CHECKING:
    from textmsa.media import Media

TOGETHER = 16  # clips of `predict_many` whose features are in memory at a time
Given = Path | str | Clip | tuple[Path | str | None, str | None]
"""A clip of many: its file, its file (None: words alone) with what is said in it, or a row of a corpus."""


@dataclass(frozen=True)
class SeenClip:
    """A clip, or words alone, before it is scored."""

    path: str
    """Empty of words alone."""
    observed: ObservedClip
    spoken: Transcript
    seconds: dict[str, float]
    """Stage -> seconds."""

    @property
    def sample(self) -> Sample:
        """As a network reads it."""
        observation, explanation = self.observed.observation, self.observed.explanation
        said = Clip(id=observation.path.name, path=observation.path, transcript=observation.transcript)
        return Sample(with_translation(said, explanation), observation, explanation)


@dataclass(frozen=True)
class ClipOutcome:
    """What came of one of many clips, or utterances: a prediction, or why there is none."""

    number: int
    """From 0, in the order in which the clips were given."""
    path: str
    """As it was given; empty of words alone."""
    prediction: Prediction | None = None
    failed: str | None = None
    start: float | None = None
    """Seconds from the file's start, of an utterance in a longer file."""
    end: float | None = None
    text: str | None = None
    """What is said in that utterance."""


class ClipPredictor(ABC):
    """A model ready for any number of clips. Use `textmsa.load`, which gives one of its two kinds.

    Parameters
    ----------
    parts
        Extractors and explainer, where they are built already.
    recogniser
        Writes down what is said in clips that no text is given for; without one, subtitles beside them are read.
    """

    def __init__(self, *, parts: BuiltParts | None, recogniser: Recogniser | None) -> None:
        self._given_parts, self.recogniser = parts, recogniser
        self._seconds_loading = 0.0

    @property
    @abstractmethod
    def preparation(self) -> Preparation:
        """How its clips are prepared."""

    @property
    @abstractmethod
    def score_range(self) -> tuple[float, float]:
        """Lowest and highest score."""

    @abstractmethod
    def about(self) -> dict[str, Any]:
        """What it is, for JSON: with all that decides its scores."""

    @abstractmethod
    def with_changes(self, prediction: Prediction, sample: Sample, contributions: Shown) -> Prediction:
        """The prediction with what words, or moments, of its sample did."""

    @abstractmethod
    def _scored(self, clips: Sequence[SeenClip]) -> list[Prediction]:
        """The predictions of some clips, together."""

    @abstractmethod
    def _check_words(self, path: Path | None, spoken: Transcript) -> None:
        """Raises UserError where these words cannot be scored."""

    def _warm(self) -> None:  # noqa: B027 most have nothing to do
        """Read what scoring needs, while a clip is looked at."""

    @cached_property
    def parts(self) -> BuiltParts:
        """Extractors and explainer; those that are not given are built when they are first needed."""
        return self._given_parts if self._given_parts is not None else build_parts(self.preparation)

    def predict(
        self, clip: Path | str | None, *, text: str | None = None, contributions: Shown = "modalities"
    ) -> Prediction:
        """Score one clip and explain it.

        Parameters
        ----------
        clip
            A video or audio file; None scores the text alone.
        text
            What is said in it; without it the predictor's recogniser listens, or, where it has none, a file of
            subtitles beside the clip is read (.srt, .vtt, .txt); without that too the text counts as missing.
        contributions
            What counted: "modalities" alone, or also each of the "words", each moment of "time", or "all".

        Raises UserError, one line, for a file that cannot be used, and where the model needs words that are not known.
        """
        prediction, sample = self.scored(clip, text=text)
        return self.with_changes(prediction, sample, contributions)

    def predict_many(
        self, clips: Iterable[Given], *, contributions: Shown = "modalities", together: int = TOGETHER
    ) -> Iterator[ClipOutcome]:
        """Score any number of clips, one outcome each, in their order; what fails is recorded and the rest goes on.

        Clips are taken from `clips` as they are needed and scored some at a time, so that memory does not grow with
        their number. A score differs from that of `predict` by rounding only (at most 1e-5).

        Parameters
        ----------
        clips
            Files; (file, text) pairs, of which either may be None; or rows of a corpus, `Clip`, with their transcript.
        contributions
            As for `predict`.
        together
            How many clips are measured before they are scored together; 1 gives the numbers of `predict`, bit by bit.

        Raises UserError for a `together` below 1.
        """
        if together < 1:
            raise UserError(f"together {together}: give 1 or more")
        return self._outcomes(enumerate(clips), contributions, together)

    def _outcomes(
        self, numbered: Iterator[tuple[int, Given]], contributions: Shown, together: int
    ) -> Iterator[ClipOutcome]:
        while batch := list(islice(numbered, together)):
            outcomes: dict[int, ClipOutcome] = {}
            seen: list[tuple[int, SeenClip]] = []
            for number, given in batch:
                path = ""
                try:
                    clip, text = _file_and_text(given)
                    path = "" if clip is None else str(clip)
                    seen.append((number, self._seen(clip, text)))
                except Exception as error:
                    outcomes[number] = ClipOutcome(number, path, failed=_why(error))
            predictions = self._scored([one for _, one in seen]) if seen else []
            for (number, one), prediction in zip(seen, predictions, strict=True):
                try:
                    whole = self.with_changes(prediction, one.sample, contributions)
                    outcomes[number] = ClipOutcome(number, one.path, whole)
                except Exception as error:
                    outcomes[number] = ClipOutcome(number, one.path, failed=_why(error))
            del seen, predictions  # not held while whoever asked looks at the outcomes
            yield from (outcomes[number] for number, _ in batch)

    def scored(self, clip: Path | str | None, *, text: str | None = None) -> tuple[Prediction, Sample]:
        """As `predict`, with the sample that was scored."""
        seen = self._seen(clip, text)
        return self._scored([seen])[0], seen.sample

    def scored_media(
        self, media: "Media", spoken: Transcript, *, contributions: Shown = "modalities"
    ) -> tuple[Prediction, Observation]:
        """The prediction, with what was observed, of a clip that is decoded already: a stretch of a longer file.

        Raises ClipError where nothing is in it that can be scored, or an extractor broke down.
        """
        started = time.monotonic()
        observed = observe_and_explain(media, spoken.text, self.parts, why_no_text=spoken.reason)
        seen = SeenClip(str(media.path), observed, spoken, {"prepare": time.monotonic() - started})
        return self.with_changes(self._scored([seen])[0], seen.sample, contributions), observed.observation

    def observe(self, clip: Path | str, *, text: str | None = None) -> tuple[ObservedClip, Transcript]:
        """What is seen and heard in one clip, its explanation and its words, without a score; raises as `predict`."""
        path = given_clip(clip, text)
        spoken = transcript_of(path, given=text, recogniser=self.recogniser)
        assert path is not None, "no clip was refused"
        return self._explained(path, spoken), spoken

    def listening(self, recogniser: Recogniser) -> Self:
        """The same, nothing loaded again, that writes down what is said."""
        other = copy.copy(self)
        other.recogniser = recogniser
        return other

    def _seen(self, clip: Path | str | None, text: str | None) -> SeenClip:
        """The clip observed and explained. While a recogniser listens to it, it is measured already."""
        started = time.monotonic()
        path = given_clip(clip, text)
        if path is None:
            spoken = transcript_of(None, given=text)
            self._check_words(None, spoken)
            return SeenClip("", words_alone(spoken.text), spoken, {"prepare": time.monotonic() - started})
        listens = text is None and self.recogniser is not None
        with ThreadPoolExecutor(2) as threads:
            measuring = threads.submit(self._measured, path) if listens else None
            warming = threads.submit(self._warm)
            spoken = transcript_of(path, given=text, recogniser=self.recogniser)
            heard = time.monotonic()
            self._check_words(path, spoken)
            observed = self._explained(path, spoken, measuring)
            warming.result()
        told = {"transcribe": heard - started} if listens else {}
        return SeenClip(str(path), observed, spoken, told | {"prepare": time.monotonic() - heard})

    def _measured(self, path: Path) -> Observation:
        return measure(path, audio=self.parts.audio, video=self.parts.video, together=True)

    def _explained(self, path: Path, spoken: Transcript, begun: Future[Observation] | None = None) -> ObservedClip:
        """`begun` measures it already. Raises UserError, one line, for a file that cannot be used."""
        try:
            measured = self._measured(path) if begun is None else begun.result()
            return explain_measured(measured, spoken.text, self.parts, spoken.reason)
        except UnreadableClip as error:
            raise UserError(f"{path}: cannot be read ({error}); give a video or audio file") from error
        except ExtractorError as error:
            raise UserError(f"{path}: {error}") from error

    def _plain(self, clip: SeenClip, score: float, seconds: float) -> Prediction:
        """What every kind says of a clip with that score, which took so many seconds."""
        observation = clip.observed.observation
        return Prediction(
            path=clip.path,
            score=score,
            score_range=self.score_range,
            polarity=polarity(score, self.score_range),
            transcript=observation.transcript,
            explanation=clip.observed.explanation,
            gates={},
            experts=[],
            missing=observation.missing,
            damage=observation.damage,
            seconds={"load": self._loading(), **clip.seconds, "score": seconds},
            spoken=clip.spoken,
        )

    def _loading(self) -> float:
        """Seconds that loading took; they count to the first prediction."""
        seconds, self._seconds_loading = self._seconds_loading, 0.0
        return seconds


def _file_and_text(given: Given) -> tuple[Path | str | None, str | None]:
    if isinstance(given, Clip):
        return given.path, given.transcript
    if isinstance(given, tuple):
        if len(given) != 2:
            raise UserError(f"{given!r}: give a file, or a pair of file and text")
        return given
    return given, None


def _why(error: Exception) -> str:
    """One line: of what is the user's or the clip's as it is, else with the kind of the error."""
    return first_line(error, limit=500) if isinstance(error, TextMsaError) else reason_of(error)
