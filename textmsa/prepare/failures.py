"""failures.csv of a store: which clips were skipped or not explained, at which stage and why."""

import csv
from dataclasses import astuple, dataclass
from pathlib import Path

from textmsa.corpora import Corpus
from textmsa.runtime.atomic import csv_text, write_text
from textmsa.types import Clip

FAILURES = "failures.csv"
COLUMNS = ["id", "path", "stage", "reason"]
STATISTICS_STAGE, EXPLANATION_STAGE = "statistics", "explanation"


@dataclass(frozen=True)
class Failure:
    """Why a clip was skipped, or what of it is lacking."""

    id: str
    path: str
    stage: str
    """"file", "media", "audio", "video", "worker": the clip is skipped. "statistics": the explainer's statistics are
    without it. "explanation": it is in the store without an explanation."""
    reason: str


class Failures:
    """The failures of one run, and the table of them in the store's folder."""

    def __init__(self, corpus: Corpus, folder: Path) -> None:
        self.corpus, self.path = corpus, folder / FAILURES
        self.rows: list[Failure] = []
        self._place = {clip.id: place for place, clip in enumerate(corpus.clips)}

    def add(self, clip: Clip, stage: str, reason: str) -> None:
        """Note the failure of a clip."""
        self.rows.append(Failure(clip.id, str(clip.path.relative_to(self.corpus.folder)), stage, reason))

    def count(self, stage: str) -> int:
        """How many failed at a stage."""
        return sum(failure.stage == stage for failure in self.rows)

    def take_over(self, stage: str) -> None:
        """Keep what an earlier run noted of a stage that is over for good, for clips that the corpus still has."""
        if not self.path.is_file():
            return
        with self.path.open(encoding="utf-8", newline="") as stream:
            rows = [row for row in csv.reader(stream) if len(row) == len(COLUMNS)]
        self.rows += [Failure(*row) for row in rows if row[2] == stage and row[0] in self._place]

    def write(self) -> None:
        """Write the table, in the corpus' order."""
        rows = sorted(self.rows, key=lambda failure: self._place[failure.id])
        write_text(self.path, csv_text([COLUMNS, *map(astuple, rows)], end="\n"))
