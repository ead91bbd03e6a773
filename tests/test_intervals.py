"""Intervals: quantiles by hand, coverage of scores whose truth is known, whose clips, which run, what is refused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from network_fixtures import small_recipe

from benchmarks.generated_store import generate_store
from textmsa import intervals
from textmsa.errors import UserError
from textmsa.intervals import (
    CALIBRATION,
    Calibration,
    calibrate,
    calibration_of,
    conformal_quantile,
    least_for,
    parse_levels,
    resplit_coverage,
)
from textmsa.run import Run
from textmsa.scoring import Scores
from textmsa.store.reading import Store
from textmsa.store.training_clips import set_aside
from textmsa.store.writing import write_store
from textmsa.train.command import train

SHARE: dict[str, Any] = {"calibration_share": 0.2}


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return generate_store(tmp_path_factory.mktemp("sure") / "store", clips=100)


@pytest.fixture(scope="module")
def trained(store, encoder, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("sure") / "run"
    train(small_recipe(encoder, **SHARE), data=store.path, out=out, device="cpu", seeds="1,2")
    return out


@pytest.fixture
def run(trained, tmp_path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def test_the_quantile_by_hand():
    error_N = np.array([9.0, 1, 8, 2, 7, 3, 6, 4, 5])
    assert conformal_quantile(error_N, 0.9) == 9  # the ceil(10 x 0.9)-th smallest of nine
    assert conformal_quantile(error_N, 0.5) == 5
    assert conformal_quantile(error_N, 0.91) == np.inf
    assert [least_for(level) for level in (0.5, 0.8, 0.9, 0.95, 0.99)] == [1, 4, 9, 19, 99]


def test_by_speaker_each_speaker_weighs_the_same():
    error_N = np.array([1.0] * 6 + [5.0, 2.0, 3.0])
    groups = ["a"] * 6 + ["b", "c", "d"]
    # Four speakers and the new one weigh 1/5 each: 1.0 reaches .2, 2.0 .4, 3.0 .6, 5.0 .8.
    assert [conformal_quantile(error_N, level, groups) for level in (0.2, 0.4, 0.6, 0.8, 0.81)] == [1, 2, 3, 5, np.inf]
    alone = [str(number) for number in range(9)]
    assert conformal_quantile(error_N, 0.7, alone) == conformal_quantile(error_N, 0.7)


def test_the_mean_coverage_is_the_level_whatever_the_errors():
    rng = np.random.default_rng(1)
    label_N = rng.uniform(-3, 3, 1000)
    score_N = np.clip(label_N + rng.standard_t(3, 1000) * (0.2 + 0.3 * np.abs(label_N)), -3, 3)
    for level in (0.8, 0.9):
        covered, widths = resplit_coverage(score_N, label_N, level, (-3.0, 3.0))
        assert len(covered) == 200
        assert covered.mean() == pytest.approx(level, abs=0.01)
        assert 0 < widths.mean() < 6


def test_by_speaker_new_speakers_are_covered_where_by_clip_they_are_not():
    rng = np.random.default_rng(2)
    covered: dict[str, list[bool]] = {"clip": [], "speaker": []}
    for _ in range(400):
        heard = [rng.normal(0, rng.uniform(0.2, 3), size) for size in [200, *[2] * 14]]
        heard[0] *= 0.1  # who speaks most is easiest
        new = abs(rng.normal(0, rng.uniform(0.2, 3)))
        error_N = np.abs(np.concatenate(heard))
        groups = [str(speaker) for speaker, errors in enumerate(heard) for _ in errors]
        covered["clip"].append(new <= conformal_quantile(error_N, 0.8))
        covered["speaker"].append(new <= conformal_quantile(error_N, 0.8, groups))
    assert np.mean(covered["speaker"]) > 0.77
    assert np.mean(covered["clip"]) < 0.5


def test_training_sets_whole_videos_aside_and_calibrates_on_them(store, trained):
    aside = set_aside(store, SHARE["calibration_share"])
    found, why = calibration_of(Run.open(trained))
    assert found is not None and why == ""
    ids, videos = store.column("id"), store.column("video_id")
    assert (found.ids, found.clips) == ([ids[i] for i in aside], len(aside))
    assert {store.column("split")[i] for i in aside} == {"train"}
    learnt = set(store.labelled("train")) - set(aside)
    assert {videos[i] for i in aside}.isdisjoint(videos[i] for i in learnt)
    assert 0.2 <= len(aside) / len(store.labelled("train")) < 0.4
    members = Run.open(trained).score_members(store, aside)
    error_N = np.abs(np.mean([m.score_N for m in members], axis=0) - store.label_N[aside])
    assert found.quantiles["0.9"] == pytest.approx(np.sort(error_N)[int(np.ceil(0.9 * (len(aside) + 1))) - 1])
    assert Run.open(trained).members[0].info.training_mean == pytest.approx(store.label_N[sorted(learnt)].mean())


def test_nothing_is_learnt_from_what_is_set_aside(store, encoder, trained, tmp_path, monkeypatch):
    """Other labels there, the same network."""
    aside = set_aside(store, SHARE["calibration_share"])
    label_N = store.label_N.copy()
    label_N[aside] = -label_N[aside]
    changed = Store.open(store.path)
    changed.label_N = label_N
    monkeypatch.setattr("textmsa.train.command.Store.open", lambda path: changed)
    monkeypatch.setattr("textmsa.train.command._calibrate", lambda job: None)
    train(small_recipe(encoder, **SHARE), data=store.path, out=tmp_path / "run", device="cpu", seeds="1,2")
    test = store.labelled("test")
    again, before = (Run.open(path).score(store, test).score_N for path in (tmp_path / "run", trained))
    assert again == pytest.approx(before, abs=1e-6)


def test_a_finished_run_without_its_calibration_gets_it_again(store, encoder, run):
    (run / CALIBRATION).unlink()
    result = train(small_recipe(encoder, **SHARE), data=store.path, out=run, device="cpu", seeds="1,2")
    assert result.finished_before
    assert (run / CALIBRATION).is_file()


def test_without_a_share_nothing_changes(store, encoder, tmp_path):
    train(small_recipe(encoder), data=store.path, out=tmp_path / "run", device="cpu")
    assert not (tmp_path / "run" / CALIBRATION).exists()
    claim = json.loads((tmp_path / "run" / "claim.json").read_text())
    assert "calibration_share" not in claim["recipe"]["training"]
    # A folder of a textmsa that did not know the option is gone on with.
    recipe = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())
    del recipe["training"]["calibration_share"]
    (tmp_path / "run" / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    again = train(small_recipe(encoder), data=store.path, out=tmp_path / "run", device="cpu")
    assert again.finished_before
    assert calibration_of(Run.open(tmp_path / "run"))[0] is None


def test_intervals_stay_within_the_range_and_are_read_as_written(run):
    found = replace(Calibration.load(run), quantiles={"0.9": 2.0, "0.5": 0.5})
    low_N, high_N = found.bounds(np.array([-2.0, 0.0, 2.5]), np.ones(3))
    assert (low_N.tolist(), high_N.tolist()) == ([-3, -2, 0.5], [0, 2, 3])
    low_N, high_N = found.bounds(np.array([0.0]), np.array([2.0]), "0.5")
    assert (low_N[0], high_N[0]) == (-1, 1)
    found.save(run)
    assert Calibration.load(run) == found
    (run / CALIBRATION).write_text("{")
    with pytest.raises(UserError, match="damaged"):
        calibration_of(Run.open(run))


def test_where_networks_disagree_intervals_are_wider(store, run):
    found = calibrate(run, data=store.path, level="0.5", scaled_by="seeds").calibration
    empty = np.zeros((1, 3)), np.zeros((1, 1, 5))
    alike, apart = ([Scores(["a"], np.array([s]), *empty) for s in pair] for pair in ((0.2, 0.2), (-0.3, 0.7)))
    widths = [found.interval(members).high - found.interval(members).low for members in (alike, apart)]
    assert 0 < widths[0] < widths[1]
    assert widths[0] == pytest.approx(2 * found.quantiles["0.5"] * 0.05 * 6)


def test_a_run_that_was_trained_since_has_no_interval(store, run, encoder):
    info = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**info, "epochs": 99}))
    found, why = calibration_of(Run.open(run))
    assert found is None and "trained since" in why
    calibrate(run, data=store.path)
    assert calibration_of(Run.open(run))[0] is not None


@pytest.mark.parametrize(
    ("split", "words"), [("train", "learnt from"), ("valid", "chose its epochs"), ("all", "learnt")]
)
def test_clips_that_the_run_has_seen_are_refused(store, run, split, words):
    with pytest.raises(UserError, match=words) as error:
        calibrate(run, data=store.path, split=split)
    assert "\n" not in str(error.value)


def prepared_like(store: Store, run: Path) -> None:
    """Mark a store as one that was made with `textmsa prepare --like RUN`."""
    prepared = store.preparation
    replace(prepared, like=Run.open(run).preparation.statistics.sha256).save(store.path)  # type: ignore[union-attr]


def test_a_store_that_has_grown_since_is_still_the_one_that_was_learnt_from(store, run, tmp_path):
    grown = Path(shutil.copytree(store.path, tmp_path / "grown"))
    rows = [Store.open(grown).row(index) for index in range(len(store))]
    sample = rows[-1].sample
    rows[-1] = replace(rows[-1], sample=replace(sample, clip=replace(sample.clip, label=0.125)))
    write_store(grown, rows, manifest=replace(store.manifest, data="data-0002"), statistics=store.statistics)
    assert Store.open(grown).content_sha256 != store.content_sha256
    for split in ("train", "valid", "all"):
        with pytest.raises(UserError, match="learnt from the training clips"):
            calibrate(run, data=grown, split=split)
    with pytest.raises(UserError, match="was trained on other data than"):  # other clips would be set aside now
        calibrate(run, data=grown)
    assert calibrate(run, data=grown, split="test", level="0.8").calibration.split == "test"


def test_what_cannot_be_calibrated_on_is_one_line(store, run, tmp_path, encoder):
    with pytest.raises(UserError, match="20 clips to calibrate on, and an interval of 99% needs at least 99"):
        calibrate(run, data=store.path, split="test", level="0.99")
    with pytest.raises(UserError, match="2 speakers to calibrate on, and an interval of 90% needs at least 9"):
        calibrate(run, data=store.path, by="speaker")
    with pytest.raises(UserError, match="'calib': give one of calibration, train"):
        calibrate(run, data=store.path, split="calib")
    bare = tmp_path / "bare"
    train(small_recipe(encoder), data=store.path, out=bare, device="cpu")
    with pytest.raises(UserError, match=r"set no clips aside in training; train with --training\.calibration_share"):
        calibrate(bare, data=store.path)
    with pytest.raises(UserError, match="has one network, which cannot disagree"):
        calibrate(bare, data=store.path, split="test", scaled_by="seeds")
    other = generate_store(tmp_path / "other", clips=100, seed=3)
    prepared_like(other, bare)
    with pytest.raises(UserError, match="was trained on other data than"):
        calibrate(run, data=other.path)
    assert calibrate(bare, data=other.path, split="all", level="0.9,0.8").calibration.clips == 100
    manifest = json.loads((other.path / "manifest.json").read_text())
    (other.path / "manifest.json").write_text(json.dumps({**manifest, "score_range": [-1.0, 1.0]}))
    with pytest.raises(UserError, match=r"has scores in \[-1, 1\]"):
        calibrate(bare, data=other.path, split="all")


def test_clips_without_labels_are_refused(run, tmp_path, monkeypatch):
    other = generate_store(tmp_path / "other", clips=100, seed=3)
    monkeypatch.setattr(Store, "label_N", np.full(100, np.nan))
    monkeypatch.setattr(intervals, "is_grown", lambda run, store: False)  # all generated stores have one name
    with pytest.raises(UserError, match="no clip has a label"):
        calibrate(run, data=other.path, split="all")
    with pytest.raises(UserError, match="no clip of the split 'test' has a label"):
        calibrate(run, data=other.path, split="test")


def test_a_share_too_small_for_an_interval_is_refused_before_training(encoder, tmp_path):
    small = generate_store(tmp_path / "small", clips=12)
    with pytest.raises(UserError, match=r"calibration_share 0\.5: 7 clips to calibrate on, .* needs at least 9"):
        train(small_recipe(encoder, calibration_share=0.5), data=small.path, out=tmp_path / "run", device="cpu")
    with pytest.raises(UserError, match=r"training\.calibration_share 1: give a rate from 0 to below 1"):
        train(small_recipe(encoder, calibration_share=1.0), data=small.path, out=tmp_path / "run", device="cpu")


@pytest.mark.parametrize("given", ["", "90", "0", "1", "0.9,x", "nan"])
def test_levels_that_are_none(given):
    with pytest.raises(UserError, match="give a number between 0 and 1"):
        parse_levels(given)
    assert parse_levels("0.90,.5, 0.9") == ["0.9", "0.5"]
