"""What of the text encoder is trained: all, its last layers, low-rank updates, or nothing."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from textmsa.config import TrainingConfig
from textmsa.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from textmsa.inputs.collator import Collator
    from textmsa.inputs.examples import Pieces
    from textmsa.model import TextMsaModel

TOKENISE = 1024  # texts at a time


def frozen_layers(encoder: "PreTrainedModel", trainable: str) -> int | None:
    """How many of the encoder's layers `encoder_trainable` keeps fixed, counted from below; None where none is."""
    from textmsa.model.text_encoder import encoder_layers

    if trainable in ("all", "lora"):
        return None
    count: int = encoder.config.num_hidden_layers
    if trainable == "none":
        return count
    last = int(trainable.removeprefix("last-"))
    if encoder_layers(encoder) is None:
        raise UserError(
            f"training.encoder_trainable {trainable!r}: the layers of {type(encoder).__name__} cannot be run one by "
            "one; give all, lora or none"
        )
    if last > count:
        raise UserError(f"training.encoder_trainable {trainable!r}: the text encoder has {count} layers; give fewer")
    return count - last


def freeze_encoder(
    model: "TextMsaModel", collator: "Collator", training: TrainingConfig, texts: "Sequence[str | Pieces]", root: Path
) -> None:
    """Freeze what is not trained, or add low-rank updates if asked.

    What the frozen part makes of `texts` is kept in `root`, and the collator gives it with each batch.
    """
    from textmsa.inputs.encoded_texts import EncodedTexts

    encoder: Any = model.text_encoder
    if training.encoder_trainable == "lora":
        add_lora(encoder, training.lora_rank)
    frozen = frozen_layers(encoder, training.encoder_trainable)
    if frozen is None:
        return
    encoder.requires_grad_(False)
    trained = encoder.encoder.layer[frozen:] if frozen < encoder.config.num_hidden_layers else []
    for layer in trained:
        layer.requires_grad_(True)
    chunks = (collator.tokens(texts[start : start + TOKENISE]) for start in range(0, len(texts), TOKENISE))
    collator.encoded = EncodedTexts.of((c for c in chunks if c), encoder=encoder, layer=frozen, root=root)


def train_last_layers(encoder: "PreTrainedModel", trainable: str) -> None:
    """Freeze all of the encoder but its last K layers, K as "last-K" says.

    Raises UserError where the encoder has fewer, or its layers are not found.
    """
    layers = getattr(getattr(encoder, "encoder", None), "layer", None)
    if not isinstance(layers, nn.ModuleList):
        raise UserError(
            f"--trainable {trainable}: the layers of {type(encoder).__name__} are not found; give all or lora"
        )
    last = int(trainable.removeprefix("last-"))
    if last > len(layers):
        raise UserError(f"--trainable {trainable}: the text encoder has {len(layers)} layers; give fewer")
    encoder.requires_grad_(False)
    layers[len(layers) - last :].requires_grad_(True)


def add_lora(encoder: nn.Module, rank: int) -> None:
    """Low-rank updates beside every linear layer of the encoder, whose own weights are then fixed (peft)."""
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise UserError("training.encoder_trainable lora: needs peft: pip install 'textmsa[lora]'") from error
    config = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.05, target_modules="all-linear")
    inject_adapter_in_model(config, encoder)


def merge_lora(encoder: nn.Module) -> None:
    """Put low-rank updates into the weights beside which they lie, so that the encoder is an ordinary one again."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, module in list(encoder.named_modules()):
        if isinstance(module, BaseTunerLayer):
            module.merge()
            encoder.set_submodule(name, module.get_base_layer())
