"""Folds by speaker, and the stores of them: what is where, and whose statistics they are."""

from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from benchmarks.generated_store import generate_store
from textmsa.errors import UserError
from textmsa.features.statistics import Statistics, modality_statistics
from textmsa.store.folds import BY_SPEAKER, Fold, Speakers, as_it_is, folds_of, write_fold
from textmsa.store.reading import Store


def store_of(videos: list[str], *, labelled: bool = True) -> Store:
    fake = SimpleNamespace(path="here", column=lambda name: videos, has_label_N=np.full(len(videos), labelled))
    return cast(Store, fake)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return generate_store(tmp_path_factory.mktemp("folds") / "store", clips=40)


@pytest.mark.parametrize(("videos", "number", "folds"), [(12, None, 12), (12, 5, 5), (7, 3, 3), (3, None, 3)])
def test_each_video_is_held_out_once_and_others_stay_to_choose_by_and_to_learn_from(videos, number, folds):
    names = [f"v{clip % videos}" for clip in range(10 * videos)]
    found = folds_of(store_of(names), number)
    assert len(found) == folds
    assert sorted(video for fold in found for video in fold.test) == sorted(set(names))
    for fold in found:
        assert fold.valid
        assert not set(fold.test) & set(fold.valid)
        assert len(fold.test) + len(fold.valid) < videos
    assert found == folds_of(store_of(names[::-1]), number)


def test_the_validation_part_is_about_as_large_as_what_is_held_out():
    long_one = ["long"] * 30 + [f"v{clip % 10}" for clip in range(100)]
    by_test = {fold.test[0]: fold for fold in folds_of(store_of(long_one), None)}
    assert len(by_test["long"].valid) == 3
    assert all(len(fold.valid) == 1 for video, fold in by_test.items() if video != "long")


@pytest.mark.parametrize(
    ("videos", "number", "message"),
    [
        (["a"] * 9, None, "1 video"),
        (["a", "b"], None, "2 video"),
        (list("abcd"), 5, "fewer folds"),
        (list("abc"), 2, "more folds"),
    ],
)
def test_too_few_videos_are_refused(videos, number, message):
    with pytest.raises(UserError, match=message):
        folds_of(store_of(videos), number)


def test_a_corpus_without_labels_is_refused():
    with pytest.raises(UserError, match="no clip has a label"):
        folds_of(store_of(list("abcd"), labelled=False), None)


def test_a_fold_has_its_splits_and_statistics_of_its_training_clips(store, tmp_path):
    made = write_fold(store, tmp_path / "fold", Fold(("v1",), ("v3",)))
    assert made.manifest.counts == {"train": 20, "valid": 10, "test": 10}
    assert {made[index].clip.video_id for index in made.indices("test")} == {"v1"}
    assert {made[index].clip.video_id for index in made.indices("valid")} == {"v3"}
    training = [store[index].observation for index in range(40) if store[index].clip.video_id in ("v0", "v2")]
    wanted = modality_statistics(seen.audio for seen in training)
    assert wanted is not None
    assert made.statistics.audio is not None
    np.testing.assert_array_equal(made.statistics.audio.mean_F, wanted.mean_F)
    np.testing.assert_array_equal(made.statistics.audio.std_F, wanted.std_F)
    assert made.statistics.clips == 20
    for old, new in zip(store, made, strict=True):
        assert replace(new.clip, split=old.clip.split) == old.clip
        assert new.explanation == old.explanation
        assert new.observation.video is not None
        np.testing.assert_array_equal(new.observation.video.values_TF, old.observation.video.values_TF)


def test_normalised_features_of_every_speaker_are_alike_in_mean_and_deviation(store, tmp_path):
    speakers = Speakers.of(store)
    made = write_fold(store, tmp_path / "fold", Fold(("v1",), ("v3",)), speakers=speakers)
    scale = store.statistics.audio
    for video in ("v0", "v1", "v2", "v3"):
        of_speaker = [sample.observation.audio for sample in made if sample.clip.video_id == video]
        got = modality_statistics(of_speaker)
        assert got is not None
        np.testing.assert_allclose(got.mean_F, scale.mean_F, atol=1e-4)
        np.testing.assert_allclose(got.std_F, scale.std_F, atol=1e-3)
    assert made.preparation.audio.version.endswith(BY_SPEAKER)
    assert made.content_sha256 != write_fold(store, tmp_path / "plain", Fold(("v1",), ("v3",))).content_sha256


def test_what_was_not_measured_stays_so_and_a_constant_feature_is_no_division_by_zero(store):
    sample = store[0]
    audio = sample.observation.audio
    values = audio.values_TF.copy()
    values[:, 0], values[3, 1] = 2.0, np.nan
    seen = replace(sample.observation, audio=replace(audio, values_TF=values), video=None)
    own = Statistics(audio=modality_statistics([seen.audio]))
    normal = Speakers({"v0": own}, store.statistics, as_it_is).normalised("v0", seen)
    assert normal.video is None
    assert normal.audio is not None
    np.testing.assert_allclose(normal.audio.values_TF[:, 0], store.statistics.audio.mean_F[0], atol=1e-6)
    assert np.isnan(normal.audio.values_TF[3, 1])
    assert np.isnan(normal.audio.values_TF).sum() == 1
