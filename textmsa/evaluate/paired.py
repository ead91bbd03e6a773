"""Two predictors' errors on the same clips: is one better, are they as good as each other?

The unit is a clip's difference in absolute error; N clips, G groups of them.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RESAMPLES = 10_000
BLOCK_CELLS = 1 << 20
"""Draws of a group that are in memory at once, so that memory does not grow with the clips."""
BLOCK_ROWS = 16  # blocks are whole multiples: sums are then made in the same order as all at once
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
    names: tuple[str, str] = ("", "")
    """What A and B are, for people."""
    notes: tuple[str, ...] = ()
    """What is to be known besides, a line each."""

    def text(self) -> str:
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
                f"A {self.names[0]}: MAE {self.mae[0]:.3f}",
                f"B {self.names[1]}: MAE {self.mae[1]:.3f}   ({self.clips} clips{groups})",
                f"A - B: {self.difference:+.4f}, 95 % paired bootstrap interval [{low:+.4f}, {high:+.4f}]",
                f"permutation test: p {shown_p(self.permutation_p)}",
                f"equivalence within {self.margin:g} (TOST): p {shown_p(self.equivalence_p)}",
                verdict,
                *self.notes,
            ]
        )


def shown_p(p: float) -> str:
    """ "< .001", or "= .034"."""
    return "< .001" if p < 0.001 else f"= {p:.3f}".replace("0.", ".")


def paired(
    error_a_N: Floats, error_b_N: Floats, *, margin: float = 0.02, group_N: npt.NDArray[np.integer] | None = None
) -> Comparison:
    """Compare absolute errors (N,) of the same clips; `group_N` says which clips are drawn together."""
    gap_N = error_a_N - error_b_N
    group_N = np.arange(len(gap_N)) if group_N is None else group_N
    count_G = np.bincount(group_N)
    total_G = np.asarray(np.bincount(group_N, weights=gap_N), np.float64)
    rng = np.random.default_rng(0)
    return Comparison(
        clips=len(gap_N),
        groups=len(count_G),
        mae=(float(error_a_N.mean()), float(error_b_N.mean())),
        difference=float(gap_N.mean()),
        interval=_bootstrap_interval(rng, total_G, count_G),
        permutation_p=_permutation_p(rng, total_G, len(gap_N), float(gap_N.mean())),
        margin=margin,
        equivalence_p=_equivalence_p(total_G * len(count_G) / len(gap_N), float(gap_N.mean()), margin),
    )


def _bootstrap_interval(
    rng: np.random.Generator, total_G: Floats, count_G: npt.NDArray[np.integer]
) -> tuple[float, float]:
    """95 % percentile interval of the mean over clips; groups are drawn with replacement."""
    groups = len(count_G)
    means = []
    for rows in _blocks(groups):
        drawn = rng.integers(groups, size=(rows, groups))
        means.append(total_G[drawn].sum(axis=1) / count_G[drawn].sum(axis=1))
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return float(low), float(high)


def _permutation_p(rng: np.random.Generator, total_G: Floats, clips: int, difference: float) -> float:
    """Share of random exchanges of A and B, within whole groups, whose mean differs from 0 as much."""
    as_large = 0
    for rows in _blocks(len(total_G)):
        flips = rng.choice([-1.0, 1.0], size=(rows, len(total_G)))
        as_large += int((np.abs(flips @ total_G) / clips >= abs(difference) - 1e-12).sum())
    return (as_large + 1) / (RESAMPLES + 1)


def _blocks(groups: int) -> Iterator[int]:
    """Sizes that add up to `RESAMPLES`; the generator's stream is the same however it is cut."""
    most = max(BLOCK_CELLS // groups // BLOCK_ROWS, 1) * BLOCK_ROWS
    for start in range(0, RESAMPLES, most):
        yield min(most, RESAMPLES - start)


def _equivalence_p(weighted_G: Floats, difference: float, margin: float) -> float:
    """TOST on the groups' means, weighted by their clips: a group is one observation; one alone proves nothing."""
    from scipy import stats

    if len(weighted_G) < 2:
        return 1.0
    if np.ptp(weighted_G) <= 1e-12 * abs(difference):  # alike but for rounding
        return 0.0 if abs(difference) < margin else 1.0
    above = stats.ttest_1samp(weighted_G, -margin, alternative="greater").pvalue
    below = stats.ttest_1samp(weighted_G, margin, alternative="less").pvalue
    return float(max(above, below))
