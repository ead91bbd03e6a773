"""BERT's encoder in numpy: for texts in a hurry, since importing torch takes two seconds, and transformers more.

It does what transformers' `BertModel` does in evaluation; the numbers are the same but for rounding
(tests/model/test_plain_bert.py compares them). After Devlin et al., "BERT" (NAACL 2019).

Shapes: N word pieces of some texts, one text after the other; L those of one; F width, H heads, K = F / H.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from textmsa.errors import UserError, first_line

Floats = npt.NDArray[np.float32]
LENGTH = 512  # word pieces that BERT has positions for
PARTS = ("query", "key", "value")
REMEDY = "install its package again"


class PlainBert:
    """BERT in evaluation. Texts are not padded: no piece of one is looked at for another.

    Parameters
    ----------
    state
        Its weights, by the names of `BertModel`.
    config
        Its config.json.
    """

    def __init__(self, state: Mapping[str, Floats], config: dict[str, Any]) -> None:
        self.state = state
        self.layers, self.heads = int(config["num_hidden_layers"]), int(config["num_attention_heads"])
        self.epsilon = float(config["layer_norm_eps"])

    def __call__(self, texts: Sequence[npt.NDArray[np.int64]]) -> list[Floats]:
        """Texts of word pieces (L,) -> the last layer's states (L, F) of each."""
        ends = np.cumsum([len(pieces_L) for pieces_L in texts])
        place_N = np.concatenate([np.arange(len(pieces_L)) for pieces_L in texts])
        tables = [self.state[f"embeddings.{kind}_embeddings.weight"] for kind in ("word", "token_type", "position")]
        words, kinds, places = tables
        x_NF = self._normed("embeddings", words[np.concatenate(texts)] + kinds[0] + places[place_N])
        for layer in range(self.layers):
            x_NF = self._layer(f"encoder.layer.{layer}", x_NF, ends)
        return np.split(x_NF, ends[:-1])

    def _layer(self, name: str, x_NF: Floats, ends: npt.NDArray[np.int64]) -> Floats:
        query_NF, key_NF, value_NF = (self._linear(f"{name}.attention.self.{part}", x_NF) for part in PARTS)
        apart = zip(*(np.split(part_NF, ends[:-1]) for part_NF in (query_NF, key_NF, value_NF)), strict=True)
        seen_NF = np.concatenate([self._attention(*text) for text in apart])
        x_NF = self._normed(f"{name}.attention.output", self._linear(f"{name}.attention.output.dense", seen_NF) + x_NF)
        wide = _gelu(self._linear(f"{name}.intermediate.dense", x_NF))
        return self._normed(f"{name}.output", self._linear(f"{name}.output.dense", wide) + x_NF)

    def _attention(self, query_LF: Floats, key_LF: Floats, value_LF: Floats) -> Floats:
        """One text's values, weighed by how its queries meet its keys, all (L, F)."""
        query_HLK, key_HLK, value_HLK = (
            part_LF.reshape(len(part_LF), self.heads, -1).swapaxes(0, 1) for part_LF in (query_LF, key_LF, value_LF)
        )
        scale = np.float32(query_HLK.shape[-1] ** -0.5)
        seen_HLK = _softmax(query_HLK @ key_HLK.swapaxes(1, 2) * scale) @ value_HLK
        return np.asarray(seen_HLK.swapaxes(0, 1).reshape(query_LF.shape))

    def _linear(self, name: str, x: Floats) -> Floats:
        return x @ self.state[f"{name}.weight"].T + self.state[f"{name}.bias"]

    def _normed(self, name: str, x: Floats) -> Floats:
        weight, bias = (self.state[f"{name}.LayerNorm.{part}"] for part in ("weight", "bias"))
        middle = x - x.mean(axis=-1, keepdims=True)
        variance = np.square(middle).mean(axis=-1, keepdims=True)
        return np.asarray(middle / np.sqrt(variance + np.float32(self.epsilon)) * weight + bias, dtype=np.float32)


def _softmax(x: Floats) -> Floats:
    raised = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True), dtype=np.float32)


def _gelu(x: Floats) -> Floats:
    from scipy.special import erf

    return np.asarray(np.float32(0.5) * x * (1 + erf(x * np.float32(0.5**0.5))), dtype=np.float32)


class PlainTokenizer:
    """A text -> its word pieces, from a file tokenizer.json."""

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.enable_truncation(LENGTH)
        self._tokenizer.no_padding()

    def __len__(self) -> int:
        """Word pieces that it knows."""
        return int(self._tokenizer.get_vocab_size())

    def __call__(self, text: str) -> npt.NDArray[np.int64]:
        """Word pieces (L,), cut at 512."""
        return np.array(self._tokenizer.encode(text).ids, dtype=np.int64)


def read_plain(folder: Path) -> tuple[dict[str, Floats], dict[str, Any], PlainTokenizer]:
    """Weights, configuration and tokenizer of a BERT's folder; raises UserError where one cannot be read."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        state = load_file(folder / "model.safetensors")
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return state, config, PlainTokenizer(folder / "tokenizer.json")
    except Exception as error:  # of tokenizers any kind
        if isinstance(error, OSError | ValueError | SafetensorError) or type(error) is Exception:
            raise UserError(f"{folder}: cannot be read ({first_line(error)}); {REMEDY}") from error
        raise
