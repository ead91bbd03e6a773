"""`textmsa compare`: two evaluated runs, clip by clip."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from textmsa.errors import UserError
from textmsa.evaluate.origin import Origin
from textmsa.evaluate.paired import Comparison, paired
from textmsa.evaluate.predictions import Predictions, predictions_of
from textmsa.types import ID_SEPARATOR, SPLITS


def compare(
    run_a: Path, run_b: Path, *, split: str = "test", margin: float = 0.02, by: Literal["clip", "video"] = "clip"
) -> Comparison:
    """Compare the predictions of two evaluated runs, clip by clip.

    Parameters
    ----------
    run_a, run_b
        Run folders after textmsa evaluate, or predictions.csv files.
    split
        The split that was evaluated.
    margin
        Difference in MAE, in units of the score, that counts as none.
    by
        What is drawn and exchanged as a whole: clips, or videos, whose clips are alike.

    Examples
    --------
    textmsa compare run_a run_b
    textmsa compare run_a run_b --margin 0.05 --by video
    """
    if split not in SPLITS:
        raise UserError(f"--split {split!r}: give one of {', '.join(SPLITS)}")
    if margin <= 0:
        raise UserError(f"--margin {margin}: must be above 0")
    runs = Path(run_a), Path(run_b)
    paths = [predictions_of(run, split) for run in runs]
    tables = [Predictions.load(path) for path in paths]
    for run, table in zip(runs, tables, strict=True):
        table.check_current(run)
    pair = f"{paths[0]} and {paths[1]}"
    notes = _check_alike(pair, *tables)
    there_N = np.isfinite(tables[0].score_N) & np.isfinite(tables[1].score_N)
    if not there_N.any():
        raise UserError(f"{pair}: no clip has a score in both; nothing can be compared")
    if missing := int((~there_N).sum()):
        notes.append(f"{missing} clip{'s' * (missing != 1)} without a score in A or in B left out")
    true_N = tables[0].label_N[there_N]
    errors = [np.abs(table.score_N[there_N] - true_N) for table in tables]
    group_N = _groups([name for name, there in zip(tables[0].ids, there_N, strict=True) if there], by)
    if len(np.unique(group_N)) < 2:
        remedy = "; give --by clip" if by == "video" and len(group_N) > 1 else ""
        raise UserError(f"{pair}: hold one {by} with a score in both, and nothing can be told from one{remedy}")
    comparison = paired(errors[0], errors[1], margin=margin, group_N=group_N)
    return replace(comparison, names=(str(run_a), str(run_b)), notes=tuple(notes))


def _check_alike(pair: str, a: Predictions, b: Predictions) -> list[str]:
    """Raises UserError where two tables are not of the same clips and labels; what is to be known of them besides."""
    notes = []
    if a.origin and b.origin:
        notes = _check_origins(pair, a.origin, b.origin)
    if a.ids != b.ids:
        raise UserError(f"{pair}: hold other clips; evaluate both runs on the same store and split")
    if not np.allclose(a.label_N, b.label_N, atol=1e-4):
        raise UserError(f"{pair}: hold other labels for the same clips; evaluate both again")
    return notes


def _check_origins(pair: str, a: Origin, b: Origin) -> list[str]:
    if a.split != b.split:
        raise UserError(f"{pair}: are of the splits {a.split} and {b.split}; evaluate both on the same --split")
    for what in ("score_range", "counts"):
        ours, theirs = getattr(a.store, what), getattr(b.store, what)
        if ours != theirs:
            words = what.replace("_", " ")
            raise UserError(f"{pair}: are of stores whose {words} differ ({ours}, {theirs}); evaluate on one corpus")
    notes = []
    if (a.store.content_sha256, a.store.statistics_sha256) != (b.store.content_sha256, b.store.statistics_sha256):
        notes.append(f"A and B read other stores: {a.store.path} and {b.store.path}")
    if a.precision != b.precision and a.precision and b.precision:
        notes.append(f"A is scored in {a.precision}, B in {b.precision}")
    return notes


def _groups(ids: list[str], by: Literal["clip", "video"]) -> npt.NDArray[np.integer]:
    """The group (N,) of each clip: itself, or its video."""
    if by == "clip":
        return np.arange(len(ids))
    return np.unique([name.split(ID_SEPARATOR)[0] for name in ids], return_inverse=True)[1]
