"""Training with the labels of words, voice and face: what is learnt, saved, shown, and never looked at."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from network_fixtures import small_recipe

from benchmarks.generated_store import generate_store
from textmsa.errors import UserError
from textmsa.evaluate.command import evaluate
from textmsa.predict import Predictor
from textmsa.prediction_text import as_text
from textmsa.run import Run
from textmsa.store.reading import Store
from textmsa.store.writing import write_store
from textmsa.train.command import train

WEIGHT: dict[str, Any] = {"unimodal_weight": 0.5, "loss": "l1"}


@pytest.fixture(scope="module")
def generated(tmp_path_factory) -> Store:
    return generate_store(tmp_path_factory.mktemp("generated") / "store", clips=60)


def labelled(folder: Path, store: Store, label_of) -> Store:
    """The generated store with unimodal labels: `label_of(clip, place)` gives them by name."""
    rows = [store.row(place) for place in range(len(store))]
    changed = [
        replace(row, sample=replace(row.sample, clip=replace(row.sample.clip, **label_of(row.sample.clip, place))))
        for place, row in enumerate(rows)
    ]
    shutil.copytree(store.path, folder, ignore=shutil.ignore_patterns(f"{store.manifest.data}*"))
    write_store(folder, changed, manifest=store.manifest, statistics=store.statistics)
    return Store.open(folder)


def text_and_video(clip, place: int) -> dict[str, float | None]:
    return {"label_text": None if place % 2 else clip.label, "label_video": clip.label}


@pytest.fixture(scope="module")
def store(generated, tmp_path_factory) -> Store:
    return labelled(tmp_path_factory.mktemp("labelled") / "store", generated, text_and_video)


def test_a_stream_learns_its_own_label(generated, encoder, tmp_path):
    store = labelled(tmp_path / "store", generated, lambda clip, place: {"label_audio": clip.label})
    recipe = small_recipe(encoder, epochs=12, learning_rate=3e-3, **WEIGHT)
    train(recipe, data=store.path, out=tmp_path / "run", device="cpu")
    evaluation = evaluate(tmp_path / "run", data=store.path, split="train", no_baselines=True)
    labels = store.label_N[store.labelled("train")]
    assert evaluation.unimodal["audio"]["mae"] < 0.8 * np.abs(labels - np.median(labels)).mean()


def test_what_each_stream_says_is_saved_and_measured(store, encoder, tmp_path):
    train(small_recipe(encoder, **WEIGHT), data=store.path, out=tmp_path / "run", device="cpu", seeds="1,2")
    evaluation = evaluate(tmp_path / "run", data=store.path, no_baselines=True)
    folder = tmp_path / "run" / "evaluation-test"
    rows = list(csv.DictReader((folder / "predictions.csv").read_text().splitlines()))
    alone = np.array([[float(row[f"alone_{name}"]) for name in ("text", "audio", "video")] for row in rows])
    assert np.isfinite(alone).all()
    clips = {clip.id: clip for clip in store.clips()}
    error = [abs(row[2] - clips[r["id"]].label_video) for row, r in zip(alone, rows, strict=True)]
    assert evaluation.unimodal["video"]["mae"] == pytest.approx(np.mean(error), abs=1e-5)
    assert evaluation.unimodal["video"]["clips"] == len(rows) > evaluation.unimodal["text"]["clips"] > 0
    assert "audio" not in evaluation.unimodal  # which has no label
    assert json.loads((folder / "metrics.json").read_text())["unimodal"]["text"]["mae"] >= 0
    assert "video alone" in evaluation.table() and "audio alone" not in evaluation.table()


def test_a_prediction_says_what_each_modality_says(tiny_run, encoder, tmp_path):
    train(small_recipe(encoder, **WEIGHT), data=tiny_run.store, out=tmp_path / "run", device="cpu")
    predictor = Predictor(tmp_path / "run")
    clip = next((tiny_run.corpus / "Raw").rglob("*.mp4"))
    prediction = predictor.predict(clip)
    assert set(prediction.unimodal) == {"audio", "video"}  # no words were given
    assert as_text(prediction).count(" alone ") == 2
    assert Predictor(tiny_run.path).predict(clip).unimodal == {}


@pytest.mark.parametrize(
    ("label_of", "told"),
    [
        (lambda clip, place: {}, "no clip to train on has a label of its text alone"),
        (lambda clip, place: {"label_text": 0.5}, "have the same label 0.5 of their text alone"),
    ],
    ids=["none", "all_equal"],
)
def test_labels_of_which_nothing_can_be_learnt_are_told_and_cost_nothing(
    generated, encoder, tmp_path, caplog, label_of, told
):
    store = labelled(tmp_path / "store", generated, label_of)
    with caplog.at_level("INFO", logger="textmsa"):
        train(small_recipe(encoder, **WEIGHT), data=store.path, out=tmp_path / "run", device="cpu")
    assert [message for message in caplog.messages if told in message]


def test_no_unimodal_label_of_validation_or_test_enters_anything(generated, encoder, tmp_path):
    def swapped(clip, place: int) -> dict[str, float | None]:
        labels = text_and_video(clip, place)
        if clip.split == "train":
            return labels
        return {name: None if value is None else -value for name, value in labels.items()}

    weights = []
    for name, label_of in {"as_they_are": text_and_video, "swapped": swapped}.items():
        store = labelled(tmp_path / name / "store", generated, label_of)
        recipe = small_recipe(encoder, epochs=2, **WEIGHT)
        train(recipe, data=store.path, out=tmp_path / name / "run", device="cpu")
        weights.append(Run.open(tmp_path / name / "run").model.state_dict())
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_other_unimodal_labels_are_another_store(generated, store, encoder, tmp_path):
    train(small_recipe(encoder, **WEIGHT), data=store.path, out=tmp_path / "run", device="cpu")
    other = labelled(tmp_path / "other", generated, lambda clip, place: {"label_video": 1.0})
    with pytest.raises(UserError, match="begun otherwise by textmsa train"):
        train(small_recipe(encoder, **WEIGHT), data=other.path, out=tmp_path / "run", device="cpu")


def test_a_folder_begun_before_there_was_the_weight_is_gone_on_with(generated, encoder, tmp_path):
    train(small_recipe(encoder), data=generated.path, out=tmp_path / "run", device="cpu")
    claim = json.loads((tmp_path / "run" / "claim.json").read_text())
    assert "unimodal_weight" not in claim["recipe"]["training"]
    result = train(small_recipe(encoder), data=generated.path, out=tmp_path / "run", device="cpu")
    assert "finished before" in result.text()
