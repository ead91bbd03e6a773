"""BERT's encoder from its weights and torch alone: for one text in a hurry, since importing transformers takes seconds.

It does what transformers' `BertModel` with SDPA does in evaluation, operation by operation, so that the numbers are the
same bit by bit (tests/model/test_plain_bert.py compares them). After Devlin et al., "BERT" (NAACL 2019).

Shapes: B texts, L word pieces, F width, H heads.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from textmsa.errors import UserError, first_line

LENGTH = 512  # word pieces that BERT has positions for
REMEDY = "install its package again"


@dataclass(frozen=True)
class Hidden:
    """What the last layer gives."""

    last_hidden_state: Tensor
    """(B, L, F)."""


class PlainBert(nn.Module):
    """BERT in evaluation.

    Parameters
    ----------
    state
        Its weights, by the names of `BertModel`.
    config
        Its config.json.
    """

    def __init__(self, state: Mapping[str, Tensor], config: dict[str, Any]) -> None:
        super().__init__()
        self.state = state
        self.layers, self.heads = int(config["num_hidden_layers"]), int(config["num_attention_heads"])
        self.epsilon = float(config["layer_norm_eps"])

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Hidden:
        """Hidden states of texts (B, L); the mask is 1 for word pieces and 0 for padding."""
        table = self.state
        positions_L = torch.arange(input_ids.shape[1])
        x_BLF = functional.embedding(input_ids, table["embeddings.word_embeddings.weight"])
        x_BLF = x_BLF + functional.embedding(token_type_ids, table["embeddings.token_type_embeddings.weight"])
        x_BLF = x_BLF + functional.embedding(positions_L[None], table["embeddings.position_embeddings.weight"])
        x_BLF = self._normed("embeddings", x_BLF)
        mask = None if bool(attention_mask.all()) else attention_mask.bool()[:, None, None, :]
        if mask is not None:
            mask = mask.expand(-1, 1, input_ids.shape[1], -1)
        for layer in range(self.layers):
            x_BLF = self._layer(f"encoder.layer.{layer}", x_BLF, mask)
        return Hidden(x_BLF)

    def _layer(self, name: str, x_BLF: Tensor, mask: Tensor | None) -> Tensor:
        shape = (*x_BLF.shape[:-1], self.heads, x_BLF.shape[-1] // self.heads)
        query, key, value = (
            self._linear(f"{name}.attention.self.{part}", x_BLF).view(shape).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=shape[-1] ** -0.5)
        seen_BLF = seen.transpose(1, 2).contiguous().reshape(x_BLF.shape)
        x_BLF = self._normed(
            f"{name}.attention.output", self._linear(f"{name}.attention.output.dense", seen_BLF) + x_BLF
        )
        wide = functional.gelu(self._linear(f"{name}.intermediate.dense", x_BLF))
        return self._normed(f"{name}.output", self._linear(f"{name}.output.dense", wide) + x_BLF)

    def _linear(self, name: str, x: Tensor) -> Tensor:
        return functional.linear(x, self.state[f"{name}.weight"], self.state[f"{name}.bias"])

    def _normed(self, name: str, x: Tensor) -> Tensor:
        weight, bias = (self.state[f"{name}.LayerNorm.{part}"] for part in ("weight", "bias"))
        return functional.layer_norm(x, weight.shape, weight, bias, self.epsilon)


class PlainTokenizer:
    """Texts -> word pieces, from a file tokenizer.json; called as transformers' tokenizers are."""

    def __init__(self, path: Path) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(path))
        self._tokenizer.enable_truncation(LENGTH)
        self._tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")

    def __len__(self) -> int:
        """Word pieces that it knows."""
        return int(self._tokenizer.get_vocab_size())

    def __call__(
        self, texts: Sequence[str], *, padding: bool = True, truncation: bool = True, return_tensors: str = "pt"
    ) -> dict[str, Tensor]:
        """Ids, mask and segments (B, L) of texts, padded to the longest and cut at 512 pieces."""
        assert (padding, truncation, return_tensors) == (True, True, "pt"), "it knows this one way only"
        encoded = self._tokenizer.encode_batch(list(texts))
        parts = {"input_ids": "ids", "token_type_ids": "type_ids", "attention_mask": "attention_mask"}
        return {name: torch.tensor([getattr(each, part) for each in encoded]) for name, part in parts.items()}


def read_plain(folder: Path) -> tuple[dict[str, Tensor], dict[str, Any], PlainTokenizer]:
    """Weights, configuration and tokenizer of a BERT's folder; raises UserError where one cannot be read."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(folder / "model.safetensors")
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return state, config, PlainTokenizer(folder / "tokenizer.json")
    except Exception as error:  # of tokenizers any kind
        if isinstance(error, OSError | ValueError | SafetensorError) or type(error) is Exception:
            raise UserError(f"{folder}: cannot be read ({first_line(error)}); {REMEDY}") from error
        raise
