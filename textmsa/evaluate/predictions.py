"""A table of scores beside labels: predictions.csv, and predictions.json, which says what it was made of."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

import numpy as np

from textmsa.errors import UserError, first_line
from textmsa.evaluate.origin import Origin, RunRecord
from textmsa.evaluate.paired import Floats
from textmsa.run import RUN, Run
from textmsa.runtime.atomic import csv_text, write_json, write_text

PREDICTIONS = "predictions.csv"
ORIGIN = "predictions.json"


@dataclass(frozen=True)
class Predictions:
    """Scores of N clips beside their labels."""

    ids: list[str]
    label_N: Floats
    score_N: Floats
    """NaN where there is none."""
    columns: Mapping[str, Floats] = field(default_factory=dict)
    """Further numbers (N,) by the header of their column: gates, each seed's scores, each baseline's."""
    origin: Origin | None = None
    """None of a table from elsewhere."""

    def save(self, folder: Path) -> None:
        """Write both files; the csv's hash is in the json, which is written first, so that the pair can be known."""
        assert self.origin is not None
        text = self._csv()
        folder.mkdir(parents=True, exist_ok=True)
        document = {"csv_sha256": sha256(text.encode()).hexdigest(), **self.origin.to_json()}
        write_json(folder / ORIGIN, document)
        write_text(folder / PREDICTIONS, text)

    def _csv(self) -> str:
        rows = zip(self.ids, self.label_N, self.score_N, *self.columns.values(), strict=True)
        lines = ([name, *(f"{v:.6f}" if np.isfinite(v) else "" for v in values)] for name, *values in rows)
        return csv_text([["id", "label", "score", *self.columns], *lines])

    @staticmethod
    def load(path: Path) -> "Predictions":
        """Read a table, ordered by id; UserError where it is none, or another than its predictions.json is about.

        A table without that file is from elsewhere: id, label and score are enough.
        """
        data = path.read_bytes()
        try:
            rows = list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline="")))
        except (UnicodeDecodeError, csv.Error) as error:
            raise UserError(f"{path}: no table ({error}); give the predictions.csv of textmsa evaluate") from error
        if not rows or not {"id", "label", "score"} <= set(rows[0]):
            raise UserError(f"{path}: no table with id, label and score; give the predictions.csv of textmsa evaluate")
        rows.sort(key=lambda row: row["id"])
        try:
            label_N = np.array([float(row["label"]) for row in rows])
            score_N = np.array([float(row["score"] or "nan") for row in rows])
        except (TypeError, ValueError) as error:
            raise UserError(f"{path}: {error}; give the predictions.csv of textmsa evaluate") from error
        numbers = {name: _numbers(rows, name) for name in rows[0] if name not in ("id", "label", "score")}
        columns = {name: column for name, column in numbers.items() if column is not None}
        return Predictions([row["id"] for row in rows], label_N, score_N, columns, _origin(path, data))

    def check_current(self, run: Path) -> None:
        """Raises UserError where the run was trained further, or anew, since it was evaluated."""
        if self.origin is None or self.origin.run is None or not (run / RUN).is_file():
            return
        now, then = RunRecord.of(Run.open(run)), self.origin.run
        if now.seeds != then.seeds:
            what = f"its table is of the seeds {_listed(then.seeds)}, the run now holds {_listed(now.seeds)}"
        elif (now.recipe_sha256, now.run_sha256) != (then.recipe_sha256, then.run_sha256):
            what = "its table is older than its training"
        else:
            return
        store, split = self.origin.store.path, self.origin.split
        raise UserError(f"{run}: {what}; run: textmsa evaluate {run} --data {store} --split {split}")


def _numbers(rows: list[dict[str, str]], name: str) -> Floats | None:
    """A column of numbers; None where it holds others, as tables from elsewhere may."""
    try:
        return np.array([float(row[name] or "nan") for row in rows])
    except (TypeError, ValueError):
        return None


def _listed(seeds: list[int]) -> str:
    return ", ".join(map(str, seeds))


def _origin(path: Path, data: bytes) -> Origin | None:
    beside = path.with_name(ORIGIN)
    if path.name != PREDICTIONS or not beside.is_file():
        return None
    remedy = f"evaluate again, or remove {ORIGIN} to take the table as it stands"
    try:
        document = json.loads(beside.read_text(encoding="utf-8"))
        document.pop("format")
        recorded = document.pop("csv_sha256")
        origin = Origin.from_json(document)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{beside}: damaged ({first_line(error)}); {remedy}") from error
    if recorded != sha256(data).hexdigest():
        raise UserError(f"{path}: is not the table that {ORIGIN} beside it is about; {remedy}")
    return origin


def predictions_of(run: Path, split: str) -> Path:
    """The saved predictions of an evaluated run, or the file itself; UserError where there are none."""
    if run.suffix == ".csv":
        if not run.is_file():
            raise UserError(f"{run}: no such file; give a run folder after textmsa evaluate, or its predictions.csv")
        return run
    path = run / f"evaluation-{split}" / PREDICTIONS
    if not path.is_file():
        raise UserError(f"{path}: no such file; make it with: textmsa evaluate {run} --data STORE --split {split}")
    return path
