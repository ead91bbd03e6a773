"""Which words count for a clip: recognised where that is asked for, else given, else in a file beside it."""

from pathlib import Path
from typing import Protocol

from textmsa.errors import UserError
from textmsa.speech.subtitles import read_subtitles, subtitles_beside
from textmsa.speech.weights import DEFAULT_MODEL
from textmsa.types import Transcript

LANGUAGES = {
    "ar": "Arabic",
    "de": "German",
    "en": "English",
    "es": "Spanish",
    "fr": "French",
    "hi": "Hindi",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "pt": "Portuguese",
    "ru": "Russian",
    "zh": "Chinese",
}
"""Of the corpora that people have, and of what is heard most; others are told by their code."""
READ_BY = {30_522: "en", 28_996: "en", 21_128: "zh"}
"""Word pieces of a text encoder -> what it reads: BERT's and MiniLM's uncased English, BERT's cased English, BERT's
Chinese. Nothing is said of others, which may read any language."""
ENCODERS = {"en": "google-bert/bert-base-uncased", "zh": "google-bert/bert-base-chinese"}
MANY = "google-bert/bert-base-multilingual-cased"  # reads 104 languages
NOT_TOLD = "no transcript"


class Recogniser(Protocol):
    """What turns a file's speech into words: `SpeechRecogniser`, or another's."""

    def transcribe(self, path: Path) -> Transcript:
        """What is said; `text` is None, with the reason, where that cannot be known."""
        ...


def transcript_of(clip: Path, *, given: str | None = None, recogniser: Recogniser | None = None) -> Transcript:
    """What is said in a clip, and how that is known.

    Parameters
    ----------
    clip
        A video or sound file.
    given
        What somebody says is said; it goes before all else.
    recogniser
        Listens, where recognition is asked for; without it a file of subtitles beside the clip is read.

    Raises UserError for broken subtitles beside the clip.
    """
    if given is not None:
        return Transcript(given, "given") if given.strip() else Transcript(None, "given", reason=NOT_TOLD)
    if recogniser is not None:
        return recogniser.transcribe(clip)
    beside = subtitles_beside(clip)
    return Transcript(None, "none", reason=NOT_TOLD) if beside is None else read_subtitles(beside)


def chosen_model(transcribe: bool, speech_model: str | None, text: str | None = None) -> str | None:
    """The model that the options `--transcribe` and `--speech-model` ask for; None where nothing is to be recognised.

    Raises UserError where options do not go together.
    """
    if speech_model is not None and not transcribe:
        raise UserError(f"--speech-model {speech_model}: is for --transcribe; give that too")
    if transcribe and text is not None:
        raise UserError("--transcribe: the words are given already by --text; leave one of them out")
    return (speech_model or DEFAULT_MODEL) if transcribe else None


def language_notice(language: str | None, vocabulary: int, *, translated: bool = False) -> str | None:
    """What to tell where words are in a language that the network's text encoder does not read; else None.

    Parameters
    ----------
    language
        ISO 639-1; None where it is not known, of which nothing is said.
    vocabulary
        How many word pieces the text encoder knows.
    translated
        Whether the network reads a translation.
    """
    reads = READ_BY.get(vocabulary)
    if translated or language is None or reads is None or language == reads:
        return None
    return (
        f"the words are {named(language)}, and this network's text encoder reads {named(reads)}: train with "
        f"--model.text_encoder {ENCODERS.get(language, MANY)}, or on translations (prepare --translate en, "
        "--inputs.text_input translated)"
    )


def named(language: str) -> str:
    """A language in words, where it is a common one."""
    return LANGUAGES.get(language, f"in the language {language!r}")


def origin_in_words(transcript: Transcript) -> str:
    """Where words come from, for people: "speech recognition (tiny.en), English"."""
    made = f" ({transcript.made_with})" if transcript.made_with else ""
    if transcript.language is None:
        return transcript.source + made
    sure = "" if transcript.language_probability is None else f" {transcript.language_probability:.2f}"
    return f"{transcript.source}{made}, {named(transcript.language)}{sure}"
