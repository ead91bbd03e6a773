"""When which split was scored against its labels: whoever chooses by the test split should see how often."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from textmsa.errors import first_line
from textmsa.runtime.atomic import write_text

READINGS = "readings.csv"
HEADER = "date,split,store"


@dataclass(frozen=True)
class Reading:
    """What is known of the readings of a split, this one among them."""

    split: str
    times: int
    record: Path | None
    """Where this one is noted."""
    note: str = ""
    """Why it is not noted in the run folder."""

    def text(self) -> str:
        """For people; empty where all is as it should be."""
        lines = [self.note] if self.note else []
        if self.split == "test" and self.times > 1:
            place = f" ({self.record})" if self.record else ""
            lines.append(f"this run's test split was read {self.times} times{place}; choose by validation only")
        return "\n".join(lines)


def note_reading(run: Path, out: Path, store: Path, split: str) -> Reading:
    """Add a line to the run's record, or to one in `out` where the run folder cannot be written to; never fails."""
    line = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ},{split},{store}"
    records = list(dict.fromkeys([run / READINGS, out / READINGS]))
    times = 1 + sum(_times(record, split) for record in records)
    problem: OSError | None = None
    for record in records:
        try:
            write_text(record, "\n".join([*(_lines(record) or [HEADER]), line]) + "\n")
        except OSError as error:
            problem = problem or error
            continue
        note = f"{run}: cannot be written to ({_reason(problem)}); this reading is noted in {record}" if problem else ""
        return Reading(split, times, record, note)
    assert problem is not None
    return Reading(split, times, None, f"{run}: cannot be written to ({_reason(problem)}); this reading is not noted")


def _lines(record: Path) -> list[str]:
    try:
        return record.read_text(encoding="utf-8").splitlines() if record.is_file() else []
    except (OSError, UnicodeDecodeError):
        return []


def _times(record: Path, split: str) -> int:
    return sum(line.split(",")[1:2] == [split] for line in _lines(record)[1:])


def _reason(error: OSError) -> str:
    return error.strerror or first_line(error)
