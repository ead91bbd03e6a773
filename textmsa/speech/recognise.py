"""Speech -> words with their times, by Whisper in CTranslate2; nothing said, no words.

Whisper writes "you", "Thank you." or whole sentences where there is music or silence. Three gates stand before its
words: somebody must speak (`activity.py`), its own probability that nobody does must be low, and its words likely.

Shape suffixes: N audio samples at 16 kHz.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textmsa.errors import UnreadableClip, UserError, first_line
from textmsa.media import stream_sound
from textmsa.speech.activity import SAMPLE_RATE, Span, VoiceActivity
from textmsa.speech.weights import DEFAULT_MODEL, INSTALL, PACKAGED, find_model
from textmsa.types import RecogniserSpec, Transcript, Word

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

SOURCE = "speech recognition"
VERSION = "1"
"""Raise it when the words that come out change: clips of a corpus are then heard anew."""
BEAMS = 5
MOST_NO_SPEECH = 0.6  # Whisper's probability that nobody speaks; the published decoder's threshold
LEAST_LOG_PROBABILITY = -1.0  # mean over a segment's tokens; the published decoder's threshold
MOST_REPETITION = 2.4  # of text to its zlib; above it Whisper goes round in circles (the published threshold)
SURE_LANGUAGE = 0.5  # below it no language is told
NO_SPEECH = "no speech is heard"
UNCLEAR = "speech is heard, but no words are clear"
UNCLEAR_ENGLISH = "speech is heard, but no English words are clear (the speech model base knows other languages)"
_DESCRIBED = re.compile(r"\W*[\[(*♪][^\])]*[\])*♪]\W*")  # "(speaking in foreign language)": no words of the speaker


@dataclass(frozen=True)
class Heard:
    """The words of one span of speech."""

    words: tuple[Word, ...]
    """In order, with times from the start of the file; none where no words were clear."""
    language: str | None
    language_probability: float | None


class SpeechRecogniser:
    """Whisper with its gates, built once for any number of files; on the CPU, in 8-bit integers.

    Parameters
    ----------
    model
        "tiny.en" (English only) or "base" (99 languages), from installed packages; or a folder or id of faster-whisper.
    threads
        Of the processor.

    Raises UserError where a package is missing, or the weights are not there or not the expected ones.
    """

    def __init__(self, model: str = DEFAULT_MODEL, *, threads: int = 1) -> None:
        self.spec = recogniser_spec(model)
        found = find_model(model)
        self._activity = VoiceActivity()
        self._whisper = _loaded(model, found, threads)
        self.english_only = not self._whisper.model.is_multilingual

    def transcribe(self, path: Path) -> Transcript:
        """What is said in a video or sound file of any length.

        Returns a `Transcript` from "speech recognition", whose `text` is None, with the reason, where there is no
        sound, nobody speaks, or no words are clear. Never raises for a file that cannot be decoded: that too is a
        reason.
        """
        try:
            spans = list(self.spans(path))
        except UnreadableClip as error:
            return self._nothing(f"no speech can be heard: {error}")
        words = [word for heard in spans for word in heard.words]
        if not words:
            unclear = UNCLEAR_ENGLISH if self.english_only else UNCLEAR
            return self._nothing(unclear if spans else NO_SPEECH)
        language, probability = _language_of(spans)
        text = "".join(word.text for word in words)
        return Transcript(
            text=" ".join(text.split()),
            source=SOURCE,
            words=tuple(Word(word.text.strip(), word.start, word.end, word.probability) for word in words),
            language=language,
            language_probability=probability,
            made_with=self.spec.model,
        )

    def words(self, path: Path) -> Iterator[Word]:
        """The words of a file of any length, as they are heard; no more than a minute of sound is in memory.

        A word's text is as Whisper writes it: words of languages with spaces begin with one.

        Raises UnreadableClip, before the first word, where there is no sound.
        """
        for heard in self.spans(path):
            yield from heard.words

    def spans(self, path: Path, *, skip: int = 0) -> Iterator[Heard]:
        """As `words`, by spans of speech of at most 28 s, with the language of each; the first `skip` are not heard."""
        for number, span in enumerate(self._activity.spans(stream_sound(path, sample_rate=SAMPLE_RATE))):
            if number >= skip:
                yield self._heard(span)

    def _heard(self, span: Span) -> Heard:
        segments, about = self._whisper.transcribe(
            span.samples_N,
            language="en" if self.english_only else None,
            beam_size=BEAMS,
            temperature=0.0,  # the likeliest words; the same sound always gives the same
            condition_on_previous_text=False,
            word_timestamps=True,
            vad_filter=False,
            no_speech_threshold=None,
            log_prob_threshold=None,
        )
        words = [word for segment in segments if _is_clear(segment) for word in segment.words or ()]
        known = not self.english_only and about.language_probability >= SURE_LANGUAGE
        return Heard(
            words=tuple(
                Word(
                    word.word,
                    round(span.start + float(word.start), 2),
                    round(span.start + float(word.end), 2),
                    round(float(word.probability), 3),
                )
                for word in words
            ),
            language="en" if self.english_only else about.language if known else None,
            language_probability=round(float(about.language_probability), 3) if known else None,
        )

    def _nothing(self, reason: str) -> Transcript:
        return Transcript(None, SOURCE, reason=reason, made_with=self.spec.model)


def recogniser_spec(model: str) -> RecogniserSpec:
    """What is recorded of a recogniser; a folder by its whole path."""
    folder = model not in PACKAGED and Path(model).is_dir()
    return RecogniserSpec(str(Path(model).resolve()) if folder else model, VERSION)


@cache
def shared_recogniser(model: str) -> SpeechRecogniser:
    """One recogniser a process, for workers."""
    return SpeechRecogniser(model)


def _loaded(name: str, found: str, threads: int) -> "WhisperModel":
    try:
        from faster_whisper import WhisperModel
    except ImportError as error:
        package = (getattr(error, "name", None) or "faster_whisper").partition(".")[0]
        raise UserError(f"speech recognition needs the package {package!r}: {INSTALL}") from error
    try:
        return WhisperModel(found, device="cpu", compute_type="int8", cpu_threads=threads, num_workers=1)
    except (RuntimeError, ValueError, OSError) as error:
        raise UserError(
            f"--speech-model {name}: cannot be loaded ({first_line(error)}); give {', '.join(PACKAGED)}, a folder in "
            "CTranslate2's format or an id that can be downloaded"
        ) from error


def _is_clear(segment: Any) -> bool:
    """Whether somebody speaks there, and the words are likely and not a loop."""
    return bool(
        segment.no_speech_prob <= MOST_NO_SPEECH
        and segment.avg_logprob >= LEAST_LOG_PROBABILITY
        and segment.compression_ratio <= MOST_REPETITION
        and any(character.isalnum() for character in segment.text)
        and not _DESCRIBED.fullmatch(segment.text)
    )


def _language_of(spans: list[Heard]) -> tuple[str | None, float | None]:
    """The language in which most words are said, with the highest probability that it got."""
    counts: Counter[str | None] = Counter()
    for heard in spans:
        counts[heard.language] += len(heard.words)
    language = counts.most_common(1)[0][0]
    probabilities = [h.language_probability for h in spans if h.language == language and h.words]
    known = [probability for probability in probabilities if probability is not None]
    return language, max(known, default=None)
