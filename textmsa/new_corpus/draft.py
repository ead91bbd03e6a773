"""A folder's clips with all that is known of them: what `label.csv` is made of."""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from textmsa.errors import UserError
from textmsa.new_corpus.columns import LABELS, Columns, Given, Names, columns_of, said_of
from textmsa.new_corpus.folder import Contents, Probe, trouble_of
from textmsa.new_corpus.names import Named, Scheme, scheme_of
from textmsa.new_corpus.splits import splits_of
from textmsa.new_corpus.tables import Row, Table, number_of, read_table
from textmsa.new_corpus.words import CLASSES, plain, split_of
from textmsa.speech.subtitles import read_subtitles, subtitles_beside
from textmsa.types import ID_SEPARATOR, SPLITS

Folders = Literal["auto", "classes", "speakers", "none"]
SplitBy = Literal["speaker", "clip"]
CLASS_SHARE = 0.8
"""Share of the clips whose folder must be called by a feeling for the folders to be classes."""


@dataclass(frozen=True)
class Draft:
    """One row of the table to be."""

    file: PurePosixPath
    video_id: str = ""
    clip_id: str = ""
    speaker: str = ""
    text: str = ""
    text_en: str = ""
    annotation: str = ""
    mode: str = ""
    labels: dict[str, float] = field(default_factory=dict)
    """Column, one of `LABELS` -> value."""


@dataclass
class Findings:
    """The rows, and what is to be told of them."""

    rows: list[Draft] = field(default_factory=list)
    found: list[tuple[str, str]] = field(default_factory=list)
    """(where, what) was found."""
    missing: list[str] = field(default_factory=list)
    """What to look at, or to fill in."""
    split_folders: bool = False
    """Whether the folders are splits."""


@dataclass(frozen=True)
class Wishes:
    """What a user says of the folder."""

    tables: tuple[Path, ...] = ()
    """The only ones to read; none given: those in the folder."""
    encoding: str | None = None
    columns: Given = field(default_factory=Given)
    folders: Folders = "auto"
    classes: dict[str, float] = field(default_factory=dict)
    """Class, as `words.plain` writes it -> label."""
    scale: tuple[float, float] | None = None
    """On which labels are given, to be brought to `target`."""
    target: tuple[float, float] = (-3.0, 3.0)
    split_by: SplitBy = "speaker"


def draft(contents: Contents, wishes: Wishes, *, probe: Probe = trouble_of) -> Findings:
    """Put together what the folder tells.

    Parameters
    ----------
    contents
        Of the folder.
    wishes
        Of the user.
    probe
        Tells what is wrong with a media file; such clips are left out, and told.

    Raises UserError where there is no clip, or the wishes do not fit.
    """
    trouble = {clip: why for clip in contents.clips if (why := probe(contents.folder / clip))}
    findings = Findings([Draft(clip) for clip in contents.clips if clip not in trouble])
    findings.missing += [*(f"{clip}: left out: {why}" for clip, why in trouble.items()), *contents.notes]
    if not findings.rows:
        first = f" ({findings.missing[0]})" if findings.missing else ""
        raise UserError(
            f"{contents.folder}: holds no video or sound file that can be used{first}; give the folder of clips"
        )
    _by_folders(findings, wishes)
    _by_names(findings)
    _by_tables(findings, contents, wishes)
    _texts_beside(findings, contents.folder)
    _ids(findings)
    _labels_of_classes(findings, wishes)
    _split(findings, wishes)
    return findings


def _by_folders(findings: Findings, wishes: Wishes) -> None:
    """Folders are splits, classes, or whoever is to be seen."""
    levels = [row.file.parent.parts for row in findings.rows]
    if all(parts[:1] == ("Raw",) for parts in levels):
        levels = [parts[1:] for parts in levels]
    depth = max(map(len, levels), default=0)
    used: set[int] = set()
    for level in range(depth):
        names = [parts[level] if level < len(parts) else "" for parts in levels]
        kinds = sorted({name for name in names if name})
        if all(split_of(name) for name in names):
            findings.rows = [
                replace(row, mode=split_of(name) or "") for row, name in zip(findings.rows, names, strict=True)
            ]
            findings.found.append(("folders", f"splits: {', '.join(kinds)}"))
            findings.split_folders = True
            used.add(level)
        elif _are_classes(names, wishes, last=level == depth - 1):
            findings.rows = [replace(row, annotation=name) for row, name in zip(findings.rows, names, strict=True)]
            findings.found.append(("folders", f"classes: {_counted(names)}"))
            used.add(level)
    rest = ["/".join(part for level, part in enumerate(parts) if level not in used) for parts in levels]
    if wishes.folders == "none" or len(set(rest)) < 2:
        return
    findings.rows = [replace(row, video_id=name) for row, name in zip(findings.rows, rest, strict=True)]
    findings.found.append(("folders", f"{len(set(rest) - {''})}, each taken as one video or speaker"))


def _are_classes(names: Sequence[str], wishes: Wishes, *, last: bool) -> bool:
    if wishes.folders != "auto":
        return wishes.folders == "classes" and last
    known = {*CLASSES, *wishes.classes}
    return len(set(names)) > 1 and sum(plain(name) in known for name in names) >= CLASS_SHARE * len(names)


def _by_names(findings: Findings) -> None:
    """Files may be called as those of a known corpus."""
    scheme: Scheme | None = scheme_of([row.file.stem for row in findings.rows])
    if scheme is None:
        return
    others = []
    for place, row in enumerate(findings.rows):
        match = scheme.pattern.fullmatch(row.file.stem)
        if match is None:
            others.append(row.file)
            continue
        named: Named = scheme.read(match)
        findings.rows[place] = replace(
            row,
            video_id=named.video_id if scheme.of_speakers or not row.video_id else row.video_id,
            clip_id=named.clip_id if scheme.of_speakers or not row.video_id else row.file.stem,
            text=named.text,
            annotation=row.annotation or named.annotation,
        )
    findings.found.append(
        ("names", f"as {scheme.name}: {len(findings.rows) - len(others)} of {len(findings.rows)} files")
    )
    findings.missing += [f"{file}: not named as the others are ({scheme.name})" for file in others]


def _by_tables(findings: Findings, contents: Contents, wishes: Wishes) -> None:
    """Rows of tables tell of clips; where two do, the first counts and the other is told."""
    place_of = {row.file: place for place, row in enumerate(findings.rows)}
    told: dict[PurePosixPath, str] = {}
    for path in wishes.tables or contents.tables:
        split = split_of(path.stem)
        names = Names([row.file for row in findings.rows if not split or row.mode in ("", split)])
        table = read_table(path, encoding=wishes.encoding, has_no_header=names.any_in)
        columns = columns_of(table, names, wishes.columns)
        if not columns.file:
            findings.missing.append(f"{path.name}: not used, since no column names the clips; see --file-column")
            continue
        shown = [table.how, f"{len(columns.clip_of)} of {len(table.rows)} rows name a clip", *said_of(columns)]
        findings.found.append((path.name, "; ".join(filter(None, shown))))
        findings.missing += [f"{path.name}: line {line}: {reason}" for line, reason in table.faults]
        if columns.unclear:
            several = ", ".join(map(repr, columns.unclear))
            findings.missing.append(f"{path.name}: label may be one of {several}: name it, --label-column NAME")
        lost = [row.line for row in table.rows if row.line not in columns.clip_of]
        if lost:
            findings.missing.append(f"{path.name}: {len(lost)} rows name no clip here, the first on line {lost[0]}")
        take = _Taker(table, columns, wishes, findings.missing)
        for row in table.rows:
            clip = columns.clip_of.get(row.line)
            if clip is None:
                continue
            if clip in told:
                findings.missing.append(f"{path.name}: line {row.line}: {clip} stood in {told[clip]} already; left out")
                continue
            told[clip] = f"{path.name}, line {row.line}"
            place = place_of[clip]
            findings.rows[place] = take.row(row, findings.rows[place])
        take.tell_scale()
    if told and len(told) < len(findings.rows):
        untold = next(row.file for row in findings.rows if row.file not in told)
        findings.missing.append(f"{len(findings.rows) - len(told)} clips stand in no table, the first is {untold}")


class _Taker:
    """Takes what a table's row says into a clip's."""

    def __init__(self, table: Table, columns: Columns, wishes: Wishes, missing: list[str]) -> None:
        self.table, self.columns, self.wishes, self.missing = table, columns, wishes, missing
        self.role = columns.by_role
        self.split = split_of(table.path.stem) or ""
        values = [number_of(row[self.role["label"]]) for row in table.rows] if "label" in self.role else []
        self.values = [value for value in values if value is not None]
        low, high = wishes.target
        self.fits = all(low <= value <= high for value in self.values)

    def cell(self, row: Row, role: str) -> str:
        """What stands in the column for that, stripped; nothing where there is none."""
        return row[self.role[role]].strip() if role in self.role else ""

    def row(self, row: Row, clip: Draft) -> Draft:
        """The clip with what the row says of it."""
        speaker = self.cell(row, "speaker")
        video, part = self.cell(row, "video"), self.cell(row, "clip")
        return replace(
            clip,
            video_id=video or speaker or clip.video_id,
            clip_id=part if video and part else "" if video or speaker else clip.clip_id,
            speaker=speaker if video else clip.speaker,
            text=self.cell(row, "text") or clip.text,
            text_en=self.cell(row, "text_en"),
            annotation=self.cell(row, "class") or clip.annotation,
            mode=self._mode(row) or clip.mode,
            labels=self._labels(row),
        )

    def tell_scale(self) -> None:
        """Say of labels that do not lie in the range."""
        if self.wishes.scale is None and not self.fits:
            low, high = min(self.values), max(self.values)
            span = f"[{low:g}, {high:g}]"
            self.missing.append(
                f"{self.table.path.name}: labels lie in {span}, not in [{self.wishes.target[0]:g}, "
                f"{self.wishes.target[1]:g}]: left empty; give their scale, such as --scale {low:g},{high:g}"
            )

    def _mode(self, row: Row) -> str:
        told = self.cell(row, "split")
        return (split_of(told) or "") if told else self.split

    def _labels(self, row: Row) -> dict[str, float]:
        labels: dict[str, float] = {}
        for column in LABELS:
            cell = self.cell(row, column)
            value = number_of(cell)
            if cell and value is None:
                self.missing.append(f"{self.table.path.name}: line {row.line}: {column} {cell!r} is not a number")
            if value is None or (self.wishes.scale is None and not self.fits):
                continue
            if self.wishes.scale is not None:
                low, high = self.wishes.scale
                if not low <= value <= high:
                    self.missing.append(
                        f"{self.table.path.name}: line {row.line}: {column} {cell} is outside --scale {low:g},{high:g}"
                    )
                    continue
                bottom, top = self.wishes.target
                value = bottom + (value - low) / (high - low) * (top - bottom)
            labels[column] = round(value, 6)
        return labels


def _texts_beside(findings: Findings, folder: Path) -> None:
    """Where no table has a clip's words, a file beside it may."""
    count = 0
    for place, row in enumerate(findings.rows):
        beside = None if row.text else subtitles_beside(folder / row.file)
        if beside is None:
            continue
        try:
            findings.rows[place] = replace(row, text=read_subtitles(beside).text or "")
            count += 1
        except UserError as error:
            findings.missing.append(str(error).removeprefix(f"{folder}/"))
    if count:
        findings.found.append(("subtitles", f"the words of {count} clips, from files beside them"))


def _ids(findings: Findings) -> None:
    """Every clip has a video and an id of its own; names of folders and files make them."""
    modes: dict[str, set[str]] = defaultdict(set)
    for row in findings.rows:
        modes[row.video_id] |= {row.mode}
    rows = []
    for row in findings.rows:
        if findings.split_folders and len(modes[row.video_id]) > 1:  # MELD's dia0 is another dialogue in each split
            row = replace(row, video_id=f"{row.mode}_{row.video_id}")
        video, clip = (_plain_id(name or row.file.stem) for name in (row.video_id, row.clip_id))
        rows.append(replace(row, video_id=video, clip_id=clip))
    count = Counter((row.video_id, row.clip_id) for row in rows)
    doubled = [row for row in rows if count[row.video_id, row.clip_id] > 1]
    if doubled:
        findings.missing.append(f"{len(doubled)} clips would have an id twice: their places stand in it as well")
    rows = [
        replace(row, clip_id=_plain_id(str(row.file))) if count[row.video_id, row.clip_id] > 1 else row for row in rows
    ]
    findings.rows = rows


def _plain_id(name: str) -> str:
    """A name that no disk takes for a path."""
    plain_name = re.sub(r"[/\\\0\r\n]", "_", name).replace(ID_SEPARATOR, "_").strip()
    return plain_name if plain_name.strip(".") else plain_name.replace(".", "_") or "_"


def _labels_of_classes(findings: Findings, wishes: Wishes) -> None:
    """Classes become labels where the user says which; else numbers are offered."""
    unlabelled = [row for row in findings.rows if row.annotation and "label" not in row.labels]
    kinds = sorted({row.annotation for row in unlabelled})
    if not wishes.classes:
        if kinds:
            offered = {kind: CLASSES.get(plain(kind)) for kind in kinds}
            pairs = ",".join(
                f"{kind}={'?' if value is None else format(value, 'g')}" for kind, value in offered.items()
            )
            findings.missing.append(
                f"classes are no labels: {_counted([row.annotation for row in unlabelled])}; rate the clips (textmsa "
                f'label), or say what each is worth, such as --classes "{pairs}"'
            )
        return
    if strange := sorted({plain(kind) for kind in wishes.classes} - {plain(row.annotation) for row in findings.rows}):
        shown = ", ".join(sorted({row.annotation for row in findings.rows if row.annotation})) or "none"
        raise UserError(f"--classes {strange[0]}: no clip is of that class; the folder has {shown}")
    for place, row in enumerate(findings.rows):
        value = wishes.classes.get(plain(row.annotation))
        if value is not None and "label" not in row.labels:
            findings.rows[place] = replace(row, labels=row.labels | {"label": value})


def _split(findings: Findings, wishes: Wishes) -> None:
    """Where nothing tells the splits, they are made: a speaker's, or a video's, clips stay together."""
    told = sum(bool(row.mode) for row in findings.rows)
    if told == len(findings.rows):
        return
    groups = _groups(findings, wishes.split_by)
    if told:
        fixed: dict[str, set[str]] = defaultdict(set)
        for group, row in zip(groups, findings.rows, strict=True):
            fixed[group] |= {row.mode} - {""}
        modes = [next(iter(sorted(fixed[group])), SPLITS[0]) for group in groups]
        findings.missing.append(f"{len(groups) - told} clips had no split: they went to their speaker's, else to train")
    else:
        modes = splits_of(groups)
        if len(set(groups)) < len(SPLITS):
            findings.missing.append(
                f"only {len(set(groups))} speakers or videos: train, valid and test cannot be of different ones; add "
                "others, name a --speaker-column, or divide one's clips with --split-by clip"
            )
    findings.rows = [replace(row, mode=row.mode or mode) for row, mode in zip(findings.rows, modes, strict=True)]


def _groups(findings: Findings, split_by: SplitBy) -> list[str]:
    """Of each clip, with whose it must stay: the clips of one speaker, and those of one video."""
    if split_by == "clip":
        return [f"{row.video_id}/{row.clip_id}" for row in findings.rows]
    videos = [row.video_id for row in findings.rows]
    first_of: dict[str, str] = {}  # of a speaker, or of a video: one that it is bound to, in the end to itself

    def bound(name: str) -> str:
        while first_of.setdefault(name, name) != name:
            name = first_of[name]
        return name

    for row in findings.rows:
        one, other = (
            bound(f"video {row.video_id}"),
            bound(f"speaker {row.speaker}" if row.speaker else f"video {row.video_id}"),
        )
        first_of[max(one, other)] = min(one, other)
    groups = [bound(f"video {video}") for video in videos]
    if len(set(groups)) < len(SPLITS) <= len(set(videos)):
        findings.missing.append(
            "speakers share their videos: splits are of different videos, not of different speakers"
        )
        return videos
    return groups


def _counted(names: Sequence[str]) -> str:
    counts = sorted(Counter(name for name in names if name).items())
    return ", ".join(f"{name} ({count})" for name, count in counts)
