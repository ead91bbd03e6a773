"""Is one predictor better than another, or as good?"""

import tracemalloc

import numpy as np
import pytest
from scipy import stats

from textmsa.cli import main
from textmsa.errors import UserError
from textmsa.evaluate.compare import compare
from textmsa.evaluate.paired import RESAMPLES, paired


def errors(shift: float, seed: int = 0, clips: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    base = rng.gamma(2, 0.3, clips)
    return base + shift + rng.normal(0, 0.2, clips), base


def test_a_clear_difference_is_found_in_its_direction():
    worse, base = errors(0.1)
    found = paired(worse, base)
    low, high = found.interval
    assert 0 < low < found.difference < high
    assert found.permutation_p < 0.001
    assert found.equivalence_p > 0.5
    mirrored = paired(base, worse)
    assert mirrored.difference == pytest.approx(-found.difference)
    assert "B has the lower error" in found.text()
    assert "A has the lower error" in mirrored.text()


def test_the_interval_is_that_of_the_t_distribution_where_that_holds():
    a, b = errors(0.02, clips=1000)
    expected = stats.t.interval(0.95, 999, loc=(a - b).mean(), scale=stats.sem(a - b))
    assert paired(a, b).interval == pytest.approx(expected, abs=2e-3)
    assert paired(a, b).permutation_p == pytest.approx(stats.ttest_1samp(a - b, 0).pvalue, abs=0.02)


def test_no_difference_is_rejected_one_time_in_twenty():
    p = [paired(*errors(0.0, seed, clips=60)).permutation_p for seed in range(200)]
    assert 0.01 < np.mean(np.array(p) < 0.05) < 0.10


def test_equal_predictors_are_equivalent_and_few_clips_prove_nothing():
    a, b = errors(0.0, clips=4000)
    assert paired(a, b, margin=0.05).equivalence_p < 0.05
    assert "the same within 0.05" in paired(a, b, margin=0.05).text()
    few = paired(a[:10], b[:10], margin=0.01)
    assert few.equivalence_p > 0.05
    assert "cannot be told apart" in few.text()
    assert paired(a, a).equivalence_p == 0
    assert paired(a + 1, a).equivalence_p == 1


def test_one_video_proves_nothing(tmp_path):
    a, b = errors(0.0)
    assert paired(a, b, margin=10.0, group_N=np.zeros(len(a), int)).equivalence_p == 1
    of_one = table(tmp_path, "a", [1.0, -1.0, 0.5, 0.1], ids=[f"v$_${i}" for i in range(4)])
    assert compare(of_one, of_one).groups == 4
    with pytest.raises(UserError, match=r"one video with a score in both.*give --by clip$"):
        compare(of_one, of_one, by="video")
    single = table(tmp_path, "b", [1.0], ids=["v$_$0"], labels=(0.5,))
    with pytest.raises(UserError, match=r"one clip with a score in both, and nothing can be told from one$"):
        compare(single, single)


def test_clips_of_one_video_are_drawn_together():
    rng = np.random.default_rng(0)
    group_N = np.repeat(np.arange(30), 20)
    gap_N = rng.normal(0, 0.3, 30)[group_N] + rng.normal(0, 0.01, 600)
    alone, together = paired(gap_N + 1, np.ones(600)), paired(gap_N + 1, np.ones(600), group_N=group_N)
    assert together.groups == 30
    assert together.difference == pytest.approx(alone.difference)
    assert np.ptp(together.interval) > 3 * np.ptp(alone.interval)


def all_at_once(error_a_N: np.ndarray, error_b_N: np.ndarray) -> tuple[tuple[float, float], float]:
    """The interval and the permutation test as they are defined: every draw in memory."""
    gap_N = error_a_N - error_b_N
    rng = np.random.default_rng(0)
    means = gap_N[rng.integers(len(gap_N), size=(RESAMPLES, len(gap_N)))].mean(axis=1)
    flips = rng.choice([-1.0, 1.0], size=(RESAMPLES, len(gap_N)))
    as_large = np.abs(flips @ gap_N) / len(gap_N) >= abs(gap_N.mean()) - 1e-12
    low, high = np.percentile(means, [2.5, 97.5])
    return (low, high), (as_large.sum() + 1) / (RESAMPLES + 1)


@pytest.mark.parametrize("clips", [1, 2, 61, 686])
def test_draws_in_blocks_are_those_of_all_at_once(clips):
    a, b = errors(0.01, seed=clips, clips=clips)
    comparison, (interval, p) = paired(a, b), all_at_once(a, b)
    assert comparison.interval == interval
    assert comparison.permutation_p == p


def test_memory_does_not_grow_with_the_clips():
    a, b = errors(0.0, clips=5000)
    paired(a[:10], b[:10])  # imports
    tracemalloc.start()
    paired(a, b)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 100e6


def table(folder, name: str, scores: list[float], ids: list[str] | None = None, labels=(1.0, -1.0, 0.5, 0.0)):
    path = folder / f"{name}.csv"
    ids = ids or [f"v{i // 2}$_${i}" for i in range(len(scores))]
    rows = [f"{i},{label},{score}" for i, label, score in zip(ids, labels, scores, strict=True)]
    path.write_text("\n".join(["id,label,score", *rows]) + "\n")
    return path


def test_saved_predictions_are_compared_by_clip_whatever_their_order(tmp_path):
    a = table(tmp_path, "a", [1.0, -1.0, 0.5, 0.1])
    reverse = [f"v{i // 2}$_${i}" for i in (3, 2, 1, 0)]
    b = table(tmp_path, "b", [0.5, 0.5, -0.5, 0.5], reverse, labels=(0.0, 0.5, -1.0, 1.0))
    found = compare(a, b, by="video")
    assert (found.clips, found.groups) == (4, 2)
    assert found.mae == pytest.approx((0.025, 0.375))
    assert "4 clips in 2 videos" in found.text()
    assert f"A {a}: MAE 0.025" in found.text()


def test_what_cannot_be_compared_is_refused_in_a_line(tmp_path, capsys):
    a = table(tmp_path, "a", [1.0, -1.0, 0.5, 0.1])
    other = table(tmp_path, "o", [1.0, -1.0, 0.5, 0.1], ids=["a", "b", "c", "d"])
    relabelled = table(tmp_path, "l", [1.0, -1.0, 0.5, 0.1], labels=(1.0, -1.0, 0.5, 2.0))
    (tmp_path / "x.csv").write_text("id,score\n")
    (tmp_path / "y.csv").write_text("id,label,score\na,1,high\n")
    for path, words in {
        other: "hold other clips",
        relabelled: "hold other labels",
        tmp_path / "x.csv": "no table with id, label and score",
        tmp_path / "y.csv": "could not convert",
        tmp_path / "none": "textmsa evaluate",
    }.items():
        assert main(["compare", str(a), str(path)]) == 2
        error = capsys.readouterr().err.strip()
        assert words in error and "\n" not in error
    for options in ({"split": "exam"}, {"margin": 0.0}):
        with pytest.raises(UserError, match="--"):
            compare(a, a, **options)
