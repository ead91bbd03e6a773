"""What the frozen part of a text encoder makes of a corpus' texts: computed once, kept memory-mapped.

A folder beside the store's data holds, for one frozen part, one tokenizer and one length limit (all three are in its
name), the hidden states of all texts that were asked for so far:

states.f32      float32 rows (F,), the word pieces of one text after those of another
index.tsv       text's sha256, first row, rows: written after the rows, so that a kill loses nothing that is listed
"""

import fcntl
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from textmsa.atomic import write_text
from textmsa.batch import States, Tokens
from textmsa.model.text_encoder import encode_together, first_layers
from textmsa.progress import track

STATES = "states.f32"
INDEX = "index.tsv"
ENCODE_BATCH = 64  # texts


class EncodedTexts:
    """Hidden states of texts after the text encoder's first `layer` layers. Use `EncodedTexts.of`."""

    def __init__(self, folder: Path, layer: int, size: int) -> None:
        self.folder, self.layer, self.size = folder, layer, size
        self.rows: dict[str, tuple[int, int]] = dict(_listed(folder / INDEX))
        self._states: Any = None

    @staticmethod
    def of(
        texts: Iterable[str], *, encoder: Any, tokenizer: Any, layer: int, max_length: int, root: Path
    ) -> "EncodedTexts":
        """The states of `texts`; those that `root` does not hold yet are computed, in evaluation mode.

        Parameters
        ----------
        encoder, tokenizer
            The text encoder, whose embeddings and first `layer` layers are frozen, and its tokenizer.
        layer
            Layers computed; all of them gives the encoder's output.
        max_length
            Word pieces per text.
        root
            Folder that holds one folder for each frozen part.
        """
        folder = root / frozen_key(encoder, tokenizer, layer, max_length)
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            known = EncodedTexts(folder, layer, encoder.config.hidden_size)
            missing = sorted({text for text in texts if text and _name(text) not in known.rows}, key=len)
            if missing:
                known._encode(missing, encoder, tokenizer, max_length)
        return known

    def states(self, texts: Sequence[str | None], length: int) -> States:
        """States (B, length, F) of one text per clip, zeros after its end and where it is absent."""
        if self._states is None:
            self._states = np.memmap(self.folder / STATES, np.float32, "r").reshape(-1, self.size)
        found = np.zeros((len(texts), length, self.size), dtype=np.float32)
        for row, text in enumerate(texts):
            if text:
                start, rows = self.rows[_name(text)]
                found[row, :rows] = self._states[start : start + rows]
        return States(torch.from_numpy(found), self.layer)

    def __getstate__(self) -> dict[str, Any]:
        """Data loading workers map the file themselves."""
        return self.__dict__ | {"_states": None}

    def _encode(self, texts: list[str], encoder: Any, tokenizer: Any, max_length: int) -> None:
        end = max((start + rows for start, rows in self.rows.values()), default=0)
        # A kill may have left half a line in the index, and rows that it does not list.
        write_text(self.folder / INDEX, "".join(_line(name, *place) for name, place in self.rows.items()))
        with open(self.folder / STATES, "ab") as states, open(self.folder / INDEX, "a") as index:
            states.truncate(end * self.size * 4)
            batches = [texts[first : first + ENCODE_BATCH] for first in range(0, len(texts), ENCODE_BATCH)]
            for batch in track(batches, total=len(batches), label="encoding texts, 64 at a time"):
                lines = []
                for text, values_LF in zip(
                    batch, _hidden(batch, encoder, tokenizer, self.layer, max_length), strict=True
                ):
                    states.write(values_LF.numpy().tobytes())
                    lines.append(_line(_name(text), end, len(values_LF)))
                    self.rows[_name(text)] = (end, len(values_LF))
                    end += len(values_LF)
                states.flush()
                index.writelines(lines)
                index.flush()


def _hidden(texts: list[str], encoder: Any, tokenizer: Any, layer: int, max_length: int) -> list[Tensor]:
    """Hidden states (L, F) of each text after `layer` layers."""
    encoded = tokenizer(texts, truncation=True, max_length=max_length, padding="longest", return_tensors="pt")
    mask = encoded["attention_mask"].bool()
    segments = encoded.get("token_type_ids", torch.zeros_like(encoded["input_ids"]))
    tokens = Tokens(*(part.to(encoder.device) for part in (encoded["input_ids"], mask, segments)))
    training = encoder.training
    encoder.eval()
    with torch.inference_mode(), first_layers(encoder, layer):
        hidden = encode_together(encoder, {"text": tokens})["text"].float().cpu()
    encoder.train(training)
    return [states[real] for states, real in zip(hidden, mask, strict=True)]


def frozen_key(encoder: Any, tokenizer: Any, layer: int, max_length: int) -> str:
    """Name for what decides the states: the frozen weights, the tokenizer, the number of layers, the length limit."""
    digest = hashlib.sha256()
    with first_layers(encoder, layer):
        for name, tensor in sorted(encoder.state_dict().items()):
            if not name.startswith("pooler."):
                digest.update(name.encode())
                digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy())
    settings = {k: v for k, v in encoder.config.to_dict().items() if not k.startswith(("_", "transformers"))}
    backend = getattr(tokenizer, "backend_tokenizer", None)
    vocabulary = backend.to_str() if backend is not None else json.dumps(tokenizer.get_vocab(), sort_keys=True)
    digest.update(json.dumps([settings, vocabulary, layer, max_length], sort_keys=True, default=str).encode())
    return digest.hexdigest()[:16]


def _name(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _line(name: str, start: int, rows: int) -> str:
    return f"{name}\t{start}\t{rows}\n"


def _listed(path: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    if path.is_file():
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                name, start, rows = line.split("\t")
                yield name, (int(start), int(rows))
