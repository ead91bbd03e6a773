"""Two predictors' errors on the same clips: is one better, are they as good as each other?

The unit is a clip's difference in absolute error; N clips, G groups of them.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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
