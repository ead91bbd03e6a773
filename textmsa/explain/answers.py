"""From what a model said to what can be used: refusals, empty, cut and shapeless answers are told apart."""

import json
import math
import re
from collections.abc import Callable
from typing import Any, TypeVar

from textmsa.errors import AnswerError
from textmsa.explain.language_models.question import Answer

T = TypeVar("T")
Read = Callable[[str], T]

CUT = "the limit of tokens was reached before its end"
LONGEST_CLUE = 1200  # characters; prompts ask for 35 words
LONGEST_REASON = 4000
SUMMARY_FORM, REASON_FORM = 480, 1000
"""Characters that a model held to a form may write: room for the words asked for, and less than its tokens allow."""
CONCLUSION_FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "summary": {"type": "string", "minLength": 1, "maxLength": SUMMARY_FORM},
        "reason": {"type": "string", "minLength": 1, "maxLength": REASON_FORM},
    },
    "required": ["summary", "reason"],
    "additionalProperties": False,
}
"""What `read_conclusion` reads, as a JSON schema."""
REFUSAL = re.compile(
    r"^\W*(?:(?:i['’]?m|i am|we are) (?:(?:very|so|really) )?(?:sorry|unable|not able)|sorry\b"
    r"|(?:i|we) (?:can(?:no|['’])t|can ?not|won['’]t|am unable|must decline)"
    r"|as an? (?:ai|artificial|language model)|(?:很|非常)?(?:抱歉|对不起)|我(?:无法|不能))",
    re.IGNORECASE,
)
THOUGHT = re.compile(r"<think>.*?</think>", re.DOTALL)
QUOTATION = '"“”'
FENCE = re.compile(r"```(?:json)?\s*(.*?)```", re.DOTALL)


class Refused(AnswerError):
    """The model declined; asking it to mend the form would be of no use."""


def usable(answer: Answer, read: Read[T]) -> T:
    """What `read` makes of a whole answer; raises AnswerError with the reason where there is nothing to use."""
    if answer.finish == "refused":
        raise Refused("refused: withheld by the model's filter")
    text = THOUGHT.sub("", answer.text).strip()
    if text and REFUSAL.match(text):
        raise Refused(f"refused: {shown(text)}")
    if answer.finish == "length":
        raise AnswerError(f"cut: {CUT}")
    if not text:
        raise AnswerError("empty")
    return read(text)


def read_clue(text: str) -> str:
    """A description of one modality, on one line."""
    line = _unquoted(" ".join(text.split()))
    if not any(character.isalnum() for character in line):
        raise AnswerError(f"no words: {shown(text)}")
    if line.startswith(("{", "[", "<")):
        raise AnswerError(f"not a sentence: {shown(line)}")
    if len(line) > LONGEST_CLUE:
        raise AnswerError(f"too long: {len(line)} characters, at most {LONGEST_CLUE}")
    return line


def _unquoted(line: str) -> str:
    """Without quotation marks around all of it, or one that has no other; those around words within stay."""
    marks = [place for place, character in enumerate(line) if character in QUOTATION]
    outer = [0, len(line) - 1]
    return line.strip(QUOTATION + " ") if marks == outer or marks in ([outer[0]], [outer[1]]) else line.strip()


def read_translation(text: str) -> str:
    """What was said, in other words, on one line."""
    line = _unquoted(" ".join(text.split()))
    if not any(character.isalnum() for character in line):
        raise AnswerError(f"no words: {shown(text)}")
    if len(line) > LONGEST_REASON:
        raise AnswerError(f"too long: {len(line)} characters, at most {LONGEST_REASON}")
    return line


def read_conclusion(text: str) -> tuple[str, str]:
    """Summary and reason, from the JSON object that the refiner was asked for."""
    document = json_object(text)
    parts = []
    for key in ("summary", "reason"):
        value = document.get(key)
        if not isinstance(value, str) or not value.strip():
            raise AnswerError(f"wrong JSON: it has no text {key!r}: {shown(text)}")
        if len(value) > LONGEST_REASON:
            raise AnswerError(f"too long: {key!r} has {len(value)} characters, at most {LONGEST_REASON}")
        parts.append(" ".join(value.split()))
    summary, reason = parts
    return summary, reason


def read_score(low: float, high: float) -> Read[float]:
    """A reader of {"score": x} with x in a range; nothing else is taken for a score."""

    def read(text: str) -> float:
        value = json_object(text).get("score")
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise AnswerError(f"no number 'score': {shown(text)}")
        if not low <= value <= high:
            raise AnswerError(f"score {value} is not in [{low:g}, {high:g}]")
        return float(value)

    return read


def score_form(low: float, high: float) -> dict[str, Any]:
    """What `read_score` reads, as a JSON schema."""
    return {
        "type": "object",
        "properties": {"score": {"type": "number", "minimum": low, "maximum": high}},
        "required": ["score"],
        "additionalProperties": False,
    }


def json_object(text: str) -> dict[str, Any]:
    """The one JSON object in an answer, which may stand in a fence."""
    fenced = FENCE.search(text)
    body = (fenced.group(1) if fenced else text).strip()
    try:
        document = json.loads(body)
    except ValueError:
        raise AnswerError(f"wrong JSON: {shown(text)}") from None
    if not isinstance(document, dict):
        raise AnswerError(f"wrong JSON, not an object: {shown(text)}")
    return document


def shown(text: str) -> str:
    """The beginning of an answer, for a reason on one line."""
    line = " ".join(text.split())
    return repr(line if len(line) <= 80 else line[:77] + "...")
