"""The field's metrics of regressed sentiment, with the published names and definitions of MMSA.

Classes are made from the scores: for [-3, 3] by rounding, for [-1, 1] by the intervals of CH-SIMS. F1 is weighted by
the classes' true shares.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from textmsa.errors import UserError

Family = Literal["mosi", "sims"]
Scores = npt.NDArray[np.float64]
Classes = npt.NDArray[np.bool_ | np.integer | np.floating]

# Upper bounds, inclusive, of the classes of CH-SIMS (lowest class first; the last bound is the range's end).
SIMS_CLASSES = {"acc2": (0.0,), "acc3": (-0.1, 0.1), "acc5": (-0.7, -0.1, 0.1, 0.7)}
MOSI_LIMITS = {"acc3": 1, "acc5": 2, "acc7": 3}

LEGACY_NAMES = {
    "mosi": {
        "acc2_has0": "Has0_acc_2",
        "f1_has0": "Has0_F1_score",
        "acc2_non0": "Non0_acc_2",
        "f1_non0": "Non0_F1_score",
        "acc3": "Mult_acc_3",
        "acc5": "Mult_acc_5",
        "acc7": "Mult_acc_7",
        "mae": "MAE",
        "corr": "Corr",
    },
    "sims": {
        "acc2": "Mult_acc_2",
        "acc3": "Mult_acc_3",
        "acc5": "Mult_acc_5",
        "f1": "F1_score",
        "mae": "MAE",
        "corr": "Corr",
    },
}


def family_of(score_range: tuple[float, float]) -> Family:
    """Which metrics a corpus has: "sims" for scores in [-1, 1], "mosi" for [-3, 3]."""
    return "sims" if max(map(abs, score_range)) <= 1 else "mosi"


def evaluate(
    pred: Sequence[float] | npt.NDArray[np.floating],
    true: Sequence[float] | npt.NDArray[np.floating],
    family: Family = "mosi",
    legacy: bool = False,
) -> dict[str, float]:
    """Metrics of predicted scores (N,) against true ones (N,).

    Parameters
    ----------
    pred, true
        Scores (N,), in the corpus' range.
    family
        "mosi" (MOSI, MOSEI; scores in [-3, 3]): acc2 and f1 with zeros counted as positive (has0) and without
        zeros (non0), acc3, acc5, acc7, mae, corr. "sims" (CH-SIMS; scores in [-1, 1], predictions are clipped
        to it): acc2, acc3, acc5, f1, mae, corr.
    legacy
        The published names, and the F1 of the authors' code, whose arguments are swapped.

    Returns a dict; corr is NaN where either side is constant, non0 values are NaN where every true score is 0.
    Raises UserError on empty, unequal or non-finite input.
    """
    pred_N, true_N = np.asarray(pred, dtype=float).ravel(), np.asarray(true, dtype=float).ravel()
    if len(pred_N) != len(true_N) or not len(true_N):
        raise UserError(f"{len(pred_N)} predictions for {len(true_N)} labels: give one for each, at least one")
    if not (np.isfinite(pred_N).all() and np.isfinite(true_N).all()):
        raise UserError("predictions and labels must be finite numbers")
    if family not in LEGACY_NAMES:
        raise UserError(f"family {family!r}: choose 'mosi' or 'sims'")
    values = _mosi(pred_N, true_N, legacy) if family == "mosi" else _sims(pred_N, true_N, legacy)
    return {LEGACY_NAMES[family][key]: value for key, value in values.items()} if legacy else values


def _mosi(pred: Scores, true: Scores, swapped: bool) -> dict[str, float]:
    marked = true != 0
    has0 = (pred >= 0, true >= 0)
    non0 = (pred[marked] > 0, true[marked] > 0)
    multi = {
        name: _accuracy(np.round(np.clip(pred, -limit, limit)), np.round(np.clip(true, -limit, limit)))
        for name, limit in MOSI_LIMITS.items()
    }
    return {
        "acc2_has0": _accuracy(*has0),
        "f1_has0": _weighted_f1(*has0, swapped=swapped),
        "acc2_non0": _accuracy(*non0),
        "f1_non0": _weighted_f1(*non0, swapped=swapped),
        **multi,
        **_regression(pred, true),
    }


def _sims(pred: Scores, true: Scores, swapped: bool) -> dict[str, float]:
    pred, true = np.clip(pred, -1, 1), np.clip(true, -1, 1)
    classes = {
        name: (np.searchsorted(bounds, pred), np.searchsorted(bounds, true)) for name, bounds in SIMS_CLASSES.items()
    }
    return {
        **{name: _accuracy(*pair) for name, pair in classes.items()},
        "f1": _weighted_f1(*classes["acc2"], swapped=swapped),
        **_regression(pred, true),
    }


def _accuracy(pred: Classes, true: Classes) -> float:
    return float(np.mean(pred == true)) if len(true) else float("nan")


def _weighted_f1(pred: Classes, true: Classes, *, swapped: bool) -> float:
    from sklearn.metrics import f1_score

    if not len(true):
        return float("nan")
    first, second = (pred, true) if swapped else (true, pred)
    return float(f1_score(first, second, average="weighted", zero_division=0))


def _regression(pred: Scores, true: Scores) -> dict[str, float]:
    return {"mae": float(np.abs(pred - true).mean()), "corr": _correlation(pred, true)}


def _correlation(pred: Scores, true: Scores) -> float:
    """NaN where either side is constant: equal numbers, or numbers whose deviation is lost in rounding."""
    if np.ptp(pred) == 0 or np.ptp(true) == 0 or pred.std() == 0 or true.std() == 0:
        return float("nan")
    with np.errstate(all="ignore"):  # deviations too small to be multiplied
        return float(np.corrcoef(pred, true)[0, 1])
