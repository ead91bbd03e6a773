"""What a language model's explanation should not hold: echoes, claims of what it was not given, circles.

Small models copy the transcript into the clue of the voice, hand back the question or the numbers that they were told,
tell of a face that nobody described, and go round in circles. The words and lengths below are ours, chosen
on a hundred answers of two small models that a person has read, and held against others (docs/real-models.md).
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Literal

from textmsa.explain.answers import CUT
from textmsa.explain.measured.checks import OF_A_VOICE
from textmsa.explain.prompts import all_prompts
from textmsa.types import EXPLANATION_PARTS, Explanation

Kind = Literal[
    "echo of the transcript", "echo of the question", "echo of the numbers", "not given", "circles", "broken off"
]
ECHO = 4  # words in a row that are told of a voice or face and stand in the transcript
QUOTED = 0.8  # share of the words that conclude or describe the words and are the transcript's own
QUESTION_ECHO = 7  # words in a row that are the question's own
ROUNDS = ((5, 3), (10, 2))
"""Words in a row, and how often said they are a circle."""
NUMBERS = 2  # numbers handed back
ENDED = re.compile(r"[.!?…。！？][\"'”’」』)\]*]*$")
DANGLING = re.compile(r"(?:[,;:，、；：]|\b(?:a|an|the|of|and|or|to|in|as|with|is|are|was|that))$", re.IGNORECASE)
PHRASE = 160  # characters that a summary without an end may have
OF_THE_TASK = re.compile(
    r"\blimit of tokens\b|\bat most \d+ words\b|\bto be (?:judged|obeyed)\b|\bthe question asks\b", re.IGNORECASE
)
"""What our questions say, and people who speak do not."""
OF_PICTURES = re.compile(r"\bthe video\b|视频|画面", re.IGNORECASE)
FORM_QUOTED = re.compile(r"[\"“'‘]in the (?:video|audio|text)\b", re.IGNORECASE)
"""The beginning that was asked for, taken for the words that were said."""
WORD = re.compile(r"[\u4e00-\u9fff]|[^\W_]+(?:['’][^\W_]+)?")
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?")
FORM = re.compile(r"\bin the (?:video|audio|text)\b,?|\bthe subtitle reads\b:?|\btherefore\b,?", re.IGNORECASE)
OF_A_FACE = re.compile(
    r"\b(?:smil(?:e[sd]?|ing)|frown(?:s|ed|ing)?|grin(?:s|ned|ning)?|eyes?|eyebrows?|brows?|gaze[sd]?|facial|faces?"
    r"|gestur(?:e[sd]?|ing)|postures?|nod(?:s|ded|ding)?|body language|hands?)\b"
    r"|微笑|笑容|皱眉|眉毛|目光|眼神|面部|表情|手势",
    re.IGNORECASE,
)
OF_A_BODY = re.compile(
    r"\b(?:young|old|elderly|middle-aged) (?:wo)?m[ae]n\b|\b(?:wo)?man['’]s\b|\ba (?:wo)?man\b", re.I
)
FACE_OF_WORDS = re.compile(r"\b(?:at|on) (?:the|one) hands?\b|\bon the other hand\b|\bhand in hand\b", re.IGNORECASE)
"""Where the words that may tell of a face do not."""


@dataclass(frozen=True)
class Flag:
    """One thing in one part that should not be there."""

    part: str
    """"audio", "video", "text", "summary" or "reason"."""
    kind: Kind
    words: str
    """The first of them."""


@dataclass(frozen=True)
class Given:
    """What the model was given of a clip."""

    transcript: str | None = None
    facts: str = ""
    """What was measured of the voice, as it was told."""
    heard: bool = False
    """Whether the voice could be told of: there was sound, or facts of it."""
    seen: bool = False
    """Whether the face could be told of."""


def flags(explanation: Explanation, given: Given) -> list[dict[str, Any]]:
    """What is found in each part, each kind once a part; parts that are None have nothing.

    Parameters
    ----------
    explanation
        Its parts are read.
    given
        What there was to tell of.
    """
    found = []
    for part in EXPLANATION_PARTS:
        text = getattr(explanation, part)
        if text:
            kinds: dict[str, Flag] = {}
            for flag in _of_part(part, text, given):
                kinds.setdefault(flag.kind, flag)
            if part == "reason" and explanation.summary and _says_the_same(text, explanation.summary):
                kinds.setdefault("circles", Flag(part, "circles", "the summary again"))
            found += [asdict(flag) for flag in kinds.values()]
    return found


def _says_the_same(text: str, other: str) -> bool:
    """Whether each is made of the other's words in a row."""
    words, others = _words(text), _words(other)
    return bool(words and others) and _share(words, others) >= QUOTED and _share(others, words) >= QUOTED


def _of_part(part: str, text: str, given: Given) -> Iterator[Flag]:
    words = _words(FORM.sub(" ", text))
    said = _words(given.transcript or "")
    if part in ("audio", "video"):
        whole = max(2, min(_long(ECHO, said), len(said)))
        if run := _shared(words, said, whole):
            yield Flag(part, "echo of the transcript", run)
    elif part != "reason" and words and (share := _share(words, said)) >= QUOTED:
        yield Flag(part, "echo of the transcript", f"{share:.0%} of the words")
    if run := _shared(words, _question_words(), _long(QUESTION_ECHO, words), besides=said):
        yield Flag(part, "echo of the question", run)
    elif asked := FORM_QUOTED.search(text) or OF_THE_TASK.search(_spoken(text, given.transcript)):
        yield Flag(part, "echo of the question", asked.group())
    told = NUMBER.findall(given.facts)
    numbers = NUMBER.findall(text)
    back = [number for number in numbers if number in told]
    if part in ("audio", "summary", "reason") and len(set(back)) >= NUMBERS:
        yield Flag(part, "echo of the numbers", ", ".join(dict.fromkeys(back)))
    if claim := _not_given(part, text, numbers, told, given):
        yield Flag(part, "not given", claim)
    if again := _circle(words, said):
        yield Flag(part, "circles", again)
    if _broken_off(part, text.strip()):
        yield Flag(part, "broken off", " ".join(text.split()[-3:]))


def _broken_off(part: str, text: str) -> bool:
    """Whether a text stops before its end; a summary may be a short phrase."""
    if ENDED.search(text):
        return False
    return part != "summary" or len(text) > PHRASE or DANGLING.search(text) is not None


def _not_given(part: str, text: str, numbers: list[str], told: list[str], given: Given) -> str | None:
    """Words that tell of what a part's author could not know."""
    known = {*told, *NUMBER.findall(given.transcript or ""), *_question_numbers()}
    if (part != "video" or not given.seen) and (made := next((n for n in numbers if n not in known), None)):
        return made
    sees = given.seen and part in ("video", "summary", "reason")
    hears = given.heard and part in ("audio", "summary", "reason")
    quoted = _spoken(text, given.transcript)
    told_of = [(sees, OF_A_FACE), (hears, OF_A_VOICE), (sees, OF_A_BODY)]
    if part in ("summary", "reason"):
        told_of.append((sees, OF_PICTURES))
    for knows, pattern in told_of:
        claim = None if knows else pattern.search(FACE_OF_WORDS.sub(" ", quoted))
        if claim is not None and claim.group().lower() not in (given.transcript or "").lower():
            return claim.group()
    return None


def _spoken(text: str, transcript: str | None) -> str:
    """A text without the transcript where it quotes all of it."""
    return text.replace(transcript, " ") if transcript else text


def _words(text: str) -> list[str]:
    return [word.lower().replace("’", "'") for word in WORD.findall(text)]


def _long(length: int, words: list[str]) -> int:
    """A length in words; Chinese, whose words here are single characters, has twice as many."""
    return 2 * length if any(len(word) == 1 and word > "\u4e00" for word in words) else length


def _shared(words: list[str], others: list[str], length: int, *, besides: list[str] | None = None) -> str | None:
    """The first `length` words in a row that both have, unless they also stand in `besides`."""
    runs = {tuple(others[i : i + length]) for i in range(len(others) - length + 1)}
    known = {tuple((besides or [])[i : i + length]) for i in range(len(besides or []) - length + 1)}
    for start in range(len(words) - length + 1):
        run = tuple(words[start : start + length])
        if length and run in runs and run not in known:
            return " ".join(run)
    return None


def _share(words: list[str], said: list[str]) -> float:
    """Share of the words that lie in runs of three (or the whole transcript) that the transcript has too."""
    length = min(3, len(said))
    if not length:
        return 0.0
    runs = {tuple(said[i : i + length]) for i in range(len(said) - length + 1)}
    covered = set()
    for start in range(len(words) - length + 1):
        if tuple(words[start : start + length]) in runs:
            covered |= set(range(start, start + length))
    return len(covered) / len(words)


@cache
def _question_numbers() -> frozenset[str]:
    """Such as the words that an answer may have: who hands them back gives an echo, and makes nothing up."""
    return frozenset(number for question in all_prompts() for number in NUMBER.findall(question.template))


@cache
def _question_words() -> list[str]:
    """The words of all questions, one after the other, and of what is said to a model whose answer was cut."""
    asked = [question.template for question in all_prompts()]
    return [word for question in (*asked, CUT) for word in _words(FORM.sub(" ", question))]


def _circle(words: list[str], said: list[str]) -> str | None:
    """Words in a row that come again and again, and are not the transcript's, which may be quoted twice."""
    for in_a_row, times in ROUNDS:
        length = _long(in_a_row, words)
        quoted = {tuple(said[i : i + length]) for i in range(len(said) - length + 1)}
        runs = Counter(tuple(words[i : i + length]) for i in range(len(words) - length + 1))
        again = [run for run, count in runs.items() if count >= times and run not in quoted]
        if again:
            return " ".join(again[0])
    return None
