"""What raters said: a file for each, in which a line is on the disk before anybody is told that it counts.

`ratings/<rater>.csv` has a row for each thing that a rater did: a score, "skip", or nothing where the last row of that
clip and round was taken back. Of the rows of one clip and round the last counts.
"""

import csv
import io
import math
import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from textmsa.errors import UserError
from textmsa.new_corpus.folder import RATINGS
from textmsa.runtime.atomic import csv_text, to_disk

HEADER = ("time", "clip", "round", "score", "seconds")
SKIP = "skip"
LONGEST_NAME = 40
_NAME = re.compile(r"[^\W_][\w .'’-]*")


@dataclass(frozen=True)
class Said:
    """What counts of one clip in one round."""

    clip: str
    """Its id in the corpus."""
    round: int
    """1, or 2 where the clip was shown again."""
    score: float | None
    """None where it was skipped."""
    seconds: float
    """From when the clip was shown until it was rated."""


class RaterFile:
    """One rater's file: read once, then only added to.

    Parameters
    ----------
    folder
        Of the corpus.
    name
        The rater's, as `rater_name` gives it.
    score_range
        That scores must lie in.

    Raises UserError, with file and line, where the file cannot be understood.
    """

    def __init__(self, folder: Path, name: str, score_range: tuple[float, float]) -> None:
        self.name, self.path, self.score_range = name, folder / RATINGS / f"{name}.csv", score_range
        self.order: list[tuple[str, int]] = []
        """What counts, (clip, round), the latest last."""
        self.said: dict[tuple[str, int], Said] = {}
        for said in _read(self.path, score_range):
            self._take(*said)

    def add(self, clip: str, round_: int, score: float | None, seconds: float) -> None:
        """A score, or None for a clip that is skipped; when this returns it is on the disk."""
        self._write(clip, round_, SKIP if score is None else f"{score:g}", seconds)
        self._take(clip, round_, Said(clip, round_, score, seconds))

    def undo(self) -> Said | None:
        """Take the last one back, on the disk too; None where there is none."""
        if not self.order:
            return None
        clip, round_ = self.order[-1]
        self._write(clip, round_, "", 0.0)
        taken = self.said[clip, round_]
        self._take(clip, round_, None)
        return taken

    def _take(self, clip: str, round_: int, said: Said | None) -> None:
        if (clip, round_) in self.said:
            self.order.remove((clip, round_))
            del self.said[clip, round_]
        if said is not None:
            self.order.append((clip, round_))
            self.said[clip, round_] = said

    def _write(self, clip: str, round_: int, score: str, seconds: float) -> None:
        self.path.parent.mkdir(exist_ok=True)
        row = (datetime.now(UTC).isoformat(timespec="milliseconds"), clip, round_, score, f"{seconds:.1f}")
        data = self.path.read_bytes() if self.path.exists() else b""
        whole = _whole(data)
        with self.path.open("ab") as stream:
            stream.truncate(min(len(whole), len(data)))
            stream.write(whole[len(data) :])
            stream.write(csv_text([row] if whole else [HEADER, row], end="\n").encode("utf-8"))
            to_disk(stream)


def _whole(data: bytes) -> bytes:
    """The content without what a kill left half written, which was told to nobody: every line of it is ended."""
    end = data.rfind(b"\n") + 1
    last = data[end:]
    cells = next(csv.reader([last.decode("utf-8", "replace")]), [])  # a clip's name may hold commas
    return data + b"\n" if len(cells) == len(HEADER) and last[-1:].isdigit() else data[:end]


def raters_of(folder: Path) -> list[str]:
    """The names of those who have a file, sorted."""
    return sorted(path.stem for path in (folder / RATINGS).glob("*.csv") if _NAME.fullmatch(path.stem))


def rater_name(given: str, known: list[str]) -> str:
    """A rater's name as it is written, which is also the name of the file.

    Parameters
    ----------
    given
        As somebody typed it.
    known
        Of those who have a file: Anna is also anna.

    Raises UserError for what is no name.
    """
    name = unicodedata.normalize("NFC", " ".join(given.split()))
    if (
        not _NAME.fullmatch(name)
        or len(name) > LONGEST_NAME
        or len(name.encode()) > 4 * LONGEST_NAME
        or name[-1] == "."
    ):
        raise UserError(
            f"{name[:60]!r}: give a name of up to {LONGEST_NAME} letters, digits, spaces and .'-, beginning with a "
            "letter or digit"
        )
    return next((other for other in known if other.casefold() == name.casefold()), name)


def _read(path: Path, score_range: tuple[float, float]) -> list[tuple[str, int, Said | None]]:
    if not path.is_file():
        return []
    data = path.read_bytes()
    try:
        text = _whole(data).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from error
    reader = csv.reader(io.StringIO(text, newline=""))
    if next(reader, list(HEADER)) != list(HEADER):
        raise UserError(f"{path}: line 1 must be {','.join(HEADER)}; mend it, or move the file away")
    found: list[tuple[str, int, Said | None]] = []
    for row in reader:
        if not row:
            continue
        try:
            _, clip, round_, score, seconds = row
            value = float(score) if score not in ("", SKIP) else None
            if value is not None and not (math.isfinite(value) and score_range[0] <= value <= score_range[1]):
                raise ValueError(f"score {score} is outside [{score_range[0]:g}, {score_range[1]:g}]")
            said = Said(clip, int(round_), value, float(seconds)) if score else None
            found.append((clip, int(round_), said))
        except ValueError as error:
            raise UserError(f"{path}: line {reader.line_num}: {error}; mend the line, or take it out") from error
    return found
