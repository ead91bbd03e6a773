"""A text encoder that learns ratings: from which sentences, how well, going on after a stop, refusals."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from network_fixtures import small_recipe

from textmsa.demo_corpus.words import load_sentences
from textmsa.errors import UserError
from textmsa.evaluate.command import evaluate
from textmsa.model.text_encoder import load_encoder
from textmsa.rated_sentences import RatedSentence
from textmsa.report.run import write_report
from textmsa.train import encoder_trainer
from textmsa.train.command import train
from textmsa.train.encoder import (
    VADER,
    EncoderRecipe,
    RatingCorpus,
    corpus_of,
    finetune_encoder,
    key,
    ratings_learnt,
)
from textmsa.train.trainer import ProgressLine

WORDS = {"good": 2.0, "fine": 1.0, "plain": 0.0, "poor": -1.0, "bad": -2.0}


@pytest.fixture(autouse=True, scope="module")
def sentences() -> None:
    try:
        load_sentences()
    except UserError as error:
        pytest.skip(f"the rated sentences are neither cached nor to be had: {error}")


@pytest.fixture
def table(tmp_path) -> Path:
    rows = [f"number {n} is {word},{rating}" for n in range(40) for word, rating in WORDS.items()]
    path = tmp_path / "rated.csv"
    path.write_text("\n".join(["text,rating", *rows]))
    return path


def recipe_of(encoder: Path, **options) -> EncoderRecipe:
    usual = {"epochs": 3, "learning_rate": 5e-3, "held_out": 0.2, "batch_size": 16}
    return EncoderRecipe(text_encoder=str(encoder), **(usual | options))


def test_no_sentence_of_the_demo_corpus_is_learnt_or_chosen_by():
    demo = {key(sentence.text) for sentence in load_sentences()}
    corpus = corpus_of(VADER, EncoderRecipe())
    every = [*corpus.learnt, *corpus.held_out]
    texts = [key(sentence.text) for sentence in every]
    assert len(every) == len(set(texts)) > 20_000
    assert {sentence.source for sentence in every} == {
        *("movieReviewSnippets", "amazonReviewSnippets", "tweets", "nytEditorialSnippets")
    }
    assert not demo & set(texts)
    together = "".join(f" {text} \n" for text in texts)
    assert not [text for text in demo if f" {text} " in together]
    assert corpus.left_out >= len(demo) - 1


@pytest.mark.parametrize("form", ["{}", "  {}!!", "He said: {} Really.", "{CASE}"])
def test_a_sentence_of_the_demo_is_known_in_other_dress(form):
    snippet = load_sentences()[0].text
    others = [RatedSentence(f"sentence {n} of mine", n / 10, "mine") for n in range(50)]
    dressed = RatedSentence(form.format(snippet, CASE=snippet.upper()), 1.0, "mine")
    corpus = RatingCorpus.of([*others, dressed], held_out=0.1, seed=0, most=None)
    assert dressed not in [*corpus.learnt, *corpus.held_out]
    assert corpus.left_out == 1


def test_ratings_are_learnt_and_a_recipe_takes_the_encoder(encoder, table, tmp_path):
    result = finetune_encoder(out=tmp_path / "out", recipe=recipe_of(encoder, epochs=8), sentences=str(table))
    spread = float(np.abs(list(WORDS.values())).mean())
    assert result.measured["mae"] < 0.5 * spread
    record = json.loads((tmp_path / "out" / "encoder.json").read_text())
    assert record["sentences"]["sources"] == {"rated.csv": 200}
    assert record["by_source"]["rated.csv"] == record["measured"] == result.measured
    loaded, tokenizer = load_encoder(str(tmp_path / "out"))
    states = loaded(**tokenizer(["number 3 is good", "number 3 is bad"], return_tensors="pt")).last_hidden_state
    rating = states.mean(dim=1) @ torch.tensor(record["head"]["weight"]) + record["head"]["bias"]
    assert rating[0] - rating[1] > 0.5  # in [-1, 1]
    again = finetune_encoder(out=tmp_path / "out", recipe=recipe_of(encoder, epochs=8), sentences=str(table))
    assert again.finished_before and again.measured == result.measured


def test_what_the_encoder_had_learnt_is_said_of_a_run_that_begins_with_it(encoder, table, tiny_run, tmp_path):
    finetune_encoder(out=tmp_path / "rated", recipe=recipe_of(encoder, epochs=1), sentences=str(table))
    train(small_recipe(tmp_path / "rated"), data=tiny_run.store, out=tmp_path / "run", device="cpu")
    shutil.rmtree(tmp_path / "rated")
    words = "had learnt how people rate 160 sentences (200 of rated.csv, those held out included)"
    assert words in (tmp_path / "run" / "model" / "README.md").read_text()
    evaluation = evaluate(tmp_path / "run", data=tiny_run.store, no_baselines=True)
    page = write_report(tmp_path / "page.html", run=tmp_path / "run", store=tiny_run.store, evaluation=evaluation)
    assert words in page.read_text()
    assert ratings_learnt(tiny_run.path / "model") == ""


def test_low_rank_updates_are_merged(encoder, table, tmp_path):
    pytest.importorskip("peft")
    finetune_encoder(out=tmp_path / "out", recipe=recipe_of(encoder, trainable="lora"), sentences=str(table))
    before, after = load_encoder(str(encoder))[0].state_dict(), load_encoder(str(tmp_path / "out"))[0].state_dict()
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert "encoder.layer.0.attention.self.query.weight" in changed
    assert not [name for name in changed if name.startswith("embeddings")]


def test_the_last_layers_alone_are_trained(encoder, table, tmp_path):
    finetune_encoder(out=tmp_path / "out", recipe=recipe_of(encoder, trainable="last-1"), sentences=str(table))
    before, after = load_encoder(str(encoder))[0].state_dict(), load_encoder(str(tmp_path / "out"))[0].state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    last = f"encoder.layer.{load_encoder(str(encoder))[0].config.num_hidden_layers - 1}."
    assert changed and all(name.startswith(last) for name in changed)


@pytest.mark.parametrize(
    ("trainable", "words"),
    [("last-99", "layers; give fewer"), ("last-0", "give all, last-K or lora"), ("some", "give all")],
)
def test_layers_that_are_not_there_are_refused_in_a_line(encoder, table, tmp_path, trainable, words):
    with pytest.raises(UserError, match=words) as caught:
        finetune_encoder(out=tmp_path / "out", recipe=recipe_of(encoder, trainable=trainable), sentences=str(table))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("group_by_length", [False, True])
def test_a_stopped_learning_goes_on_and_ends_as_if_it_had_not_been_stopped(
    encoder, table, tmp_path, monkeypatch, group_by_length
):
    recipe = recipe_of(encoder, group_by_length=group_by_length)
    finetune_encoder(out=tmp_path / "whole", recipe=recipe, sentences=str(table))

    class Stopping(ProgressLine):
        def on_epoch_begin(self, args, state, control, **others) -> None:
            if round(state.epoch) == 2:
                raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(encoder_trainer, "ProgressLine", Stopping)
        with pytest.raises(KeyboardInterrupt):
            finetune_encoder(out=tmp_path / "stopped", recipe=recipe, sentences=str(table))
    assert not (tmp_path / "stopped" / "encoder.json").is_file()
    finetune_encoder(out=tmp_path / "stopped", recipe=recipe, sentences=str(table))
    whole, stopped = (load_encoder(str(tmp_path / name))[0].state_dict() for name in ("whole", "stopped"))
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)


def test_a_folder_begun_otherwise_is_refused(encoder, table, tmp_path):
    finetune_encoder(out=tmp_path / "out", recipe=recipe_of(encoder, epochs=1), sentences=str(table))
    with pytest.raises(UserError, match="begun otherwise by textmsa finetune-encoder"):
        finetune_encoder(out=tmp_path / "out", recipe=recipe_of(encoder, epochs=2), sentences=str(table))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("text,rating\nGood.,fine\n", ["row 1", "rating 'fine'"]),
        ("text,rating\nGood.,nan\n", ["row 1", "rating 'nan'"]),
        ("text,rating\n,1\n", ["row 1", "no text"]),
        ("text,score\nGood.,1\n", ["text and rating"]),
        ("", ["text and rating"]),
        ("text,rating\nGood.,1\nBad.,-1\n", ["2 sentences", "at least 40"]),
        ("text,rating\n" + "".join(f"word {n},1\n" for n in range(60)), ["all 60 sentences are rated 1"]),
    ],
    ids=["words", "nan", "no_text", "other_columns", "empty", "few", "all_equal"],
)
def test_a_table_of_which_nothing_can_be_learnt_is_one_line(encoder, tmp_path, content, words):
    path = tmp_path / "bad.csv"
    path.write_text(content)
    with pytest.raises(UserError) as caught:
        finetune_encoder(out=tmp_path / "out", recipe=recipe_of(encoder), sentences=str(path))
    assert "\n" not in str(caught.value)
    assert all(word in str(caught.value) for word in words)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "options",
    [{"epochs": 0}, {"held_out": 0.0}, {"held_out": 1.0}, {"warmup_fraction": 1.0}, {"max_text_length": 2}],
    ids=str,
)
def test_values_with_which_nothing_can_be_learnt_are_refused(encoder, table, tmp_path, options):
    name = next(iter(options)).replace("_", "-")
    with pytest.raises(UserError, match=f"--{name} "):
        finetune_encoder(out=tmp_path / "out", recipe=recipe_of(encoder, **options), sentences=str(table))
