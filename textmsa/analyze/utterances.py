"""Words with times -> utterances: sentences, or what lies between pauses, with the window of the file that is scored.

Times of windows are whole tenths of a second: pictures are kept ten times a second, so that a window shows those that
a file cut there would.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from textmsa.errors import UserError
from textmsa.speech.recognise import SOURCE as RECOGNISED
from textmsa.speech.recognise import Heard
from textmsa.speech.subtitles import SOURCE as SUBTITLES
from textmsa.types import Transcript, Word

TENTHS = 10  # windows begin and end on these parts of a second
SHORTEST, LONGEST = 1.0, 15.0  # s; a sentence that ends earlier goes on, a longer one is cut at its longest pause
LONGEST_WINDOW = 30.0  # s of pictures that are held; a longer cue is not scored
PAUSE = {SUBTITLES: 1.0, RECOGNISED: 0.7}  # s without words at which an utterance ends; subtitles stay a little longer
MARGIN = {SUBTITLES: 0.0, RECOGNISED: 0.15}  # s before and after the words: a recogniser's times are close to them
OVERLAP = 0.05  # s by which subtitles are shown together: two people speak
_ENDS = tuple(".!?…。！？")
_CLOSING = "\"'”’»)]」』"
_ABBREVIATIONS = {"mr.", "mrs.", "ms.", "dr.", "st.", "prof.", "vs.", "e.g.", "i.e."}


@dataclass(frozen=True)
class Utterance:
    """What is said in one go."""

    number: int
    """From 0, in the order of the starts."""
    start: float
    """Seconds from the file's start, of the first word."""
    end: float
    spoken: Transcript
    """The words, with their times in the file."""
    first: int
    """Of the window that is scored: tenths of a second from the file's start."""
    last: int
    """Where the window ends."""

    @property
    def too_long(self) -> str | None:
        """Why it cannot be scored."""
        seconds = (self.last - self.first) / TENTHS
        if seconds <= LONGEST_WINDOW:
            return None
        return f"lasts {seconds:.1f} s, and at most {LONGEST_WINDOW:.0f} s are scored as one: divide its subtitle"


def from_subtitles(transcript: Transcript) -> list[Utterance]:
    """Utterances from lines shown (`Transcript.words`): lines are joined until a sentence ends.

    Raises UserError where the lines have no times.
    """
    if not transcript.words:
        raise UserError(f"{transcript.made_with}: has no times; give subtitles (.srt, .vtt), or --transcribe")
    lines = [Word(f" {line.text}", line.start, line.end) for line in transcript.words]
    origins = [(None, None)] * len(lines)
    return _utterances(lines, origins, SUBTITLES, transcript.made_with)


def from_speech(spans: Sequence[Heard], made_with: str | None) -> list[Utterance]:
    """Utterances from recognised words: cut at pauses and ends of sentences."""
    words = [word for heard in spans for word in heard.words]
    origins = [(heard.language, heard.language_probability) for heard in spans for _ in heard.words]
    return _utterances(words, origins, RECOGNISED, made_with)


def _utterances(
    words: Sequence[Word], origins: Sequence[tuple[str | None, float | None]], source: str, made_with: str | None
) -> list[Utterance]:
    parts = list(_parts(words, pause=PAUSE[source], apart=source == SUBTITLES))
    found = []
    for number, (begin, stop) in enumerate(parts):
        part = words[begin:stop]
        language, probability = origins[begin]
        text = " ".join("".join(word.text for word in part).split())
        plain = tuple(Word(word.text.strip(), word.start, word.end, word.probability) for word in part)
        spoken = Transcript(text, source, plain, language, probability, made_with=made_with)
        start, end = part[0].start, max(word.end for word in part)
        # The margin takes nothing of a neighbour's words.
        before = max((word.end for word in words[max(0, begin - 1) : begin]), default=0.0)
        after = min((word.start for word in words[stop : stop + 1]), default=math.inf)
        opening = max(start - MARGIN[source], min(before, start))
        closing = min(end + MARGIN[source], max(after, end))
        first = math.floor(opening * TENTHS + 1e-6)
        last = max(math.ceil(closing * TENTHS - 1e-6), first + 2)
        found.append(Utterance(number, start, end, spoken, max(first, 0), last))
    return found


def _parts(words: Sequence[Word], *, pause: float, apart: bool) -> Iterator[tuple[int, int]]:
    """(first, one past the last) word of each utterance; with `apart`, words that overlap are of different ones."""
    begin = 0
    for place, word in enumerate(words):
        if place + 1 == len(words):
            break
        following = words[place + 1]
        gap = following.start - word.end
        said = word.end - words[begin].start
        if gap > pause or (apart and gap < -OVERLAP) or (said >= SHORTEST and _ends_sentence(word.text)):
            yield begin, place + 1
            begin = place + 1
        elif following.end - words[begin].start > LONGEST:
            cut = _longest_pause(words, begin, place + 1)
            yield begin, cut
            begin = cut
    if words:
        yield begin, len(words)


def _longest_pause(words: Sequence[Word], begin: int, stop: int) -> int:
    """Before which word of the later half to cut: the one after the longest pause, the last of equal ones."""
    middle = (words[begin].start + words[stop - 1].end) / 2
    places = [place for place in range(begin + 1, stop + 1) if words[place - 1].end >= middle] or [stop]
    return max(places, key=lambda place: (round(words[place].start - words[place - 1].end, 3), place))


def _ends_sentence(text: str) -> bool:
    plain = text.strip().rstrip(_CLOSING)
    return plain.endswith(_ENDS) and plain.rsplit(" ", 1)[-1].lower() not in _ABBREVIATIONS
