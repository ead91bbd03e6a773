"""`textmsa new-corpus`: a folder of clips -> its label.csv, written or checked."""

import os
import shlex
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from textmsa.corpora import DESCRIPTION, FILE_COLUMN, parse_score_range
from textmsa.errors import UserError
from textmsa.new_corpus.check import Checked, check
from textmsa.new_corpus.columns import LABELS as LABEL_COLUMNS
from textmsa.new_corpus.columns import Given
from textmsa.new_corpus.draft import Draft, Findings, Folders, SplitBy, Wishes, draft
from textmsa.new_corpus.folder import LABELS, contents_of
from textmsa.new_corpus.tables import number_of
from textmsa.new_corpus.words import plain
from textmsa.runtime.atomic import csv_text, write_json, write_text
from textmsa.types import SPLITS

HEADER = ("video_id", "clip_id", "text", *LABEL_COLUMNS, "annotation", "mode")
RANGE = (-3.0, 3.0)
BOM = "\ufeff"  # without it Excel takes UTF-8 for something else


@dataclass(frozen=True)
class NewCorpus:
    """A table that was written."""

    folder: Path
    findings: Findings

    def text(self) -> str:
        """For people: what was found, what is missing, what comes next."""
        rows, shown = self.findings.rows, shlex.quote(str(self.folder))
        kinds = Counter(row.file.suffix.lower() for row in rows)
        lines = [f"{self.folder}: {len(rows)} clips ({', '.join(f'{n} {kind}' for kind, n in sorted(kinds.items()))})"]
        lines += [_line(where, what) for where, what in self.findings.found]
        lines.append(_line("videos", f"{len({row.video_id for row in rows})} (or speakers)"))
        if speakers := {row.speaker for row in rows if row.speaker}:
            lines.append(_line("speakers", f"{len(speakers)}"))
        worded, labelled = (
            sum(map(bool, cells)) for cells in ([r.text for r in rows], [r.labels.get("label", "") != "" for r in rows])
        )
        lines += [
            _line("text", f"of {worded} of {len(rows)} clips"),
            _line("label", f"of {labelled} of {len(rows)} clips"),
        ]
        modes = Counter(row.mode for row in rows)
        lines.append(_line("splits", ", ".join(f"{split} {modes[split]}" for split in SPLITS)))
        lines.append(_line("written", f"{LABELS}, {DESCRIPTION}; no clip was moved, copied or changed"))
        lines += [_line("look at", what) for what in self.findings.missing]
        if worded < len(rows):
            lines.append(
                _line(
                    "missing",
                    f"text of {len(rows) - worded} clips: write it into {LABELS}, or prepare with --transcribe",
                )
            )
        if labelled < len(rows):
            lines.append(
                _line(
                    "missing",
                    f"label of {len(rows) - labelled} clips: write it into {LABELS}, or textmsa label {shown}",
                )
            )
        lines.append(_line("next", f"textmsa new-corpus {shown} checks it; textmsa prepare {shown} --out store"))
        return "\n".join(lines)


@dataclass(frozen=True)
class CheckedCorpus:
    """A table that stood there, and what is wrong with it."""

    folder: Path
    checked: Checked

    @property
    def exit_code(self) -> int:
        """1 where something must be mended."""
        return 1 if self.checked.grave else 0

    def text(self) -> str:
        """For people: every problem, by line."""
        found, shown = self.checked, shlex.quote(str(self.folder))
        rows, low, high = len(found.table.rows), *found.score_range
        grave, light = found.grave, len(found.problems) - found.grave
        lines = [f"{self.folder / LABELS}: {rows} clips, {grave} problems, {light} to know of; nothing was changed"]
        lines += [_line("mend" if problem.grave else "know", problem.text()) for problem in found.problems]
        splits = ", ".join(f"{split} {found.splits.get(split, 0)}" for split in SPLITS)
        lines.append(
            _line("holds", f"text {found.worded}, label {found.labelled} in [{low:g}, {high:g}], splits {splits}")
        )
        if not grave:
            rate = f"textmsa label {shown}, or " if found.labelled < rows else ""
            lines.append(_line("next", f"{rate}textmsa prepare {shown} --out store"))
        return "\n".join(lines)


def new_corpus(
    folder: Path,
    *,
    table: Path | None = None,
    encoding: str | None = None,
    file_column: str = "",
    text_column: str = "",
    label_column: str = "",
    class_column: str = "",
    split_column: str = "",
    speaker_column: str = "",
    scale: str | None = None,
    classes: str | None = None,
    folders: Folders = "auto",
    split_by: SplitBy = "speaker",
) -> NewCorpus | CheckedCorpus:
    """Look at a folder of clips and write its label.csv to fill in; where one stands, list all that is wrong with it.

    Tables of any columns, folders, names of files and subtitles beside the clips are read. Clips stay where they are,
    and nothing that is there is written over.

    Parameters
    ----------
    folder
        Folder with video or sound files, in it or in folders of it.
    table
        Table (.csv, .tsv) that tells of the clips; without it, those in the folder.
    encoding
        Of the tables, as Python calls it; without it, it is told from their content.
    file_column
        Column that names a clip's file; found by its content.
    text_column
        Column with what is said, or "none"; found by name, else by content. So are the others.
    label_column
        Column with the sentiment as a number, or "none".
    class_column
        Column with the sentiment or emotion as a word, or "none".
    split_column
        Column with train, valid or test, or "none".
    speaker_column
        Column with who speaks, or "none".
    scale
        LOW,HIGH of the labels of the tables; they are brought to [-3, 3].
    classes
        What classes are worth as labels: "happy=2,sad=-2".
    folders
        What folders within the folder are: auto (classes where they are called by feelings, else speakers), classes,
        speakers, none.
    split_by
        Whose clips stay together when splits are made: speaker (or video, where nobody says who speaks), or clip.

    Examples
    --------
    textmsa new-corpus my_clips
    textmsa new-corpus my_clips --table ratings.csv --label-column Valence --scale 1,9
    textmsa new-corpus my_clips --classes "happy=2,neutral=0,sad=-2"
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: not a folder; give the folder that holds the clips")
    given = Given(file_column, text_column, label_column, split_column, speaker_column, class_column)
    contents = contents_of(folder)
    if (folder / LABELS).exists():
        wanted = [table, encoding, scale, classes, *vars(given).values()]
        if any(wanted) or (folders, split_by) != ("auto", "speaker"):
            raise UserError(
                f"{folder / LABELS}: stands there and is only checked, never written over; call it otherwise to have a "
                "new one made, or leave the options out"
            )
        return CheckedCorpus(folder, check(contents))
    bounds = None if scale is None else parse_score_range(scale, where="--scale")
    worth = _worth(classes)
    wishes = Wishes((table,) if table else (), encoding, given, folders, worth, bounds, RANGE, split_by)
    findings = draft(contents, wishes)
    _write(folder, findings.rows)
    return NewCorpus(folder, findings)


def _worth(classes: str | None) -> dict[str, float]:
    """Class -> label, from "happy=2,sad=-2"."""
    worth = {}
    for pair in classes.split(",") if classes else ():
        name, equals, cell = pair.partition("=")
        value = number_of(cell)
        if not equals or not plain(name) or value is None or not RANGE[0] <= value <= RANGE[1]:
            raise UserError(f"--classes {pair!r}: give a class and a number from -3 to 3, such as happy=2")
        worth[plain(name)] = value
    return worth


def _write(folder: Path, rows: list[Draft]) -> None:
    """Write label.csv, which is not there, and corpus.json, unless it is."""
    plain_places = all(row.file.with_suffix("").as_posix() == f"Raw/{row.video_id}/{row.clip_id}" for row in rows)
    extra = [name for name in ("speaker", "text_en") if any(getattr(row, name) for row in rows)]
    header = [*HEADER, *extra, *([] if plain_places else [FILE_COLUMN])]
    lines = [header]
    for row in rows:
        cells = {"video_id": row.video_id, "clip_id": row.clip_id, "text": row.text, "annotation": row.annotation}
        cells |= {"mode": row.mode, "speaker": row.speaker, "text_en": row.text_en, FILE_COLUMN: str(row.file)}
        cells |= {column: f"{value:g}" for column, value in row.labels.items()}
        lines.append([cells.get(name, "") for name in header])
    if not (folder / DESCRIPTION).exists():
        write_json(folder / DESCRIPTION, {"name": folder.resolve().name, "score_range": list(RANGE)})
    made = folder / f".{LABELS}.{os.getpid()}"
    write_text(made, BOM + csv_text(lines))
    try:
        os.link(made, folder / LABELS)  # fails where somebody wrote one in the meantime
    except FileExistsError:
        raise UserError(
            f"{folder / LABELS}: was written by somebody else just now; run the command again to check it"
        ) from None
    finally:
        made.unlink()


def _line(word: str, what: str) -> str:
    return f"  {word:<10} {' '.join(what.split())}"
