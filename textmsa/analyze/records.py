"""What an analysis has done so far: lines that are only ever added, so that it can be stopped at any moment."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from textmsa.runtime.atomic import to_disk, understood

REMEDY = "give another folder: what this one holds cannot be gone on with"


class Records:
    """Lines of JSON in one file; a last line that was cut short by a kill is removed.

    Parameters
    ----------
    path
        The file; made with its first line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.is_file():
            with path.open("rb+") as lines:
                lines.truncate(_whole(path))

    def add(self, record: dict[str, Any]) -> None:
        """Add a line, on disk when this returns."""
        with self.path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n")
            to_disk(lines)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """The lines in the order in which they were added; one is in memory at a time.

        Raises UserError where the file is damaged.
        """
        if not self.path.is_file():
            return
        with understood(self.path, remedy=REMEDY), self.path.open(encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                if not isinstance(record, dict):
                    raise ValueError("a line is no JSON object")
                yield record


def _whole(path: Path) -> int:
    """Bytes up to the end of the last whole line."""
    size = end = 0
    with path.open("rb") as lines:
        for line in lines:
            size += len(line)
            end = size if line.endswith(b"\n") else end
    return end
