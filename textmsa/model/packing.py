"""Texts of any lengths in one call of the encoder, without padding.

The pieces of all texts lie one after another, sorted by length; linear layers and norms take them as one long row,
and only the attention, through the hook that transformers has for it, goes over the texts, all those of one length
together. Equal texts are encoded once.

Shapes: N texts, L word pieces, P pieces of all distinct texts together, F hidden size, H heads of size S.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

PACKED = "textmsa_packed"
PACKABLE = ("bert", "roberta", "xlm-roberta", "camembert", "electra")
"""Encoders (`config.model_type`) whose only mixing of positions is bidirectional attention through that hook."""


@dataclass(frozen=True)
class Packing:
    """Where the pieces of N texts lie in a row of P pieces."""

    source_P: Tensor
    """Index into the flattened (N, L) of each packed piece."""
    position_P: Tensor
    """Position of each packed piece within its text."""
    index_NL: Tensor
    """Index into the row of packed pieces of each text's pieces; 0 where there is none."""
    groups: tuple[tuple[int, int], ...]
    """(texts, length) in order of length: the row is groups of equally long texts."""


def pack(ids_NL: Tensor, mask_NL: Tensor, *kinds_NL: Tensor) -> Packing:
    """The packing of the distinct texts among N; a text without pieces takes no room.

    Parameters
    ----------
    ids_NL, mask_NL
        Word pieces and which are real.
    kinds_NL
        More values by which texts differ, such as segments.
    """
    mask = mask_NL.numpy()
    length_N = mask.sum(axis=1)
    columns = [np.where(mask, part.numpy(), -1) for part in (ids_NL, *kinds_NL)]
    rows = np.ascontiguousarray(np.concatenate(columns, axis=1))
    found: dict[bytes, int] = {}
    which_N = np.array([found.setdefault(row.tobytes(), len(found)) for row in rows])
    first_U = np.unique(which_N, return_index=True)[1]  # U distinct texts, in order of appearance
    order_U = np.argsort(length_N[first_U], kind="stable")
    place_U = np.argsort(order_U)
    sorted_U = first_U[order_U]
    start_U = np.concatenate([[0], np.cumsum(length_N[sorted_U])[:-1]])
    kept = mask[sorted_U]
    text_P, position_P = np.nonzero(kept)
    lengths, counts = np.unique(length_N[sorted_U], return_counts=True)
    begin_N = start_U[place_U[which_N]]
    index_NL = np.where(mask, begin_N[:, None] + mask.cumsum(axis=1) - 1, 0)
    return Packing(
        source_P=torch.from_numpy(sorted_U[text_P] * mask.shape[1] + position_P),
        position_P=torch.from_numpy(position_P),
        index_NL=torch.from_numpy(index_NL),
        groups=tuple((int(n), int(size)) for n, size in zip(counts, lengths, strict=True) if size),
    )


def is_packable(encoder: nn.Module) -> bool:
    """Whether the encoder's texts can be packed; where not, they are padded. Nothing is changed."""
    config: Any = encoder.config
    if getattr(config, "model_type", None) not in PACKABLE or config.is_decoder:
        return False
    return config._attn_implementation in ("sdpa", PACKED)


def use_packed_attention(encoder: nn.Module) -> None:
    """Let a packable encoder go over packed texts one by one; what is not packed it attends to as before."""
    config: Any = encoder.config
    if config._attn_implementation != PACKED:
        _register()
        encoder.set_attn_implementation(PACKED)  # type: ignore[operator]


def _register() -> None:
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

    AttentionInterface.register(PACKED, packed_attention)
    AttentionMaskInterface.register(PACKED, sdpa_mask)


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    dropout: float = 0.0,
    scaling: float | None = None,
    packing: Packing | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """Attention within each packed text, (1, H, P, S) -> (1, P, H, S); plain SDPA for what is not packed."""
    if packing is None:
        x = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=attention_mask, dropout_p=dropout, scale=scaling
        )
        return x.transpose(1, 2).contiguous(), None
    # Split, not sliced: the gradient of a slice is a whole row of zeros for each group.
    sizes = [texts * length for texts, length in packing.groups]
    groups = zip(packing.groups, *(x[0].split(sizes, dim=1) for x in (query, key, value)), strict=True)
    parts = []
    for (texts, length), *inputs in groups:
        q, k, v = (x.unflatten(1, (texts, length)).transpose(0, 1) for x in inputs)
        x = functional.scaled_dot_product_attention(q, k, v, dropout_p=dropout, scale=scaling)  # (texts, H, length, S)
        parts.append(x.transpose(1, 2).flatten(0, 1))
    return torch.cat(parts)[None], None


def first_position(encoder: nn.Module) -> int:
    """The number of a text's first position: RoBERTa counts from after its padding index, the others from 0."""
    table = getattr(getattr(encoder, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    return 0 if padding is None else int(padding) + 1
