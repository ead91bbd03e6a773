"""The parts of a language model's checkpoint: tokenizer, configuration, network, adapter, and what it is known by.

A checkpoint is a folder, an id on a hub with its revision, or one file in GGUF. What lacks or does not fit is a
UserError of one line.
"""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from textmsa.errors import UserError, first_line

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

CHAT_TEMPLATE = "chat_template.json"
"""Where older checkpoints keep the form of their conversations; newer ones keep it with the tokenizer."""
SAMPLED = 1 << 20
"""Bytes at either end of a large file by which it is known."""
GGUF = ".gguf"
"""Ends the name of a whole checkpoint in one file (llama.cpp's form); its weights are made float32 when read."""


def gguf_source(model: str) -> tuple[str, dict[str, str]]:
    """Where transformers finds a checkpoint: (folder or id, options that name the file within, for one in GGUF).

    Raises UserError for a file in GGUF that is not there, or where the package that reads it lacks.
    """
    from importlib.util import find_spec

    if not model.endswith(GGUF):
        return model, {}
    if not Path(model).is_file():
        raise UserError(f"model {model!r}: no such file; give a file in GGUF, a folder or a hub's id")
    if find_spec("gguf") is None:
        raise UserError(f"model {model!r}: needs the package gguf: pip install gguf")
    return str(Path(model).parent), {"gguf_file": Path(model).name}


def load_tokenizer(model: str, revision: str | None) -> "PreTrainedTokenizerBase":
    """The checkpoint's tokenizer with its chat template; UserError where either lacks."""
    from transformers import AutoTokenizer

    source, within = gguf_source(model)
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(source, revision=revision, **within)
    except (OSError, ValueError) as error:
        raise UserError(f"model {model!r}: no tokenizer there ({first_line(error)})") from error
    older = None if within else checkpoint_file(model, CHAT_TEMPLATE, revision)
    if tokenizer.chat_template is None and older is not None:
        tokenizer.chat_template = json.loads(older.read_text(encoding="utf-8"))["chat_template"]
    if tokenizer.chat_template is None:
        raise UserError(f"model {model!r}: has no chat template; give an instruction-tuned checkpoint")
    if tokenizer.eos_token_id is None:
        raise UserError(f"model {model!r}: its tokenizer has no end-of-answer token")
    return tokenizer


def checkpoint_file(model: str, name: str, revision: str | None) -> Path | None:
    """One file of a checkpoint; None where it has none of this name."""
    from transformers.utils.hub import cached_file

    path = cached_file(model, name, revision=revision, _raise_exceptions_for_missing_entries=False)
    return None if path is None else Path(path)


def load_config(model: str, revision: str | None, part: str = "") -> "PretrainedConfig":
    """A checkpoint's configuration, or a part of it where it has that; UserError where there is none."""
    from transformers import AutoConfig

    source, within = gguf_source(model)
    try:
        config: PretrainedConfig = AutoConfig.from_pretrained(source, revision=revision, **within)
    except (OSError, ValueError) as error:
        raise UserError(f"model {model!r}: cannot be loaded ({first_line(error)})") from error
    return getattr(config, part, config) if part else config


def load_network(
    network: str,
    model: str,
    config: "PretrainedConfig",
    *,
    revision: str | None = None,
    device: str = "cpu",
    dtype: str = "auto",
    load_in_4bit: bool = False,
) -> "PreTrainedModel":
    """The network of a checkpoint on its device; UserError where it does not fit.

    Parameters
    ----------
    network
        The name of its class in transformers.
    model, revision
        The checkpoint.
    config
        Its configuration, or the part of it that is the network's.
    device
        "cpu" or "cuda:N".
    dtype
        "auto" for the checkpoint's, "float32", "bfloat16" or "float16".
    load_in_4bit
        Keep the weights in 4 bits.
    """
    import transformers

    source, within = gguf_source(model)
    options: dict[str, Any] = {"revision": revision, "dtype": "float32" if within and dtype == "auto" else dtype}
    if load_in_4bit:
        _need_4bit(device)
        options["quantization_config"] = transformers.BitsAndBytesConfig(load_in_4bit=True)
        options["device_map"] = {"": device}
    try:
        net: PreTrainedModel = getattr(transformers, network).from_pretrained(
            source, config=config, **within, **options
        )
    except (OSError, ValueError) as error:
        raise UserError(f"model {model!r}: cannot be loaded ({first_line(error)})") from error
    if within:
        _forget_quantisation(net)
    return net if load_in_4bit else cast("PreTrainedModel", net.to(device))  # type: ignore[arg-type]


def _forget_quantisation(net: "PreTrainedModel") -> None:
    """What was read of GGUF has ordinary weights and no folder that peft could look into; else it cannot be trained."""
    for marked, names in (
        (net, ("hf_quantizer", "is_quantized", "quantization_method", "name_or_path")),
        (net.config, ("quantization_config",)),
    ):
        for name in names:
            vars(marked).pop(name, None)


def load_adapter(net: "PreTrainedModel", adapter: str) -> "PreTrainedModel":
    """The network with a LoRA of `textmsa finetune-explainer` on it, which is used as the network itself is."""
    try:
        from peft import PeftModel
    except ModuleNotFoundError as error:
        raise UserError("adapter needs the package peft: pip install 'textmsa[lora]'") from error
    if not (Path(adapter) / "adapter_config.json").is_file():
        raise UserError(f"adapter {adapter}: not a folder that textmsa finetune-explainer made")
    try:
        return cast("PreTrainedModel", PeftModel.from_pretrained(net, adapter))
    except (RuntimeError, ValueError) as error:
        raise UserError(f"adapter {adapter}: does not fit the model ({first_line(error)})") from error


def _need_4bit(device: str) -> None:
    from importlib.util import find_spec

    if device == "cpu" or find_spec("bitsandbytes") is None:
        raise UserError("load_in_4bit needs a GPU and the package bitsandbytes: leave it out")


def fingerprint(checkpoint: Path) -> str:
    """A hash by which a folder's (or file's) weights are known again: small files whole, else size and both ends."""
    digest = hashlib.sha256()
    for path in (
        sorted(path for path in checkpoint.iterdir() if path.is_file()) if checkpoint.is_dir() else [checkpoint]
    ):
        size = path.stat().st_size
        digest.update(f"{path.name}\0{size}\0".encode())
        with path.open("rb") as file:
            if size <= 2 * SAMPLED:
                digest.update(file.read())
            else:
                digest.update(file.read(SAMPLED))
                file.seek(-SAMPLED, 2)
                digest.update(file.read())
    return digest.hexdigest()[:16]
