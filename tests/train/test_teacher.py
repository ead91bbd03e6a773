"""A small encoder that learns what a larger one reads in the same sentences and pieces of them."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from network_fixtures import save_tiny_encoder

from textmsa.demo_corpus.words import load_sentences
from textmsa.errors import UserError
from textmsa.model.text_encoder import load_encoder
from textmsa.train import encoder_trainer, teacher
from textmsa.train.encoder import EncoderRecipe, finetune_encoder
from textmsa.train.trainer import ProgressLine


@pytest.fixture
def table(tmp_path) -> Path:
    try:
        load_sentences()
    except UserError as error:
        pytest.skip(f"the rated sentences are neither cached nor to be had: {error}")
    words = {"good": 2.0, "fine": 1.0, "plain": 0.0, "poor": -1.0, "bad": -2.0}
    rows = [f"number {n} is {word},{rating}" for n in range(40) for word, rating in words.items()]
    path = tmp_path / "rated.csv"
    path.write_text("\n".join(["text,rating", *rows]))
    return path


def recipe_of(encoder: Path, **options) -> EncoderRecipe:
    usual = {"epochs": 2, "learning_rate": 5e-3, "held_out": 0.2, "batch_size": 16}
    return EncoderRecipe(text_encoder=str(encoder), **(usual | options))


def encoder_width(folder: Path) -> int:
    return json.loads((folder / "config.json").read_text())["hidden_size"]


@pytest.mark.parametrize("state_weight", [0.0, 1.0])
def test_what_a_teacher_reads_in_pieces_is_learnt_too(encoder, table, tmp_path, monkeypatch, state_weight):
    finetune_encoder(out=tmp_path / "teacher", recipe=recipe_of(encoder, epochs=8), sentences=str(table))
    learnt = []
    trainer_of = encoder_trainer._trainer_of

    def watching(reader, batch, recipe, sentences, *others, **options):
        learnt.extend(sentences)
        return trainer_of(reader, batch, recipe, sentences, *others, **options)

    monkeypatch.setattr(encoder_trainer, "_trainer_of", watching)
    small, teacher = save_tiny_encoder(tmp_path / "small"), str(tmp_path / "teacher")
    taught = recipe_of(small, epochs=8, teacher=teacher, pieces=300, state_weight=state_weight)
    result = finetune_encoder(out=tmp_path / "out", recipe=taught, sentences=str(table))
    record = json.loads((tmp_path / "out" / "encoder.json").read_text())
    assert record["sentences"]["learnt"] == 160 and record["recipe"]["pieces"] == 300
    pieces = [sentence for sentence in learnt if sentence.source == "pieces"]
    assert len(learnt) - len(pieces) == 160 and 100 < len(pieces) <= 300
    read = {word: [p.rating for p in pieces if p.text.endswith(f"is {word}")] for word in ("good", "bad")}
    assert np.mean(read["good"]) > np.mean(read["bad"]) + 1, "the teacher tells them apart"
    assert all(sentence.state_F.shape == (encoder_width(encoder),) for sentence in learnt)
    assert result.measured["mae"] < 1.0
    assert not (tmp_path / "out" / "checkpoints").exists()


def test_a_teacher_that_may_have_read_what_is_held_out_is_refused(encoder, table, tmp_path):
    other = recipe_of(encoder, epochs=1, seed=1)
    finetune_encoder(out=tmp_path / "teacher", recipe=other, sentences=str(table))
    with pytest.raises(UserError, match="has learnt other sentences") as caught:
        finetune_encoder(
            out=tmp_path / "out", recipe=recipe_of(encoder, teacher=str(tmp_path / "teacher")), sentences=str(table)
        )
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"precision": "fp16"}, "fp32 or bf16"), ({"pieces": 0}, "at least 1"), ({"state_weight": -1.0}, "0 or more")],
)
def test_values_that_mean_nothing_are_refused(encoder, table, tmp_path, options, words):
    with pytest.raises(UserError, match=words):
        finetune_encoder(out=tmp_path / "out", recipe=recipe_of(encoder, **options), sentences=str(table))


def test_ratings_are_learnt_in_bf16(encoder, table, tmp_path):
    recipe = recipe_of(encoder, epochs=8, precision="bf16")
    assert finetune_encoder(out=tmp_path / "out", recipe=recipe, sentences=str(table)).measured["mae"] < 0.6


def test_what_the_teacher_read_is_not_read_again_after_a_stop(encoder, table, tmp_path, monkeypatch):
    finetune_encoder(out=tmp_path / "teacher", recipe=recipe_of(encoder, epochs=1), sentences=str(table))
    recipe = recipe_of(encoder, teacher=str(tmp_path / "teacher"), pieces=50)
    finetune_encoder(out=tmp_path / "whole", recipe=recipe, sentences=str(table))

    class Stopping(ProgressLine):
        def on_epoch_begin(self, args, state, control, **others) -> None:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(encoder_trainer, "ProgressLine", Stopping)
        with pytest.raises(KeyboardInterrupt):
            finetune_encoder(out=tmp_path / "out", recipe=recipe, sentences=str(table))
    monkeypatch.setattr(teacher, "_read", lambda *_, **__: pytest.fail("read again"))
    finetune_encoder(out=tmp_path / "out", recipe=recipe, sentences=str(table))
    whole, stopped = (load_encoder(str(tmp_path / name))[0].state_dict() for name in ("whole", "out"))
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)
