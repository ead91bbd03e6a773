"""BERT in numpy: the same word pieces and, but for rounding, the same numbers."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
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
    encoder.train(False)
    return (encoder, tokenizer), model.encoder(base), model


def test_the_word_pieces_are_the_same(both):
    (_, tokenizer), (_, plain), _ = both
    assert len(plain) == len(tokenizer)
    for text in TEXTS:
        assert plain(text).tolist() == tokenizer(text, truncation=True)["input_ids"]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:12])
def test_the_numbers_are_the_same_but_for_rounding(both, text):
    (encoder, tokenizer), (plain, plain_tokenizer), _ = both
    with torch.inference_mode():
        expected = encoder(**tokenizer(text, truncation=True, return_tensors="pt")).last_hidden_state[0].numpy()
    found = plain([plain_tokenizer(text)])[0]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_a_rating_depends_on_its_text_only(both):
    _, plain, model = both
    alone = [float(model.ratings(*plain, [text])[0]) for text in TEXTS]
    np.testing.assert_allclose(model.ratings(*plain, TEXTS), alone, atol=2e-6)
    assert np.std(alone) > 0.05


def test_words_are_scored_without_torch():
    code = """
import sys, textmsa
assert textmsa.load("everyday").predict(None, text="I loved it.", contributions="words").score > 1
assert not {"torch", "transformers"} & set(sys.modules), "it takes seconds to import"
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_damaged_folder_is_one_line(tmp_path, name):
    folder = tmp_path / "encoder"
    shutil.copytree(encoder_location(BASE), folder)
    (folder / name).write_bytes(b"{}" if name == "tokenizer.json" else b"no such thing")
    with pytest.raises(UserError, match="cannot be read") as caught:
        read_plain(folder)
    assert "\n" not in str(caught.value)
