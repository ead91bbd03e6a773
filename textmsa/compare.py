"""Two predictors on the same clips: is one better, are they as good as each other?

The unit is a clip's difference in absolute error; N clips.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from textmsa.errors import UserError
from textmsa.types import SPLITS

RESAMPLES = 10_000
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Comparison:
    """MAE of A less that of B, with what can be said of it."""

    clips: int
    groups: int
    """What was resampled: clips, or videos."""
    mae: tuple[float, float]
    """Of A and of B."""
    difference: float
    """Below 0 where A is better."""
    interval: tuple[float, float]
    """95 % paired bootstrap interval of the difference."""
    permutation_p: float
    """Two-sided: how often a difference as large comes about when A and B are exchanged at random."""
    margin: float
    equivalence_p: float
    """Two one-sided t-tests (TOST): below 0.05 the difference lies within the margin."""

    def text(self, names: tuple[str, str]) -> str:
        """For people."""
        low, high = self.interval
        groups = f" in {self.groups} videos" if self.groups != self.clips else ""
        verdict = "A and B cannot be told apart"
        if self.permutation_p < 0.05 and not low <= 0 <= high:
            verdict = f"{'A' if self.difference < 0 else 'B'} has the lower error"
        if self.equivalence_p < 0.05:
            verdict += f"; their errors are the same within {self.margin:g}"
        return "\n".join(
            [
                f"A {names[0]}: MAE {self.mae[0]:.3f}",
                f"B {names[1]}: MAE {self.mae[1]:.3f}   ({self.clips} clips{groups})",
                f"A - B: {self.difference:+.4f}, 95 % paired bootstrap interval [{low:+.4f}, {high:+.4f}]",
                f"permutation test: p {shown_p(self.permutation_p)}",
                f"equivalence within {self.margin:g} (TOST): p {shown_p(self.equivalence_p)}",
                verdict,
            ]
        )


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


def shown_p(p: float) -> str:
    """ "< .001", or "= .034"."""
    return "< .001" if p < 0.001 else f"= {p:.3f}".replace("0.", ".")


def paired(
    error_a_N: Floats, error_b_N: Floats, *, margin: float = 0.02, group_N: npt.NDArray[np.integer] | None = None
) -> Comparison:
    """Compare absolute errors (N,) of the same clips; `group_N` says which clips are drawn together."""
    from scipy import stats

    gap_N = error_a_N - error_b_N
    group_N = np.arange(len(gap_N)) if group_N is None else group_N
    count_G = np.bincount(group_N)
    total_G = np.bincount(group_N, weights=gap_N)
    groups = len(count_G)
    rng = np.random.default_rng(0)
    drawn = rng.integers(groups, size=(RESAMPLES, groups))
    means = total_G[drawn].sum(axis=1) / count_G[drawn].sum(axis=1)
    difference = float(gap_N.mean())
    flips = rng.choice([-1.0, 1.0], size=(RESAMPLES, groups))
    as_large = np.abs(flips @ total_G) / len(gap_N) >= abs(difference) - 1e-12
    # TOST on the groups' means, weighted by their clips: a group is one observation.
    weighted_G = total_G * groups / len(gap_N)
    if np.ptp(weighted_G) > 0:
        above = stats.ttest_1samp(weighted_G, -margin, alternative="greater").pvalue
        below = stats.ttest_1samp(weighted_G, margin, alternative="less").pvalue
        equivalence = float(max(above, below))
    else:
        equivalence = 0.0 if abs(difference) < margin else 1.0
    low, high = np.percentile(means, [2.5, 97.5])
    return Comparison(
        clips=len(gap_N),
        groups=groups,
        mae=(float(error_a_N.mean()), float(error_b_N.mean())),
        difference=difference,
        interval=(float(low), float(high)),
        permutation_p=float((as_large.sum() + 1) / (RESAMPLES + 1)),
        margin=margin,
        equivalence_p=equivalence,
    )
