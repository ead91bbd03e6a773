"""What all raters said together: the labels of `label.csv`, and how far they agree, in `agreement.json`."""

import csv
import io
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from textmsa.corpora import Corpus
from textmsa.new_corpus.folder import LABELS, RATINGS
from textmsa.rating.agreement import FEW, LEVEL, RESAMPLES, SEED, Agreement, alpha, icc
from textmsa.rating.ratings import RaterFile, raters_of
from textmsa.runtime.atomic import csv_text, decoded, json_text, read_bytes, read_json, replacing
from textmsa.types import ID_SEPARATOR

AGREEMENT = "agreement.json"
WRITTEN = "labels.json"
"""In the folder of ratings: which labels of label.csv are ours to change, since we wrote them."""
DIGITS = 4


@dataclass(frozen=True)
class Rater:
    """One of them."""

    name: str
    rated: int
    skipped: int
    mean: float | None
    again: int
    """Clips that were rated twice."""
    same: float | None
    """Share of these that got the same score both times."""
    difference: float | None
    """Between both times, the mean of its size."""


@dataclass(frozen=True)
class Results:
    """What came of the ratings so far."""

    folder: Path
    clips: int
    rated: int
    """Clips that anybody rated."""
    raters: tuple[Rater, ...]
    alpha: Agreement
    icc_single: Agreement
    icc_mean: Agreement
    written: int
    """Labels of label.csv that are the mean of raters."""
    kept: int
    """Labels of rated clips that stood there before, and were left."""

    def text(self) -> str:
        """For people."""
        lines = [f"{self.folder}: {self.rated} of {self.clips} clips rated by {_number_of(len(self.raters), 'rater')}"]
        for rater in self.raters:
            mean = "" if rater.mean is None else f", mean {rater.mean:+.2f}"
            skipped = f", {rater.skipped} skipped" if rater.skipped else ""
            again = ""
            if rater.same is not None:
                again = (
                    f"; of {rater.again} shown twice {rater.same:.0%} the same, {rater.difference:.2f} apart on average"
                )
            lines.append(f"  {rater.name:<12} {rater.rated} clips{mean}{skipped}{again}")
        lines += [
            _figure("alpha", self.alpha),
            _figure("ICC(2,1)", self.icc_single),
            _figure("ICC(2,k)", self.icc_mean),
        ]
        if 0 < self.alpha.clips < FEW:
            lines.append(f"  of {self.alpha.clips} clips: with fewer than {FEW} the intervals are too narrow")
        lines.append(
            f"  {LABELS}: {_number_of(self.written, 'label')}, each the mean of its raters; {AGREEMENT} has the figures"
        )
        if self.kept:
            lines.append(f"  {self.kept} labels that stood there before were left as they are")
        return "\n".join(lines)

    def document(self) -> dict[str, Any]:
        """As agreement.json has it."""
        return {
            "clips": self.clips,
            "rated": self.rated,
            "raters": [asdict(rater) for rater in self.raters],
            "krippendorff_alpha_interval": asdict(self.alpha),
            "icc_2_1": asdict(self.icc_single),
            "icc_2_k": asdict(self.icc_mean),
            "interval": {
                "of": "clips",
                "kind": "bootstrap percentiles",
                "level": LEVEL,
                "resamples": RESAMPLES,
                "seed": SEED,
            },
        }


def results_of(corpus: Corpus, folder: Path, *, write: bool = True) -> Results:
    """Put the ratings together, and write label.csv and agreement.json.

    Parameters
    ----------
    corpus
        The clips and the range of their scores.
    folder
        Of the corpus, as it was given.
    write
        False: only compute.

    A clip's label is the mean of what its raters said the first time. A label that somebody else put into label.csv is
    left as it is. Raises UserError for ratings or a label.csv that cannot be understood.
    """
    files = [RaterFile(folder, name, corpus.score_range) for name in raters_of(folder)]
    files = [file for file in files if file.said]
    ids = [clip.id for clip in corpus.clips]
    place_of = {clip: place for place, clip in enumerate(ids)}
    ratings_UR = np.full((len(ids), len(files)), np.nan)
    for column, file in enumerate(files):
        for said in file.said.values():
            if said.round == 1 and said.score is not None and said.clip in place_of:
                ratings_UR[place_of[said.clip], column] = said.score
    with_any_R = np.isfinite(ratings_UR).any(axis=0)
    counted_UR = ratings_UR[:, with_any_R]
    means = {
        clip: round(fmean(row[np.isfinite(row)].tolist()), DIGITS)
        for clip, row in zip(ids, ratings_UR, strict=True)
        if np.isfinite(row).any()
    }
    written, kept = _write_labels(folder, means) if write else (0, 0)
    single, mean = icc(counted_UR), icc(counted_UR, mean=True)
    raters = tuple(map(_rater, files))
    results = Results(folder, len(ids), len(means), raters, alpha(counted_UR), single, mean, written, kept)
    if write:
        with replacing(folder / AGREEMENT, shared=True) as stream:
            stream.write(json_text(results.document()).encode("utf-8"))
    return results


def _rater(file: RaterFile) -> Rater:
    by_clip: dict[str, dict[int, float]] = defaultdict(dict)
    for said in file.said.values():
        if said.score is not None:
            by_clip[said.clip][said.round] = said.score
    first = [scores[1] for scores in by_clip.values() if 1 in scores]
    apart = [abs(scores[1] - scores[2]) for scores in by_clip.values() if {1, 2} <= scores.keys()]
    return Rater(
        file.name,
        len(first),
        sum(said.score is None and said.round == 1 for said in file.said.values()),
        round(fmean(first), DIGITS) if first else None,
        len(apart),
        sum(not size for size in apart) / len(apart) if apart else None,
        round(fmean(apart), DIGITS) if apart else None,
    )


def _write_labels(folder: Path, means: dict[str, float]) -> tuple[int, int]:
    """Put means into label.csv where no label of somebody else stands; (how many are ours, how many were left)."""
    path, record = folder / LABELS, folder / RATINGS / WRITTEN
    ours: dict[str, list[str]] = read_json(record, remedy="remove it")["labels"] if record.is_file() else {}
    data = read_bytes(path)
    text = decoded(path, data)
    end = "\r\n" if "\r\n" in text.partition("\n")[0] + "\n" else "\n"
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    header = [name.strip() for name in rows[0]]
    video, clip, label = (header.index(name) for name in ("video_id", "clip_id", "label"))
    written: dict[str, list[str]] = {}
    kept, changed = 0, False
    for row in rows[1:]:
        if not row:
            continue
        name = f"{row[video]}{ID_SEPARATOR}{row[clip]}"
        there = row[label].strip()
        wanted = _shown(means[name]) if name in means else ""
        if there and there not in ours.get(name, []):
            kept += name in means
            continue
        if name in means:
            written[name] = [wanted]
        changed |= wanted != there
        row[label] = wanted
    # First both, the old and the new: whenever this is stopped, what is ours is known.
    _record(record, {name: [*ours.get(name, []), *written.get(name, [])] for name in {**ours, **written}})
    if changed:
        with replacing(path, shared=True) as stream:
            mark = b"\xef\xbb\xbf" if data.startswith(b"\xef\xbb\xbf") else b""
            stream.write(mark + csv_text(rows, end=end).encode("utf-8"))
    _record(record, written)
    return len(written), kept


def _record(path: Path, labels: dict[str, list[str]]) -> None:
    path.parent.mkdir(exist_ok=True)
    with replacing(path, shared=True) as stream:
        stream.write(json_text({"labels": labels}).encode("utf-8"))


def _shown(value: float) -> str:
    """As it stands in the table: "1.3333", "2", "0"."""
    return f"{value + 0.0:.{DIGITS}f}".rstrip("0").rstrip(".")


def _figure(name: str, found: Agreement) -> str:
    if found.value is None:
        return f"  {name:<12} not to be had: {found.reason}"
    interval = "" if found.low is None else f" [{found.low:.3f}, {found.high:.3f}]"
    return f"  {name:<12} {found.value:.3f}{interval} of {found.clips} clips and {found.raters} raters"


def _number_of(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"
