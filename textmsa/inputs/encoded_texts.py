"""What the frozen part of a text encoder makes of a corpus' texts: computed once, kept memory-mapped.

A folder beside the store's data holds, for one frozen part (its name says which weights), the hidden states of all
texts that were asked for so far. A text is what the tokenizer and the length limit made of it: its word pieces.

states.f32      float32 rows (F,), the word pieces of one text after those of another
index.tsv       sha256 of the pieces, first row, rows: written after the rows, so that a kill loses nothing listed
"""

import fcntl
import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedModel

from textmsa.model.batch import States, Tokens
from textmsa.model.text_encoder import encode_together, first_layers, stack
from textmsa.runtime.atomic import write_text
from textmsa.runtime.progress import track

STATES = "states.f32"
INDEX = "index.tsv"
ENCODE_BATCH = 64  # texts


class EncodedTexts:
    """Hidden states of texts after the text encoder's first `layer` layers. Use `EncodedTexts.of`."""

    def __init__(self, folder: Path, layer: int, size: int) -> None:
        self.folder, self.layer, self.size = folder, layer, size
        self.rows: dict[str, tuple[int, int]] = dict(_listed(folder / INDEX))
        self._states: npt.NDArray[np.float32] | None = None

    @staticmethod
    def of(texts: Iterable[Tokens], *, encoder: PreTrainedModel, layer: int, root: Path) -> "EncodedTexts":
        """The states of `texts`; those that `root` does not hold yet are computed, in evaluation mode.

        Parameters
        ----------
        texts
            Batches of word pieces.
        encoder
            The text encoder, whose embeddings and first `layer` layers are frozen.
        layer
            Layers computed; all of them gives the encoder's output.
        root
            Folder that holds one folder for each frozen part.
        """
        folder = root / frozen_key(encoder, layer)
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            encoded = EncodedTexts(folder, layer, encoder.config.hidden_size)
            every = {name: row for tokens in texts for name, row in zip(_names(tokens), _rows(tokens), strict=True)}
            missing = {name: row for name, row in every.items() if name and name not in encoded.rows}
            if missing:
                encoded._encode(missing, encoder)
        return encoded

    def states(self, tokens: Tokens) -> States:
        """States (B, L, F) of one text per clip, zeros where its mask is not real."""
        if self._states is None:
            self._states = np.memmap(self.folder / STATES, np.float32, "r").reshape(-1, self.size)
        states_BLF = np.zeros((*tokens.ids_BL.shape, self.size), dtype=np.float32)
        for row, (name, mask_L) in enumerate(zip(_names(tokens), tokens.mask_BL.numpy(), strict=True)):
            if name:
                start, rows = self.rows[name]
                states_BLF[row, mask_L] = self._states[start : start + rows]
        return States(torch.from_numpy(states_BLF), self.layer)

    def __getstate__(self) -> dict[str, Any]:
        """Data loading workers map the file themselves."""
        return self.__dict__ | {"_states": None}

    def _encode(self, missing: dict[str, Tokens], encoder: Any) -> None:
        end = max((start + rows for start, rows in self.rows.values()), default=0)
        names = sorted(missing, key=lambda name: int(missing[name].mask_BL.sum()))
        # A kill may have left half a line in the index, and rows that it does not list.
        write_text(self.folder / INDEX, "".join(_line(name, *place) for name, place in self.rows.items()))
        with open(self.folder / STATES, "ab") as states, open(self.folder / INDEX, "a") as index:
            states.truncate(end * self.size * 4)
            batches = [names[first : first + ENCODE_BATCH] for first in range(0, len(names), ENCODE_BATCH)]
            for batch in track(batches, total=len(batches), label=f"encoding texts, {ENCODE_BATCH} at a time"):
                lines = []
                for name, values_LF in zip(
                    batch, _hidden([missing[n] for n in batch], encoder, self.layer), strict=True
                ):
                    states.write(values_LF.numpy().tobytes())
                    lines.append(_line(name, end, len(values_LF)))
                    self.rows[name] = (end, len(values_LF))
                    end += len(values_LF)
                states.flush()
                index.writelines(lines)
                index.flush()


def _hidden(texts: list[Tokens], encoder: Any, layer: int) -> list[Tensor]:
    """Hidden states (L, F) of the real pieces of each text after `layer` layers."""
    tokens = stack(texts)
    training = encoder.training
    encoder.eval()
    with torch.inference_mode(), first_layers(encoder, layer):
        hidden = (
            encode_together(encoder, {"text": tokens.each(lambda part: part.to(encoder.device))})["text"].float().cpu()
        )
    encoder.train(training)
    return [states[real] for states, real in zip(hidden, tokens.mask_BL, strict=True)]


def frozen_key(encoder: PreTrainedModel, layer: int) -> str:
    """Name for what decides the states of given word pieces: the frozen weights and the number of layers."""
    digest = hashlib.sha256()
    with first_layers(encoder, layer):
        for name, tensor in sorted(encoder.state_dict().items()):
            if not name.startswith("pooler."):
                digest.update(name.encode())
                digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy())
    settings = {k: v for k, v in encoder.config.to_dict().items() if not k.startswith(("_", "transformers"))}
    digest.update(json.dumps([settings, layer], sort_keys=True, default=str).encode())
    return digest.hexdigest()[:16]


def _rows(tokens: Tokens) -> Iterator[Tokens]:
    every = zip(tokens.ids_BL.split(1), tokens.mask_BL.split(1), tokens.segments_BL.split(1), strict=True)
    return (Tokens(*row) for row in every)


def _names(tokens: Tokens) -> list[str]:
    """A name for each text: what its real pieces are, and where they stand; "" for a text that is absent."""
    mask_BL = tokens.mask_BL.numpy()
    parts_B = np.stack([tokens.ids_BL.numpy(), tokens.segments_BL.numpy(), np.cumsum(~mask_BL, axis=1)], axis=1)
    return [
        hashlib.sha256(np.ascontiguousarray(parts[:, mask]).tobytes()).hexdigest() if mask.any() else ""
        for parts, mask in zip(parts_B.astype(np.int64), mask_BL, strict=True)
    ]


def _line(name: str, start: int, rows: int) -> str:
    return f"{name}\t{start}\t{rows}\n"


def _listed(path: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    if path.is_file():
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                name, start, rows = line.split("\t")
                yield name, (int(start), int(rows))
