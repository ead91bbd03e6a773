"""The model "everyday" at work: words in, a score out; voice and face of a clip explained beside it, not scored.

It needs no run and no corpus: explanations say what can be said without one to compare with.
"""

import copy
import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from textmsa import seams
from textmsa.errors import UserError
from textmsa.features.statistics import Statistics
from textmsa.model.everyday import BASE, EVERYDAY, FOLDER, EverydayModel
from textmsa.occlusion import MOST_PARTS, phrases_of
from textmsa.prepare.one_clip import ObservedClip, observe_and_explain, observe_given
from textmsa.prepare.parts import AUDIO, EXPLAINER, VIDEO, BuiltParts, build_parts, installed_preparation
from textmsa.rated_sentences import as_spoken
from textmsa.scoring import polarity
from textmsa.speech.transcripts import Recogniser, given_clip, language_notice, transcript_of
from textmsa.store.preparation import Preparation
from textmsa.types import Clip, Interval, Observation, Prediction, Sample, Shown, Transcript, WordsChange

if TYPE_CHECKING:
    from textmsa.media import Media

ALONE = "scored by words alone; voice and face are explained and do not count"
LEVEL = "0.9"
BASE_SCORE = 0.0  # of no words: the middle of the range


class EverydayPredictor:
    """The model that comes with the package, ready for any number of clips and texts.

    Parameters
    ----------
    parts
        Extractors and explainer, where they are built already; else they are built for the first clip.
    folder
        Where the model's file lies.
    recogniser
        Writes down what is said in clips that no text is given for; without one, subtitles beside them are read.

    Raises UserError where the model's file, or the encoder that it is built on, is absent or another.
    """

    def __init__(
        self, *, parts: BuiltParts | None = None, folder: Path = FOLDER, recogniser: Recogniser | None = None
    ) -> None:
        from textmsa.model.text_encoder import encoder_location, load_encoder

        started = time.monotonic()
        self.model = EverydayModel.load(folder)
        self._encoder, self._tokenizer = load_encoder(BASE)
        self.model.teach(self._encoder, Path(encoder_location(BASE)))
        self._given_parts, self.recogniser = parts, recogniser
        low, high = self.model.record["score"]["range"]
        self.score_range: tuple[float, float] = (float(low), float(high))
        self._seconds_loading = time.monotonic() - started

    @cached_property
    def parts(self) -> BuiltParts:
        """Extractors and explainer, as `textmsa prepare` takes them, with statistics of no clip."""
        return self._given_parts if self._given_parts is not None else build_parts(self.preparation)

    @property
    def preparation(self) -> Preparation:
        """How clips are prepared for it: as `textmsa prepare` does, with statistics of no clip."""
        installed = installed_preparation(audio=AUDIO, video=VIDEO, explainer=EXPLAINER, options={})
        class_ = seams.load(seams.EXPLAINERS, EXPLAINER, what="explainer")
        return replace(installed, statistics=Statistics(explainer=class_.fit(())))

    def predict(
        self, clip: Path | str | None, *, text: str | None = None, contributions: Shown = "modalities"
    ) -> Prediction:
        """Score what is said, and explain voice and face.

        Parameters
        ----------
        clip
            A video or audio file; None scores the text alone.
        text
            What is said in it, in English; without it the recogniser listens, or, where there is none, a file of
            subtitles beside the clip is read.
        contributions
            What counted: "words" and "all" also tell what each word did. "modalities" and "time" tell no more than
            that the words did it all.

        Raises UserError, one line, for a file that cannot be used, and where there are no words.
        """
        prediction, sample, _ = self.scored(clip, text=text)
        return self.with_changes(prediction, sample, contributions)

    def scored(self, clip: Path | str | None, *, text: str | None = None) -> tuple[Prediction, Sample, None]:
        """As `predict`, with the sample that was scored; there are no inner figures."""
        started = time.monotonic()
        path = given_clip(clip, text)
        spoken = transcript_of(path, given=text, recogniser=self.recogniser)
        if not spoken.text:
            raise UserError(
                f"{path}: its words are not known ({spoken.reason}), and the model {EVERYDAY!r} scores words alone; "
                "give what is said as text, have it recognised (--transcribe), or take a run that reads voice and face"
            )
        heard = time.monotonic()
        observed = observe_given(path, spoken, lambda: self.parts)
        prediction = self._scored("" if path is None else str(path), observed, spoken, since=heard)
        if spoken.source == "speech recognition":
            seconds = {"load": prediction.seconds["load"], "transcribe": heard - started, **prediction.seconds}
            prediction = replace(prediction, seconds=seconds)
        observation = observed.observation
        said = Clip(id=observation.path.name, path=observation.path, transcript=spoken.text)
        return prediction, Sample(said, observation, observed.explanation), None

    def with_changes(self, prediction: Prediction, sample: Sample, contributions: Shown) -> Prediction:
        """The prediction with what its words did; no moment of sound or pictures did anything."""
        if contributions not in ("words", "all"):
            return prediction
        text = sample.observation.transcript or ""
        return replace(prediction, words=self.changes_by_words(text, prediction.score))

    def observe(self, clip: Path | str, *, text: str | None = None) -> tuple[ObservedClip, Transcript]:
        """What is seen and heard in one clip, its explanation and its words, without a score."""
        path = given_clip(clip, text)
        spoken = transcript_of(path, given=text, recogniser=self.recogniser)
        return observe_given(path, spoken, lambda: self.parts), spoken

    def listening(self, recogniser: Recogniser) -> "EverydayPredictor":
        """The same, nothing loaded again, that writes down what is said."""
        other = copy.copy(self)
        other.recogniser = recogniser
        return other

    def scored_media(
        self, media: "Media", spoken: Transcript, *, contributions: Shown = "modalities"
    ) -> tuple[Prediction, Observation]:
        """The prediction, with what was observed, of a clip that is decoded already: a stretch of a longer file.

        Raises ClipError where an extractor broke down.
        """
        started = time.monotonic()
        observed = observe_and_explain(media, spoken.text, self.parts, why_no_text=spoken.reason)
        prediction, observation = self._scored(str(media.path), observed, spoken, since=started), observed.observation
        said = Clip(id=observation.path.name, path=observation.path, transcript=spoken.text)
        sample = Sample(said, observation, observed.explanation)
        return self.with_changes(prediction, sample, contributions), observation

    def about(self) -> dict[str, Any]:
        """What it is, for JSON: the hash of its file decides every score."""
        return {
            "path": EVERYDAY,
            "corpus": "sentences that people rated",
            "score_range": list(self.score_range),
            "created": None,
            "seeds": [],
            "sha256": self.model.sha256,
        }

    def _scored(self, path: str, observed: ObservedClip, spoken: Transcript, *, since: float) -> Prediction:
        assert spoken.text, "no words were refused"
        prepared = time.monotonic()
        observation = observed.observation
        score = float(self.scores([spoken.text])[0])
        notice = language_notice(spoken.language, len(self._tokenizer))
        return Prediction(
            path=path,
            score=score,
            score_range=self.score_range,
            polarity=polarity(score, self.score_range),
            transcript=spoken.text,
            explanation=observed.explanation,
            gates={},
            experts=[],
            missing=observation.missing,
            damage=observation.damage,
            seconds={"load": self._loading(), "prepare": prepared - since, "score": time.monotonic() - prepared},
            text_read=spoken.text,
            spoken=spoken,
            contributions={"text": score - BASE_SCORE, "audio": 0.0, "video": 0.0},
            base=BASE_SCORE,
            base_of="the middle of the range",
            interval=self.interval(spoken.text, score),
            scored_by=("text",),
            notes=(ALONE, *([] if notice is None else [notice])),
        )

    def changes_by_words(self, text: str, score: float) -> list[WordsChange]:
        """What each word of a text did: its score less that without the word; phrases of a long text."""
        pieces = phrases_of(text, MOST_PARTS)
        others = [(text[:start] + text[end:]).strip() for start, end in pieces]
        score_N = self.scores([other or text for other in others]) if others else np.zeros(0)
        return [
            WordsChange(text[start:end].strip(), score - (float(value) if other else BASE_SCORE))
            for (start, end), other, value in zip(pieces, others, score_N, strict=True)
        ]

    def scores(self, texts: list[str]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Scores (N,) in `score_range` of N texts; each one's depends on that text only."""
        rating_N = self.model.ratings(self._encoder, self._tokenizer, texts)
        scale = float(self.model.record["score"]["scale"])
        score_N: np.ndarray[tuple[int], np.dtype[np.float64]] = np.clip(scale * rating_N, *self.score_range)
        return score_N

    def interval(self, text: str, score: float) -> Interval:
        """Where people's rating of such a text lies in 9 of 10 cases; its source says for what kind of text."""
        kind = self.model.record["intervals"]["spoken" if as_spoken(text) == text else "written"]
        half, (low, high) = kind["half_width"][LEVEL], self.score_range
        ends = max(low, score - half), min(high, score + half)
        return Interval(float(LEVEL), *ends, int(kind["sentences"]), f"{kind['sentences']} {kind['of']}")

    def _loading(self) -> float:
        """Seconds that loading took; they count to the first prediction."""
        seconds, self._seconds_loading = self._seconds_loading, 0.0
        return seconds
