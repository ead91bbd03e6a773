"""Heads that say what each stream says alone, and what they cost."""

import math
from dataclasses import replace

import pytest
import torch
from network_fixtures import random_batch, tiny_config, tiny_model, without

from textmsa.model import TextMsaModel
from textmsa.model.batch import Steps
from textmsa.model.unimodal import unimodal_loss

QUERIES = ["explanation", "features"]
NONE = math.nan


def with_other_video(batch):
    return replace(batch, video=Steps(batch.video.values_BTF + 1, batch.video.mask_BT))


@pytest.mark.parametrize("query", QUERIES)
def test_what_a_modality_says_alone_depends_on_it_alone(query):
    model, batch = tiny_model(alignment_query=query, unimodal_heads=True), random_batch(8)
    with torch.no_grad():
        first, second = model(batch), model(with_other_video(batch))
    changed = (first.unimodal_BM - second.unimodal_BM).abs()
    assert changed[:, :2].max() < 1e-6
    assert changed[:, 2].min() > 1e-6
    assert (first.score_B - second.score_B).abs().max() > 1e-6  # which depends on all


def test_a_missing_modality_says_nothing():
    model, batch = tiny_model(unimodal_heads=True), random_batch(8)
    with torch.no_grad():
        alone = model(without(batch, "audio")).unimodal_BM
    assert torch.isnan(alone).all(dim=0).tolist() == [False, True, False]
    assert torch.isfinite(alone[:, [0, 2]]).all()


@pytest.mark.parametrize("modality", ["text", "audio", "video"])
@pytest.mark.parametrize("query", QUERIES)
def test_a_clip_without_a_modality_leaves_every_gradient_finite(query, modality):
    model = tiny_model(alignment_query=query, unimodal_heads=True)
    output = model(without(random_batch(8), modality, rows=[0, 3]))
    place = ("text", "audio", "video").index(modality)
    assert torch.isnan(output.unimodal_BM[:, place]).nonzero().flatten().tolist() == [0, 3]
    (unimodal_loss(output.unimodal_BM, torch.ones(8, 3), "l1") + output.score_B.sum()).backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert gradients and all(torch.isfinite(gradient).all() for gradient in gradients)


def test_heads_change_nothing_of_the_network_beside_them():
    torch.manual_seed(0)
    plain = TextMsaModel(tiny_config())
    torch.manual_seed(0)
    headed = TextMsaModel(tiny_config(unimodal_heads=True))
    assert {n for n, _ in headed.named_parameters()} - {n for n, _ in plain.named_parameters()} == {
        f"unimodal.heads.{modality}.{part}.{kind}"
        for modality in ("text", "audio", "video")
        for part in (0, 1)
        for kind in ("weight", "bias")
    }
    batch = random_batch(4)
    with torch.no_grad():
        torch.testing.assert_close(headed.eval()(batch).score_B, plain.eval()(batch).score_B)
    assert plain(batch).unimodal_BM is None


@pytest.mark.parametrize(("kind", "expected"), [("l1", (1 + 3) / 2), ("mse", (1 + 9) / 2)])
def test_only_what_is_there_and_labelled_counts(kind, expected):
    score_BM = torch.tensor([[1.0, NONE, 0.5], [2.0, 0.0, -1.0]], requires_grad=True)
    label_BM = torch.tensor([[0.0, 2.0, NONE], [NONE, NONE, 2.0]])
    loss = unimodal_loss(score_BM, label_BM, kind)
    assert loss.item() == pytest.approx(expected)
    loss.backward()
    gradient_BM = score_BM.grad
    assert gradient_BM is not None and torch.isfinite(gradient_BM).all()
    assert (gradient_BM != 0).tolist() == [[True, False, False], [False, False, True]]


def test_absent_labels_cost_nothing():
    model, batch = tiny_model(unimodal_heads=True), random_batch(4)
    loss = unimodal_loss(model(batch).unimodal_BM, torch.full((4, 3), NONE), "l1")
    assert loss.item() == 0
    loss.backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    assert gradients and all(not gradient.any() for gradient in gradients)
