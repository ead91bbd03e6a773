"""Corpora: a folder of labelled clips -> `Clip`s.

The MMSA layout is `label.csv` with `video_id, clip_id, text, label, mode` (optionally `label_T, label_A, label_V,
annotation, text_en`) beside `Raw/<video_id>/<clip_id>.mp4`. Where a row has a `file`, its clip lies there instead, so
that clips stay where they are. A `corpus.json` may name the corpus and its score range.
A row whose label is empty is a clip like any other, which is never trained on or scored.
"""

import csv
import json
import math
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

from textmsa import seams
from textmsa.errors import UserError, first_line
from textmsa.types import ID_SEPARATOR, SPLITS, Clip

ScoreRange = tuple[float, float]
DESCRIPTION = "corpus.json"
"""Beside the clips: may name the corpus and its score range, and carry what its maker knows of it."""
SCORE_RANGES: tuple[ScoreRange, ...] = ((-1.0, 1.0), (-3.0, 3.0))
"""Of CH-SIMS and of MOSI/MOSEI; the first that holds every label is taken where the corpus names none."""
REQUIRED_COLUMNS = ("video_id", "clip_id", "text", "label", "mode")
FILE_COLUMN = "file"
"""Optional: where a row's clip lies, from the corpus' folder on, parts joined by "/"."""
LABEL_COLUMNS = ("label", "label_T", "label_A", "label_V")
MEDIA_LIE = "media files lie in Raw/<video_id>/, or where the column file says"
EXTENSIONS = (
    *(".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".flv", ".mpg", ".mpeg", ".wmv", ".ts"),
    *(".wav", ".flac", ".mp3", ".m4a", ".ogg", ".opus", ".aac"),
)
"""Of media files, in the order of preference where one clip has several: the one list of what is read."""


@dataclass(frozen=True)
class Corpus:
    """The clips of a folder, and the range of their scores."""

    name: str
    folder: Path
    """Absolute."""
    clips: tuple[Clip, ...]
    """In the order of the corpus' own list."""
    score_range: ScoreRange
    score_range_source: str
    """Where the range comes from, for the manifest: "corpus.json", "given", "labels" or "no labels"."""


class CorpusReader(Protocol):
    """What stands behind the seam `CORPORA`: it is built without arguments."""

    name: str

    def read(self, folder: Path, *, score_range: ScoreRange | None) -> Corpus:
        """The corpus in `folder`; raises UserError where it cannot be used. `score_range` None: find out."""
        ...


def read_corpus(
    folder: Path,
    *,
    layout: str = "mmsa",
    score_range: str | tuple[float, float] = "auto",
    must_train: bool = True,
) -> Corpus:
    """Read the list of clips in `folder`; no media is opened.

    Parameters
    ----------
    folder
        Folder of the corpus.
    layout
        A key of `seams.CORPORA` or an outside "module:Class".
    score_range
        `(low, high)`, the same as text ("-3,3"), or "auto": `corpus.json`'s `score_range`, else [-1, 1] where every
        label fits, else [-3, 3].
    must_train
        Refuse a corpus without a clip in the split "train".

    Raises UserError, in one line with file, line and remedy, for a list that is absent, empty or wrong.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: not a folder; give the folder that holds the corpus")
    reader: CorpusReader = seams.load(seams.CORPORA, layout, what="layout")()
    given = None if score_range == "auto" else parse_score_range(score_range, where="score range")
    corpus = reader.read(folder.resolve(), score_range=given)
    if must_train and not any(clip.split == "train" for clip in corpus.clips):
        raise UserError(f"{folder}: no clip is in the split 'train'; mark the clips to learn from as 'train'")
    return corpus


def parse_score_range(value: object, *, where: str) -> ScoreRange:
    """`(low, high)` from a pair of numbers or from text such as "-3,3"; UserError where it is neither."""
    pair: Any = value.split(",") if isinstance(value, str) else value
    try:
        low, high = (float(bound) for bound in pair)
    except (TypeError, ValueError):
        raise UserError(f"{where}: {value!r} is not a pair of numbers such as -3,3") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UserError(f"{where}: {value!r} must be two finite numbers, the lower one first")
    return low, high


class MmsaCorpus:
    """The MMSA layout: `label.csv`, and clips as `Raw/<video_id>/<clip_id>.<extension>` or where `file` says.

    Ids are text, zeros kept.
    """

    name = "mmsa"
    needs_media = True

    def read(self, folder: Path, *, score_range: ScoreRange | None) -> Corpus:
        """Read and check `label.csv`; see `read_corpus`."""
        table = folder / "label.csv"
        described = read_description(folder)
        rows = list(_rows(table))
        if not rows:
            raise UserError(f"{table}: no rows below the header; add one row per clip")
        labels = [{column: _number(table, row, column) for column in LABEL_COLUMNS} for row in rows]
        chosen, source = _choose_range(table, rows, labels, described, score_range)
        clips = tuple(_clips(folder, table, rows, labels))
        if self.needs_media and not any(os.path.isfile(clip.path) for clip in clips):
            raise UserError(
                f"{folder}: holds none of the {len(clips)} media files of label.csv; the first should be "
                f"{clips[0].path.relative_to(folder)}"
            )
        return Corpus(str(described.get("name", folder.name)), folder, clips, chosen, source)


class MmsaTranscripts(MmsaCorpus):
    """The same `label.csv` for its transcripts and labels alone; there need be no media."""

    name = "mmsa_transcripts"
    needs_media = False


def read_description(folder: Path) -> dict[str, Any]:
    """What a corpus' `corpus.json` says of it, nothing where there is none; UserError where it is damaged."""
    path = folder / DESCRIPTION
    if not path.exists():
        return {}
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise UserError(f"{path}: not JSON ({first_line(error)}); mend or remove it") from error
    if not isinstance(described, dict):
        raise UserError(f'{path}: must hold a JSON object such as {{"score_range": [-3, 3]}}; mend or remove it')
    return described


@dataclass(frozen=True)
class _Row:
    line: int
    """Line of label.csv on which the row ends, counted from 1."""
    cells: dict[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")


def _rows(table: Path) -> Iterator[_Row]:
    if not table.is_file():
        raise UserError(
            f"{table}: no such file; it lists the clips (columns {', '.join(REQUIRED_COLUMNS)}): write it, or have it "
            f"written: textmsa new-corpus {table.parent}"
        )
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.reader(stream, strict=True)
            header = [name.strip() for name in next(reader, [])]
            _check_header(table, header)
            for cells in reader:
                if not cells:
                    continue
                if len(cells) != len(header):
                    raise UserError(
                        f"{table}: line {reader.line_num} has {len(cells)} fields, the header {len(header)}; "
                        "quote texts that hold commas"
                    )
                yield _Row(reader.line_num, dict(zip(header, cells, strict=True)))
    except UnicodeDecodeError as error:
        raise UserError(f"{table}: not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from error
    except csv.Error as error:
        raise UserError(f"{table}: line {reader.line_num} is not CSV ({first_line(error)}); mend its quotes") from error


def _check_header(table: Path, header: list[str]) -> None:
    if not any(header):
        raise UserError(f"{table}: empty; its first line must name the columns {', '.join(REQUIRED_COLUMNS)}")
    if missing := [column for column in REQUIRED_COLUMNS if column not in header]:
        raise UserError(
            f"{table}: no column {', '.join(_with_nearest(column, header) for column in missing)}; "
            f"it has {', '.join(map(repr, header))}"
        )
    if twice := sorted({column for column in header if header.count(column) > 1}):
        raise UserError(f"{table}: column {', '.join(twice)} stands twice in the header; keep one")


def _with_nearest(column: str, header: list[str]) -> str:
    near = get_close_matches(column.lower(), [name.lower() for name in header], n=1)
    original = next((name for name in header if near and name.lower() == near[0]), None)
    return f"{column!r} (is {original!r} meant?)" if original else repr(column)


def _number(table: Path, row: _Row, column: str) -> float | None:
    cell = row[column].strip()
    if not cell:
        return None
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"{table}: line {row.line}: {column} {cell!r} is not a number; give the sentiment score")
    return value


def _choose_range(
    table: Path,
    rows: list[_Row],
    labels: list[dict[str, float | None]],
    described: dict[str, Any],
    given: ScoreRange | None,
) -> tuple[ScoreRange, str]:
    """The score range and where it comes from; raises UserError at the first label outside."""
    there = [value for values in labels for value in values.values() if value is not None]
    chosen, source = (given, "given") if given is not None else described_range(table.parent, described, there)
    for row, values in zip(rows, labels, strict=True):
        for column, value in values.items():
            if value is not None and not chosen[0] <= value <= chosen[1]:
                raise UserError(
                    f"{table}: line {row.line}: {column} {value:g} is outside [{chosen[0]:g}, {chosen[1]:g}] "
                    f"(range from {source}); mend it, or name the range as score_range in corpus.json"
                )
    return chosen, source


def described_range(folder: Path, described: dict[str, Any], labels: Collection[float]) -> tuple[ScoreRange, str]:
    """The range that the folder's description names, else the one of the labels, and where it comes from."""
    if "score_range" not in described:
        return _range_of(labels)
    where = f"{folder / DESCRIPTION}: score_range"
    return parse_score_range(described["score_range"], where=where), DESCRIPTION


def _range_of(labels: Collection[float]) -> tuple[ScoreRange, str]:
    """The first of `SCORE_RANGES` that holds all labels, else the widest, and where it comes from."""
    fitting = [bounds for bounds in SCORE_RANGES if all(bounds[0] <= value <= bounds[1] for value in labels)]
    return fitting[0] if labels and fitting else SCORE_RANGES[-1], "labels" if labels else "no labels"


def _clips(folder: Path, table: Path, rows: list[_Row], labels: list[dict[str, float | None]]) -> Iterator[Clip]:
    files = MediaFiles(folder)
    line_of: dict[str, int] = {}
    for row, values in zip(rows, labels, strict=True):
        video_id, clip_id, split = row["video_id"], row["clip_id"], row["mode"].strip()
        identity = f"{video_id}{ID_SEPARATOR}{clip_id}"
        if identity in line_of:
            raise UserError(
                f"{table}: line {row.line}: video_id {video_id!r}, clip_id {clip_id!r} stood on line "
                f"{line_of[identity]} already; ids must be unique"
            )
        line_of[identity] = row.line
        if split not in SPLITS:
            raise UserError(f"{table}: line {row.line}: mode {split!r} is not one of {', '.join(SPLITS)}")
        try:
            path = files.find(video_id, clip_id, row[FILE_COLUMN])
        except ValueError as error:
            raise UserError(f"{table}: line {row.line}: {error}; {MEDIA_LIE}") from error
        yield Clip(
            id=identity,
            path=path,
            transcript=row["text"] if row["text"].strip() else None,
            label=values["label"],
            split=split,
            video_id=video_id,
            transcript_en=row["text_en"] if row["text_en"].strip() else None,
            label_text=values["label_T"],
            label_audio=values["label_A"],
            label_video=values["label_V"],
        )


class MediaFiles:
    """Finds a row's clip without ever leaving the corpus folder.

    Parameters
    ----------
    folder
        Of the corpus.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = os.path.realpath(folder)
        self.listing = lru_cache(maxsize=8)(_media_names)  # the rows of a video mostly stand together

    def find(self, video_id: str, clip_id: str, file: str = "") -> Path:
        """The clip's file, or where it should be if there is none.

        Parameters
        ----------
        video_id, clip_id
            Of the row; plain names, which also name what is made of the clip.
        file
            Where the clip lies in the folder; empty: `Raw/<video_id>/<clip_id>.<extension>`.

        Raises ValueError, saying why, where one of them is empty or leads out of the folder.
        """
        named = {"video_id": video_id, "clip_id": clip_id} | ({FILE_COLUMN: file} if file.strip() else {})
        for column, value in named.items():
            # In `file` a backslash is no separator but part of a name, as the disk has it.
            parts = value.split("/") if column == FILE_COLUMN else value.replace("\\", "/").split("/")
            if not value.strip():
                raise ValueError(f"{column} is empty")
            if os.path.isabs(value) or {"", ".", ".."} & set(parts) or "\0" in value:
                raise ValueError(f"{column} {value!r} is not a plain name: it could lead out of the corpus folder")
        path = self.folder / file if FILE_COLUMN in named else self._in_raw(video_id, clip_id)
        if os.path.commonpath([self.root, os.path.realpath(path)]) != self.root:
            raise ValueError(f"{path.relative_to(self.folder)} is a link that leads out of the corpus folder")
        return path

    def _in_raw(self, video_id: str, clip_id: str) -> Path:
        wanted = self.folder / "Raw" / video_id / clip_id
        names = self.listing(wanted.parent).get(wanted.name, {})
        extension = next((extension for extension in EXTENSIONS if extension in names), None)
        return wanted.with_name(names[extension]) if extension else wanted.with_name(f"{wanted.name}.mp4")


def _media_names(folder: Path) -> dict[str, dict[str, str]]:
    """Stem -> extension in lower case -> file name, for the media files of a folder; empty if it is not there."""
    found: dict[str, dict[str, str]] = {}
    try:
        entries = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    except (FileNotFoundError, NotADirectoryError):
        return found
    except OSError as error:
        raise ValueError(f"{folder.name!r} cannot be listed ({error.strerror})") from error
    for name in entries:
        stem, extension = os.path.splitext(name)
        if extension.lower() in EXTENSIONS:
            found.setdefault(stem, {}).setdefault(extension.lower(), name)
    return found
