"""The network's specification: a clip's score depends on that clip only, whatever the configuration."""

import itertools
from typing import Any

import pytest
import torch
from network_fixtures import CONFIGURATIONS, random_batch, take, tiny_config, tiny_model, widened, without

from textmsa.errors import UserError
from textmsa.model import TextMsaModel
from textmsa.model.batch import Batch
from textmsa.model.experts import Capacity, Experts, drop_overflow
from textmsa.model.stream_encoder import Stream
from textmsa.model.temporal_alignment import GatedConvAlignment

TOLERANCE: dict[str, Any] = {"rtol": 0, "atol": 1e-5}
every_configuration = pytest.mark.parametrize("changes", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
MISSING = [c for n in (1, 2) for c in itertools.combinations(("text", "audio", "video"), n)]


def scores(model: TextMsaModel, batch: Batch) -> torch.Tensor:
    with torch.no_grad():
        return model(batch).score_B


@every_configuration
def test_a_clip_alone_equals_the_clip_in_a_batch_of_64(changes):
    model, batch = tiny_model(**changes), random_batch(64)
    together = scores(model, batch)
    assert together.std() > 0.01  # scores that differ, or the test would show nothing
    alone = torch.cat([scores(model, take(batch, [i], crop=True)) for i in range(64)])
    torch.testing.assert_close(alone, together, **TOLERANCE)


@every_configuration
def test_order_does_not_matter(changes):
    model, batch = tiny_model(**changes), random_batch(16)
    order = torch.randperm(16, generator=torch.Generator().manual_seed(1)).tolist()
    torch.testing.assert_close(scores(model, take(batch, order)), scores(model, batch)[order], **TOLERANCE)


@every_configuration
def test_padding_does_not_matter(changes):
    changes = changes | {"max_text_length": 20, "max_steps": 20}
    model, batch = tiny_model(**changes), random_batch(8)
    torch.testing.assert_close(scores(model, widened(batch, 5)), scores(model, batch), **TOLERANCE)


@every_configuration
def test_twice_is_the_same(changes):
    model, batch = tiny_model(**changes), random_batch(8)
    torch.testing.assert_close(scores(model, batch), scores(model, batch), **TOLERANCE)


def test_noise_always_makes_two_passes_differ():
    model, batch = tiny_model(router_noise="always"), random_batch(8)
    assert (scores(model, batch) - scores(model, batch)).abs().max() > 1e-4


def test_attending_padding_makes_scores_depend_on_it():
    """The compatibility switch does what the reference does; the tests above could not pass with it."""
    model, batch = tiny_model(mask_padding=False, max_text_length=20, max_steps=20), random_batch(8)
    assert (scores(model, widened(batch, 5)) - scores(model, batch)).abs().max() > 1e-3


@every_configuration
@pytest.mark.parametrize("missing", MISSING, ids="+".join)
def test_missing_modalities_give_a_finite_score_with_their_gate_at_zero(changes, missing):
    model, batch = tiny_model(**changes), random_batch(6)
    with torch.no_grad():
        output = model(without(batch, *missing))
    assert torch.isfinite(output.score_B).all()
    for index, name in enumerate(("text", "audio", "video")):
        assert bool((output.gates_BM[:, index] == 0).all()) == (name in missing)
    torch.testing.assert_close(output.gates_BM.sum(dim=1), torch.ones(6))


@every_configuration
@pytest.mark.parametrize("missing", MISSING, ids="+".join)
def test_a_missing_modality_costs_the_neighbours_nothing(changes, missing):
    """A clip without a stream scores the same alone (where nothing is computed for it) and beside clips with it."""
    model, batch = tiny_model(**changes), random_batch(4)
    mixed = scores(model, without(batch, *missing, rows=[1, 2]))
    alone = scores(model, without(take(batch, [1], crop=True), *missing))
    torch.testing.assert_close(mixed[1:2], alone, **TOLERANCE)
    torch.testing.assert_close(mixed[[0, 3]], scores(model, batch)[[0, 3]], **TOLERANCE)


@every_configuration
def test_missing_explanations_leave_the_learned_token(changes):
    model, batch = tiny_model(**changes), random_batch(4)
    bare = scores(model, without(batch, "audio_explanation", "video_explanation"))
    assert torch.isfinite(bare).all()
    rows = without(batch, "audio_explanation", "video_explanation", rows=[0])
    torch.testing.assert_close(scores(model, rows)[:1], bare[:1], **TOLERANCE)


def test_all_missing_is_an_error():
    batch = random_batch(3)
    with pytest.raises(UserError, match="clip1"):
        without(batch, "text", "audio", "video", rows=[1])
    with pytest.raises(UserError, match="all missing"):
        without(batch, "text", "audio", "video")


def test_all_that_the_model_was_built_for_missing_is_an_error():
    model = tiny_model(audio_size=None)
    with pytest.raises(UserError):
        model(without(random_batch(2), "text", "video"))


def test_streams_without_a_size_are_not_built():
    model = tiny_model(audio_size=None, video_size=None)
    assert not any(name.startswith(("audio", "video")) for name, _ in model.named_parameters())
    assert torch.isfinite(scores(model, random_batch(4))).all()


@every_configuration
def test_every_expert_learns_and_the_load_is_reported(changes):
    model = tiny_model(**changes).train()
    received = torch.zeros(len(model.layers), model.config.num_experts)
    load = torch.zeros_like(received)
    for seed in range(8):  # an epoch
        model.zero_grad()
        output = model(random_batch(32, seed))
        (output.score_B**2).mean().backward()
        load += (output.expert_weights_BNE > 0).float().mean(dim=0)
        for row, layer in zip(received, model.layers, strict=True):
            row += layer.experts.up_weight_EDM.grad.flatten(1).norm(dim=1)
    assert (received > 0).all()
    assert (load > 0).all()
    if model.config.routing == "token":  # means over positions that chose differently
        torch.testing.assert_close(output.expert_weights_BNE.sum(dim=2), torch.ones(32, len(model.layers)))
    elif model.config.capacity_factor is None:
        torch.testing.assert_close(load.sum(dim=1) / 8, torch.full((len(load),), float(model.config.top_k)))


def test_save_and_load_give_the_same_scores(tmp_path):
    model, batch = tiny_model(alignment_query="features"), random_batch(4)
    model.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").is_file()
    again = TextMsaModel.from_pretrained(tmp_path).eval()
    assert again.config.alignment_query == "features"
    torch.testing.assert_close(scores(again, batch), scores(model, batch), rtol=0, atol=0)


@every_configuration
def test_no_host_synchronisation_in_the_forward_pass(changes):
    """Tensors without data refuse every read of a value; the whole training pass works on them."""
    model = tiny_model(**changes).train().to("meta")
    output = model(random_batch(4).to("meta"))
    output.score_B.mean().backward()
    assert output.score_B.shape == (4,)
    with pytest.raises(RuntimeError):
        output.score_B[0].item()


def test_experts_equal_a_loop_over_clips():
    torch.manual_seed(0)
    config = tiny_config()
    experts = Experts(config)
    x = torch.randn(5, 7, config.hidden_size)
    chosen = torch.stack([torch.randperm(config.num_experts)[: config.top_k] for _ in range(5)])
    weights = torch.rand(5, config.top_k)
    slow = torch.zeros_like(x)
    for clip in range(5):
        for expert, weight in zip(chosen[clip], weights[clip], strict=True):
            inner = torch.nn.functional.gelu(x[clip] @ experts.up_weight_EDM[expert] + experts.up_bias_EM[expert])
            slow[clip] += weight * (inner @ experts.down_weight_EMD[expert] + experts.down_bias_ED[expert])
    torch.testing.assert_close(experts(x, chosen, weights), slow)


def test_overflow_is_dropped_in_batch_order_and_not_renormalised():
    chosen = torch.tensor([[0, 1], [0, 2], [1, 0], [0, 1]])
    weights = torch.full((4, 2), 0.5)
    kept = drop_overflow(chosen, weights, Capacity(2), num_experts=3)
    assert kept.tolist() == [[0.5, 0.5], [0.5, 0.5], [0.5, 0.0], [0.0, 0.0]]


def test_temporal_update_is_zero_where_the_other_stream_is_padding():
    torch.manual_seed(0)
    config = tiny_config()
    alignment = GatedConvAlignment(config)
    audio = Stream(torch.randn(1, 6, 16), torch.tensor([[True] * 6]))
    video = Stream(torch.randn(1, 6, 16), torch.tensor([[True] * 3 + [False] * 3]))
    new_audio, _ = alignment(audio, video)
    assert (new_audio.x_BTD[:, :3] != audio.x_BTD[:, :3]).any(dim=2).all()
    torch.testing.assert_close(new_audio.x_BTD[:, 3:], audio.x_BTD[:, 3:], rtol=0, atol=0)


def test_temporal_alignment_is_causal():
    torch.manual_seed(0)
    alignment = GatedConvAlignment(tiny_config())
    audio = Stream(torch.randn(1, 6, 16), torch.ones(1, 6, dtype=torch.bool))
    video = Stream(torch.randn(1, 6, 16), torch.ones(1, 6, dtype=torch.bool))
    later = audio.x_BTD.clone()
    later[:, 4:] += 1
    before, after = alignment(audio, video)[0].x_BTD, alignment(Stream(later, audio.mask_BT), video)[0].x_BTD
    torch.testing.assert_close(before[:, :4], after[:, :4])
