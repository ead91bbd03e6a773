"""Probes are the ridge regressions of the training clips' own labels, and of nothing else."""

from dataclasses import replace
from typing import cast

import numpy as np
import pytest
import torch
from network_fixtures import save_tiny_encoder, small_recipe
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import PredefinedSplit, cross_val_predict

from benchmarks.generated_store import generate_store
from textmsa.config import Recipe
from textmsa.model import TextMsaModel
from textmsa.model.probes import Probe
from textmsa.run import MODEL
from textmsa.store.reading import Store
from textmsa.store.training_clips import learnt_from
from textmsa.train.command import train
from textmsa.train.learner import Learner
from textmsa.train.probe_fitting import FOLDS, PENALTIES


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return generate_store(tmp_path_factory.mktemp("probes") / "store", clips=60, unimodal_labels=True)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Recipe:
    made = small_recipe(save_tiny_encoder(tmp_path_factory.mktemp("encoder")), unimodal_weight=0.5)
    return replace(made, model=replace(made.model, probes=True))


def probes_of(model: TextMsaModel) -> dict[str, Probe]:
    assert model.unimodal is not None and model.unimodal.probes is not None
    return {name: cast(Probe, probe) for name, probe in model.unimodal.probes.items()}


def inputs_of(learner: Learner, split: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """What a probe reads of a split, and the clips' labels of that modality alone."""
    clips = learner.splits[split]
    batch = learner.collator([clips[place] for place in range(len(clips))])
    place = ("text", "audio", "video").index(name)
    assert batch.unimodal_label_BM is not None
    return learner.model.probed(batch)[name].double().numpy(), batch.unimodal_label_BM[:, place].double().numpy()


@pytest.mark.parametrize("name", ["text", "audio", "video"])
def test_a_probe_is_the_ridge_regression_of_its_modality_on_the_training_clips(store, recipe, name):
    learner = Learner.build(recipe, store)
    x_NX, label_N = inputs_of(learner, "train", name)
    scaled_NX = ((x_NX - x_NX.mean(axis=0)) / x_NX.std(axis=0)).clip(-8, 8)
    videos = [store.column("video_id")[index] for index in learnt_from(store)]
    folds = PredefinedSplit([int(video.removeprefix("v")) % FOLDS for video in videos])  # v0, v1, ...: in their order
    ridge = RidgeCV(alphas=PENALTIES, cv=folds, scoring="neg_mean_absolute_error").fit(scaled_NX, label_N)
    told = probes_of(learner.model)[name](torch.tensor(x_NX))
    assert told.numpy() == pytest.approx(ridge.predict(scaled_NX), abs=1e-3)
    place = ("text", "audio", "video").index(name)
    crossed = [learner.collator.probed[store.column("id")[index]][place].item() for index in learnt_from(store)]
    expected = cross_val_predict(Ridge(alpha=ridge.alpha_), scaled_NX, label_N, cv=folds)
    assert crossed == pytest.approx(expected, abs=1e-3)
    assert np.abs(told.numpy() - label_N).mean() < np.abs(expected - label_N).mean()  # why the network gets these


def test_the_network_learns_from_readings_across_the_folds_and_scores_by_its_own_probes(store, recipe):
    learner = Learner.build(recipe, store)
    learnt, other = (learner.splits[split] for split in ("train", "valid"))
    batch = learner.collator([learnt[0], learnt[1]])
    assert batch.probed_BM is not None and torch.equal(
        batch.probed_BM, torch.stack([learner.collator.probed[id] for id in batch.ids])
    )
    assert learner.collator([other[0], other[1]]).probed_BM is None
    learner.model.train(False)
    with torch.no_grad():
        crossed, own = (learner.model(each).unimodal_BM for each in (batch, replace(batch, probed_BM=None)))
    assert (crossed - own).abs().max() > 1e-4


def test_a_probe_comes_out_of_the_training_as_it_went_in(store, recipe, tmp_path):
    train(recipe, data=store.path, out=tmp_path / "run", device="cpu")
    trained = TextMsaModel.from_pretrained(tmp_path / "run" / MODEL)
    solved = Learner.build(recipe, store).model
    for name, probe in probes_of(solved).items():
        torch.testing.assert_close(probes_of(trained)[name].weight_X, probe.weight_X)
    head = dict(trained.named_parameters())["unimodal.heads.audio.1.weight"]
    assert head.abs().max() > 0  # which began at 0


def test_clips_that_are_not_learnt_from_decide_nothing(store, recipe):
    few = replace(recipe, training=replace(recipe.training, train_clips=20))
    whole, part = (probes_of(Learner.build(each, store).model)["audio"] for each in (recipe, few))
    assert not torch.allclose(whole.mean_X, part.mean_X)
    assert part.mean_X == pytest.approx(inputs_of(Learner.build(few, store), "train", "audio")[0].mean(0), abs=1e-5)


def test_modalities_left_out_in_training_are_there_for_the_probes(store, recipe):
    thin = replace(recipe, training=replace(recipe.training, modality_dropout=0.5))
    whole, thinned = (probes_of(Learner.build(each, store).model) for each in (recipe, thin))
    for name, probe in whole.items():
        torch.testing.assert_close(thinned[name].weight_X, probe.weight_X)


def test_words_have_no_probe_where_their_encoder_is_trained(store, recipe):
    trained = replace(recipe, training=replace(recipe.training, encoder_trainable="all"))
    probes = probes_of(Learner.build(trained, store).model)
    assert probes["text"].weight_X.abs().max() == 0
    assert probes["audio"].weight_X.abs().max() > 0


def test_too_few_labels_are_told_and_make_no_probe(store, recipe, caplog):
    caplog.set_level("INFO")
    few = replace(recipe, training=replace(recipe.training, train_clips=9))
    probes = probes_of(Learner.build(few, store).model)
    assert all(probe.weight_X.abs().max() == 0 for probe in probes.values())
    assert "fewer than 10 clips have a label of their audio alone" in caplog.text
