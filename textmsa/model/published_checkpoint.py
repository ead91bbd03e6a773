"""Published checkpoints (`.pth` of the authors' training script) -> an ordinary model folder."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textmsa.errors import UserError, first_line
from textmsa.runtime.atomic import UNFINISHED
from textmsa.runtime.claim import check_empty

if TYPE_CHECKING:
    from torch import Tensor

    from textmsa.model import TextMsaModel

# Published name -> ours, tried in order; `\1` is a layer's number. The misspelling is theirs.
_BLOCK = [
    (r"0\.norm_([qkv])", r"attention.norm_\1"),
    (r"0\.fn\.to_([qkv])", r"attention.to_\1"),
    (r"0\.fn\.to_out\.0", r"attention.to_out"),
    (r"1\.norm", r"mlp.norm"),
    (r"1\.fn\.net\.0", r"mlp.up"),
    (r"1\.fn\.net\.3", r"mlp.down"),
]
_STREAMS = {
    "t": ("proj_t0", "proj_t", "text"),
    "a": ("proj_a0", "proj_a_feat", "audio.features"),
    "v": ("proj_v0", "proj_v_feat", "video.features"),
    "a_clue": ("proj_a_clue0", "proj_a_clue", "audio.explanation"),
    "v_clue": ("proj_v_clue0", "proj_v_clue", "video.explanation"),
}
_EXPERT = re.compile(r"text_router_moe_trans\.encoder\.layers\.(\d+)\.1\.fn\.experts\.(\d+)\.net\.(0|3)\.(weight|bias)")
_EXPERT_PARTS = {
    ("0", "weight"): "up_weight_EDM",
    ("0", "bias"): "up_bias_EM",
    ("3", "weight"): "down_weight_EMD",
    ("3", "bias"): "down_bias_ED",
}
_IGNORED = re.compile(r"bertmodel\.model\.embeddings\.position_ids")  # a buffer of older transformers


def _rules() -> list[tuple[re.Pattern[str], str]]:
    rules = [(r"bertmodel\.model\.", r"text_encoder.")]
    for projection, encoder, ours in _STREAMS.values():
        rules += [
            (rf"{projection}\.", rf"{ours}.project."),
            (rf"{encoder}\.pos_embedding$", rf"{ours}.positions"),
            (rf"{encoder}\.extra_token$", rf"{ours}.token"),
        ]
        # A layer's number is group 1, so the block's own group becomes group 2.
        rules += [
            (rf"{encoder}\.encoder\.layers\.(\d+)\.{a}\.", rf"{ours}.blocks.\1.{b.replace('1', '2')}.")
            for a, b in _BLOCK
        ]
    for theirs, ours in (("audio", "audio"), ("visual", "video")):
        cross = rf"corss_fusion_{theirs}\."
        rules += [
            (cross + r"pos_embedding_s$", rf"{ours}.alignment.feature_positions"),
            (cross + r"pos_embedding_t$", rf"{ours}.alignment.explanation_positions"),
        ]
        rules += [
            (cross + rf"CrossTransformerEncoder\.layers\.0\.{a}\.", rf"{ours}.alignment.block.{b}.") for a, b in _BLOCK
        ]
        names = {
            "RMSNorm": "norm",
            "in_proj": "in_projection",
            "conv1d": "conv",
            "out_proj": "out_projection",
        }
        rules += [(rf"cross_align_a_v\.{theirs}_{a}\.", rf"temporal_alignment.{ours}.{b}.") for a, b in names.items()]
    layer = r"text_router_moe_trans\.encoder\.layers\.(\d+)\."
    rules += [(r"text_router_moe_trans\.pos_embedding$", "positions")]
    rules += [(layer + rf"{a}\.", rf"layers.\1.{b.replace('1', '2')}.") for a, b in _BLOCK[:3]]
    rules += [
        (layer + r"1\.norm\.", r"layers.\1.norm."),
        (layer + r"1\.fn\.router\.topkroute_linear\.", r"layers.\1.router.score."),
        (layer + r"1\.fn\.router\.noise_linear\.", r"layers.\1.router.noise."),
        (r"cls_head\.gate\.0\.", "fusion.gate."),
        (r"cls_head\.cls_head\.0\.", "fusion.up."),
        (r"cls_head\.cls_head\.3\.", "fusion.down."),
    ]
    return [(re.compile(pattern), ours) for pattern, ours in rules]


_RULES = _rules()


def our_name(published: str) -> tuple[str, int | None]:
    """Our parameter for a published name, and the expert's index where it is one slice of ours.

    Raises UserError where the name belongs to no part of the network.
    """
    expert = _EXPERT.fullmatch(published)
    if expert:
        layer, index, net, part = expert.groups()
        return f"layers.{layer}.experts.{_EXPERT_PARTS[net, part]}", int(index)
    for pattern, ours in _RULES:
        match = pattern.match(published)
        if match:
            return match.expand(ours) + published[match.end() :], None
    raise UserError(f"the checkpoint has the weight {published!r}, which no part of TEXT has; is it another model?")


def import_checkpoint(path: Path | str, encoder: Path | str) -> "TextMsaModel":
    """The model of a published checkpoint, in evaluation mode.

    Parameters
    ----------
    path
        The `.pth` file: `{"epoch", "state_dict", "optimizer"}`, read with `weights_only=True`.
    encoder
        The text encoder's folder, or its `config.json`.

    Raises UserError naming what is missing, unknown or of another shape.
    """
    import torch

    from textmsa.model import TextMsaModel

    published = _read_state_dict(Path(path))
    encoder_config = _encoder_config(Path(encoder))
    config = infer_config(published, encoder_config)
    model = TextMsaModel(config)
    target = model.state_dict()
    filled = _convert(published, target)
    missing = sorted(set(target) - set(filled))
    if missing:
        raise UserError(f"{path}: the checkpoint lacks {', '.join(missing[:5])}{_and_more(missing)} (our names)")
    with torch.no_grad():
        model.load_state_dict(filled)
    model.train(False)
    return model


def _and_more(names: list[str]) -> str:
    return f" and {len(names) - 5} more" if len(names) > 5 else ""


def _read_state_dict(path: Path) -> "dict[str, Tensor]":
    import pickle

    import torch

    if not path.is_file():
        raise UserError(f"checkpoint {path} is not a file: give the published .pth")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise UserError(
            f"checkpoint {path} is no file of weights and nothing else, and no other is read: give the published .pth"
        ) from error
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise UserError(f"checkpoint {path} holds no 'state_dict' of tensors: give the published .pth")
    named = {name.removeprefix("module."): value.float() for name, value in state.items()}
    return {name: value for name, value in named.items() if not _IGNORED.match(name)}


def _encoder_config(path: Path) -> dict[str, Any]:
    from transformers import AutoConfig

    if not path.exists():
        raise UserError(f"--encoder {path} does not exist: give the text encoder's folder or its config.json")
    try:
        return dict(AutoConfig.from_pretrained(path).to_dict())
    except (OSError, ValueError) as error:
        raise UserError(f"--encoder {path}: no text encoder's configuration ({first_line(error)})") from error


def infer_config(published: "Mapping[str, Tensor]", encoder_config: dict[str, Any]) -> Any:
    """The configuration that the weights imply; heads are 64 wide and 3 experts are chosen, as published."""
    from textmsa.config import ModelConfig
    from textmsa.model import TextMsaConfig

    def shape(name: str) -> tuple[int, ...]:
        if name not in published:
            raise UserError(f"the checkpoint lacks the weight {name!r}; is it a checkpoint of TEXT?")
        return tuple(published[name].shape)

    def count(pattern: str) -> int:
        found = (re.match(pattern, name) for name in published)
        return 1 + max((int(match[1]) for match in found if match), default=-1)

    moe = "text_router_moe_trans.encoder.layers"
    experts = shape(f"{moe}.0.1.fn.router.topkroute_linear.weight")[0]
    return TextMsaConfig(
        text_encoder=str(encoder_config.get("_name_or_path") or encoder_config["model_type"]),
        text_encoder_config=encoder_config,
        hidden_size=shape("proj_t0.weight")[0],
        audio_size=shape("proj_a0.weight")[1],
        video_size=shape("proj_v0.weight")[1],
        num_heads=shape("proj_t.encoder.layers.0.0.fn.to_q.weight")[0] // ModelConfig.head_size,
        mlp_size=shape("proj_t.encoder.layers.0.1.fn.net.0.weight")[0],
        num_stream_layers=count(r"proj_t\.encoder\.layers\.(\d+)\."),
        num_layers=count(r"text_router_moe_trans\.encoder\.layers\.(\d+)\."),
        num_experts=experts,
        top_k=min(ModelConfig.top_k, experts),
        conv_size=shape("cross_align_a_v.audio_conv1d.weight")[2],
        fusion_size=shape("cls_head.cls_head.0.weight")[0],
        max_text_length=shape("proj_t.pos_embedding")[1] - 1,
        max_steps=shape("proj_a_feat.pos_embedding")[1] - 1,
        capacity_factor=1.0,
        mask_padding=False,
        frames="first",
    )


def _convert(published: "Mapping[str, Tensor]", target: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
    """The published weights under our names, each checked against the shape of `target`."""
    import torch

    filled: dict[str, Tensor] = {}
    experts: dict[str, dict[int, Tensor]] = {}
    for name, value in published.items():
        ours, index = our_name(name)
        wanted = target.get(ours)
        if wanted is None:
            raise UserError(f"the checkpoint has the weight {name!r}, for which this network has no place")
        if index is not None:
            value, wanted = value.T if value.ndim == 2 else value, wanted[0]
        if value.shape != wanted.shape:
            raise UserError(
                f"the checkpoint's {name!r} has shape {tuple(value.shape)}, not {tuple(wanted.shape)}"
                + ("; give --encoder the configuration it was trained with" if ours.startswith("text_enc") else "")
            )
        if index is None:
            filled[ours] = value
        else:
            experts.setdefault(ours, {})[index] = value
    for ours, slices in experts.items():
        lacking = [f"{ours}[{i}]" for i in range(len(target[ours])) if i not in slices]
        if lacking or len(slices) != len(target[ours]):
            raise UserError(f"the checkpoint's experts do not match its router: {', '.join(lacking) or ours}")
        filled[ours] = torch.stack([slices[i] for i in range(len(slices))])
    return filled


@dataclass(frozen=True)
class ImportResult:
    """What was made of a checkpoint."""

    folder: Path
    layers: int
    experts: int
    """In each layer."""
    audio_size: int
    video_size: int
    """Features per step."""
    parameters: int

    def text(self) -> str:
        """A line for people."""
        return (
            f"{self.folder}: {self.layers} layers of {self.experts} experts, audio {self.audio_size}-d, "
            f"video {self.video_size}-d, {self.parameters:,} parameters"
        )


def import_checkpoint_command(checkpoint: Path, *, encoder: Path, out: Path) -> ImportResult:
    """Turn a published checkpoint into a model folder (config.json, model.safetensors).

    Parameters
    ----------
    checkpoint
        The published `.pth` file.
    encoder
        Folder of the text encoder, or its config.json.
    out
        Folder to write; must not exist or be empty.

    Examples
    --------
    textmsa import-checkpoint CKPT.pth --encoder bert-base-uncased --out model
    """
    check_empty(out)
    model = import_checkpoint(checkpoint, encoder)
    part = out.with_name(out.name + UNFINISHED)
    model.save_pretrained(part)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json"):
        if encoder.is_dir() and (encoder / name).is_file():
            shutil.copy(encoder / name, part / name)
    if out.exists():
        out.rmdir()
    part.rename(out)
    config = model.config
    assert config.audio_size is not None and config.video_size is not None  # noqa: PT018  (both are inferred)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return ImportResult(out, config.num_layers, config.num_experts, config.audio_size, config.video_size, parameters)
