"""What a ridge regression reads in each modality, as a part of the network."""

import math

import numpy as np
import pytest
import torch
from network_fixtures import random_batch, tiny_model, without

from textmsa.evaluate.tables import pool
from textmsa.model.batch import Steps
from textmsa.model.probes import QUANTILES, Probe, statistics_of
from textmsa.types import FeatureSequence


def model_with_probes():
    return tiny_model(unimodal_heads=True, probes=True, readings=True, alignment_query="features")


def test_statistics_are_those_of_the_real_steps_alone():
    steps = random_batch(6).video
    assert steps is not None
    padded = Steps(torch.where(steps.mask_BT[..., None], steps.values_BTF, 1e6), steps.mask_BT)
    torch.testing.assert_close(statistics_of(padded), statistics_of(steps))
    for row_TF, mask_T, told_X in zip(*steps, statistics_of(steps), strict=True):
        real_TF = row_TF[mask_T]
        assert told_X.reshape(2 + len(QUANTILES), -1)[0] == pytest.approx(real_TF.mean(dim=0), abs=1e-5)
        names = tuple(map(str, range(real_TF.shape[1])))
        pooled = pool(FeatureSequence(real_TF.numpy(), np.arange(float(len(real_TF))), names), len(names))
        mean, std, low, high, least, most = pooled.reshape(6, -1)  # as the baselines have them, in another order
        assert told_X == pytest.approx(np.concatenate([mean, std, least, low, high, most]), abs=1e-4)


def test_nothing_real_has_statistics_of_0():
    steps = Steps(torch.full((2, 5, 3), 7.0), torch.zeros(2, 5, dtype=torch.bool))
    assert statistics_of(steps).abs().max() == 0


def test_a_probe_is_a_regression_of_standardised_inputs_that_are_held_within_eight_deviations():
    probe = Probe(2)
    assert probe(torch.ones(3, 2)).tolist() == [0, 0, 0]  # before it is given anything
    given = {"mean_X": [1.0, 0.0], "std_X": [2.0, 1.0], "weight_X": [3.0, -1.0]}
    probe.give(bias=0.5, **{name: torch.tensor(value) for name, value in given.items()})
    assert probe(torch.tensor([[3.0, 2.0], [1.0, 1000.0]])).tolist() == [3 - 2 + 0.5, -8 + 0.5]


def test_the_heads_say_what_the_probes_read_and_no_step_changes_those():
    model, batch = model_with_probes(), random_batch(8)
    words = model._encode_texts(batch)[0]
    for name in ("text", "audio", "video"):
        torch.nn.init.zeros_(model.unimodal.heads[name][1].weight)
        torch.nn.init.zeros_(model.unimodal.heads[name][1].bias)
    read_BM = model.unimodal.probes(words, batch.audio, batch.video)
    torch.testing.assert_close(model(batch).unimodal_BM, read_BM)
    assert read_BM.std(dim=0).min() > 1e-3
    trained = {name for name, _ in model.named_parameters()}
    assert not any("probes" in name for name in trained)
    assert any("probes" in name for name in model.state_dict())


def test_a_missing_modality_says_nothing_and_changes_no_other():
    model, batch = model_with_probes(), random_batch(8)
    with torch.no_grad():
        whole, gone = model(batch).unimodal_BM, model(without(batch, "audio", rows=[2, 3])).unimodal_BM
    assert math.isnan(gone[2, 1]) and math.isnan(gone[3, 1])
    torch.testing.assert_close(gone[:, [0, 2]], whole[:, [0, 2]])
