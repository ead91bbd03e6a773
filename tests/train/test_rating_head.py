"""A network whose score begins with its text encoder's own rating of the words."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from network_fixtures import save_tiny_encoder, small_recipe

from benchmarks.generated_store import generate_store
from textmsa.config import InputConfig, Recipe
from textmsa.errors import UserError
from textmsa.evaluate.fine_tuned import _Reader, rating_start
from textmsa.evaluate.labelled import labelled_clips
from textmsa.evaluate.tables import tables
from textmsa.everyday import EverydayPredictor
from textmsa.inputs.examples import words_of
from textmsa.recipe_checks import check_recipe
from textmsa.run import Run
from textmsa.scoring import score_all
from textmsa.store.reading import Store
from textmsa.train.command import train
from textmsa.train.encoder import rating_head
from textmsa.train.learner import Learner

HALF_RANGE = 3.0  # of the store's scores


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return generate_store(tmp_path_factory.mktemp("rated") / "store", clips=40)


def recipe_of(encoder: str | Path, **training) -> Recipe:
    made = small_recipe(Path(encoder), InputConfig(text_input="transcript"), **training)
    return replace(made, model=replace(made.model, rating=True))


def rated(store: Store, split: str) -> np.ndarray:
    """What `everyday` rates the transcripts of a split as, by its own way in numpy."""
    everyday = EverydayPredictor()
    texts = [words_of(store[index], "transcript") or "" for index in store.labelled(split)]
    return HALF_RANGE * everyday.model.ratings(*everyday._network, texts)


def test_before_training_the_score_is_the_encoders_own_rating_and_nothing_else(store):
    learner = Learner.build(recipe_of("everyday"), store)
    learner.model.train(False)
    scores = score_all(learner.model, learner.collator, learner.splits["valid"]).score_N
    assert scores == pytest.approx(rated(store, "valid"), abs=2e-3)
    assert np.std(scores) > 0.05


def test_it_is_learnt_with_the_encoders_rate_and_kept_with_the_network(store, tmp_path):
    train(recipe_of("everyday", encoder_learning_rate=1e-4), data=store.path, out=tmp_path / "run", device="cpu")
    model = Run.open(tmp_path / "run").members[0].model
    assert model.rating is not None
    weight_F, bias = rating_head("everyday", (-HALF_RANGE, HALF_RANGE))
    moved_F = (model.rating.head.weight[0] - torch.tensor(weight_F)).abs()
    steps = 2  # 28 clips, 16 a step
    assert 0 < moved_F.max() <= steps * 1.01e-4, "AdamW moves a weight by at most the rate in a step, decay apart"
    assert model.rating.head.bias.item() == pytest.approx(bias, abs=steps * 1.01e-4)


def test_the_head_of_a_range_from_0_to_4():
    weight_F, bias = rating_head("everyday", (-1.0, 1.0))
    wider_F, wider = rating_head("everyday", (0.0, 4.0))
    assert wider_F == pytest.approx(2 * weight_F)
    assert wider == pytest.approx(2 * bias + 2)


def test_an_encoder_that_has_learnt_no_ratings_is_one_line(store, tmp_path):
    encoder = save_tiny_encoder(tmp_path / "encoder")
    with pytest.raises(
        UserError, match=r"model.rating true: text encoder .* has learnt no ratings; take everyday"
    ) as e:
        Learner.build(recipe_of(encoder), store)
    assert "\n" not in str(e.value)


def test_words_must_be_read():
    recipe = recipe_of("everyday")
    recipe.inputs.modalities = ("audio", "video")
    with pytest.raises(UserError, match=r"model.rating true: rates the words; have text among inputs.modalities"):
        check_recipe(recipe)


def test_plain_fine_tuning_begins_where_the_run_does(store):
    clips = tables(store, labelled_clips(store, "valid"), "everyday")
    clips = replace(clips, audio_NF=clips.audio_NF[:, :0], video_NF=clips.video_NF[:, :0])
    head = rating_start("everyday", (-HALF_RANGE, HALF_RANGE))
    reader = _Reader("everyday", head, clips)
    assert reader.scores_of(clips, reader.scaled(clips)) == pytest.approx(rated(store, "valid"), abs=2e-3)
