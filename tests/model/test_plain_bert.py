"""BERT without transformers: the same word pieces and, bit by bit, the same numbers."""

import shutil
from pathlib import Path

import pytest
import torch

from textmsa.errors import UserError
from textmsa.model.everyday import BASE, EverydayModel
from textmsa.model.packaged import encoder_location
from textmsa.model.plain_bert import read_plain
from textmsa.model.text_encoder import load_encoder

TEXTS = [
    "I loved it.",
    "",
    "Naïve café, 東京で映画を見た — ¡qué horror! 🙂 don't; it's $3.50 (really?)",
    "so-called 'masterpiece'... UPPER case\ttabs\nand lines [MASK] [SEP] ##ing",
    "long " * 700,
]


@pytest.fixture(scope="module")
def both():
    """(everyday's encoder and tokenizer by transformers, and without)."""
    base, model = Path(encoder_location(BASE)), EverydayModel.load()
    encoder, tokenizer = load_encoder(BASE)
    model.teach(encoder, base)
    return (encoder, tokenizer), model.encoder(base), model


def test_the_word_pieces_are_the_same(both):
    (_, tokenizer), (_, plain), _ = both
    assert len(plain) == len(tokenizer)
    for texts in (TEXTS[:1], TEXTS, TEXTS[1:3]):
        expected = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        found = plain(texts)
        assert {name: value.tolist() for name, value in found.items()} == {k: v.tolist() for k, v in expected.items()}


def test_the_numbers_are_the_same_bit_by_bit(both):
    (encoder, tokenizer), (plain, _), _ = both
    encoder.train(False)
    with torch.inference_mode():
        for texts in (TEXTS[:1], TEXTS[2:3], TEXTS[:4]):
            inputs = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
            found, expected = plain(**inputs).last_hidden_state, encoder(**inputs).last_hidden_state
            assert torch.equal(found, expected)


def test_ratings_are_the_same_bit_by_bit(both):
    by_transformers, plain, model = both
    texts = TEXTS[:1] + TEXTS[2:4]
    assert model.ratings(*plain, texts).tolist() == model.ratings(*by_transformers, texts).tolist()


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_damaged_folder_is_one_line(tmp_path, name):
    folder = tmp_path / "encoder"
    shutil.copytree(encoder_location(BASE), folder)
    (folder / name).write_bytes(b"{}" if name == "tokenizer.json" else b"no such thing")
    with pytest.raises(UserError, match="cannot be read") as caught:
        read_plain(folder)
    assert "\n" not in str(caught.value)
