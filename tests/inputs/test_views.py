"""Taking things away from clips: controls of the ablation, modality dropout, the robustness curve."""

import csv
from collections import Counter
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from network_fixtures import small_recipe

from benchmarks.generated_store import generate_store
from textmsa.cli import main
from textmsa.config import InputConfig
from textmsa.errors import UserError
from textmsa.evaluate.robustness import parse_rates
from textmsa.inputs.examples import Example, SampleList, texts_of
from textmsa.inputs.views import choose_missing, drop_modalities, partners, view_of
from textmsa.run import Run
from textmsa.store.preparation import Preparation
from textmsa.store.reading import Store
from textmsa.train.command import train
from textmsa.types import Samples


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return generate_store(tmp_path_factory.mktemp("controls") / "store", clips=40)


def view(store: Store, **inputs):
    return view_of(store, InputConfig(**inputs), Preparation.load(store.path))


def test_without_controls_the_store_itself_is_read(store):
    assert view(store) is store


@pytest.mark.parametrize(
    ("which", "kept"), [("none", set()), ("transcript", set()), ("visual", {"video"}), ("audio", {"audio"})]
)
def test_an_explanation_is_reduced_to_one_part(store, which, kept):
    told = view(store, explanations=which)[3].explanation
    whole = store[3].explanation
    assert {name for name in ("audio", "video") if getattr(told, name)} == kept
    for name in kept:
        assert getattr(told, name) == getattr(whole, name) == told.summary
    assert told.reason is None
    assert view(store, explanations=which).explanations()[3] == told


def test_shuffled_explanations_are_those_of_other_clips_of_the_split(store):
    splits = store.column("split")
    other = partners(splits)
    assert sorted(other) == list(range(len(store)))
    assert all(i != j and splits[i] == splits[j] for i, j in enumerate(other))
    shuffled = view(store, explanations="shuffled")
    assert shuffled[5].explanation == store[other[5]].explanation == shuffled.explanations()[5]
    assert shuffled[5].clip == store[5].clip
    assert partners(splits) == other


def test_shuffled_video_has_the_same_values_at_other_times(store):
    before, after = store[2].observation.video, view(store, video_order="shuffled")[2].observation.video
    assert before is not None and after is not None
    assert not np.array_equal(before.values_TF, after.values_TF)
    assert np.array_equal(np.sort(before.values_TF, axis=0), np.sort(after.values_TF, axis=0))
    assert np.array_equal(before.times_T, after.times_T)
    again = view(store, video_order="shuffled")[2].observation.video
    assert again is not None and np.array_equal(again.values_TF, after.values_TF)


def test_timeless_explanations_need_the_measured_explainer(store):
    with pytest.raises(UserError, match="needs measured explanations"):
        view(store, explanations="timeless")


def test_a_view_has_all_that_a_store_has(store):
    shuffled: Samples = view(store, explanations="shuffled", video_order="shuffled")
    assert shuffled.column("split") == store.column("split")
    assert list(shuffled.pieces("audio")) == store.pieces("audio")
    assert len(shuffled) == len(shuffled.clips()) == len(shuffled.explanations()) == len(store)


def test_a_run_on_shuffled_explanations_refuses_single_clips(store):
    alone = SampleList([store[0]])
    with pytest.raises(UserError, match="evaluation on a store, not for clips"):
        view_of(alone, InputConfig(explanations="shuffled"), store.preparation)
    assert view_of(alone, InputConfig(explanations="none"), store.preparation)[0].explanation.summary is None


@pytest.mark.parametrize("which", ["none", "transcript", "visual", "audio", "shuffled", "timeless"])
def test_given_word_pieces_and_other_explanations_are_refused(store, encoder, tmp_path, which):
    recipe = small_recipe(encoder, InputConfig(explanations=which, pieces="given"))
    with pytest.raises(UserError, match=f"inputs.explanations {which}: word pieces.*inputs.pieces to tokenize"):
        train(recipe, data=store.path, out=tmp_path / "run", device="cpu")


def test_texts_to_encode_are_those_of_the_view(store):
    recipe_none = InputConfig(explanations="none")
    found = texts_of(view_of(store, recipe_none, Preparation.load(store.path)), recipe_none)
    assert set(found) == {clip.transcript for clip in store.clips()}


@pytest.mark.parametrize(
    "inputs",
    [
        InputConfig(modalities=("text",)),
        InputConfig(modalities=("audio", "video")),
        InputConfig(explanations="none"),
        InputConfig(explanations="shuffled"),
        InputConfig(video_order="shuffled", text_input="transcript"),
    ],
    ids=lambda inputs: "-".join(str(v) for v in (inputs.modalities, inputs.explanations, inputs.video_order)),
)
def test_a_run_reads_in_evaluation_what_it_read_in_training(store, encoder, tmp_path, inputs):
    out = tmp_path / "run"
    info = train(small_recipe(encoder, inputs), data=store.path, out=out, device="cpu").info
    run = Run.open(out)
    scored = run.score(store, store.indices("valid"))
    assert np.abs(scored.score_N - store.labels("valid")).mean() == pytest.approx(info.valid["mae"], abs=1e-4)
    present = [name in inputs.modalities for name in ("text", "audio", "video")]
    assert ((scored.gates_NM > 0).all(axis=0) == present).all()
    assert (run.model.audio is not None) == ("audio" in inputs.modalities)


def example(**changes) -> Example:
    steps = (np.ones((3, 2), np.float32), np.ones(3, bool))
    whole = Example("a", "words", "voice", "face", steps, steps, 1.0)
    return replace(whole, **changes)


def test_modality_dropout_leaves_one_modality_and_its_rate_holds():
    torch.manual_seed(0)
    counts: Counter[str] = Counter()
    for _ in range(3000):
        thinned = drop_modalities(example(), 0.3)
        present = [name for name in ("text", "audio", "video") if getattr(thinned, name) is not None]
        assert present
        counts.update(present)
        if thinned.audio is None:
            assert thinned.audio_explanation is None
        counts["explained"] += thinned.video is not None and thinned.video_explanation is not None
    for name in ("text", "audio", "video"):
        assert counts[name] / 3000 == pytest.approx(0.7 + 0.3**3 / 3, abs=0.03)
    assert counts["explained"] / counts["video"] == pytest.approx(0.7, abs=0.03)
    alone = example(text=None, audio=None, audio_explanation=None)
    assert all(drop_modalities(alone, 0.9).video is not None for _ in range(50))
    untouched = drop_modalities(example(), 0.0)
    assert all(getattr(untouched, f.name) is not None for f in fields(untouched))


def test_of_what_a_clip_has_one_modality_stays():
    draws = iter([0.1, 0.6, 0.2])
    assert choose_missing(["text", "audio", "video"], 0.5, lambda: next(draws), int) == {"text", "video"}
    assert list(draws) == []  # one draw for each
    counts = []

    def last(count: int) -> int:
        counts.append(count)
        return count - 1

    assert choose_missing(["text", "video"], 0.5, lambda: 0.0, last) == {"text"}
    assert counts == [2]
    assert choose_missing([], 0.5, lambda: 0.0, last) == set()


def test_modality_dropout_acts_in_training_only(store, encoder, tmp_path):
    kept = train(small_recipe(encoder), data=store.path, out=tmp_path / "kept", device="cpu").info
    thinned = train(
        small_recipe(encoder, modality_dropout=0.4), data=store.path, out=tmp_path / "thin", device="cpu"
    ).info
    assert thinned.valid["mae"] != kept.valid["mae"]
    scored = Run.open(tmp_path / "thin").score(store, store.indices("valid"))
    assert (scored.gates_NM > 0).all()


def test_the_robustness_curve_is_written_and_drawn(store, encoder, tmp_path, capsys):
    out = tmp_path / "run"
    train(small_recipe(encoder), data=store.path, out=out, device="cpu")
    options = ["--data", str(store.path), "--no-baselines", "--missing-rate", "0.0:0.9:0.3"]
    assert main(["evaluate", str(out), *options]) == 0
    rows = list(csv.DictReader((out / "evaluation-test" / "robustness.csv").read_text().splitlines()))
    assert [float(row["missing_rate"]) for row in rows] == [0.0, 0.3, 0.6, 0.9]
    scored = Run.open(out).score(store, store.indices("test"))
    whole = np.abs(scored.score_N - store.labels("test")).mean()
    assert float(rows[0]["mae"]) == pytest.approx(whole, abs=1e-4)
    assert float(rows[0]["mae_std"]) == 0 < float(rows[2]["mae_std"])
    assert (out / "evaluation-test" / "robustness.png").read_bytes().startswith(b"\x89PNG")
    assert "missing" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "rates"), [("0.0:0.9:0.3", [0, 0.3, 0.6, 0.9]), ("0:0.5:0.25", [0, 0.25, 0.5]), ("0,0.7", [0, 0.7])]
)
def test_rates_are_a_range_or_a_list(given, rates):
    assert parse_rates(given) == rates


@pytest.mark.parametrize("given", ["0:1:0.5", "a", "0.5:0.1:0.1", "0:0.5:0", "-0.1,0.5", "0:0.5"])
def test_other_rates_are_refused(given):
    with pytest.raises(UserError, match="--missing-rate"):
        parse_rates(given)


@pytest.mark.parametrize(
    ("inputs", "training", "message"),
    [
        (InputConfig(modalities=()), {}, "inputs.modalities"),
        (InputConfig(modalities=("text", "text")), {}, "inputs.modalities"),
        (InputConfig(), {"modality_dropout": 1.0}, "modality_dropout 1: give a rate"),
    ],
)
def test_values_that_leave_nothing_are_refused(store, encoder, tmp_path, inputs, training, message):
    with pytest.raises(UserError, match=message):
        train(small_recipe(encoder, inputs, **training), data=store.path, out=tmp_path / "run", device="cpu")
