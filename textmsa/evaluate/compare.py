"""`textmsa compare`: two evaluated runs, clip by clip."""

from pathlib import Path
from typing import Literal

import numpy as np

from textmsa.errors import UserError
from textmsa.evaluate.paired import Comparison, paired
from textmsa.evaluate.predictions import predictions_of, read_predictions
from textmsa.types import SPLITS


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
    paths = [predictions_of(run, split) for run in (run_a, run_b)]
    (ids, true_N, a_N), (other_ids, other_N, b_N) = (read_predictions(path) for path in paths)
    if ids != other_ids:
        raise UserError(f"{paths[0]} and {paths[1]}: hold other clips; evaluate both runs on the same store and split")
    if not np.allclose(true_N, other_N, atol=1e-4):
        raise UserError(f"{paths[0]} and {paths[1]}: hold other labels for the same clips; evaluate both again")
    group_N = (
        np.arange(len(ids)) if by == "clip" else np.unique([i.split("$_$")[0] for i in ids], return_inverse=True)[1]
    )
    result = paired(np.abs(a_N - true_N), np.abs(b_N - true_N), margin=margin, group_N=group_N)
    print(result.text((str(run_a), str(run_b))))
    return result
