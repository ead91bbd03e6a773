"""Checkpoints in the layout and with the names of the published ones, tiny and with random weights."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from plain_network import HEAD_SIZE, MOE, STREAMS, THEIR_MODALITY
from torch import Tensor
from transformers import BertConfig, BertModel

VOCABULARY = 60


@dataclass(frozen=True)
class Sizes:
    """Of a tiny network; the names are those of the published architecture's description."""

    hidden: int = 16
    heads: int = 2
    mlp: int = 24
    experts: int = 5
    layers: int = 3
    stream_layers: int = 1
    text: int = 12
    """Of the text encoder's hidden states."""
    audio: int = 5
    video: int = 7
    pieces: int = 8
    steps: int = 6
    fusion: int = 8
    taps: int = 4


def published_shapes(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every parameter past the text encoder."""
    d, wide = sizes.hidden, 2 * sizes.hidden
    inputs = {"text": sizes.text, "audio": sizes.audio, "video": sizes.video}
    shapes: dict[str, tuple[int, ...]] = {}
    for stream, (linear, encoder) in STREAMS.items():
        length = sizes.steps if stream in ("audio", "video") else sizes.pieces
        shapes |= _linear(linear, inputs.get(stream, sizes.text), d)
        shapes |= {f"{encoder}.pos_embedding": (1, 1 + length, d), f"{encoder}.extra_token": (1, 1, d)}
        for number in range(sizes.stream_layers):
            shapes |= _block(f"{encoder}.encoder.layers.{number}", sizes)
    for theirs in THEIR_MODALITY.values():
        fusion, part = f"corss_fusion_{theirs}", f"cross_align_a_v.{theirs}"
        shapes |= {
            f"{fusion}.pos_embedding_s": (1, 1 + sizes.steps, d),
            f"{fusion}.pos_embedding_t": (1, 1 + sizes.pieces, d),
            f"{part}_RMSNorm.weight": (d,),
            f"{part}_in_proj.weight": (2 * wide, d),
            f"{part}_conv1d.weight": (wide, 1, sizes.taps),
            f"{part}_conv1d.bias": (wide,),
            f"{part}_out_proj.weight": (d, wide),
        }
        shapes |= _block(f"{fusion}.CrossTransformerEncoder.layers.0", sizes)
    shapes[f"{MOE}.pos_embedding"] = (1, 3 * (1 + sizes.pieces), d)
    for number in range(sizes.layers):
        layer = f"{MOE}.encoder.layers.{number}"
        shapes |= _attention(f"{layer}.0", sizes) | _norm(f"{layer}.1.norm", d)
        for router in ("topkroute_linear", "noise_linear"):
            shapes |= _linear(f"{layer}.1.fn.router.{router}", d, sizes.experts)
        for expert in range(sizes.experts):
            net = f"{layer}.1.fn.experts.{expert}.net"
            shapes |= _linear(f"{net}.0", d, sizes.mlp) | _linear(f"{net}.3", sizes.mlp, d)
    shapes |= _linear("cls_head.gate.0", 3 * d, 3)
    return shapes | _linear("cls_head.cls_head.0", d, sizes.fusion) | _linear("cls_head.cls_head.3", sizes.fusion, 1)


def _linear(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str, size: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (size,), f"{name}.bias": (size,)}


def _attention(name: str, sizes: Sizes) -> dict[str, tuple[int, ...]]:
    d, inner = sizes.hidden, sizes.heads * HEAD_SIZE
    shapes: dict[str, tuple[int, ...]] = {}
    for part in "qkv":
        shapes |= {**_norm(f"{name}.norm_{part}", d), f"{name}.fn.to_{part}.weight": (inner, d)}
    return shapes | _linear(f"{name}.fn.to_out.0", inner, d)


def _block(name: str, sizes: Sizes) -> dict[str, tuple[int, ...]]:
    mlp = _norm(f"{name}.1.norm", sizes.hidden) | _linear(f"{name}.1.fn.net.0", sizes.hidden, sizes.mlp)
    return _attention(f"{name}.0", sizes) | mlp | _linear(f"{name}.1.fn.net.3", sizes.mlp, sizes.hidden)


def encoder_config(sizes: Sizes) -> BertConfig:
    """The tiny text encoder's."""
    return BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=sizes.text,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
    )


def random_state(sizes: Sizes, seed: int = 0) -> dict[str, Tensor]:
    """All parameters, none of them at a value that hides an omission (a norm's weight 1, a bias 0).

    The routers' weights are larger, so that clips are routed differently.
    """
    rng = np.random.default_rng(seed)
    state = {}
    for name, shape in published_shapes(sizes).items():
        scale = shape[-1] ** -0.5 if len(shape) == 2 else 0.5
        values = rng.normal(1.0 if "norm" in name.lower() and name.endswith("weight") else 0.0, scale, shape)
        state[name] = torch.tensor(values * (8 if "topkroute" in name else 1), dtype=torch.float32)
    torch.manual_seed(seed)
    bert = BertModel(encoder_config(sizes)).state_dict()
    return state | {f"bertmodel.model.{name}": value for name, value in bert.items()}


def write_checkpoint(folder: Path, sizes: Sizes, seed: int = 0) -> tuple[Path, Path]:
    """`checkpoint.pth` as the authors' training script leaves it, and the text encoder's `config.json`."""
    content = {"epoch": 1, "state_dict": random_state(sizes, seed), "optimizer": {}}
    torch.save(content, folder / "checkpoint.pth")
    encoder_config(sizes).to_json_file(folder / "config.json", use_diff=False)
    return folder / "checkpoint.pth", folder / "config.json"


def random_inputs(sizes: Sizes, clips: int, seed: int = 0) -> dict[str, Any]:
    """Arrays in the schema of the published data: padded texts, padded features, a value that is not finite."""
    rng = np.random.default_rng(seed)
    arrays: dict[str, Any] = {}
    for name in ("text", "audio_explanation", "video_explanation"):
        mask_NL = np.arange(sizes.pieces) < rng.integers(1, sizes.pieces + 1, (clips, 1))
        ids_NL = rng.integers(1, VOCABULARY, (clips, sizes.pieces)) * mask_NL
        arrays[name] = np.stack([ids_NL, mask_NL, 0 * ids_NL], axis=1).astype(np.float32)
    for name in ("audio", "video"):
        values_NLF = rng.normal(size=(clips, sizes.steps, asdict(sizes)[name])).astype(np.float32)
        values_NLF[0, sizes.steps // 2 :] = 0
        values_NLF[-1, 1, 0] = -np.inf
        arrays[name] = values_NLF
    return arrays


@torch.no_grad()
def hidden_states(state: dict[str, Any], config: BertConfig, text_N3L: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
    """What transformers' BertModel with the checkpoint's weights makes of word pieces: (N, L, F)."""
    bert = BertModel(config).eval()
    prefix = "bertmodel.model."
    bert.load_state_dict({name.removeprefix(prefix): v for name, v in state.items() if name.startswith(prefix)})
    ids, mask, segments = torch.from_numpy(text_N3L).long().unbind(dim=1)
    hidden = bert(input_ids=ids, attention_mask=mask, token_type_ids=segments).last_hidden_state
    return np.asarray(hidden.double())
