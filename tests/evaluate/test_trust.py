"""What `textmsa evaluate` tells of intervals and contributions."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from network_fixtures import small_recipe

from benchmarks.generated_store import generate_store
from textmsa.contributions import contributions
from textmsa.evaluate.command import evaluate
from textmsa.intervals import Calibration, calibrate
from textmsa.run import Run
from textmsa.store.reading import Store
from textmsa.train.command import train


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return generate_store(tmp_path_factory.mktemp("trust") / "store", clips=60)


@pytest.fixture
def run(store, encoder, tmp_path) -> Path:
    train(small_recipe(encoder, calibration_share=0.3), data=store.path, out=tmp_path / "run", device="cpu")
    return tmp_path / "run"


def test_coverage_and_width_are_counted(store, run):
    (row,) = evaluate(run, data=store.path, no_baselines=True).coverage
    test = store.labelled("test")
    half = Calibration.load(run).quantiles["0.9"]
    score_N = Run.open(run).score(store, test).score_N
    assert row.coverage == pytest.approx((np.abs(score_N - store.label_N[test]) <= half).mean())
    ends = np.clip([score_N - half, score_N + half], -3, 3)
    assert row.width == pytest.approx((ends[1] - ends[0]).mean(), abs=1e-5)
    assert row.clips == len(test)
    document = json.loads((run / "evaluation-test" / "metrics.json").read_text())
    assert document["coverage"][0]["coverage"] == pytest.approx(row.coverage)
    assert "counted" not in document


def test_on_what_it_was_calibrated_on_no_coverage_is_told(store, run):
    calibrate(run, data=store.path, split="test")
    evaluation = evaluate(run, data=store.path, no_baselines=True)
    assert evaluation.coverage == []
    assert "calibrated on these clips, of which no coverage can be told" in evaluation.text()
    assert evaluate(run, data=store.path, split="train").coverage == []


def test_a_run_without_calibration_is_evaluated_as_before(store, encoder, tmp_path):
    train(small_recipe(encoder), data=store.path, out=tmp_path / "run", device="cpu")
    text = evaluate(tmp_path / "run", data=store.path, no_baselines=True).text()
    assert "interval" not in text and "counted" not in text


def test_contributions_are_columns_and_a_line(store, run):
    evaluation = evaluate(run, data=store.path, no_baselines=True, contributions=True)
    found = contributions(Run.open(run), store, store.labelled("test"))
    assert evaluation.counted is not None
    assert list(evaluation.counted.mean_size.values()) == pytest.approx(np.abs(found.contribution_NM).mean(axis=0))
    assert "what counted: text " in evaluation.text()
    rows = list(csv.DictReader((run / "evaluation-test" / "predictions.csv").read_text().splitlines()))
    for row in rows:
        parts = [float(row[f"contribution_{name}"]) for name in ("text", "audio", "video")]
        assert evaluation.counted.base + sum(parts) == pytest.approx(float(row["score"]), abs=1e-5)
    document = json.loads((run / "evaluation-test" / "metrics.json").read_text())
    assert document["counted"]["base_of"] == "the mean label of the training clips"
