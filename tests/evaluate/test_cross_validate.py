"""Cross-validation by speaker: pooled scores, what is compared, nothing done twice, and no label that gets through."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from network_fixtures import save_tiny_encoder, small_recipe

from benchmarks.generated_store import generate_store
from textmsa import metrics
from textmsa.config import Recipe
from textmsa.errors import UserError
from textmsa.evaluate import cross_validate as module
from textmsa.evaluate.cross_validate import TEXT_MEAN, TEXT_SEED, HeldOut, cross_validate, parse_folds, rows_of
from textmsa.evaluate.paired import paired
from textmsa.evaluate.predictions import Predictions
from textmsa.store.folds import folds_of
from textmsa.store.reading import Store
from textmsa.store.rows import StoredClip
from textmsa.store.writing import write_store
from textmsa.train.command import train


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return generate_store(tmp_path_factory.mktemp("cross") / "store", clips=40)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Recipe:
    return small_recipe(save_tiny_encoder(tmp_path_factory.mktemp("encoder")))


def with_labels_of_others(store: Store, videos: tuple[str, ...], folder) -> Store:
    """The same store; the labels of some videos are turned round, each clip's goes to another."""
    where = [index for index, video in enumerate(store.column("video_id")) if video in videos]
    labels = dict(zip(where, store.label_N[where[::-1]].tolist(), strict=True))

    def row(index: int) -> StoredClip:
        stored = store.row(index)
        clip = replace(stored.sample.clip, label=labels.get(index, stored.sample.clip.label))
        return replace(stored, sample=replace(stored.sample, clip=clip))

    store.preparation.save(folder)
    write_store(folder, map(row, range(len(store))), manifest=store.manifest, statistics=store.statistics)
    return Store.open(folder)


def test_a_stop_loses_no_fold_and_the_table_holds_what_the_folds_say(store, recipe, tmp_path, monkeypatch):
    out, options = tmp_path / "out", {"data": store.path, "folds": "2", "seeds": "1,2", "device": "cpu"}
    real, trained = train, []

    def stopping(*given, **more):
        trained.append(more["out"])
        if len(trained) == 2:
            raise KeyboardInterrupt
        return real(*given, **more)

    monkeypatch.setattr(module, "train", stopping)
    with pytest.raises(KeyboardInterrupt):
        cross_validate(recipe, out=out, **options)
    assert "1 of 2 folds" in (out / "cross_validation.md").read_text()
    before = {path: path.stat().st_mtime_ns for path in (out / "fold-01").iterdir()}
    result = cross_validate(recipe, out=out, **options)
    assert trained[2:] == [out / "fold-02" / "run"]
    assert {path: path.stat().st_mtime_ns for path in (out / "fold-01").iterdir()} == before
    assert not list(out.glob("fold-*/run")) + list(out.glob("fold-*/store"))

    rows = list(csv.DictReader((out / "cross_validation.csv").read_text().splitlines()))
    assert sorted(row["id"] for row in rows) == sorted(store.column("id"))
    held_out = {row["video_id"]: row["fold"] for row in rows}
    for place, fold in enumerate(folds_of(store, 2), 1):
        assert {video for video, number in held_out.items() if number == str(place)} == set(fold.test)
    label_N = np.array([float(row["label"]) for row in rows])
    told = {row.name: row for row in result.rows}
    for name, column in ((TEXT_MEAN, "score"), ("ridge_all", "ridge_all"), ("late_fusion", "late_fusion")):
        score_N = np.array([float(row[column]) for row in rows])
        assert told[name].mae == pytest.approx(np.abs(score_N - label_N).mean(), abs=1e-4)
        assert told[name].corr == pytest.approx(metrics.evaluate(score_N, label_N)["corr"], abs=1e-4)
        assert np.mean(told[name].fold_mae) == pytest.approx(told[name].mae, abs=1e-6)  # folds are as large
    by_seed = [np.abs(np.array([float(row[f"seed_{seed}"]) for row in rows]) - label_N).mean() for seed in (1, 2)]
    assert told[TEXT_SEED].mae == pytest.approx(np.mean(by_seed), abs=1e-4)
    assert "2 of 2 folds: 40 clips of 4 videos" in result.text()
    assert Predictions.load(out / "cross_validation.csv").ids == sorted(store.column("id"))
    with pytest.raises(UserError, match=r"begun otherwise .*speaker_normalised"):
        cross_validate(recipe, out=out, speaker_normalised=True, **options)


def test_labels_of_the_held_out_clips_change_no_score(store, recipe, tmp_path, monkeypatch):
    first = folds_of(store, None)[0]
    other = with_labels_of_others(store, first.test, tmp_path / "other")
    monkeypatch.setattr(module, "folds_of", lambda store, number: [first])
    results = [
        cross_validate(
            recipe, data=each.path, out=tmp_path / name, seeds="1", device="cpu", speaker_normalised=True
        ).held_out
        for name, each in (("a", store), ("b", other))
    ]
    assert results[0].ids == results[1].ids
    assert np.abs(results[0].label_N - results[1].label_N).max() > 0.1
    np.testing.assert_array_equal(results[0].mean_N, results[1].mean_N)
    assert results[0].baselines.keys() >= {"mean", "ridge_all", "gbm_all", "late_fusion"}
    for name, score_N in results[0].baselines.items():
        np.testing.assert_array_equal(score_N, results[1].baselines[name])
    made = json.loads((tmp_path / "a/fold-01/predictions.json").read_text())
    assert made["store"]["counts"] == {"train": 20, "valid": 10, "test": 10}


def held_out(seeds: dict[int, list[float]], **baselines: list[float]) -> HeldOut:
    """Six clips of three videos in two folds, the right scores 0 to 5."""
    return HeldOut(
        ids=[f"c{place}" for place in range(6)],
        video_N=np.array(["a", "a", "b", "b", "c", "c"]),
        fold_N=np.array([0, 0, 0, 0, 1, 1]),
        label_N=np.arange(6.0),
        seeds={seed: np.array(score) for seed, score in seeds.items()},
        baselines={name: np.array(score) for name, score in baselines.items()},
        left_out=[],
    )


def test_differences_are_drawn_by_video_and_one_seed_is_the_mean_of_the_seeds_errors():
    above, below = [1.0, 2, 3, 4, 5, 6], [-1.0, 0, 1, 2, 3, 4]
    mean, one, baseline = rows_of(held_out({1: above, 2: below}, ridge_all=[2.0, 1, 2, 3, 4, 5]))
    assert (mean.name, one.name, baseline.name) == (TEXT_MEAN, TEXT_SEED, "ridge_all")
    assert (mean.mae, one.mae) == (0, 1)
    assert baseline.mae == pytest.approx(1 / 3)
    assert baseline.against_mean is not None
    assert baseline.against_seed is not None
    assert (baseline.against_mean.groups, baseline.against_mean.clips) == (3, 6)
    wanted = paired(np.zeros(6), np.array([2.0, 0, 0, 0, 0, 0]), group_N=np.array([0, 0, 1, 1, 2, 2]))
    assert baseline.against_mean == wanted
    assert baseline.against_seed.difference == pytest.approx(2 / 3)


def test_one_number_a_fold_has_no_correlation_though_the_folds_differ():
    text, mean = rows_of(held_out({1: [0.0, 1, 2, 3, 4, 5]}, mean=[4.5, 4.5, 4.5, 4.5, 1.5, 1.5]))
    assert text.name == TEXT_SEED
    assert text.corr == pytest.approx(1)
    assert np.isnan(mean.corr)


@pytest.mark.parametrize("given", ["", "0", "1", "-2", "all", "2.5"])
def test_what_is_no_number_of_folds_is_refused(given):
    with pytest.raises(UserError, match="--folds"):
        parse_folds(given)


def test_folds_are_each_or_a_number():
    assert parse_folds("each") is None
    assert parse_folds("10") == 10
