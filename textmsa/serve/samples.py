"""The clips of a folder of the server's own, which may be chosen instead of sent."""

import asyncio
from pathlib import Path

from textmsa.errors import UserError
from textmsa.serve.limits import Refusal

SUFFIXES = (".mp4", ".mov", ".webm", ".mkv", ".avi", ".m4v", ".wav", ".mp3", ".flac", ".m4a", ".ogg")
MOST = 500


class Samples:
    """What is offered: a list of names. A name that is asked for is looked up in it and never becomes a path.

    Parameters
    ----------
    folder
        Clips in it and below; links that lead out of it, and names that are not UTF-8, are left out. None where
        nothing is offered.

    Raises UserError where it is no folder.
    """

    def __init__(self, folder: Path | None) -> None:
        if folder is not None and not folder.is_dir():
            raise UserError(f"--folder {folder}: no such folder; give one with clips")
        self.folder = None if folder is None else folder.resolve()

    def by_name(self) -> dict[str, Path]:
        """Name -> file, by name; at most 500."""
        if self.folder is None:
            return {}
        found = {}
        for path in sorted(self.folder.rglob("*")):
            name = path.relative_to(self.folder)
            hidden = any(part.startswith(".") for part in name.parts)
            if hidden or path.suffix.lower() not in SUFFIXES or not path.is_file() or not _can_be_told(name):
                continue
            if path.resolve().is_relative_to(self.folder):
                found[name.as_posix()] = path
            if len(found) == MOST:
                break
        return found

    async def path(self, name: str) -> Path:
        """The file of a name; raises Refusal 404 for any that is not offered."""
        path = (await asyncio.to_thread(self.by_name)).get(name)
        if path is None:
            raise Refusal(404, "no such sample: /v1/samples lists them")
        return path


def _can_be_told(name: Path) -> bool:
    """Whether a name is text: on Linux it may be any bytes, which JSON does not hold."""
    try:
        name.as_posix().encode()
    except UnicodeEncodeError:
        return False
    return True
