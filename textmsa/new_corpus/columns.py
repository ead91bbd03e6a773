"""Which column of a table is what: by what its cells are, and by common names."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import PurePosixPath

from textmsa.config import nearest
from textmsa.errors import UserError
from textmsa.new_corpus.tables import SAMPLE, Row, Table, number_of
from textmsa.new_corpus.words import CLASSES, COLUMNS, plain, split_of
from textmsa.types import ID_SEPARATOR

NONE = "none"
"""Given in the place of a column's name: there is none."""
MOST_PAIRED = 12  # columns of a table of which pairs are tried
MOSTLY = 0.9
LABELS = ("label", "label_T", "label_A", "label_V")
WORDS_OF_A_TEXT = 2.5  # on average; a Chinese character counts as half a word
_PATTERNS: dict[str, Callable[[str, str], str]] = {
    "{}/{}": lambda a, b: f"{a}/{b}",
    "Raw/{}/{}": lambda a, b: f"Raw/{a}/{b}",
    "{}_{}": lambda a, b: f"{a}_{b}",
    "{}-{}": lambda a, b: f"{a}-{b}",
    f"{{}}{ID_SEPARATOR}{{}}": lambda a, b: f"{a}{ID_SEPARATOR}{b}",
    "dia{}_utt{}": lambda a, b: f"dia{a}_utt{b}",
}
"""How two cells, such as a video's and a clip's id, make a file's name."""


@dataclass(frozen=True)
class Given:
    """The columns that a user names; "" where it is to be found out, "none" where there is none."""

    file: str = ""
    text: str = ""
    label: str = ""
    split: str = ""
    speaker: str = ""
    class_: str = ""

    def of(self, role: str) -> str:
        """By what the column is for."""
        return str(getattr(self, "class_" if role == "class" else role, ""))


@dataclass(frozen=True)
class Columns:
    """What was found out."""

    by_role: dict[str, str]
    """What for, a key of `words.COLUMNS` -> name of the column."""
    file: tuple[str, ...] = ()
    """The columns that name a clip's file: one, or two that together do; none where no row names a clip."""
    clip_of: dict[int, PurePosixPath] = field(default_factory=dict)
    """Line of a row -> the clip that it names."""
    unclear: tuple[str, ...] = ()
    """What could be the label, where several columns could."""


class Names:
    """Clips by every name that a cell may call them.

    Parameters
    ----------
    clips
        From the corpus' folder on.
    """

    def __init__(self, clips: Sequence[PurePosixPath]) -> None:
        self.clips: dict[str, set[PurePosixPath]] = defaultdict(set)
        for clip in clips:
            for start in range(len(clip.parts)):
                whole = PurePosixPath(*clip.parts[start:])
                for name in (str(whole), str(whole.with_suffix(""))):
                    self.clips[name.casefold()].add(clip)

    def find(self, cell: str) -> PurePosixPath | None:
        """The one clip of that name: its path, or the end of one, with or without extension; else None."""
        name = cell.strip().replace("\\", "/").removeprefix("./").casefold()
        parts = name.split("/")
        for start in range(len(parts)):  # a path of another machine ends like one of ours
            found = self.clips.get("/".join(parts[start:]), set())
            if found:
                return next(iter(found)) if len(found) == 1 else None
        return None

    def any_in(self, cells: Sequence[str]) -> bool:
        """Whether one of the cells calls a clip."""
        return any(self.find(cell) is not None for cell in cells)


def columns_of(table: Table, names: Names, given: Given) -> Columns:
    """What the columns of a table are.

    Parameters
    ----------
    table
        As it was read.
    names
        Of the clips in the folder.
    given
        What the user says of them; raises UserError for a column that the table has not.
    """
    _check(table, given)
    file, clip_of = _files(table, names, given)
    if not file:
        return Columns({})
    by_role: dict[str, str] = {}
    left = [name for name in table.header if name not in file or len(file) == 2]
    for role in (
        "text_en",
        "label_T",
        "label_A",
        "label_V",
        "split",
        "speaker",
        "video",
        "clip",
        "text",
        "label",
        "class",
    ):
        if given.of(role) == NONE:
            continue
        chosen = given.of(role) or _by_name(role, left, table)
        if not chosen and role == "text":
            chosen = _text_by_content(left, table)
        if chosen:
            by_role[role] = chosen
            left = [name for name in left if name != chosen]
    unclear: tuple[str, ...] = ()
    free = [name for name in left if name not in file]
    if "split" not in by_role and given.split != NONE:
        found = [name for name in free if _holds("split", _cells(table, name))]
        by_role |= {"split": found[0]} if found else {}
    if "class" not in by_role and given.class_ != NONE:
        found = [name for name in free if _classes(_cells(table, name))]
        by_role |= {"class": found[0]} if found else {}
    if "label" not in by_role and given.label != NONE:
        candidates = [name for name in free if name not in by_role.values() and _ratings(_cells(table, name))]
        by_role |= {"label": candidates[0]} if len(candidates) == 1 else {}
        unclear = tuple(candidates) if len(candidates) > 1 else ()
    return Columns(by_role, file, clip_of, unclear)


def _check(table: Table, given: Given) -> None:
    for role in ("file", "text", "label", "split", "speaker", "class"):
        name = given.of(role)
        if name and name != NONE and name not in table.header:
            shown = ", ".join(map(repr, table.header))
            raise UserError(f"--{role}-column {name}: {table.path.name} has no such column"
                            f"{nearest(name, list(table.header))}; it has {shown}")  # fmt: skip


def _files(table: Table, names: Names, given: Given) -> tuple[tuple[str, ...], dict[int, PurePosixPath]]:
    """The column, or the two, whose cells name most clips, and which clip each row names."""
    singles = [given.file] if given.file else list(table.header)
    best: tuple[tuple[str, ...], dict[int, PurePosixPath]] = ((), {})
    for name in sorted(singles, key=lambda name: plain(name) not in COLUMNS["file"]):
        found = _named(table.rows, lambda row, name=name: names.find(row[name]))  # type: ignore[misc]
        if _better(found, best[1]):
            best = ((name,), found)
    if given.file or (best[1] and len(best[1]) > len(table.rows) / 2 and _distinct(best[1]) == len(best[1])):
        return best
    for pair in permutations(table.header[:MOST_PAIRED], 2):
        for made in _PATTERNS.values():
            few = _named(table.rows[:SAMPLE], lambda row: names.find(made(*(row[name].strip() for name in pair))))  # noqa: B023
            if not few:
                continue
            found = _named(table.rows, lambda row: names.find(made(*(row[name].strip() for name in pair))))  # noqa: B023
            if _better(found, best[1]):
                best = (pair, found)
    return best


def _named(rows: Sequence[Row], clip: Callable[[Row], PurePosixPath | None]) -> dict[int, PurePosixPath]:
    return {row.line: found for row in rows if (found := clip(row)) is not None}


def _distinct(found: dict[int, PurePosixPath]) -> int:
    return len(set(found.values()))


def _better(one: dict[int, PurePosixPath], other: dict[int, PurePosixPath]) -> bool:
    return (_distinct(one), -len(one)) > (_distinct(other), -len(other))


def _cells(table: Table, name: str) -> list[str]:
    """What a column holds, empty cells left out."""
    return [cell for row in table.rows if (cell := row[name].strip())]


def _by_name(role: str, columns: Sequence[str], table: Table) -> str:
    for known in COLUMNS[role]:
        for name in columns:
            cells = _cells(table, name)
            if plain(name) == known and (not cells or _holds(role, cells)):
                return name
    return ""


def _holds(role: str, cells: Sequence[str]) -> bool:
    """Whether cells are of a kind that may stand in such a column."""
    if role == "split":
        return bool(cells) and _share(cells, lambda cell: split_of(cell) is not None) >= MOSTLY
    if role in LABELS:
        return _share(cells, lambda cell: number_of(cell) is not None) >= MOSTLY
    if role == "class":
        return _share(cells, lambda cell: number_of(cell) is None) >= MOSTLY
    if role == "text":
        return _share(cells, lambda cell: number_of(cell) is None) >= MOSTLY
    return True


def _share(cells: Sequence[str], holds: Callable[[str], bool]) -> float:
    return sum(map(holds, cells)) / len(cells) if cells else 1.0


def _text_by_content(columns: Sequence[str], table: Table) -> str:
    """The column with the longest sentences; none where no column has sentences."""
    best, most = "", WORDS_OF_A_TEXT
    for name in columns:
        cells = _cells(table, name)
        if not cells or len(set(cells)) < len(cells) / 2:
            continue
        words = sum(len(cell.split()) + sum(map(_is_ideograph, cell)) / 2 for cell in cells) / len(cells)
        if words > most:
            best, most = name, words
    return best


def _is_ideograph(letter: str) -> bool:
    return "\u3040" <= letter <= "\u9fff" or "\uac00" <= letter <= "\ud7a3"


def _classes(cells: Sequence[str]) -> bool:
    return bool(cells) and _share(cells, lambda cell: plain(cell) in CLASSES) >= MOSTLY


def _ratings(cells: Sequence[str]) -> bool:
    """Whether numbers look like ratings: within [-3, 3], some of them below zero or between whole ones."""
    values = [value for cell in cells if (value := number_of(cell)) is not None]
    if not cells or len(values) < MOSTLY * len(cells):
        return False
    return all(-3 <= value <= 3 for value in values) and any(value < 0 or value % 1 for value in values)


def said_of(columns: Columns) -> Iterator[str]:
    """What was found out, in words."""
    if columns.file:
        yield f"clip by {' and '.join(map(repr, columns.file))}"
    for role, name in columns.by_role.items():
        yield f"{role} by {name!r}"
