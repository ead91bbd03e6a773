"""Recipes: every choice that a run makes, typed, with its one default and its documentation."""

import re
from dataclasses import dataclass, field
from typing import Literal

from textmsa.errors import UserError

TextInput = Literal["transcript", "residual", "reason", "translated"]
AlignmentQuery = Literal["explanation", "features"]


@dataclass
class ModelConfig:
    """The network (DESIGN section 2; section numbers of the paper's method)."""

    text_encoder: str = "minilm"
    """Text encoder: "minilm" (all-MiniLM-L6-v2 from an installed package), or a folder or hub id for AutoModel."""
    hidden_size: int = 128
    """Width d of all streams past the text encoder."""
    num_heads: int = 8
    """Attention heads in every block."""
    head_size: int = 64
    """Width of one head; heads x head_size need not equal hidden_size."""
    mlp_size: int = 128
    """Inner width of every MLP and of every expert."""
    num_stream_layers: int = 1
    """Transformer blocks per stream before the alignment."""
    num_layers: int = 3
    """Text-routed sparse mixture-of-experts layers (paper: MOSI 3, MOSEI 2, SIMS 3, SIMS v2 1)."""
    num_experts: int = 5
    """Experts E in each layer."""
    top_k: int = 3
    """Experts chosen for each clip in each layer."""
    capacity_factor: float | None = None
    """While training, an expert takes int(B k / E x factor) clips of a batch, at least 1, and drops the rest; no
    limit when null. Never applies in evaluation (the reference code: 1.0, in evaluation too)."""
    router_noise: Literal["train", "always", "never"] = "train"
    """When softplus-scaled normal noise is added to the routing logits (the reference code: always)."""
    routing: Literal["text", "sequence", "token"] = "text"
    """What chooses the experts: the mean of the text stream (the paper), the mean of the fused sequence, or each
    position for itself (ablations)."""
    mask_padding: bool = True
    """Hide padding everywhere, so that a score does not depend on the batch (the reference code: false)."""
    alignment_query: AlignmentQuery = "explanation"
    """What queries in the explanation alignment: the paper's explanation, or the features, so that the temporal
    alignment runs along time."""
    explanation_alignment: Literal["attention", "linear"] = "attention"
    """How features meet their explanation: by attention, or not at all, with a linear layer in its place (ablation)."""
    temporal_alignment: str = "gated_conv"
    """Temporal alignment: a name or "module:Class"."""
    conv_size: int = 4
    """Kernel of the temporal alignment's causal depthwise convolution."""
    max_text_length: int = 50
    """Word pieces per text, [CLS] and [SEP] included."""
    max_steps: int = 50
    """Time steps of audio and video."""
    dropout: float = 0.0
    """Dropout in the blocks past the text encoder."""
    fusion: Literal["gated", "concat"] = "gated"
    """How the modalities' summaries become one: by gates (the paper), or side by side (ablation)."""
    fusion_dropout: float = 0.1
    """Dropout inside the scoring MLP."""
    position_std: float = 1.0
    """Standard deviation of the learned positions at the start (the reference code: 1)."""
    fusion_size: int = 64
    """Inner width of the scoring MLP."""


@dataclass
class InputConfig:
    """What the network reads of a prepared clip."""

    text_input: TextInput = "residual"
    """The text stream: the transcript; the transcript, " | " and the explanation's summary ("residual"); the
    explanation's reason; or the English translation."""
    frames: Literal["grid", "first"] = "grid"
    """Audio and video steps: the whole clip on the common time grid, or the reference code's first 50 steps."""
    modalities: tuple[Literal["text", "audio", "video"], ...] = ("text", "audio", "video")
    """What is read at all; streams that are not are not built."""
    explanations: Literal["matched", "none", "transcript", "visual", "audio", "shuffled", "timeless"] = "matched"
    """The clip's own explanation; none; only what it says of the transcript, the face or the voice; that of another
    clip of the split; or measured without times (controls)."""
    video_order: Literal["time", "shuffled"] = "time"
    """Video's steps in their order, or in a random one (control)."""
    pieces: Literal["tokenize", "given"] = "tokenize"
    """Word pieces: made of the texts by the text encoder's tokenizer, or those that a published data file gave."""


@dataclass
class TrainingConfig:
    """How the network is trained (paper: section on implementation; DESIGN 2.8)."""

    epochs: int = 200
    """Most epochs."""
    batch_size: int = 64
    """Clips per step."""
    learning_rate: float = 1e-4
    """Peak learning rate of all that lies past the text encoder."""
    encoder_learning_rate: float | None = None
    """Peak learning rate of the text encoder; `learning_rate` when null."""
    weight_decay: float = 1e-4
    """AdamW's decoupled weight decay."""
    loss: Literal["mse", "l1"] = "mse"
    """Regression loss (paper: MSE)."""
    schedule: Literal["cosine", "paper"] = "cosine"
    """Per-step linear warm-up and cosine decay over the run, or the reference's per-epoch 20/180 schedule whose
    first epoch has learning rate 0."""
    warmup_fraction: float = 0.1
    """Share of all steps spent in warm-up ("cosine" only)."""
    patience: int | None = None
    """Stop after this many epochs without a better validation MAE; never when null."""
    encoder_trainable: str = "all"
    """What of the text encoder is trained: "all"; "last-K", its last K layers; "lora", low-rank updates of all its
    linear layers, merged at the end (needs `pip install textmsa[lora]`); "none". What a frozen part makes of the
    texts is computed once and kept beside the store; dropout does not act in it."""
    lora_rank: int = 8
    """Rank of the low-rank updates ("lora" only)."""
    modality_dropout: float = 0.0
    """While training, each modality and each explanation of a clip is left out with this probability; one modality
    always stays."""
    data_workers: int = 0
    """Processes that read ahead while a step computes: for stores that do not fit into memory, 1 or 2."""
    max_grad_norm: float = 1.0
    """Gradients are clipped to this norm."""
    seed: int = 0
    """Seed of initial weights, order and dropout."""


@dataclass
class Recipe:
    """A run is its recipe: the model, what it reads, how it is trained."""

    model: ModelConfig = field(default_factory=ModelConfig)
    inputs: InputConfig = field(default_factory=InputConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    try_alignment_queries: tuple[AlignmentQuery, ...] = ()
    """Train one model for each of these values of `model.alignment_query`, and keep the best on validation."""


def check_recipe(recipe: Recipe) -> None:
    """Raises UserError for values that no network can have."""
    model, training = recipe.model, recipe.training
    if not 1 <= model.top_k <= model.num_experts:
        raise UserError(f"model.top_k {model.top_k}: must be between 1 and model.num_experts ({model.num_experts})")
    whole = {"model.num_layers": model.num_layers, "model.num_heads": model.num_heads}
    whole |= {"training.epochs": training.epochs, "training.batch_size": training.batch_size}
    whole |= {"training.lora_rank": training.lora_rank}
    whole |= {"model.max_text_length": model.max_text_length, "model.max_steps": model.max_steps}
    for name, value in whole.items():
        if value < 1:
            raise UserError(f"{name} {value}: must be at least 1")
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
    if training.data_workers < 0:
        raise UserError(f"training.data_workers {training.data_workers}: must be at least 0")
    if not 0 <= training.modality_dropout < 1:
        raise UserError(f"training.modality_dropout {training.modality_dropout}: give a rate from 0 to below 1")
    if training.learning_rate <= 0:
        raise UserError(f"training.learning_rate {training.learning_rate}: must be above 0")
