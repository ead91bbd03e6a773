"""The model "everyday" at work: words in, a score out; voice and face of a clip explained beside it, not scored.

It needs no run and no corpus: explanations say what can be said without one to compare with.
"""

import shlex
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from textmsa import seams
from textmsa.clip_predictor import ClipPredictor, SeenClip
from textmsa.errors import UserError
from textmsa.features.statistics import Statistics
from textmsa.left_out import MOST_PARTS, WINDOWS, phrases_of, text_without, text_without_words
from textmsa.model.everyday import BASE, EVERYDAY, FOLDER, EverydayModel
from textmsa.model.packaged import encoder_location
from textmsa.prepare.parts import AUDIO, EXPLAINER, VIDEO, BuiltParts, installed_preparation
from textmsa.rated_sentences import as_spoken
from textmsa.speech.transcripts import Recogniser, language_notice
from textmsa.store.preparation import Preparation
from textmsa.types import ChangeOverTime, Interval, Prediction, Sample, Shown, Transcript, Word, WordsChange

if TYPE_CHECKING:
    from textmsa.model.plain_bert import PlainBert, PlainTokenizer

ALONE = "scored by words alone; voice and face are explained and do not count"
NO_TIMES = (
    "over time nothing is told: words alone are scored, and it is not known when each is said (it is of words that are "
    "recognised, or of subtitles)"
)
LEVEL = "0.9"
BASE_SCORE = 0.0  # of no words: the middle of the range
UNSURE = 0.7  # the recogniser's probability of a word, below which it is often another (docs/speech.md)
TELLING = 0.3  # of a range from -3 to 3: what words must do to the score for their being unsure to be told


class EverydayPredictor(ClipPredictor):
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
        super().__init__(parts=parts, recogniser=recogniser)
        started = time.monotonic()
        self.model = EverydayModel.load(folder)
        self._base = Path(encoder_location(BASE))
        self.model.check_base(self._base)
        self._seconds_loading = time.monotonic() - started

    @cached_property
    def _network(self) -> "tuple[PlainBert, PlainTokenizer]":
        """The taught encoder and its tokenizer, read when they are first needed."""
        return self.model.encoder(self._base)

    def _warm(self) -> None:
        self._network  # noqa: B018 read while the clip is looked at

    @property
    def preparation(self) -> Preparation:
        """How clips are prepared for it: as `textmsa prepare` does, with statistics of no clip."""
        installed = installed_preparation(audio=AUDIO, video=VIDEO, explainer=EXPLAINER, options={})
        class_ = seams.load(seams.EXPLAINERS, EXPLAINER, what="explainer")
        return replace(installed, statistics=Statistics(explainer=class_.fit(())))

    @property
    def score_range(self) -> tuple[float, float]:
        """Lowest and highest score."""
        low, high = self.model.record["score"]["range"]
        return float(low), float(high)

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

    def with_changes(self, prediction: Prediction, sample: Sample, contributions: Shown) -> Prediction:
        """The prediction with what its words did, one by one, and when; no moment of sound or pictures did anything."""
        text = sample.observation.transcript or ""
        if contributions in ("words", "all"):
            prediction = replace(prediction, words=self.changes_by_words(text, prediction.score))
        if contributions in ("time", "all"):
            spoken, duration = prediction.spoken, sample.observation.duration
            if spoken is None or not spoken.words or duration is None:
                return replace(prediction, notes=(*prediction.notes, NO_TIMES))
            over_time = self.changes_over_time(text, prediction.score, spoken.words, duration)
            prediction = replace(prediction, over_time=over_time)
        return prediction

    def _check_words(self, path: Path | None, spoken: Transcript) -> None:
        if not spoken.text:
            raise UserError(
                f"{path}: its words are not known ({spoken.reason}), and the model {EVERYDAY!r} scores words alone; "
                "give what is said as text, have it recognised, or take a run that reads voice and face",
                options="--text, --transcribe, --model RUN; what voice and face show: textmsa explain "
                + shlex.quote(str(path)),
            )

    def _scored(self, clips: Sequence[SeenClip]) -> list[Prediction]:
        started = time.monotonic()
        score_N = self.scores([clip.spoken.text or "" for clip in clips])
        unsure = [self._unsure(clip.spoken, float(score)) for clip, score in zip(clips, score_N, strict=True)]
        seconds = (time.monotonic() - started) / len(clips)
        return [
            self._scored_as(clip, float(score), seconds, note)
            for clip, score, note in zip(clips, score_N, unsure, strict=True)
        ]

    def _scored_as(self, clip: SeenClip, score: float, seconds: float, unsure: str | None) -> Prediction:
        assert clip.spoken.text, "no words were refused"
        notices = [unsure, language_notice(clip.spoken.language, len(self._network[1]))]
        return replace(
            self._plain(clip, score, seconds),
            transcript=clip.spoken.text,
            text_read=clip.spoken.text,
            contributions={"text": score - BASE_SCORE, "audio": 0.0, "video": 0.0},
            base=BASE_SCORE,
            base_of="the middle of the range",
            interval=self.interval(clip.spoken.text, score),
            scored_by=("text",),
            notes=(ALONE, *(notice for notice in notices if notice is not None)),
        )

    def _unsure(self, spoken: Transcript, score: float) -> str | None:
        """Which words may be others, where the score hangs on them; None where it does not, or all are sure."""
        words = [w for w in spoken.words if w.probability is not None and w.probability < UNSURE]
        if not words:
            return None
        rest = text_without_words(spoken.text or "", spoken.words, lambda word: word in words)
        without = float(self.scores([rest])[0]) if rest else BASE_SCORE
        if abs(score - without) < TELLING:
            return None
        heard = ", ".join(f'"{word.text}" ({word.probability:.2f})' for word in words)
        return (
            f"heard unsurely: {heard}; without {'it' if len(words) == 1 else 'them'} the score would be {without:+.2f}"
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

    def changes_over_time(
        self, text: str, score: float, words: Sequence[Word], duration: float
    ) -> list[ChangeOverTime]:
        """What was said in each of some equal windows of a clip of `duration` (s) did: the score less that without it.

        A word, or a line of subtitles, belongs to the window of its middle.
        """
        edges = np.linspace(0.0, duration, WINDOWS + 1).tolist()
        edges[-1] = max(edges[-1], *(word.end for word in words))  # pictures and sound may end before the last word
        windows = list(pairwise(edges))
        rests = [text_without(text, words, start, end) for start, end in windows]
        shortened = [rest for rest in rests if rest and rest != text]
        known = dict(zip(shortened, self.scores(shortened).tolist(), strict=True)) if shortened else {}
        return [
            ChangeOverTime(start, end, {} if rest == text else {"text": score - known.get(rest or "", BASE_SCORE)})
            for (start, end), rest in zip(windows, rests, strict=True)
        ]

    def scores(self, texts: list[str]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Scores (N,) in `score_range` of N texts; each one's depends on that text only."""
        rating_N = self.model.ratings(*self._network, texts)
        scale = float(self.model.record["score"]["scale"])
        score_N: np.ndarray[tuple[int], np.dtype[np.float64]] = np.clip(scale * rating_N, *self.score_range)
        return score_N

    def interval(self, text: str, score: float) -> Interval:
        """Where people's rating of such a text lies in 9 of 10 cases; its source says for what kind of text."""
        kind = self.model.record["intervals"]["spoken" if as_spoken(text) == text else "written"]
        half, (low, high) = kind["half_width"][LEVEL], self.score_range
        ends = max(low, score - half), min(high, score + half)
        return Interval(float(LEVEL), *ends, int(kind["sentences"]), f"{kind['sentences']} {kind['of']}")
