"""What the streams' own scores and the coincidence of voice and face add to a score."""

from dataclasses import replace

import pytest
import torch
from network_fixtures import random_batch, small_recipe, tiny_config, tiny_model, without
from torch.nn import functional

from textmsa.errors import UserError
from textmsa.model import TextMsaModel
from textmsa.model.batch import Steps
from textmsa.model.readings import SALIENCES, Coincidence
from textmsa.recipe_checks import check_recipe

STEPS, SIZE = 40, 3


def reading_model(**changes):
    return tiny_model(readings=True, unimodal_heads=True, alignment_query="features", **changes)


def bump(place_B: torch.Tensor, steps: int = STEPS) -> Steps:
    """Streams that are noise but for one bump of their first feature, at `place_B`."""
    time_T = torch.arange(steps)
    values_BTF = 0.1 * torch.randn(len(place_B), steps, SIZE)
    values_BTF[..., 0] += torch.exp(-(((time_T - place_B[:, None]) / 2) ** 2))
    return Steps(values_BTF, torch.ones(len(place_B), steps, dtype=torch.bool))


def test_the_score_is_the_fusion_and_what_the_readings_add():
    model, batch = reading_model(), random_batch(8)
    with torch.no_grad():
        whole = model(batch)
        model.readings = None
        fused = model(batch)
    assert fused.readings_B is None
    assert whole.readings_B.abs().max() > 1e-4
    torch.testing.assert_close(whole.score_B, fused.score_B + whole.readings_B)


def test_the_rest_of_the_network_is_the_same_without_them():
    torch.manual_seed(0)
    plain = TextMsaModel(tiny_config(unimodal_heads=True))
    torch.manual_seed(0)
    reading = TextMsaModel(tiny_config(unimodal_heads=True, readings=True))
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(reading.state_dict()[name], value)


@pytest.mark.parametrize("modality", ["text", "audio", "video"])
def test_a_missing_modality_leaves_scores_and_gradients_finite(modality):
    model = reading_model()
    output = model(without(random_batch(8), modality, rows=[0, 3]))
    assert torch.isfinite(output.readings_B).all()
    output.score_B.sum().backward()
    gradients = [p.grad for n, p in model.named_parameters() if n.startswith("readings.") and p.grad is not None]
    assert gradients and all(torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize("gone", ["audio", "video"])
def test_nothing_coincides_with_a_stream_that_is_missing(gone):
    torch.manual_seed(0)
    coincidence = Coincidence(SIZE, SIZE)
    streams = {name: bump(torch.tensor([9.0, 20.0])) for name in ("audio", "video")}
    values_BTF, mask_BT = streams[gone]
    streams[gone] = Steps(values_BTF, mask_BT & torch.tensor([[True], [False]]))
    overlap_BS = coincidence(**streams)
    assert (overlap_BS[0] > 0).all() and (overlap_BS[1] == 0).all()


def test_a_network_of_one_stream_hears_no_coincidence():
    model, batch = reading_model(audio_size=None), without(random_batch(8), "audio")
    assert not any("coincidence" in name for name, _ in model.named_parameters())
    assert torch.isfinite(model(replace(batch, audio=None)).score_B).all()


def test_padding_takes_no_part_in_the_overlap():
    torch.manual_seed(0)
    coincidence, audio, video = Coincidence(SIZE, SIZE), bump(torch.tensor([9.0])), bump(torch.tensor([12.0]))

    def padded(steps: Steps) -> Steps:
        values_BTF = functional.pad(steps.values_BTF, (0, 0, 0, 7), value=3.0)
        return Steps(values_BTF, functional.pad(steps.mask_BT, (0, 7)))

    torch.testing.assert_close(coincidence(padded(audio), padded(video)), coincidence(audio, video))


def test_overlap_is_a_share_that_no_shift_of_both_changes():
    torch.manual_seed(0)
    coincidence, place_B = Coincidence(SIZE, SIZE), torch.tensor([15.0])
    audio, video = bump(place_B), bump(place_B + 4)
    overlap_BS = coincidence(audio, video)
    assert overlap_BS.shape == (1, SALIENCES) and (overlap_BS > 0).all() and (overlap_BS < 1).all()

    def later(steps: Steps) -> Steps:
        return Steps(functional.pad(steps.values_BTF, (0, 0, 5, 0)), functional.pad(steps.mask_BT, (5, 0)))

    torch.testing.assert_close(coincidence(later(audio), later(video)), overlap_BS)


def test_coincidence_is_learnt_from_streams_of_which_only_time_tells():
    """Bumps that coincide or lie apart, anywhere: neither stream alone tells which."""
    torch.manual_seed(0)
    coincidence = Coincidence(SIZE, SIZE)
    head = torch.nn.Linear(SALIENCES, 1)
    optimizer = torch.optim.Adam([*coincidence.parameters(), *head.parameters()], 1e-2)

    def clips(count: int) -> tuple[Steps, Steps, torch.Tensor]:
        together_B = torch.rand(count) < 0.5
        audio_B = torch.randint(3, STEPS - 3, (count,)).float()
        apart_B = (audio_B + torch.randint(12, 20, (count,))) % (STEPS - 6) + 3
        return bump(audio_B), bump(torch.where(together_B, audio_B, apart_B)), together_B.float()

    for _ in range(150):
        audio, video, together_B = clips(32)
        loss = functional.binary_cross_entropy_with_logits(head(coincidence(audio, video)).squeeze(1), together_B)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    audio, video, together_B = clips(400)
    right_B = (head(coincidence(audio, video)).squeeze(1) > 0) == together_B.bool()
    assert right_B.float().mean() > 0.9


def test_readings_need_heads_that_read(tmp_path):
    recipe = small_recipe(tmp_path)
    recipe.model.readings = True
    with pytest.raises(UserError, match=r"model.readings true: .* give training.unimodal_weight above 0"):
        check_recipe(recipe)
    recipe.training.unimodal_weight = 0.5
    check_recipe(recipe)
