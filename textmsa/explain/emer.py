"""EMER-fine's descriptions (Lian et al. 2025, AffectGPT): one text a clip, in paragraphs by modality."""

import re
from pathlib import Path

from textmsa.errors import UserError

OPENINGS = {
    "video": r"in the (?:video|visuals?|picture|image|frames?)\b|视频中|画面中|在视频",
    "audio": r"in the (?:audio|voice|sound)\b|音频中|在音频",
    "text": r"in the (?:text|subtitles?|transcript)\b|(?:the )?subtitles? (?:of|in|reads?|says?)\b"
    r"|文本中|字幕中|在文本|字幕内容",
    "summary": r"therefore\b|overall\b|in (?:summary|conclusion)\b|taken together\b|因此|综上|总之|综合",
}
"""How the parts of an EMER-fine description begin."""


def emer_parts(text: str) -> dict[str, str]:
    """An EMER-fine description in its paragraphs: video, audio, text, summary, and all of it as the reason.

    Each part runs from the sentence that opens it to the one that opens the next; what stands before the first is
    told of what is seen, as these descriptions begin with it.
    """
    line = " ".join(text.split())
    sentences = re.split(r"(?<=[.!?])\s+(?=[A-Z\"“])|(?<=[。！？])", line)
    parts: dict[str, list[str]] = {}
    part = "video"
    for sentence in filter(None, map(str.strip, sentences)):
        part = next((name for name, opens in OPENINGS.items() if re.match(opens, sentence, re.IGNORECASE)), part)
        parts.setdefault(part, []).append(sentence)
    joint = "" if re.search(r"[\u4e00-\u9fff]", line) else " "
    return {name: joint.join(found) for name, found in parts.items()} | {"reason": line}


def decoded(path: Path, data: bytes) -> str:
    """A file's text; UserError where it is not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text ({error})") from error


def read_bytes(path: Path) -> bytes:
    """A file's content; UserError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give a file of explanations") from error
