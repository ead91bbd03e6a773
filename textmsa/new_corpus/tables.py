"""Tables as people's programs write them: any encoding, separator and decimal mark, with or without a header."""

import codecs
import csv
import io
import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from textmsa.errors import UserError, first_line
from textmsa.runtime.atomic import read_bytes

SUFFIXES = (".csv", ".tsv", ".tab")
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
SAMPLE = 200  # rows by which separators and columns are told
MOST_BYTES = 200_000_000
_NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")
_HIGH = re.compile(rb"[\x80-\xff]+")
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


@dataclass(frozen=True)
class Row:
    """One row of a table."""

    line: int
    """Line of the file on which it ends, counted from 1."""
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


@dataclass(frozen=True)
class Table:
    """What a file holds, and how it was read."""

    path: Path
    header: tuple[str, ...]
    rows: tuple[Row, ...]
    """Of as many cells as the header; the others are in `faults`."""
    encoding: str
    """As Python calls it."""
    separator: str
    faults: tuple[tuple[int, str], ...]
    """Lines that could not be read, with the reason."""
    twice: tuple[str, ...] = ()
    """Names that stand twice in the header; its second column of a name is called "name (2)", by its place."""

    @property
    def how(self) -> str:
        """How it was read, where that is not as CSV has it."""
        plain = self.encoding in ("utf-8", "utf-8-sig")
        parts = [] if plain else [f"in {self.encoding.upper()}"]
        parts += [] if self.separator == "," else [f"columns between {SEPARATORS[self.separator]}"]
        return ", ".join(parts)


def read_table(
    path: Path, *, encoding: str | None = None, has_no_header: Callable[[list[str]], bool] = lambda _: False
) -> Table:
    """Read a table, whoever wrote it.

    Parameters
    ----------
    path
        The file.
    encoding
        As Python calls it; None: told from the content.
    has_no_header
        Whether a first row is a row like any other; its columns are then "column 1", "column 2", ...

    Raises UserError where the file cannot be read, is too large, or is not of the encoding given.
    """
    data = read_bytes(path, remedy="give another table")
    if len(data) > MOST_BYTES:
        raise UserError(f"{path}: {len(data)} bytes are too many for a table of clips; give another with --table FILE")
    chosen = encoding or guessed_encoding(data)
    try:
        text = data.decode(chosen)
    except (LookupError, UnicodeError) as error:
        raise UserError(f"{path}: cannot be read as {chosen} ({first_line(error)}); name its encoding") from error
    text = text.removeprefix("\ufeff")
    separator = _separator(text)
    header: list[str] = []
    rows: list[Row] = []
    faults: list[tuple[int, str]] = []
    twice: tuple[str, ...] = ()
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    last = 0
    try:
        for cells in reader:
            last, before = reader.line_num, last
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                bare = has_no_header(cells)
                names = Counter(cell.strip() for cell in cells)
                twice = () if bare else tuple(name for name, count in names.items() if name and count > 1)
                header = [f"column {place}" for place, _ in enumerate(cells, 1)] if bare else _named(cells)
                if not bare:
                    continue
            if len(cells) != len(header):
                where = "" if before + 1 == last else f" (the row began on line {before + 1})"
                wrong = f"{len(cells)} cells, the header has {len(header)}{where}"
                faults.append((last, f"{wrong}: quote texts that hold {SEPARATORS[separator]}"))
                continue
            rows.append(Row(last, dict(zip(header, cells, strict=True))))
    except csv.Error as error:
        faults.append((last + 1, f"not CSV from here on ({first_line(error)}): close its quotes"))
    return Table(path, tuple(header), tuple(rows), chosen, separator, tuple(faults), twice)


def guessed_encoding(data: bytes) -> str:
    """The encoding of a text, as Python calls it: by its mark, its zero bytes, else by what its bytes can be."""
    for mark, name in _BOMS.items():
        if data.startswith(mark):
            return name
    head = data[:4000]
    if head.count(0) > len(head) / 10:  # UTF-16 without its mark: of Western letters every other byte is zero
        return "utf-16-le" if head[1::2].count(0) >= head[::2].count(0) else "utf-16-be"
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        runs = [len(run) for run in _HIGH.findall(data)]
        pairs = sum(length % 2 == 0 for length in runs)
        # Chinese characters are pairs of high bytes; a Western text has single ones among its letters.
        return "gb18030" if pairs > 0.8 * len(runs) and _decodes(data, "gb18030") else "cp1252"
    return "utf-8"


def number_of(cell: str) -> float | None:
    """The number in a cell, its decimal mark a point or a comma, its minus of any kind; None where there is none."""
    plain = cell.strip().replace("\u2212", "-").replace("\u2013", "-")
    if not _NUMBER.fullmatch(plain):
        return None
    value = float(plain.replace(",", "."))
    return value if math.isfinite(value) else None


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _separator(text: str) -> str:
    """The separator that cuts the rows most evenly into the most cells; a comma where none does."""
    best, most = ",", 0.0
    for separator in SEPARATORS:
        widths = []
        try:
            for cells in islice(csv.reader(io.StringIO(text, newline=""), delimiter=separator), SAMPLE):
                if any(cells):
                    widths.append(len(cells))
        except csv.Error:
            pass  # what was read until then counts
        if not widths:
            continue
        # The header decides how wide a table is; a text has separators at random.
        alike = sum(width == widths[0] for width in widths) / len(widths)
        worth = alike * math.log(widths[0]) if widths[0] > 1 else 0.0
        if worth > most + 1e-9:
            best, most = separator, worth
    return best


def _named(cells: list[str]) -> list[str]:
    """Names of the columns, stripped; one without a name, or that stands twice, gets its place."""
    names = [cell.strip() or f"column {place}" for place, cell in enumerate(cells, 1)]
    return [name if name not in names[: place - 1] else f"{name} ({place})" for place, name in enumerate(names, 1)]
