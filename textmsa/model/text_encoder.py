"""The shared text encoder: any AutoModel, all texts of a batch in one call."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from textmsa.errors import UserError, first_line
from textmsa.model.batch import States, Tokens
from textmsa.model.everyday import EVERYDAY, EverydayModel
from textmsa.model.packaged import PACKAGED_ENCODERS as PACKAGED_ENCODERS
from textmsa.model.packaged import encoder_location as encoder_location
from textmsa.model.packing import PACKABLE, PACKED, first_position, is_packable, pack, use_packed_attention

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TEXTS_A_GROUP = 8  # large enough to keep the cores busy, small enough for little padding


def load_encoder(name: str) -> "tuple[PreTrainedModel, PreTrainedTokenizerBase]":
    """The pretrained text encoder and its tokenizer.

    Raises UserError where there is neither a folder nor a reachable hub id of that name.
    """
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    location = encoder_location(name)
    logging.disable_progress_bar()
    try:
        encoder, tokenizer = AutoModel.from_pretrained(location), AutoTokenizer.from_pretrained(location)
    except (OSError, ValueError) as error:
        raise UserError(
            f"text encoder {name!r}: give 'minilm', 'everyday', a folder, or a hub id that can be reached "
            f"({first_line(error)})"
        ) from error
    if name == EVERYDAY:
        EverydayModel.load().teach(encoder, Path(location))
    return encoder, tokenizer


def mean_states(
    encoder: nn.Module, tokenizer: "PreTrainedTokenizerBase", texts: list[str], *, most_pieces: int | None = None
) -> Tensor:
    """The mean of the encoder's last hidden states over each text's word pieces (N, F).

    Texts are cut at `most_pieces`, or at the encoder's limit.

    Gradients flow; the texts go through the encoder together, so give as many at a time as memory holds.
    """
    inputs = tokenizer(texts, padding=True, truncation=True, max_length=most_pieces, return_tensors="pt")
    inputs = inputs.to(next(encoder.parameters()).device)
    weight_NL1 = inputs["attention_mask"][..., None].float()
    mean_NF: Tensor = (encoder(**inputs).last_hidden_state * weight_NL1).sum(1) / weight_NL1.sum(1)
    return mean_NF


def encode_together(encoder: nn.Module, texts: dict[str, Tokens], *, unpadded: bool = True) -> dict[str, Tensor]:
    """Hidden states (B, L, F) of several texts per clip, by one call of the encoder.

    Where the encoder allows it, the distinct texts go through it without padding (`textmsa.model.packing`), and
    elsewhere on the CPU in groups of like length; what the encoder makes of padding is then not defined.
    `unpadded=False` runs it on all padding.
    """
    rows = stack(list(texts.values()))
    if not unpadded or rows.mask_BL.device.type != "cpu":
        hidden = _encode_padded(encoder, rows)
    elif is_packable(encoder):
        use_packed_attention(encoder)
        hidden = _encode_packed(encoder, rows)
    else:
        hidden = _encode_grouped(encoder, rows)
    parts = hidden.chunk(len(texts))
    return {name: h[:, : t.ids_BL.shape[1]] for (name, t), h in zip(texts.items(), parts, strict=True)}


def stack(texts: list[Tokens]) -> Tokens:
    """The rows of several, one after another, padded to the longest."""
    longest = max(tokens.ids_BL.shape[1] for tokens in texts)

    def stacked(parts: list[Tensor]) -> Tensor:
        return torch.cat([functional.pad(part, (0, longest - part.shape[1])) for part in parts])

    given = [t.states for t in texts if t.states is not None]
    states = None
    if given:
        rows = [functional.pad(s.values_BLF, (0, 0, 0, longest - s.values_BLF.shape[1])) for s in given]
        states = States(torch.cat(rows), given[0].layer)
    return Tokens(
        stacked([t.ids_BL for t in texts]),
        stacked([t.mask_BL for t in texts]),
        stacked([t.segments_BL for t in texts]),
        states,
    )


def _encode_packed(encoder: Any, rows: Tokens) -> Tensor:
    packing = pack(rows.ids_BL, rows.mask_BL, rows.segments_BL)
    if not len(packing.source_P):
        return torch.zeros(*rows.ids_BL.shape, encoder.config.hidden_size)
    if rows.states is not None:
        start_PF = rows.states.values_BLF.flatten(0, 1)[packing.source_P]
        x_PF = run_layers(encoder, start_PF[None], rows.states.layer, packing=packing)[0]
    else:
        inputs = {
            "input_ids": rows.ids_BL.flatten()[packing.source_P][None],
            "position_ids": packing.position_P[None] + first_position(encoder),
        }
        if takes_segments(encoder):
            inputs["token_type_ids"] = rows.segments_BL.flatten()[packing.source_P][None]
        x_PF = encoder(**inputs, packing=packing).last_hidden_state[0]
    return x_PF[packing.index_NL]


def _encode_grouped(encoder: Any, rows: Tokens) -> Tensor:
    """A few texts of like length at a time, padded to the longest of them."""
    longest = rows.ids_BL.shape[1]
    place_L = torch.arange(1, longest + 1)
    end_B = (rows.mask_BL * place_L).amax(dim=1).clamp(min=1)  # padding may come first, so not the number of pieces
    order_B = end_B.argsort()
    parts = []
    for group in order_B.split(TEXTS_A_GROUP):
        end = int(end_B[group[-1]])
        part = Tokens(rows.ids_BL[group, :end], rows.mask_BL[group, :end], rows.segments_BL[group, :end])
        parts.append(functional.pad(_encode_padded(encoder, part), (0, 0, 0, longest - end)))
    return torch.cat(parts)[order_B.argsort()]


def _encode_padded(encoder: Any, rows: Tokens) -> Tensor:
    mask = _never_empty(rows.mask_BL)
    if rows.states is not None:
        whole = mask[:, None, None, :].expand(-1, 1, mask.shape[1], -1)
        return run_layers(encoder, rows.states.values_BLF, rows.states.layer, attention_mask=whole)
    inputs = {"input_ids": rows.ids_BL, "attention_mask": _attention_mask(encoder, mask)}
    if takes_segments(encoder):
        inputs["token_type_ids"] = rows.segments_BL
    hidden: Tensor = encoder(**inputs).last_hidden_state
    return hidden


def encoder_layers(encoder: nn.Module) -> nn.ModuleList | None:
    """The encoder's layers where they can be run one by one from hidden states, else None."""
    untyped: Any = encoder
    return untyped.encoder.layer if getattr(untyped.config, "model_type", None) in PACKABLE else None


@contextmanager
def first_layers(encoder: nn.Module, layer: int) -> Iterator[None]:
    """The encoder without its layers from number `layer` on."""
    layers = encoder_layers(encoder)
    if layers is None or layer == len(layers):
        yield
        return
    stack_of_layers: Any = encoder.encoder
    stack_of_layers.layer = layers[:layer]
    try:
        yield
    finally:
        stack_of_layers.layer = layers


def run_layers(encoder: "PreTrainedModel", x: Tensor, start: int, **inputs: object) -> Tensor:
    """Hidden states (N, L, F) through the encoder's layers from number `start` on."""
    if start == encoder.config.num_hidden_layers:
        return x
    layers = encoder_layers(encoder)
    assert layers is not None, "hidden states of an encoder whose layers cannot be told apart"
    for layer in layers[start:]:
        x = layer(x, **inputs)
        x = x[0] if isinstance(x, tuple) else x
    return x


def takes_segments(encoder: nn.Module) -> bool:
    """Whether the encoder has token types (BERT has, MPNet has not)."""
    return "token_type_ids" in inspect.signature(encoder.forward).parameters


def _attention_mask(encoder: nn.Module, mask_BL: Tensor) -> Tensor:
    """The mask in the form that the encoder takes without reading it back from the device.

    With SDPA transformers asks a two-dimensional mask whether all of it is real, which on a GPU waits for the
    device; a four-dimensional one is used as it is.
    """
    sdpa = getattr(encoder.config, "_attn_implementation", None) in ("sdpa", PACKED)
    if sdpa and mask_BL.device.type != "cpu":
        return mask_BL[:, None, None, :].expand(-1, 1, mask_BL.shape[1], -1)
    return mask_BL.long()


def _never_empty(mask_BL: Tensor) -> Tensor:
    """A clip without the text lets the encoder see its first piece, so that no row of attention is empty."""
    first = torch.zeros_like(mask_BL)
    first[:, 0] = True
    return mask_BL | (first & ~mask_BL.any(dim=1, keepdim=True))
