"""What values a recipe may have, beyond their types."""

import re

from textmsa.config import Recipe
from textmsa.errors import UserError

MOST_SEED = 2**32 - 1  # numpy's


def check_recipe(recipe: Recipe) -> None:
    """Raises UserError for values that no network can have."""
    model, training = recipe.model, recipe.training
    if not 1 <= model.top_k <= model.num_experts:
        raise UserError(f"model.top_k {model.top_k}: must be between 1 and model.num_experts ({model.num_experts})")
    _check_numbers(recipe)
    if not re.fullmatch(r"all|lora|none|last-[1-9][0-9]*", training.encoder_trainable):
        raise UserError(f"training.encoder_trainable {training.encoder_trainable!r}: give all, last-K, lora or none")
    if model.routing == "token" and model.capacity_factor is not None:
        raise UserError(
            "model.capacity_factor: limits clips an expert, and model.routing token routes no clips; give null"
        )
    if not recipe.inputs.modalities or len(set(recipe.inputs.modalities)) < len(recipe.inputs.modalities):
        raise UserError(
            f"inputs.modalities {list(recipe.inputs.modalities)}: give some of text, audio, video, each once"
        )
    if recipe.inputs.pieces == "given" and recipe.inputs.explanations != "matched":
        raise UserError(
            f"inputs.explanations {recipe.inputs.explanations}: word pieces that a data file gave hold the clip's own "
            "explanation; set inputs.pieces to tokenize"
        )
    for key, asked in (("readings", model.readings), ("probes", model.probes)):
        if asked and training.unimodal_weight == 0:
            raise UserError(f"model.{key} true: asks what streams say alone; give training.unimodal_weight above 0")
    if model.rating and "text" not in recipe.inputs.modalities:
        raise UserError("model.rating true: rates the words; have text among inputs.modalities")
    if not 0 <= training.seed <= MOST_SEED:
        raise UserError(f"training.seed {training.seed}: give a whole number from 0 to {MOST_SEED}")


WHOLE = {
    1: (
        *("model.num_layers", "model.num_stream_layers", "model.num_heads", "model.head_size", "model.hidden_size"),
        *("model.mlp_size", "model.fusion_size", "model.conv_size", "model.max_steps"),
        *("training.epochs", "training.batch_size", "training.lora_rank", "training.patience", "training.train_clips"),
    ),
    3: ("model.max_text_length",),  # the two pieces that begin and end a text, and one between
    0: ("training.data_workers", "training.weight_decay", "training.unimodal_weight", "model.position_std"),
}
"""The least that a value may be, null apart -> keys."""
SHARES = (
    *("model.dropout", "model.fusion_dropout", "training.modality_dropout"),
    *("training.warmup_fraction", "training.calibration_share"),
)
"""Keys of rates from 0 to below 1."""
ABOVE_0 = (
    *("training.learning_rate", "training.encoder_learning_rate", "training.max_grad_norm"),
    "model.capacity_factor",
)


def _check_numbers(recipe: Recipe) -> None:
    """Raises UserError for a number out of the range of its kind."""

    def value_at(key: str) -> float | None:
        part, _, name = key.partition(".")
        value: float | None = getattr(getattr(recipe, part), name)
        return value

    for least, keys in WHOLE.items():
        for key in keys:
            value = value_at(key)
            if value is not None and value < least:
                raise UserError(f"{key} {value:g}: must be at least {least}")
    for key in SHARES:
        value = value_at(key)
        if value is not None and not 0 <= value < 1:
            raise UserError(f"{key} {value:g}: give a rate from 0 to below 1")
    for key in ABOVE_0:
        value = value_at(key)
        if value is not None and not value > 0:
            raise UserError(f"{key} {value:g}: must be above 0")
