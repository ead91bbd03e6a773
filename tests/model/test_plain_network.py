"""The network gives the scores and gradients of its slow, obvious version, and that gives the authors' scores."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from plain_network import Ints, PlainNetwork
from published_checkpoints import Sizes, encoder_config, hidden_states, random_inputs, random_state, write_checkpoint
from torch import Tensor
from transformers import BertConfig

import textmsa
from textmsa.model import TextMsaModel
from textmsa.model.batch import Batch, Steps, Tokens
from textmsa.model.published_checkpoint import our_name

TEXTS = ("text", "audio_explanation", "video_explanation")
CONFIGURATIONS = {
    "three_layers": Sizes(),
    "one_layer": Sizes(layers=1),
    "more_experts": Sizes(layers=2, experts=7),
    "fewer_experts_than_chosen": Sizes(layers=2, experts=2),
    "two_stream_layers": Sizes(layers=1, stream_layers=2),
    "four_heads": Sizes(heads=4, taps=3, mlp=8),
    "text_longer_than_time": Sizes(pieces=12, steps=3),
}
Arrays = dict[str, Any]


def streams_of(state: dict[str, Tensor], config: BertConfig, arrays: Arrays) -> Arrays:
    """What enters the plain network: hidden states for the texts."""
    return arrays | {name: hidden_states(state, config, arrays[name]) for name in TEXTS}


def plain(state: dict[str, Tensor], sizes: Sizes) -> PlainNetwork:
    return PlainNetwork(state, top_k=min(3, sizes.experts))


def imported(folder: Path, sizes: Sizes) -> TextMsaModel:
    checkpoint, encoder = write_checkpoint(folder, sizes)
    return textmsa.import_checkpoint(checkpoint, encoder=encoder)


def batch_of(arrays: Arrays) -> Batch:
    def tokens(name: str) -> Tokens:
        ids, mask, segments = torch.from_numpy(arrays[name]).long().unbind(dim=1)
        return Tokens(ids, mask > 0, segments)

    def steps(name: str) -> Steps:
        values = torch.from_numpy(np.where(np.isinf(arrays[name]), 0, arrays[name]))
        return Steps(values, torch.ones(values.shape[:2], dtype=torch.bool))

    return Batch(
        text=tokens("text"),
        audio=steps("audio"),
        video=steps("video"),
        audio_explanation=tokens("audio_explanation"),
        video_explanation=tokens("video_explanation"),
    )


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_scores(tmp_path: Path, name: str) -> None:
    sizes = CONFIGURATIONS[name]
    model, state, arrays = imported(tmp_path, sizes), random_state(sizes), random_inputs(sizes, clips=6)
    expected_N = plain(state, sizes).scores(streams_of(state, encoder_config(sizes), arrays))
    assert np.ptp(expected_N) > 0.1, "the clips differ, or equality would say little"
    np.testing.assert_allclose(model.score(**arrays), expected_N, rtol=0, atol=1e-5)


def torch_order(experts_A: Ints) -> Ints:
    """The order that torch's unstable sort gives on this processor, as the reference takes it."""
    return torch.from_numpy(experts_A).argsort().numpy()


@pytest.mark.parametrize("clips", [5, 24])
def test_scores_under_the_capacity_limit(tmp_path: Path, clips: int) -> None:
    """What overflows an expert is dropped: in the batch's order in training, in torch's for the reference's scores."""
    sizes = Sizes()
    model, state, arrays = imported(tmp_path, sizes), random_state(sizes), random_inputs(sizes, clips=clips)
    network, streams = plain(state, sizes), streams_of(state, encoder_config(sizes), arrays)
    dropped_N = network.scores(streams, capacity_factor=1.0)
    assert (np.abs(dropped_N - network.scores(streams)) > 1e-3).any(), "something overflows"
    model.training = True  # of the whole alone: its parts neither drop out nor make noise
    with torch.no_grad():
        score_B = model(batch_of(arrays)).score_B
    assert score_B is not None
    np.testing.assert_allclose(score_B.numpy(), dropped_N, rtol=0, atol=1e-5)
    legacy_N = network.scores(streams, capacity_factor=1.0, order=torch_order)
    np.testing.assert_allclose(model.score(**arrays, legacy=True), legacy_N, rtol=0, atol=1e-5)


def test_gradients(tmp_path: Path) -> None:
    """Along a random direction of every parameter past the text encoder, as the plain loss rises or falls."""
    sizes = Sizes(layers=1, experts=4, hidden=8, mlp=8, heads=1, pieces=4, steps=3)
    model, state, arrays = imported(tmp_path, sizes), random_state(sizes), random_inputs(sizes, clips=2)
    target_N = np.linspace(-1, 1, 2)
    score_B = model(batch_of(arrays)).score_B
    assert score_B is not None
    ((score_B - torch.from_numpy(target_N)) ** 2).mean().backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    network, streams = plain(state, sizes), streams_of(state, encoder_config(sizes), arrays)

    def loss() -> float:
        return float(np.mean((network.scores(streams) - target_N) ** 2))

    rng, step = np.random.default_rng(0), 1e-5
    for name, values in network.p.items():
        if name.startswith("bertmodel"):
            continue
        direction = rng.normal(size=values.shape)
        network.p[name] = values + step * direction
        above = loss()
        network.p[name] = values - step * direction
        slope = (above - loss()) / (2 * step)
        network.p[name] = values
        ours, index = our_name(name)
        gradient = gradients[ours]
        found = 0.0
        if gradient is not None:
            part = gradient.numpy() if index is None else gradient.numpy()[index]
            found = float((part * (direction.T if index is not None else direction)).sum())
        assert found == pytest.approx(slope, rel=1e-3, abs=1e-5), name


@pytest.mark.parametrize("corpus", ["mosi", "sims2"])
def test_the_plain_version_gives_the_authors_scores(shared: Path, corpus: str) -> None:
    folder = shared / "reference" / corpus
    state = torch.load(folder / "checkpoint.pth", weights_only=True)["state_dict"]
    state = {name: value.float() for name, value in state.items() if not name.endswith("position_ids")}
    config = BertConfig(**json.loads((folder / "meta.json").read_text())["bert_config"])
    io = np.load(folder / "io.npz")
    theirs = ("text", "audio", "visual", "audio_clue", "visual_clue")
    ours = ("text", "audio", "video", "audio_explanation", "video_explanation")
    arrays = {name: io[stored].astype(np.float32)[:4] for name, stored in zip(ours, theirs, strict=True)}
    found_N = PlainNetwork(state).scores(streams_of(state, config, arrays))
    np.testing.assert_allclose(found_N, io["output_batch1"][:4, 0], rtol=0, atol=1e-5)
