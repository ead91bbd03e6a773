"""EMER-fine's descriptions (Lian et al. 2025, AffectGPT): one text a clip, in paragraphs by modality."""

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from textmsa.errors import UserError
from textmsa.runtime.atomic import decoded, read_bytes

COLUMNS = {"en": "english", "zh": "chinese"}
"""Language -> the column that holds the descriptions."""
SPLIT_COLUMNS = ("mode", "split")
"""Columns that say, where they are there, of which split a clip is."""
OPENINGS = {
    "video": r"in the (?:video|visuals?|picture|image|frames?)\b|视频中|画面中|在视频",
    "audio": r"in the (?:audio|voice|sound)\b|音频中|在音频",
    "text": r"in the (?:text|subtitles?|transcript)\b|(?:the )?subtitles? (?:of|in|reads?|says?)\b"
    r"|文本中|字幕中|在文本|字幕内容",
    "summary": r"therefore\b|overall\b|in (?:summary|conclusion)\b|taken together\b|因此|综上|总之|综合",
}
"""How the parts of an EMER-fine description begin."""


@dataclass(frozen=True)
class Description:
    """One row of an EMER-fine table that has a description."""

    row: int
    """Of the table, its head being row 1."""
    name: str
    """The clip's file, without folders: "sample_00000007.mp4", or without its ending."""
    text: str
    training: bool
    """Of the training split, as are all clips of a table that tells no split."""

    @property
    def stem(self) -> str:
        """The file's name without its ending."""
        return self.name.rpartition(".")[0] or self.name


def read_emer_table(path: Path, language: str, *, data: bytes | None = None) -> list[Description]:
    """The descriptions of an EMER-fine table, in its order; rows without one are left out.

    Parameters
    ----------
    path
        The table: CSV in UTF-8 with the columns `name` and `english` and/or `chinese`, maybe `mode` or `split`.
    language
        Which column is read: "en" or "zh".
    data
        The file's content, where it was read already.

    Raises
    ------
    UserError
        The file cannot be read, is not such a table, or has no column of this language.
    """
    if language not in COLUMNS:
        raise UserError(f"{path}: an EMER-fine table has the languages {', '.join(COLUMNS)}, not {language!r}")
    column, text = COLUMNS[language], decoded(path, read_bytes(path) if data is None else data)
    table = csv.DictReader(io.StringIO(text, newline=""))
    try:
        columns, rows = table.fieldnames or [], list(table)
    except csv.Error as error:
        raise UserError(f"{path}: not a table ({error}); give EMER-fine's csv") from error
    if "name" not in columns or column not in columns:
        raise UserError(
            f"{path}: needs the columns name, {column}; it has {', '.join(columns) or 'none'} "
            "(EMER-fine: name, english, chinese)"
        )
    return [
        Description(
            row=number,
            name=Path(row["name"] or "").name,
            text=description,
            training=all((row.get(name) or "train") == "train" for name in SPLIT_COLUMNS),
        )
        for number, row in enumerate(rows, 2)
        if (description := (row[column] or "").strip())
    ]


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
    return {name: joint.join(sentences) for name, sentences in parts.items()} | {"reason": line}
