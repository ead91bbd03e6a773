"""Files that are written at once or not at all, and read with a remedy where they are damaged."""

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from textmsa.errors import UserError, first_line, reason_of

FORMAT_VERSION = 1
"""Of every JSON file of a store and of a run's preparation."""
UNFINISHED = ".unfinished"
"""Ends the name of a file or folder that is being written; such leftovers are worthless."""
REMEDY = "make it again, in another folder, with the command that wrote it"


@contextmanager
def replacing(path: Path, *, shared: bool = False) -> Iterator[IO[bytes]]:
    """A stream whose content becomes `path` at once, to disk first, where the block ends without an exception.

    Where it does not, `path` stays as it was. With `shared`, other processes may write the same file at the same time;
    the last one done wins.
    """
    unfinished = path.with_name(path.name + (f".{os.getpid()}" if shared else "") + UNFINISHED)
    try:
        with unfinished.open("wb") as stream:
            yield stream
            to_disk(stream)
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str) -> None:
    """Write a file of UTF-8 text at once or not at all."""
    with replacing(path) as stream:
        stream.write(text.encode("utf-8"))


def csv_text(rows: Iterable[Sequence[object]], *, end: str = "\r\n") -> str:
    """A table as text, its header the first of the rows; lines end as RFC 4180 has it, unless `end` says otherwise."""
    text = io.StringIO()
    csv.writer(text, lineterminator=end).writerows(rows)
    return text.getvalue()


def file_sha256(path: Path) -> str:
    """The hash of a file's content, in hexadecimal digits; OSError where it cannot be read."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def to_disk(stream: IO[Any]) -> None:
    """Make sure that what was written survives a power cut."""
    stream.flush()
    os.fsync(stream.fileno())


def write_json(path: Path, document: dict[str, Any]) -> None:
    """Write a JSON object with its format version, at once or not at all."""
    write_text(path, json_text(document))


def json_text(document: dict[str, Any]) -> str:
    """The text that `write_json` writes; the same document always gives the same bytes."""
    stamped = {"format": FORMAT_VERSION, **document}
    return json.dumps(stamped, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """Around code that takes a file's content apart: what does not fit becomes a UserError of one line."""
    try:
        yield
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: damaged ({reason_of(error)}); {REMEDY}") from error


def read_json(path: Path, *, remedy: str = REMEDY, unstamped: bool = False) -> dict[str, Any]:
    """A JSON object without its format version.

    Parameters
    ----------
    path
        The file.
    remedy
        What to do about a file that cannot be used, for messages.
    unstamped
        Whether a file without a format version is of this one: such were written once.

    Raises UserError where the file is absent, damaged or of another format.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; {remedy}") from None
    except ValueError as error:
        raise UserError(f"{path}: damaged ({first_line(error)}); {remedy}") from error
    if not isinstance(document, dict):
        raise UserError(f"{path}: damaged (not a JSON object); {remedy}")
    written = document.pop("format", FORMAT_VERSION if unstamped else None)
    if written != FORMAT_VERSION:
        raise UserError(
            f"{path}: has format {written}, this textmsa reads {FORMAT_VERSION}; use the textmsa that made it, or "
            f"{remedy}"
        )
    return document


def read_bytes(path: Path, *, remedy: str = "give another file") -> bytes:
    """The content of a user's file; UserError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or first_line(error)}); {remedy}") from error


def decoded(path: Path, data: bytes) -> str:
    """The text of a user's file, with or without a byte order mark; UserError where it is not UTF-8."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text ({error}); save it as UTF-8") from error
