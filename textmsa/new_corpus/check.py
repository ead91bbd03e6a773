"""All that is wrong with a `label.csv`, at once: what `textmsa prepare` would refuse, and what it would not notice."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from textmsa.config import nearest
from textmsa.corpora import (
    FILE_COLUMN,
    LABEL_COLUMNS,
    MEDIA_LIE,
    REQUIRED_COLUMNS,
    SCORE_RANGES,
    MediaFiles,
    ScoreRange,
    described_range,
    read_description,
)
from textmsa.errors import UserError
from textmsa.new_corpus.folder import LABELS, Contents, Probe, trouble_of
from textmsa.new_corpus.tables import SEPARATORS, Row, Table, number_of, read_table
from textmsa.types import SPLITS

AGAIN = "or call it otherwise and run textmsa new-corpus again, which reads it as it is"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, or to be known."""

    line: int | None
    """Of label.csv, on which the row ends; None where it is of no single row."""
    words: str
    grave: bool = True
    """Whether `textmsa prepare` refuses the table, or the clip, for it."""

    def text(self) -> str:
        """On one line."""
        return (f"line {self.line}: " if self.line is not None else "") + self.words


@dataclass(frozen=True)
class Checked:
    """What a table holds, and its problems in the order of their lines."""

    table: Table
    problems: tuple[Problem, ...]
    labelled: int
    worded: int
    splits: dict[str, int]
    score_range: ScoreRange

    @property
    def grave(self) -> int:
        """How many problems must be mended."""
        return sum(problem.grave for problem in self.problems)


def check(contents: Contents, *, probe: Probe = trouble_of) -> Checked:
    """Check the `label.csv` of a folder, to the end.

    Parameters
    ----------
    contents
        Of the folder.
    probe
        Tells what is wrong with a media file; None where nothing is.

    Raises UserError where the file cannot be read at all.
    """
    table = read_table(contents.folder / LABELS)
    problems = [*_of_table(table)]
    rows = table.rows if set(REQUIRED_COLUMNS) <= set(table.header) else ()
    score_range, of_range = _range(contents.folder, rows)
    problems += of_range
    problems += _of_cells(rows, score_range)
    problems += _of_ids(rows)
    problems += _of_splits(rows, table)
    problems += _of_files(rows, contents, probe)
    problems.sort(key=lambda problem: (problem.line or 0, not problem.grave))
    return Checked(
        table,
        tuple(problems),
        labelled=sum(bool(row["label"].strip()) for row in rows),
        worded=sum(bool(row["text"].strip()) for row in rows),
        splits=Counter(row["mode"].strip() for row in rows),
        score_range=score_range,
    )


def _of_table(table: Table) -> Iterator[Problem]:
    if table.encoding not in ("utf-8", "utf-8-sig"):
        yield Problem(None, f"not UTF-8 but, as it seems, {table.encoding}: save it as UTF-8, {AGAIN}")
    if table.separator != "," and table.header:
        yield Problem(None, f"columns stand between {SEPARATORS[table.separator]}: save it with commas, {AGAIN}")
    if not table.header:
        yield Problem(None, f"empty: its first line must name the columns {', '.join(REQUIRED_COLUMNS)}")
    for name in REQUIRED_COLUMNS if table.header else ():
        if name not in table.header:
            yield Problem(1, f"no column {name!r}{nearest(name, list(table.header))}")
    for name in table.twice:
        yield Problem(1, f"column {name} stands twice: keep one")
    if table.header and not table.rows and not table.faults:
        yield Problem(None, "no rows below the header: add one row per clip")
    for line, reason in table.faults:
        yield Problem(line, reason)


def _range(folder: Path, rows: tuple[Row, ...]) -> tuple[ScoreRange, list[Problem]]:
    """The range of the labels, as `textmsa prepare` takes it."""
    cells = [row[column] for row in rows for column in LABEL_COLUMNS]
    values = [value for cell in cells if (value := _strict(cell)) is not None]
    try:
        return described_range(folder, read_description(folder), values)[0], []
    except UserError as error:
        return SCORE_RANGES[-1], [Problem(None, str(error).removeprefix(f"{folder}/"))]


def _strict(cell: str) -> float | None:
    """A number as `textmsa prepare` reads it: with a point."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _of_cells(rows: tuple[Row, ...], bounds: ScoreRange) -> Iterator[Problem]:
    low, high = bounds
    for row in rows:
        for column in LABEL_COLUMNS:
            cell = row[column].strip()
            if not cell:
                continue
            value = _strict(cell)
            if value is None:
                comma = number_of(cell) is not None and "," in cell
                advice = "write a decimal point" if comma else "give the sentiment score, or leave it empty"
                yield Problem(row.line, f"{column} {cell!r} is not a number: {advice}")
            elif not low <= value <= high:
                outside = f"{column} {value:g} is outside [{low:g}, {high:g}]"
                yield Problem(row.line, f"{outside}: mend it, or name the range as score_range in corpus.json")
        if row["mode"].strip() not in SPLITS:
            yield Problem(row.line, f"mode {row['mode'].strip()!r} is not one of {', '.join(SPLITS)}")
    for column, remedy in (
        ("text", "write what is said, or let textmsa prepare --transcribe listen"),
        ("label", "such clips are neither learnt from nor tested on"),
    ):
        if lines := [row.line for row in rows if not row[column].strip()]:
            yield Problem(None, f"no {column} on line {_runs(lines)}: {remedy}", grave=False)


def _runs(lines: list[int]) -> str:
    """Lines as people write them: "2-5, 9"."""
    runs: list[list[int]] = []
    for line in lines:
        if runs and line == runs[-1][-1] + 1:
            runs[-1][1:] = [line]
        else:
            runs.append([line])
    return ", ".join("-".join(map(str, run)) for run in runs)


def _of_ids(rows: tuple[Row, ...]) -> Iterator[Problem]:
    line_of: dict[tuple[str, str], int] = {}
    for row in rows:
        key = row["video_id"], row["clip_id"]
        if key in line_of:
            stood = f"video_id {key[0]!r}, clip_id {key[1]!r} stood on line {line_of[key]} already"
            yield Problem(row.line, f"{stood}: ids must be unique")
        line_of.setdefault(key, row.line)


def _of_splits(rows: tuple[Row, ...], table: Table) -> Iterator[Problem]:
    """Nobody's clips may stand on two sides: what is learnt of a person would be tested on that person."""
    for column in ("video_id", "speaker"):
        if column not in table.header:
            continue
        seen: dict[str, dict[str, int]] = defaultdict(dict)
        for row in rows:
            name, split = row[column].strip(), row["mode"].strip()
            if not name or split not in SPLITS:
                continue
            others = {other: line for other, line in seen[name].items() if other != split}
            if others and split not in seen[name]:
                other, line = next(iter(others.items()))
                both = f"{column} {name!r} is in {split}, on line {line} in {other}"
                remedy = "in two splits it is tested on what was learnt of it"
                yield Problem(row.line, f"{both}: {remedy}", grave=False)
            seen[name].setdefault(split, row.line)
    splits = {row["mode"].strip() for row in rows if row["label"].strip()}
    for split in SPLITS if rows else ():
        if split not in splits:
            grave = split == "train" and not any(row["mode"].strip() == split for row in rows)
            yield Problem(None, f"no labelled clip is in the split {split!r}", grave=grave)


def _of_files(rows: tuple[Row, ...], contents: Contents, probe: Probe) -> Iterator[Problem]:
    files = MediaFiles(contents.folder)
    used: dict[Path, int] = {}
    for row in rows:
        try:
            path = files.find(row["video_id"], row["clip_id"], row[FILE_COLUMN])
        except ValueError as error:
            yield Problem(row.line, f"{error}: {MEDIA_LIE}")
            continue
        shown = path.relative_to(contents.folder).as_posix()
        if path in used:
            yield Problem(row.line, f"{shown} is the clip of line {used[path]} already", grave=False)
            continue
        used[path] = row.line
        if not path.is_file():
            yield Problem(row.line, f"{shown} is not there: put it there, or take the row out")
        elif trouble := probe(path):
            yield Problem(row.line, f"{shown}: {trouble}")
    left = [clip for clip in contents.clips if contents.folder / clip not in used]
    for clip in left if rows else ():  # of a table without rows it need not be said
        yield Problem(None, f"{clip} is on the disk, not in the table", grave=False)
    for note in contents.notes:
        yield Problem(None, note, grave=False)
