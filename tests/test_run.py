"""A finished run scores clips: in any order of lengths, in fp32 and with an int8 encoder."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from network_fixtures import tiny_bert

from benchmarks.generated_store import generate_store
from textmsa import scoring as runs
from textmsa.errors import UserError
from textmsa.inputs.collator import Collator
from textmsa.inputs.examples import SampleDataset
from textmsa.inputs.time_grid import standards_of
from textmsa.model import TextMsaConfig, TextMsaModel
from textmsa.model.int8 import with_int8_encoder
from textmsa.model.text_encoder import load_encoder
from textmsa.run import Run
from textmsa.scoring import score_all
from textmsa.store.reading import Store


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """A store whose clips differ in length, a network with random weights, its collator."""
    store = generate_store(tmp_path_factory.mktemp("run") / "store", clips=40)
    encoder = tiny_bert(2, 32)
    config = TextMsaConfig(audio_size=5, video_size=7, text_encoder_config=encoder.config.to_dict(), hidden_size=32)
    model = TextMsaModel(config, encoder).eval()
    with torch.no_grad():
        model.fusion.down.weight.mul_(20)
    return store, model, Collator(load_encoder("minilm")[1], config)


def dataset_of(store, model) -> SampleDataset:
    return SampleDataset(store, range(len(store)), standards_of(store.statistics), model.config)


def test_batches_sorted_by_length_give_each_clip_its_own_score(parts, monkeypatch):
    store, model, collator = parts
    dataset = dataset_of(store, model)
    with torch.inference_mode():
        alone = [model(collator([dataset[i]])) for i in range(len(dataset))]
    monkeypatch.setattr(runs, "SCORE_BATCH", 4)
    monkeypatch.setattr(runs, "SORT_WINDOW", 24)
    scored = score_all(model, collator, dataset)
    assert scored.ids == [clip.id for clip in store.clips()]
    assert np.ptp(scored.score_N) > 0.1
    for name, field in (("score_N", "score_B"), ("gates_NM", "gates_BM"), ("experts_NLE", "expert_weights_BNE")):
        expected = np.concatenate([getattr(output, field).numpy() for output in alone])
        assert np.allclose(getattr(scored, name), expected, atol=1e-5), name


def test_an_int8_encoder_drifts_little_and_leaves_the_network_alone(parts):
    store, model, collator = parts
    dataset = dataset_of(store, model)
    before = score_all(model, collator, dataset).score_N
    quantised = with_int8_encoder(model)
    drift = np.abs(score_all(quantised, collator, dataset).score_N - before)
    assert 0 < np.median(drift) <= 0.02 * np.ptp(before)
    assert np.array_equal(score_all(model, collator, dataset).score_N, before)
    assert "Quantized" in str(quantised.text_encoder)
    assert "Quantized" not in str(quantised.fusion)


def test_the_drift_is_told_against_the_scores_in_fp32(parts):
    store, model, collator = parts
    info = SimpleNamespace(score_range=(-3.0, 3.0), seeds=[])
    run = Run(store.path, info, SimpleNamespace(statistics=store.statistics))  # type: ignore[arg-type]
    run.model, run.collator = model, collator
    indices = store.indices("test")
    scored = run.score(store, indices, precision="int8")
    gap = np.abs(scored.score_N - run.score(store, indices).score_N)
    assert f"{len(indices)} clip(s): |drift| median {np.median(gap):.4f}, most {gap.max():.4f}" in run.drift(
        store, indices, scored
    )


def run_of(store) -> Run:
    info = SimpleNamespace(score_range=store.manifest.score_range, seeds=[])
    return Run(store.path, info, store.preparation)  # type: ignore[arg-type]


def test_a_store_of_another_score_range_is_refused(parts, tmp_path):
    store, run = parts[0], run_of(parts[0])
    run.check(store)
    other = generate_store(tmp_path / "other", clips=20)
    narrow = Store(other.path, replace(other.manifest, score_range=(-1.0, 1.0)), other.statistics)
    with pytest.raises(UserError, match=r"has scores in \[-1, 1\], and .* was trained on scores in \[-3, 3\]"):
        run.check(narrow)


def test_a_store_with_other_statistics_is_refused_naming_how_to_transfer(parts, tmp_path):
    run, other = run_of(parts[0]), generate_store(tmp_path / "other", clips=20)
    assert not run.preparation.differences(other.preparation)  # the same extractors and explainer
    with pytest.raises(UserError, match=f"textmsa prepare CORPUS --like {run.path}") as refused:
        run.check(other)
    assert "\n" not in str(refused.value)


def test_single_clips_are_scored_as_a_stores_are_and_a_text_that_is_not_read_is_told(parts):
    store, model, collator = parts
    run = run_of(store)
    run.model, run.collator = model, collator
    whole = run.score(store, [3])
    assert np.array_equal(run.score([store[3]], [0]).score_N, whole.score_N)
    assert run.reads(store[3])[1] == {}
    silent = replace(store[3], observation=replace(store[3].observation, transcript=None))
    assert run.reads(silent) == (None, {"text": "no transcript"})
