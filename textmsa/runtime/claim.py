"""A folder that belongs to one command, begun with certain options: gone on with by the same, refused to any other."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textmsa.errors import UserError
from textmsa.runtime.atomic import UNFINISHED, read_json, write_json

CLAIM = "claim.json"
LOCK = "lock"
LONGEST_VALUE = 60  # characters of a value that a message shows; hashes and lists of names are longer


@dataclass(frozen=True)
class Claim:
    """What a folder was, or is to be, begun with.

    Parameters
    ----------
    folder
        The folder.
    command
        Whose it is, for messages: "textmsa train".
    options
        All that decides what comes out, as JSON has it; nested objects are compared key by key.
    record
        The file that holds them; its presence makes the folder the command's.
    """

    folder: Path
    command: str
    options: dict[str, Any]
    record: str = CLAIM

    def take(self) -> None:
        """Write the options into a new or empty folder, or make sure that it was begun with them.

        Raises UserError where the folder holds something else, or was begun otherwise.
        """
        if (self.folder / self.record).is_file():
            self.check()
            return
        check_empty(self.folder)
        self.write()

    def write(self) -> None:
        """Write the options down, whatever else the folder holds; `take` looks first."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / self.record, self.options)

    def check(self) -> None:
        """Raises UserError where the folder was begun otherwise; nothing is written."""
        differing = differences(self.options, read_json(self.folder / self.record, remedy="give another folder"))
        if differing:
            raise UserError(
                f"{self.folder}: was begun otherwise by {self.command} ({'; '.join(differing)}); give another folder"
            )

    @contextmanager
    def held(self) -> Iterator[None]:
        """`take` the folder and hold it against a second run; a folder that is refused is left as it was."""
        if not (self.folder / self.record).is_file():
            check_empty(self.folder)
        with locked(self.folder, command=self.command):
            self.take()
            yield


def check_empty(folder: Path) -> None:
    """Raises UserError where a folder holds something: leftovers of a kill and the lock do not count."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file; give a new folder")
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    if strange := [name for name in names if name != LOCK and not name.endswith(UNFINISHED)]:
        raise UserError(f"{folder}: holds other files ({strange[0]}); give a new or empty folder")


def differences(wanted: object, recorded: object, name: str = "") -> list[str]:
    """What `recorded` has otherwise than `wanted`, in words: "precision fp32 instead of bf16".

    Of things with another name, their names alone.
    """
    if isinstance(wanted, dict) and isinstance(recorded, dict):
        keys = [*wanted, *(key for key in recorded if key not in wanted)]
        if wanted.get("name") != recorded.get("name"):
            keys = ["name"]
        prefix = f"{name}." if name else ""
        return [text for key in keys for text in differences(wanted.get(key), recorded.get(key), f"{prefix}{key}")]
    if json.loads(json.dumps(wanted)) == json.loads(json.dumps(recorded)):
        return []
    there, here = (json.dumps(value, ensure_ascii=False) for value in (recorded, wanted))
    if max(len(there), len(here)) > LONGEST_VALUE:
        return [f"other {name}"]
    return [f"{name} {there} instead of {here}"]


@contextmanager
def locked(folder: Path, *, command: str) -> Iterator[None]:
    """Hold a folder, which is made, against a second run; the lock ends with the process, however that ends.

    Raises UserError where the folder cannot be written to, or is held.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file; give a new folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("a")
    except OSError as error:
        raise UserError(f"{folder}: cannot be written to ({error.strerror}); give another folder") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{folder}: another {command} is at work here; wait for it") from None
        yield
