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
    times, noted = 1, None
    problems: list[str] = []
    for record in dict.fromkeys([run / READINGS, out / READINGS]):
        try:
            lines = record.read_text(encoding="utf-8").splitlines() if record.is_file() else [HEADER]
            times += sum(earlier.split(",")[1:2] == [split] for earlier in lines[1:])
            if noted is None:
                write_text(record, "\n".join([*lines, line]) + "\n")
                noted = record
        except (OSError, UnicodeDecodeError) as error:  # what is there, damaged, stays as it is
            problems.append(f"{record}: cannot be kept up ({getattr(error, 'strerror', None) or first_line(error)})")
    place = f"this reading is noted in {noted}" if noted else "this reading is not noted"
    return Reading(split, times, noted, "; ".join([*problems, place]) if problems else "")
