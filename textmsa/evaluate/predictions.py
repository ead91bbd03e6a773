"""Saved predictions: one table a run and split."""

import csv
from pathlib import Path

import numpy as np

from textmsa.errors import UserError
from textmsa.evaluate.paired import Floats


def predictions_of(run: Path, split: str) -> Path:
    """The saved predictions of an evaluated run."""
    path = run if run.suffix == ".csv" else run / f"evaluation-{split}" / "predictions.csv"
    if not path.is_file():
        raise UserError(f"{path}: no such file; make it with: textmsa evaluate {run} --data STORE --split {split}")
    return path


def read_predictions(path: Path) -> tuple[list[str], Floats, Floats]:
    """Ids, labels (N,) and scores (N,) of a predictions.csv, ordered by id."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    if not rows or not {"id", "label", "score"} <= set(rows[0]):
        raise UserError(f"{path}: no table with id, label and score; give the predictions.csv of textmsa evaluate")
    rows.sort(key=lambda row: row["id"])
    try:
        numbers = np.array([[float(row["label"]), float(row["score"])] for row in rows])
    except (TypeError, ValueError) as error:
        raise UserError(f"{path}: {error}; give the predictions.csv of textmsa evaluate") from error
    return [row["id"] for row in rows], numbers[:, 0], numbers[:, 1]
