import json
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from textmsa.errors import UserError
from textmsa.metrics import evaluate


@pytest.mark.parametrize("family", ["mosi", "sims"])
def test_legacy_gives_the_published_names_and_values(shared: Path, family):
    fixture = json.loads((shared / "reference/metrics.json").read_text())[family]
    ours = evaluate(fixture["pred"], fixture["true"], family, legacy=True)
    assert {name: round(value, 4) for name, value in ours.items()} == fixture["metrics"]


def test_legacy_by_hand():
    """The published names; F1 is weighted by how often a class is predicted, not by how often it is true."""
    values = evaluate([1.2, -0.4, 0.0, 2.6], [1.0, 0.0, -2.0, 3.0], "mosi", legacy=True)
    correlation = np.corrcoef([1.2, -0.4, 0.0, 2.6], [1.0, 0.0, -2.0, 3.0])[0, 1]
    assert values == pytest.approx(
        {
            "Has0_acc_2": 0.5,
            "Has0_F1_score": 0.75 * 4 / 6,  # positive: 2 of 3 and 3; negative (predicted once): none right
            "Non0_acc_2": 1.0,
            "Non0_F1_score": 1.0,
            "Mult_acc_3": 0.75,
            "Mult_acc_5": 0.75,
            "Mult_acc_7": 0.75,
            "MAE": 0.75,
            "Corr": correlation,
        }
    )
    values = evaluate([0.3, 0.2, -0.4, -0.9], [0.6, -0.2, -0.6, -0.8], "sims", legacy=True)
    correlation = np.corrcoef([0.3, 0.2, -0.4, -0.9], [0.6, -0.2, -0.6, -0.8])[0, 1]
    assert values == pytest.approx(
        {
            "Mult_acc_2": 0.75,
            "Mult_acc_3": 0.75,
            "Mult_acc_5": 0.75,
            "F1_score": 0.5 * 2 / 3 + 0.5 * 4 / 5,  # two of each are predicted
            "MAE": 0.25,
            "Corr": correlation,
        }
    )


def test_plain_f1_is_scikit_learns_not_the_swapped_one():
    """A constant predictor on SIMS scores 81.9 with swapped arguments instead of 56.8."""
    true = np.array([0.5] * 69 + [-0.5] * 31)
    pred = np.ones(100)
    right = f1_score(true > 0, pred > 0, average="weighted", zero_division=0)
    assert evaluate(pred, true, "sims")["f1"] == pytest.approx(right) == pytest.approx(0.563, abs=1e-3)
    assert evaluate(pred, true, "sims", legacy=True)["F1_score"] == pytest.approx(0.817, abs=1e-3)


def test_hand_computed_mosi():
    values = evaluate([1.2, -0.4, 0.0, 2.6], [1.0, 0.0, -2.0, 3.0], "mosi")
    assert values["acc2_has0"] == 0.5  # 1.2 and 2.6 right; -0.4 against 0 wrong, 0 against -2 wrong
    assert values["acc2_non0"] == pytest.approx(1.0)  # 0.0 is not > 0, so the -2 counts as negative
    assert values["acc7"] == 0.75  # 1, -0 -> 0, 0 != -2, 3
    assert values["mae"] == pytest.approx((0.2 + 0.4 + 2.0 + 0.4) / 4)


def test_sims_classes_include_their_upper_bound():
    bounds = [-1.0, -0.7, -0.1, 0.0, 0.1, 0.7, 1.0]
    same = evaluate(bounds, bounds, "sims")
    assert (same["acc2"], same["acc3"], same["acc5"], same["mae"]) == (1, 1, 1, 0)
    assert evaluate([-0.69], [-0.7], "sims")["acc5"] == 0
    assert evaluate([0.1], [0.0], "sims")["acc3"] == 1


def test_constant_predictions_have_no_correlation():
    assert np.isnan(evaluate([1.0, 1.0], [0.0, 2.0], "mosi")["corr"])


@pytest.mark.parametrize("family", ["mosi", "sims"])
@pytest.mark.parametrize("true", [[0.1] * 7, [1.5], [0.0, 0.0], [-3.0, -3.0, -2.0], [1e-200, 2e-200, 0.0]])
@pytest.mark.parametrize("shift", [0.0, 0.1])
def test_constant_or_single_labels_are_measured_without_a_warning(family, true, shift):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = evaluate(np.array(true) + shift, true, family)
    assert np.isfinite(values["mae"])
    clipped = np.clip(true, -1, 1) if family == "sims" else true
    if len(set(clipped)) == 1:
        assert np.isnan(values["corr"])  # 0.1 has no exact mean: its deviation is not 0
    assert np.isnan(values["corr"]) or -1 <= values["corr"] <= 1


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=30), st.sampled_from(["mosi", "sims"]))
def test_perfect_predictions_are_perfect(true, family):
    values = evaluate(true, true, family)
    assert values["mae"] == 0
    assert all(value == 1 or np.isnan(value) or key in ("mae", "corr") for key, value in values.items())


@pytest.mark.parametrize(("pred", "true"), [([], []), ([1.0], [1.0, 2.0]), ([float("nan")], [1.0])])
def test_bad_input_is_refused(pred, true):
    with pytest.raises(UserError):
        evaluate(pred, true, "mosi")
