"""Making the model that comes with the package: its scale, its intervals, what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
from network_fixtures import save_tiny_encoder, small_recipe

from textmsa.demo_corpus.words import RATING_TO_SCORE, load_sentences
from textmsa.errors import UserError
from textmsa.model.everyday import EverydayModel
from textmsa.rated_sentences import RatedSentence, as_spoken
from textmsa.train.command import train
from textmsa.train.encoder import EncoderRecipe, corpus_of, ratings_learnt, record_of
from textmsa.train.everyday import calibrated, conformal_quantile, make_everyday


def test_the_scale_is_found_and_intervals_hold_on_new_sentences():
    random = np.random.default_rng(0)
    read_N = random.uniform(-0.8, 0.8, 4000)
    true_N = 2.5 * read_N + random.laplace(0, 0.2, 4000)
    held_out = [RatedSentence("", value / RATING_TO_SCORE, "mine") for value in true_N[:2000]]
    scale, measured, intervals = calibrated({"written": read_N[:2000], "spoken": read_N[:2000]}, held_out)
    assert scale == pytest.approx(2.5, abs=0.05)
    assert measured["written"]["mae"] == pytest.approx(0.2, abs=0.02)
    assert intervals["written"]["sentences"] == 1000
    for level, half in intervals["written"]["half_width"].items():
        inside = np.abs(scale * read_N[2000:] - true_N[2000:]) <= half
        assert inside.mean() == pytest.approx(float(level), abs=0.03)


def test_a_quantile_is_that_of_one_more_sentence():
    assert conformal_quantile(np.arange(1.0, 10.0), 0.9) == 9  # ceil(10 * .9) = the 9th of 9
    assert conformal_quantile(np.arange(1.0, 9.0), 0.9) == float("inf")


@pytest.mark.parametrize(
    ("text", "words"), [("It couldn’t be: better!", "It couldnt be better"), (":-)", ":-)"), ("a_b", "a b")]
)
def test_a_sentence_as_speech_is_written_down(text, words):
    assert as_spoken(text) == words


@pytest.fixture(scope="module")
def sentences() -> None:
    try:
        load_sentences()
    except UserError as error:
        pytest.skip(f"the rated sentences are neither cached nor to be had: {error}")


@pytest.mark.usefixtures("sentences")
def test_an_encoder_that_learnt_other_sentences_is_refused(tmp_path):
    folder = save_tiny_encoder(tmp_path / "taught")
    (folder / "encoder.json").write_text(json.dumps({"sentences": {"sentences_sha256": "0"}}))
    with pytest.raises(UserError, match="has learnt other sentences"):
        make_everyday(out=tmp_path / "out", taught=folder)
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("sentences")
def test_the_packages_file_learnt_the_sentences_of_the_recipe_and_none_of_the_demo():
    facts = corpus_of("vader", EncoderRecipe()).facts()
    assert EverydayModel.load().record["sentences"] == facts


def test_what_everyday_had_learnt_is_said_of_a_run_that_begins_with_it(tiny_run, tmp_path):
    recipe = small_recipe(Path("everyday"))
    train(recipe, data=tiny_run.store, out=tmp_path / "run", device="cpu")
    assert "had learnt how people rate 19,474 sentences" in (tmp_path / "run" / "model" / "README.md").read_text()
    assert ratings_learnt(tmp_path / "run" / "model")
    assert record_of("everyday") and record_of("minilm") is None
