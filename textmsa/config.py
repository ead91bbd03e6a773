"""Recipes: every choice that a run makes, typed, with its one default and its documentation; and how one is read."""

import contextlib
import json
import math
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, TypeGuard, TypeVar, overload

from textmsa.errors import UserError

Kind = TypeVar("Kind")

TextInput = Literal["transcript", "residual", "reason", "translated", "both"]
AlignmentQuery = Literal["explanation", "features"]


@dataclass
class ModelConfig:
    """The network."""

    text_encoder: str = "minilm"
    """Text encoder: "minilm" (all-MiniLM-L6-v2 from an installed package), "everyday" (the same after it learnt
    people's ratings; comes with textmsa), or a folder or hub id for AutoModel."""
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
    """Temporal alignment: a name, or "module:Class"."""
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
    probes: bool = False
    """Add to what each stream says alone a ridge regression of the text encoder's mean state, and of statistics of the
    steps of voice and face, solved on the training clips before the training, which leaves it as it is (needs
    `training.unimodal_weight`; of the words only where the encoder is not trained; not in the paper)."""
    readings: bool = False
    """Add to the score what follows from the streams' own scores and from how far voice and face stand out at the same
    time (needs `training.unimodal_weight`; not in the paper)."""
    rating: bool = False
    """Begin with the text encoder's own rating of the words and learn what it leaves (needs an encoder that has learnt
    ratings: everyday, or a folder of finetune-encoder; it learns with the encoder's rate; not in the paper)."""


@dataclass
class InputConfig:
    """What the network reads of a prepared clip."""

    text_input: TextInput = "residual"
    """The text stream: the transcript; the transcript, " | " and the explanation's summary ("residual"); the
    explanation's reason; the English translation; or the transcript, " | " and its translation ("both")."""
    frames: Literal["grid", "first"] = "grid"
    """Audio and video steps: the whole clip on the common time grid, or the reference code's first 50 steps."""
    modalities: tuple[Literal["text", "audio", "video"], ...] = ("text", "audio", "video")
    """What is read at all; streams that are not are not built."""
    explanations: Literal["matched", "none", "transcript", "visual", "audio", "shuffled", "timeless"] = "matched"
    """The clip's own explanation; none; only what it says of the transcript, the face or the voice; that of another
    clip of the split; or measured without times (for ablations)."""
    video_order: Literal["time", "shuffled"] = "time"
    """Video's steps in their order, or in a random one (for ablations)."""
    pieces: Literal["tokenize", "given"] = "tokenize"
    """Word pieces: made of the texts by the text encoder's tokenizer, or those that a published data file gave."""


@dataclass
class TrainingConfig:
    """How the network is trained."""

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
    refit_intercept: bool = False
    """When the training has ended, the score's last bias is moved to where the loss on the training clips is least: by
    the median of what is missing to their labels ("l1"), or its mean ("mse")."""
    unimodal_weight: float = 0.0
    """Weight of the same loss on what each stream says alone, by heads of their own, against the labels of words,
    voice and face where the corpus has them (label_T, label_A, label_V), and on what `model.readings` makes of them,
    against the label; 0 builds no such heads, as in the paper."""
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
    calibration_share: float = 0.0
    """Share of the training clips, by whole videos, that nothing is learnt from: intervals are calibrated on them
    when the training ends (docs/intervals.md)."""
    train_clips: int | None = None
    """Learn from so many of the training clips at most: whole videos in an order by the hash of their names, the last
    cut to the number, so that fewer are part of more, whatever the seed; all when null (learning curves)."""
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


def packaged_recipes() -> dict[str, Path]:
    """Name -> file of the recipes that come with the package."""
    return dict(sorted((path.stem, path) for path in (Path(__file__).parent / "recipes").glob("*.yaml")))


@overload
def load_recipe(path_or_name: str | Path, *, overrides: Mapping[str, str] | None = None) -> Recipe: ...


@overload
def load_recipe(path_or_name: str | Path, kind: type[Kind], *, overrides: Mapping[str, str] | None = None) -> Kind: ...


def load_recipe(
    path_or_name: str | Path, kind: type[Any] = Recipe, *, overrides: Mapping[str, str] | None = None
) -> Any:
    """A recipe of dataclass `kind` from a YAML file, or from one that comes with the package, by its name.

    `overrides` are values as text by key, `{"model.num_experts": "8"}`, that go before the file's; `check_recipe` is
    the caller's to ask. Raises UserError, one line, for a file that is no recipe, and naming the key for an unknown
    one (with the nearest known one) and for a value of a wrong type.
    """
    path = _recipe_file(path_or_name)
    hints = recipe_types(kind)
    values: dict[str, Any] = {}
    for key, value in _flatten(_read_yaml(path), kind, path):
        try:
            values[key] = value_of(hints[key], value)
        except ValueError as error:
            raise UserError(f"recipe {path}: {key} {_shown(value)}: {error}") from error
    for key, text in (overrides or {}).items():
        try:
            values[key] = value_of(hints[key], text)
        except ValueError as error:
            raise UserError(f"--{key} {text!r}: {error}") from error
    return _built(kind, values)


def is_recipe(hint: object) -> TypeGuard[type[Any]]:
    """Whether values of that type are given as a mapping: a recipe, or a part of one."""
    return isinstance(hint, type) and is_dataclass(hint)


def recipe_types(kind: type[Any], prefix: str = "") -> dict[str, Any]:
    """Key, as in "model.num_experts", -> the type of its value, for all values of a recipe of dataclass `kind`."""
    found: dict[str, Any] = {}
    for name, hint in typing.get_type_hints(kind).items():
        found |= recipe_types(hint, f"{prefix}{name}.") if is_recipe(hint) else {prefix + name: hint}
    return found


def value_of(hint: object, value: object) -> Any:
    """`value`, as YAML or a command line gives it, as one of type `hint`; a ValueError says what may be given."""
    origin, options = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        inner = next(option for option in options if option is not type(None))
        if value is None or (value == "null" and inner not in (str, Path)):
            return None
        with contextlib.suppress(ValueError):
            return value_of(inner, value)
    if origin is tuple and isinstance(value, str | list):
        with contextlib.suppress(ValueError):
            return tuple(value_of(options[0], item) for item in _items(value))
    if origin is Literal and value in options:
        return value
    if hint in (str, Path) and isinstance(value, str) and (value or hint is str):
        return hint(value)
    if hint is bool and str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    if hint in (int, float) and isinstance(value, str | int | hint) and not isinstance(value, bool):
        with contextlib.suppress(ValueError, OverflowError):
            if math.isfinite(number := hint(value)):
                return number
    raise ValueError(f"give {what_may_be_given(hint)}")


def what_may_be_given(hint: object) -> str:
    """In words: "a whole number", "one of train, always, never"."""
    options = typing.get_args(hint)
    if type(None) in options:
        inner = next(option for option in options if option is not type(None))
        return what_may_be_given(inner) + ("" if inner in (str, Path) else ", or null")
    if typing.get_origin(hint) is Literal:
        return f"one of {', '.join(map(str, options))}"
    if typing.get_origin(hint) is tuple:
        return f"a list of some of {', '.join(typing.get_args(options[0]))}"
    words: dict[object, str] = {int: "a whole number", float: "a number", bool: "true or false"}
    return (words | {str: "text (in YAML: in quotes)"}).get(hint, "a path")


def nearest(key: str, known: Iterable[str]) -> str:
    """How the message on an unknown key ends: with the one that was meant, or with all."""
    near = get_close_matches(key, list(known), n=1, cutoff=0.4)
    return f": did you mean {near[0]!r}?" if near else f": allowed are {', '.join(known)}"


def _items(value: str | list[Any]) -> list[Any]:
    """Of a YAML list, or of a command line's `[text, audio]` or `text,audio`."""
    if isinstance(value, list):
        return value
    inside = value.strip(" []()")
    return [item.strip(" \"'") for item in inside.split(",")] if inside else []


def _shown(value: Any) -> str:
    """A YAML value as in the file, for a message: true, null, "2024-01-01"."""
    if isinstance(value, dict | list):
        return "(a mapping)" if isinstance(value, dict) else "(a list)"
    return json.dumps(value, default=str, ensure_ascii=False)


def _recipe_file(path_or_name: str | Path) -> Path:
    path, known = Path(path_or_name), packaged_recipes()
    if path.is_file():
        return path
    if str(path) in known:
        return known[str(path)]
    folder = "is a folder; " if path.is_dir() else ""
    raise UserError(f"recipe {path}: {folder}give a YAML file, or one of {', '.join(known)}")


def _read_yaml(path: Path) -> dict[Any, Any]:
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses a key that comes twice, of which YAML would silently take the second."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            if twice := next((key for key in keys if keys.count(key) > 1), None):
                raise UserError(f"recipe {path}: {twice!r} comes twice; leave one of them there")
            return super().construct_mapping(node, deep)

    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: not UTF-8, or a date such as 2024-13-01
        raise UserError(f"recipe {path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict | None):
        raise UserError(f"recipe {path} must be a mapping such as 'model: {{num_experts: 8}}'")
    return content or {}


def _flatten(content: dict[Any, Any], kind: type[Any], path: Path, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """(key with its prefix, value) of nested mappings; unknown keys are refused."""
    hints = typing.get_type_hints(kind)
    for key, value in content.items():
        if key not in hints:
            raise UserError(f"recipe {path}: unknown key {prefix + str(key)!r}{nearest(str(key), hints)}")
        if not is_recipe(hints[key]):
            yield prefix + key, value
        elif isinstance(value, dict):
            yield from _flatten(value, hints[key], path, f"{prefix}{key}.")
        else:
            raise UserError(f"recipe {path}: {prefix + key!r} must be a mapping, not {_shown(value)}")


def _built(kind: type[Any], values: dict[str, Any], prefix: str = "") -> Any:
    hints = typing.get_type_hints(kind)
    given: dict[str, Any] = {}
    for part in fields(kind):
        if is_recipe(hints[part.name]):
            given[part.name] = _built(hints[part.name], values, f"{prefix}{part.name}.")
        elif prefix + part.name in values:
            given[part.name] = values[prefix + part.name]
    return kind(**given)
