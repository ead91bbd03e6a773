"""What lies in a folder: its clips, and the tables beside them."""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from textmsa.corpora import EXTENSIONS
from textmsa.errors import UnreadableClip
from textmsa.media import MAX_SECONDS, opened
from textmsa.new_corpus.tables import SUFFIXES

LABELS = "label.csv"
RATINGS = "ratings"
"""Folder in which `textmsa label` keeps what raters say."""
Probe = Callable[[Path], str | None]
"""What is wrong with a media file; None where nothing is."""
SKIPPED = ("__MACOSX", RATINGS)


@dataclass(frozen=True)
class Contents:
    """The files of a folder that matter."""

    folder: Path
    clips: tuple[PurePosixPath, ...]
    """From the folder on; of several files of one name, video before sound."""
    tables: tuple[Path, ...]
    notes: tuple[str, ...]
    """What was passed over, and why."""


def contents_of(folder: Path) -> Contents:
    """All clips of a folder and of those within it, in the order of their numbers, and the tables."""
    root = os.path.realpath(folder)
    alike: dict[tuple[PurePosixPath, str], list[PurePosixPath]] = defaultdict(list)
    tables: list[Path] = []
    notes: list[str] = []
    for path in _files(folder, notes):
        name = PurePosixPath(path.relative_to(folder).as_posix())
        suffix = path.suffix.lower()
        if suffix in SUFFIXES and name != PurePosixPath(LABELS) and path.is_file():
            tables.append(path)
        if suffix not in EXTENSIONS or not path.is_file():
            continue
        if not _is_text(str(name)):
            notes.append(f"{str(name)!r}: its name is not UTF-8; rename it")
        elif os.path.commonpath([root, os.path.realpath(path)]) != root:
            notes.append(f"{name}: a link that leads out of the folder; put the file itself here")
        else:
            alike[name.parent, name.stem].append(name)
    clips = []
    for names in alike.values():
        first, *others = sorted(names, key=lambda name: EXTENSIONS.index(name.suffix.lower()))
        clips.append(first)
        notes += [f"{other}: taken as another file of {first}" for other in others]
    return Contents(folder, tuple(sorted(clips, key=in_order)), tuple(sorted(tables)), tuple(notes))


def in_order(path: PurePosixPath) -> tuple[tuple[int, int, str], ...]:
    """Sorts names by their numbers: clip 2 before clip 10."""
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", str(path)))


def trouble_of(clip: Path) -> str | None:
    """What keeps a clip from being measured, or what it lacks, by its first bytes; None where nothing is known."""
    try:
        with opened(clip) as container:
            seconds = (container.duration or 0) / 1e6
            kinds = {stream.type for stream in container.streams}
    except UnreadableClip as error:
        return str(error)
    if seconds > MAX_SECONDS:
        return f"{seconds:.0f} s long, more than {MAX_SECONDS:.0f}: cut it into clips, or textmsa analyze it"
    if not kinds & {"audio", "video"}:
        return "neither sound nor picture in it"
    return None


def _files(folder: Path, notes: list[str]) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        kept = []
        for name in sorted(folders):
            if name.startswith(".") or name in SKIPPED:
                continue
            if os.path.islink(os.path.join(place, name)):
                where = Path(place, name).relative_to(folder)
                notes.append(f"{where}: a link to a folder, which is not followed; put the folder itself here")
                continue
            kept.append(name)
        folders[:] = kept
        yield from (Path(place, name) for name in sorted(files) if not name.startswith("."))


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
