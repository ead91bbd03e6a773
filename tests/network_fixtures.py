"""Small networks and random batches for the tests of the network."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig, BertModel

from textmsa.config import InputConfig, ModelConfig, Recipe, TrainingConfig
from textmsa.model import TextMsaConfig, TextMsaModel
from textmsa.model.batch import Batch, Steps, Tokens
from textmsa.model.text_encoder import load_encoder

AUDIO_SIZE, VIDEO_SIZE, VOCABULARY = 6, 9, 60
STREAMS = ("text", "audio", "video", "audio_explanation", "video_explanation")
CONFIGURATIONS = {
    "default": {},
    "features_query": {"alignment_query": "features"},
    "no_temporal": {"temporal_alignment": "none"},
    "noise_never": {"router_noise": "never"},
    "one_expert_of_two": {"num_experts": 2, "top_k": 1, "num_layers": 1},
    "two_stream_layers": {"num_stream_layers": 2},
    "capacity": {"capacity_factor": 1.0},
    "linear_alignment": {"explanation_alignment": "linear"},
    "cross_attention": {"temporal_alignment": "cross_attention"},
    "mamba": {"temporal_alignment": "mamba", "alignment_query": "features"},
    "concat_fusion": {"fusion": "concat"},
    "readings": {"readings": True, "unimodal_heads": True, "alignment_query": "features"},
    "probes": {"readings": True, "probes": True, "unimodal_heads": True, "alignment_query": "features"},
    "rating": {"rating": True},
    "routed_by_sequence": {"routing": "sequence"},
    "routed_by_position": {"routing": "token"},
}


def tiny_bert(layers: int, size: int = 16) -> BertModel:
    """An encoder with random weights that reads MiniLM's word pieces."""
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=size,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=2 * size,
        max_position_embeddings=64,
    )
    return BertModel(config)


def save_tiny_encoder(folder: Path, layers: int = 1) -> Path:
    """A folder that `model.text_encoder` can name."""
    tiny_bert(layers).save_pretrained(folder)
    load_encoder("minilm")[1].save_pretrained(folder)
    return folder


def small_recipe(encoder: Path, inputs: InputConfig | None = None, **training: Any) -> Recipe:
    """A recipe that trains in a second: one epoch, frozen encoder."""
    model = ModelConfig(text_encoder=str(encoder), hidden_size=16, num_layers=1, num_heads=2, head_size=8)
    options = TrainingConfig(epochs=1, batch_size=16, encoder_trainable="none")
    return Recipe(model, inputs or InputConfig(), replace(options, **training))


def tiny_config(**changes) -> TextMsaConfig:
    encoder = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=64,
    )
    options: dict[str, Any] = {
        "hidden_size": 16,
        "num_heads": 2,
        "head_size": 8,
        "mlp_size": 16,
        "num_layers": 2,
        "max_text_length": 12,
        "max_steps": 10,
        "fusion_size": 8,
        "audio_size": AUDIO_SIZE,
        "video_size": VIDEO_SIZE,
        "text_encoder_config": encoder.to_dict(),
    }
    return TextMsaConfig(**(options | changes))


def tiny_model(seed: int = 0, **changes) -> TextMsaModel:
    torch.manual_seed(seed)
    model = TextMsaModel(tiny_config(**changes)).eval()
    with torch.no_grad():
        # As in the reference's fixtures: a router that sends clips different ways; a head whose scores differ.
        for layer in model.layers:
            layer.router.score.weight.mul_(8)
        model.fusion.down.weight.mul_(20)
        if model.rating is not None:
            model.rating.head.weight.normal_()
        for probe in model.unimodal.probes.values() if changes.get("probes") else ():
            probe.weight_X.normal_(std=0.1)
    return model


def random_batch(clips: int, seed: int = 0, *, text_length: int = 12, steps: int = 10) -> Batch:
    """Clips of different lengths, padded with zeros."""
    generator = torch.Generator().manual_seed(seed)

    def lengths(longest: int) -> torch.Tensor:
        return torch.randint(1, longest + 1, (clips, 1), generator=generator)

    def tokens() -> Tokens:
        mask = torch.arange(text_length)[None] < lengths(text_length)
        ids = torch.randint(1, VOCABULARY, (clips, text_length), generator=generator) * mask
        return Tokens(ids, mask, torch.zeros_like(ids))

    def features(size: int) -> Steps:
        mask = torch.arange(steps)[None] < lengths(steps)
        return Steps(torch.randn(clips, steps, size, generator=generator) * mask[..., None], mask)

    return Batch(
        text=tokens(),
        audio=features(AUDIO_SIZE),
        video=features(VIDEO_SIZE),
        audio_explanation=tokens(),
        video_explanation=tokens(),
        ids=tuple(f"clip{i}" for i in range(clips)),
    )


def take(batch: Batch, rows: list[int], *, crop: bool = False) -> Batch:
    """Some clips of a batch; cropped to the longest of them if asked."""

    def chosen(stream):
        if stream is None:
            return None
        longest = max(int(stream[1][rows].sum(dim=1).max()), 1) if crop else stream[1].shape[1]
        return type(stream)(*(part[rows][:, :longest] for part in stream if part is not None))

    return Batch(**{name: chosen(getattr(batch, name)) for name in STREAMS}, ids=tuple(batch.ids[r] for r in rows))


def widened(batch: Batch, extra: int) -> Batch:
    """The same clips with `extra` more positions of padding filled with rubbish."""

    def wide(stream):
        if stream is None:
            return None
        parts = []
        for part in [part for part in stream if part is not None]:
            rubbish = torch.zeros(part.shape[0], extra, *part.shape[2:], dtype=part.dtype)
            if part.dtype == torch.float32:
                rubbish += 7.0
            elif part.dtype == torch.long:
                rubbish += 3
            parts.append(torch.cat([part, rubbish], dim=1))
        if isinstance(stream, Tokens):
            parts[2] = torch.zeros_like(parts[2])
        return type(stream)(*parts)

    return Batch(**{name: wide(getattr(batch, name)) for name in STREAMS}, ids=batch.ids)


def without(batch: Batch, *names: str, rows: list[int] | None = None) -> Batch:
    """The batch without some streams: absent altogether, or with empty masks in some rows."""
    changes: dict[str, Any] = {}
    for name in names:
        stream = getattr(batch, name)
        if rows is None:
            changes[name] = None
        else:
            mask = stream[1].clone()
            mask[rows] = False
            changes[name] = type(stream)(stream[0], mask, *stream[2:])
    return replace(batch, **changes)
