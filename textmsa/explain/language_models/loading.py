"""Checkpoints of language models: tokenizer, configuration, network, adapter."""

import hashlib
from pathlib import Path
from typing import Any

from textmsa.errors import UserError

CHAT_TEMPLATE = "chat_template.json"
"""Where older checkpoints keep the form of their conversations; newer ones keep it with the tokenizer."""
SAMPLED = 1 << 20
"""Bytes at either end of a large file by which it is known."""


def load_tokenizer(model: str, revision: str | None) -> Any:
    """The checkpoint's tokenizer with its chat template; UserError where either lacks."""
    import json

    from transformers import AutoTokenizer
    from transformers.utils import cached_file

    try:
        tokenizer = AutoTokenizer.from_pretrained(model, revision=revision)
    except (OSError, ValueError) as error:
        raise UserError(f"model {model!r}: no tokenizer there ({_first_line(error)})") from error
    older = cached_file(model, CHAT_TEMPLATE, revision=revision, _raise_exceptions_for_missing_entries=False)
    if tokenizer.chat_template is None and older is not None:
        with open(older, encoding="utf-8") as file:
            tokenizer.chat_template = json.load(file)["chat_template"]
    if tokenizer.chat_template is None:
        raise UserError(f"model {model!r}: has no chat template; give an instruction-tuned checkpoint")
    if tokenizer.eos_token_id is None:
        raise UserError(f"model {model!r}: its tokenizer has no end-of-answer token")
    return tokenizer


def load_config(model: str, revision: str | None, part: str = "") -> Any:
    """A checkpoint's configuration, or a part of it where it has that; UserError where there is none."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(model, revision=revision)
    except (OSError, ValueError) as error:
        raise UserError(f"model {model!r}: cannot be loaded ({_first_line(error)})") from error
    return getattr(config, part, config) if part else config


def load_network(
    network: str,
    model: str,
    config: Any,
    *,
    revision: str | None = None,
    device: str = "cpu",
    dtype: str = "auto",
    load_in_4bit: bool = False,
) -> Any:
    """The network of a checkpoint; UserError where it does not fit."""
    import transformers

    options: dict[str, Any] = {"revision": revision, "dtype": dtype}
    if load_in_4bit:
        _need_4bit(device)
        options["quantization_config"] = transformers.BitsAndBytesConfig(load_in_4bit=True)
        options["device_map"] = {"": device}
    try:
        net = getattr(transformers, network).from_pretrained(model, config=config, **options)
    except (OSError, ValueError) as error:
        raise UserError(f"model {model!r}: cannot be loaded ({_first_line(error)})") from error
    return net if load_in_4bit else net.to(device)


def load_adapter(net: Any, adapter: str) -> Any:
    """The network with a LoRA on it."""
    try:
        from peft import PeftModel
    except ModuleNotFoundError as error:
        raise UserError("adapter needs the package peft: pip install 'textmsa[lora]'") from error
    if not (Path(adapter) / "adapter_config.json").is_file():
        raise UserError(f"adapter {adapter}: not a folder that textmsa finetune-explainer made")
    try:
        return PeftModel.from_pretrained(net, adapter)
    except (RuntimeError, ValueError) as error:
        raise UserError(f"adapter {adapter}: does not fit the model ({_first_line(error)})") from error


def _need_4bit(device: str) -> None:
    from importlib.util import find_spec

    if device == "cpu" or find_spec("bitsandbytes") is None:
        raise UserError("load_in_4bit needs a GPU and the package bitsandbytes: leave it out")


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:200]


def fingerprint(folder: Path) -> str:
    """A hash by which a folder's weights are known again: small files whole, of large ones size and both ends."""
    found = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        size = path.stat().st_size
        found.update(f"{path.name}\0{size}\0".encode())
        with path.open("rb") as file:
            if size <= 2 * SAMPLED:
                found.update(file.read())
            else:
                found.update(file.read(SAMPLED))
                file.seek(-SAMPLED, 2)
                found.update(file.read())
    return found.hexdigest()[:16]
