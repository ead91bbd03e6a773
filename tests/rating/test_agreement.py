"""Agreement against the worked examples of the papers, and what it says where it is not defined."""

import numpy as np
import pytest

from textmsa.rating.agreement import alpha, icc

_ = np.nan
KRIPPENDORFF = np.array(
    [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
        [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
    ]
).T
"""Krippendorff 2011, section C: 4 observers, 12 units, missing ratings; interval alpha is .849 (section E)."""
SHROUT_FLEISS = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)
"""Shrout & Fleiss 1979, table 2: 6 targets, 4 judges; table 4 has ICC(2,1) = .29, ICC(2,4) = .62."""


def plain_alpha(ratings_UR: np.ndarray) -> float:
    """By its definition: over all pairs, one by one."""
    units = [[x for x in unit if np.isfinite(x)] for unit in ratings_UR]
    units = [unit for unit in units if len(unit) >= 2]
    values = [x for unit in units for x in unit]
    total = len(values)
    observed = sum(sum((x - y) ** 2 for x in unit for y in unit) / (len(unit) - 1) for unit in units) / total
    expected = sum((x - y) ** 2 for x in values for y in values) / (total * (total - 1))
    return 1 - observed / expected


def plain_icc(ratings_UR: np.ndarray) -> tuple[float, float]:
    """By the table of the analysis of variance."""
    n, k = ratings_UR.shape
    grand, rows, columns = ratings_UR.mean(), ratings_UR.mean(axis=1), ratings_UR.mean(axis=0)
    bms = k * ((rows - grand) ** 2).sum() / (n - 1)
    jms = n * ((columns - grand) ** 2).sum() / (k - 1)
    ems = ((ratings_UR - rows[:, None] - columns + grand) ** 2).sum() / ((n - 1) * (k - 1))
    return (bms - ems) / (bms + (k - 1) * ems + k * (jms - ems) / n), (bms - ems) / (bms + (jms - ems) / n)


def test_alpha_of_the_example_of_krippendorff():
    found = alpha(KRIPPENDORFF)
    assert found.value == pytest.approx(0.849, abs=5e-4)
    assert (found.clips, found.raters) == (11, 4)  # the last unit has one rating only
    assert found.low is not None and found.high is not None and found.low < 0.849 < found.high <= 1


def test_icc_of_the_example_of_shrout_and_fleiss():
    single, mean = icc(SHROUT_FLEISS), icc(SHROUT_FLEISS, mean=True)
    assert single.value == pytest.approx(0.29, abs=5e-3)
    assert mean.value == pytest.approx(0.62, abs=5e-3)
    assert (single.clips, single.raters) == (6, 4)


@pytest.mark.parametrize("seed", range(5))
def test_the_quick_sums_are_the_definitions(seed):
    draw = np.random.default_rng(seed)
    ratings_UR = np.clip(np.round(draw.normal(0, 1.5, (30, 1)) + draw.normal(0, 1, (30, 3))), -3, 3)
    assert icc(ratings_UR).value == pytest.approx(plain_icc(ratings_UR)[0])
    assert icc(ratings_UR, mean=True).value == pytest.approx(plain_icc(ratings_UR)[1])
    ratings_UR[draw.random((30, 3)) < 0.3] = np.nan
    assert alpha(ratings_UR).value == pytest.approx(plain_alpha(ratings_UR))
    assert alpha(ratings_UR + 1e6).value == pytest.approx(alpha(ratings_UR).value, abs=1e-6)


def test_the_interval_is_the_bootstrap_over_clips():
    """Drawn anew and computed slowly, it comes to the same."""
    draw = np.random.default_rng(3)
    ratings_UR = np.round(draw.normal(0, 1.5, (25, 1)) + draw.normal(0, 1, (25, 3)))
    slow = [plain_alpha(ratings_UR[draw.integers(0, 25, 25)]) for _ in range(600)]
    found = alpha(ratings_UR)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(slow, [0.025, 0.975])), abs=0.05)
    slow = [plain_icc(ratings_UR[draw.integers(0, 25, 25)])[0] for _ in range(600)]
    found = icc(ratings_UR)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(slow, [0.025, 0.975])), abs=0.05)
    assert icc(ratings_UR) == found  # the same ratings always give the same interval


def test_raters_who_agree_wholly_and_not_at_all():
    same = np.array([[1, 1], [2, 2], [3, 3]], float)
    assert [alpha(same).value, icc(same).value, icc(same, mean=True).value] == pytest.approx([1, 1, 1])
    opposite = np.array([[-1, 1], [1, -1]], float)
    assert (alpha(opposite).value or 0) < 0


@pytest.mark.parametrize(
    ("ratings", "of_alpha", "of_icc"),
    [
        (np.zeros((0, 0)), "fewer than two clips have two ratings", "fewer than two raters"),
        (np.ones((5, 1)), "fewer than two clips have two ratings", "fewer than two raters"),
        (np.array([[1, 2]]), "fewer than two clips", "fewer than two clips"),
        (np.full((4, 3), 0.1), "all ratings are the same", "all ratings are the same"),
        (np.array([[1, _], [_, 2], [3, _]]), "fewer than two clips", "fewer than two clips"),
    ],
)
def test_what_is_not_defined_is_not_a_number_and_says_why(ratings, of_alpha, of_icc):
    for found, reason in ((alpha(ratings), of_alpha), (icc(ratings), of_icc)):
        assert (found.value, found.low, found.high) == (None, None, None)
        assert reason in found.reason
