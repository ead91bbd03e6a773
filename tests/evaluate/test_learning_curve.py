"""Learning curves: the same clips for TEXT and the baselines, fewer always part of more, and a table that says so."""

import csv

import numpy as np
import pytest
from network_fixtures import save_tiny_encoder, small_recipe

from benchmarks.generated_store import generate_store
from textmsa.config import Recipe
from textmsa.errors import UserError
from textmsa.evaluate.learning_curve import TEXT_MEAN, TEXT_SEED, learning_curve, parse_sizes
from textmsa.evaluate.predictions import Predictions
from textmsa.store.reading import Store
from textmsa.store.training_clips import learnt_from


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return generate_store(tmp_path_factory.mktemp("curve") / "store", clips=60)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Recipe:
    return small_recipe(save_tiny_encoder(tmp_path_factory.mktemp("encoder")))


def test_the_table_holds_what_the_predictions_say_and_nothing_is_done_twice(store, recipe, tmp_path):
    out = tmp_path / "curve"
    curve = learning_curve(recipe, data=store.path, out=out, clips="12,all,500", seeds="1,2", device="cpu")
    sizes = [point.clips for point in curve.points]
    assert sizes == [12, len(store.labelled("train"))]
    rows = list(csv.DictReader((out / "learning_curve.csv").read_text().splitlines()))
    for size in sizes:
        saved = Predictions.load(out / str(size) / "evaluation-test" / "predictions.csv")
        told = {row["predictor"]: float(row["mae"]) for row in rows if row["clips"] == str(size)}
        by_seed = [np.abs(saved.columns[f"seed_{seed}"] - saved.label_N).mean() for seed in (1, 2)]
        assert told[TEXT_SEED] == pytest.approx(np.mean(by_seed), abs=1e-4)
        assert told[TEXT_MEAN] == pytest.approx(np.abs(saved.score_N - saved.label_N).mean(), abs=1e-4)
        assert told["ridge_all"] == pytest.approx(np.abs(saved.columns["ridge_all"] - saved.label_N).mean(), abs=1e-4)
    assert "| ridge_all |" in curve.text()
    assert (out / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
    before = {path: path.stat().st_mtime_ns for name in ("run.json", "predictions.csv") for path in out.rglob(name)}
    again = learning_curve(recipe, data=store.path, out=out, clips="12,all", seeds="1,2", device="cpu")
    assert again.text() == curve.text()
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


def test_the_baselines_get_no_clip_that_the_network_does_not_get(store, recipe, tmp_path):
    few = learning_curve(recipe, data=store.path, out=tmp_path / "few", clips="12", seeds="1", device="cpu")
    mean = Predictions.load(tmp_path / "few/12/evaluation-test/predictions.csv").columns["mean"]
    assert few.points[0].clips == 12
    assert mean == pytest.approx(store.label_N[learnt_from(store, most=12)].mean(), abs=1e-5)
    assert abs(mean[0] - store.label_N[store.labelled("train")].mean()) > 1e-3


@pytest.mark.parametrize("given", ["", "0", "-5", "ten", "10;20", "1.5"])
def test_what_is_no_list_of_numbers_is_refused(given):
    with pytest.raises(UserError, match="--clips"):
        parse_sizes(given, 50)


def test_numbers_above_what_is_there_are_passed_over_and_told(caplog):
    assert parse_sizes("20, all,10,20,80", 50) == [10, 20, 50]
    assert "80 passed over" in caplog.text
    with pytest.raises(UserError, match="has 50 clips"):
        parse_sizes("60", 50)
