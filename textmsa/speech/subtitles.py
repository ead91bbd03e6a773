"""Subtitles and transcripts in files: SubRip (.srt), WebVTT (.vtt) and plain text (.txt) -> what is said, and when.

The formats are read as people's files have them: a number above a SubRip cue may be absent, its comma may be a point,
WebVTT's header may be absent. Captions that were made by a machine roll, as of YouTube: a line is shown again above the
next one; what is shown again is told once. What cannot be understood is refused with its line, never skipped.
"""

import codecs
import html
import re
from collections.abc import Iterator
from pathlib import Path

from textmsa.errors import UserError
from textmsa.runtime.atomic import read_bytes
from textmsa.types import Transcript, Word

EXTENSIONS = (".srt", ".vtt", ".txt")
"""Of files that are looked for beside a clip, in this order."""
MOST_BYTES = 20_000_000  # a day of speech has about one; anything larger is no transcript
SOURCE = "subtitles"

_TIME = r"(?:(\d+):)?(\d{1,2}):(\d{1,2})[.,](\d{1,3})"
_TIMING = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?")
_TAGS = re.compile(r"</?[a-z][^<>]*>|<\d[\d:.]*>|\{\\[^{}]*\}|\{/?[a-z]\}", re.IGNORECASE)
_WORD_TIME = re.compile(r"<\d[\d:]*\.\d+>")  # within a line: captions that appear word by word, and roll
_UNSEEN = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")  # marks of direction, zero-width spaces
_NO_WORDS = re.compile(r"\[[^\]]*\]|[♪♫#*\s]+")  # [music]: said of the sound, not in it
ADJOINING = 0.1  # s between two captions of which the second may show lines of the first again
_ASIDE = ("NOTE", "STYLE", "REGION")  # begin blocks of WebVTT that are not shown


def subtitles_beside(clip: Path) -> Path | None:
    """The file of the clip's name with one of `EXTENSIONS`, in their order; None where there is none."""
    for extension in EXTENSIONS:
        for candidate in (clip.with_suffix(extension), clip.with_suffix(extension.upper())):
            if candidate.is_file() and candidate != clip:
                return candidate
    return None


def read_subtitles(path: Path) -> Transcript:
    """What a file of subtitles, or a plain text, says.

    Parameters
    ----------
    path
        A file .srt, .vtt or .txt in UTF-8 (with or without a byte order mark) or UTF-16.

    Returns a `Transcript` from "subtitles" whose `words` are the lines shown with their times (s), sorted by start and
    overlapping where they overlap in the file; none for plain text. Tags, marks of direction and lines that only
    describe the sound, "[music]", are left out.

    Raises UserError, one line with the file and its line number, where it is broken or holds no words.
    """
    extension = path.suffix.lower()
    if extension not in EXTENSIONS:
        raise UserError(f"{path}: not a file of subtitles; give one of {', '.join(EXTENSIONS)}")
    text = _text_of(path)
    lines = re.split(r"\r\n|\r|\n", text)
    cues = [] if extension == ".txt" else sorted(_cues(path, lines), key=lambda cue: (cue.start, cue.end))
    said = " ".join(cue.text for cue in cues) if extension != ".txt" else _clean(text)
    if not said:
        raise UserError(f"{path}: holds no words; write what is said into it, or remove it")
    return Transcript(said, SOURCE, tuple(cues), made_with=path.name)


def _text_of(path: Path) -> str:
    """The file's content; UserError for what is not text."""
    advice = "save it as UTF-8 or UTF-16 text"
    data = read_bytes(path, remedy="give another file of subtitles")
    if len(data) > MOST_BYTES:
        raise UserError(f"{path}: {len(data)} bytes are too many for a transcript; give a file of subtitles")
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UserError(
            f"{path}: line {line} is not {'UTF-16' if wide else 'UTF-8'} ({error.reason}); {advice}"
        ) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise UserError(f"{path}: line {line} holds a zero byte, which is no text; {advice}")
    return text


def _cues(path: Path, lines: list[str]) -> Iterator[Word]:
    """The lines shown, with their times, in the file's order; UserError where a block is none."""
    webvtt, rolling = path.suffix.lower() == ".vtt", any(map(_WORD_TIME.search, lines))
    before, until = [""], 0.0  # what was shown last, and to when
    for first, block in _blocks(lines, webvtt=webvtt):
        timing = next((place for place, line in enumerate(block[:2]) if "-->" in line), None)
        if timing is None:
            if block[0].startswith("WEBVTT") and first == 1:
                continue
            if block[0].partition(" ")[0].partition("\t")[0] in _ASIDE and webvtt:
                continue
            if len(block) == 1 and block[0].strip().isdigit():
                continue  # the number of a cue that has nothing
            raise UserError(
                f"{path}: line {first}: {block[0][:40]!r} stands without a time; above it must stand one such as "
                "00:00:01,000 --> 00:00:02,500"
            )
        number = first + timing
        start, end = _times(path, number, block[timing])
        for below, line in enumerate(block[timing + 1 :], number + 1):
            if _TIMING.fullmatch(line):
                raise UserError(f"{path}: line {below}: a time within a cue; set an empty line above each cue")
        shown = block[timing + 1 :]
        again = _shown_again(before, shown) if rolling and start - until < ADJOINING else 0
        before, until = [_clean(line) for line in shown], end
        words = _clean("\n".join(shown[again:]))
        if words:
            yield Word(words, start, end)


def _shown_again(before: list[str], lines: list[str]) -> int:
    """How many lines of a cue, from its first, are the last ones of the cue before it; what is new has word times."""
    old = [None if _WORD_TIME.search(line) else _clean(line) for line in lines]
    return next((count for count in range(len(old), 0, -1) if old[:count] == before[-count:]), 0)


def _blocks(lines: list[str], *, webvtt: bool) -> Iterator[tuple[int, list[str]]]:
    """Runs of lines that are not empty, each with the number of its first.

    In WebVTT a line of spaces is none that is empty: one below a time is left out, and does not end the cue.
    """
    block: list[str] = []
    for number, line in enumerate([*lines, ""], 1):
        if _UNSEEN.sub("", line).strip():
            block.append(line.rstrip())
        elif webvtt and line and block and "-->" in block[-1]:
            block.append("")  # holds the place, by which lines are counted
        elif block:
            yield number - len(block), block
            block = []


def _times(path: Path, number: int, line: str) -> tuple[float, float]:
    """Start and end in seconds; UserError where they are none."""
    found = _TIMING.fullmatch(_UNSEEN.sub("", line))
    if found is None:
        raise UserError(
            f"{path}: line {number}: {line.strip()[:60]!r} is no time; write it as 00:00:01,000 --> 00:00:02,500"
        )
    parts = found.groups()
    for minutes, seconds in (parts[1:3], parts[5:7]):
        if int(minutes) > 59 or int(seconds) > 59:
            raise UserError(f"{path}: line {number}: {line.strip()[:60]!r} has more than 59 minutes or seconds")
    start, end = _seconds(*parts[:4]), _seconds(*parts[4:])
    if end < start:
        raise UserError(f"{path}: line {number}: ends at {end:g} s, before it starts at {start:g} s; mend its times")
    return start, end


def _seconds(hours: str | None, minutes: str, seconds: str, fraction: str) -> float:
    whole = (int(hours or 0) * 60 + int(minutes)) * 60 + int(seconds)
    return round(whole + int(fraction.ljust(3, "0")) / 1000, 3)


def _clean(text: str) -> str:
    """The words on one line, without tags."""
    plain = _UNSEEN.sub("", html.unescape(_TAGS.sub("", text)))
    if _NO_WORDS.fullmatch(plain.strip() or " "):
        return ""
    return " ".join(re.sub("[♪♫]", " ", plain).split())
