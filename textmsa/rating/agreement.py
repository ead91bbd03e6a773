"""How far raters agree: Krippendorff's alpha and intraclass correlations, with bootstrap intervals over clips.

Shape suffixes: U clips, R raters, B resamples. A missing rating is NaN.

The libraries that are kept well (krippendorff, pingouin) are under the GPL, which this project is not; the formulas are
short, and the tests hold them against the worked examples of their papers.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Measure = Literal["alpha", "icc_2_1", "icc_2_k"]
RESAMPLES = 2000
LEVEL = 0.95
SEED = 0
FEW = 20
"""Clips below which a bootstrap interval is known to be too narrow."""
_SAME = 1e-12  # variation below this is none: what is left of it is rounding


@dataclass(frozen=True)
class Agreement:
    """One figure of agreement."""

    value: float | None
    """At most 1; 0 is what chance gives. None where it is not defined: `reason` says why."""
    low: float | None
    high: float | None
    """Bootstrap interval over clips, of `LEVEL`; None where too few resamples had a value."""
    clips: int
    """That it is of."""
    raters: int
    reason: str = ""


def alpha(ratings_UR: Floats) -> Agreement:
    """Krippendorff's alpha for interval data: of all clips that two raters or more have rated.

    Parameters
    ----------
    ratings_UR
        (U, R), NaN where a rater has not rated a clip.

    Its source is K. Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), sections C and D.
    """
    pairable_UR = ratings_UR[np.sum(np.isfinite(ratings_UR), axis=1) >= 2]
    clips, raters = len(pairable_UR), int(np.isfinite(pairable_UR).any(axis=0).sum())
    if clips < 2:
        return Agreement(None, None, None, clips, raters, "fewer than two clips have two ratings")
    value = float(_alphas(pairable_UR, np.ones((1, clips)))[0])
    if not np.isfinite(value):
        return Agreement(None, None, None, clips, raters, "all ratings are the same: nothing varies that could agree")
    low, high = _interval(_alphas(pairable_UR, _resamples(clips)))
    return Agreement(value, low, high, clips, raters)


def icc(ratings_UR: Floats, *, mean: bool = False) -> Agreement:
    """Intraclass correlation ICC(2,1), or with `mean` ICC(2,k): absolute agreement, raters drawn at random.

    Parameters
    ----------
    ratings_UR
        (U, R), NaN where a rater has not rated a clip. Only clips that all raters have rated count.
    mean
        Of the mean of all R raters, in place of a single one's rating.

    Its source is P. E. Shrout, J. L. Fleiss, Intraclass Correlations, Psychological Bulletin 86 (1979), case 2.
    """
    whole_UR = ratings_UR[np.isfinite(ratings_UR).all(axis=1)]
    clips, raters = whole_UR.shape
    if raters < 2:
        return Agreement(None, None, None, clips, raters, "fewer than two raters")
    if clips < 2:
        return Agreement(None, None, None, clips, raters, "fewer than two clips are rated by all raters")
    value = float(_iccs(whole_UR, np.ones((1, clips)), mean)[0])
    if not np.isfinite(value):
        return Agreement(None, None, None, clips, raters, "all ratings are the same: nothing varies that could agree")
    low, high = _interval(_iccs(whole_UR, _resamples(clips), mean))
    return Agreement(value, low, high, clips, raters)


def _alphas(ratings_UR: Floats, weights_BU: Floats) -> Floats:
    """Alpha (B,) of each resample, in which clip u stands `weights_BU[b, u]` times; NaN where nothing varies.

    The sum of (x - y)^2 over all ordered pairs of m values is 2 (m sum(x^2) - sum(x)^2): observed and expected
    disagreement follow from each clip's count, sum and sum of squares.
    """
    there_UR = np.isfinite(ratings_UR)
    centred_UR = np.where(there_UR, ratings_UR - np.nanmean(ratings_UR), 0.0)
    count_U = there_UR.sum(axis=1).astype(float)
    sum_U, squares_U = centred_UR.sum(axis=1), (centred_UR**2).sum(axis=1)
    within_U = (count_U * squares_U - sum_U**2) / (count_U - 1)
    values_B = weights_BU @ count_U
    observed_B = weights_BU @ within_U / values_B
    expected_B = (values_B * (weights_BU @ squares_U) - (weights_BU @ sum_U) ** 2) / (values_B * (values_B - 1))
    return _ratio(expected_B - observed_B, expected_B)


def _iccs(ratings_UR: Floats, weights_BU: Floats, mean: bool) -> Floats:
    """ICC(2,1) or ICC(2,k), (B,), from the mean squares of clips, raters and residue; NaN where nothing varies."""
    clips, raters = ratings_UR.shape
    centred_UR = ratings_UR - ratings_UR.mean()
    by_rater_BR = weights_BU @ centred_UR / clips
    grand_B = by_rater_BR.mean(axis=1)
    between_B = raters * (weights_BU @ centred_UR.mean(axis=1) ** 2 - clips * grand_B**2)
    columns_B = clips * ((by_rater_BR**2).sum(axis=1) - raters * grand_B**2)
    total_B = weights_BU @ (centred_UR**2).sum(axis=1) - clips * raters * grand_B**2
    clips_B, raters_B = between_B / (clips - 1), columns_B / (raters - 1)
    residue_B = (total_B - between_B - columns_B) / ((clips - 1) * (raters - 1))
    shared_B = (raters_B - residue_B) / clips
    rest_B = shared_B if mean else (raters - 1) * residue_B + raters * shared_B
    icc_B = _ratio(clips_B - residue_B, clips_B + rest_B)
    icc_B[total_B < _SAME] = np.nan
    return icc_B


def _ratio(above_B: Floats, below_B: Floats) -> Floats:
    ratio_B = np.full(len(below_B), np.nan)
    np.divide(above_B, below_B, out=ratio_B, where=np.abs(below_B) > _SAME)
    return ratio_B


def _resamples(clips: int) -> Floats:
    """How often each clip stands in each resample, (B, U): the same for the same number of clips."""
    return np.random.default_rng(SEED).multinomial(clips, [1 / clips] * clips, size=RESAMPLES).astype(float)


def _interval(values_B: Floats) -> tuple[float | None, float | None]:
    """Percentiles over resamples; none where most of them have no value."""
    values_B = values_B[np.isfinite(values_B)]
    if len(values_B) < RESAMPLES / 2:
        return None, None
    low, high = np.quantile(values_B, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
