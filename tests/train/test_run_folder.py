"""A run folder: what it was begun with, what is learnt from, what is written into it, where it is computed."""

import json
import math
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml
from accelerate import PartialState
from accelerate.state import AcceleratorState
from network_fixtures import small_recipe

from benchmarks.generated_store import generate_store
from textmsa.config import InputConfig, ModelConfig
from textmsa.errors import UserError
from textmsa.run import Run
from textmsa.runtime.claim import locked
from textmsa.runtime.device import choose_device
from textmsa.store.reading import Store
from textmsa.store.rows import StoredClip
from textmsa.store.writing import write_store
from textmsa.train import explainer_trainer, trainer
from textmsa.train.checkpoints import CHECKPOINTS
from textmsa.train.command import train
from textmsa.train.described_clips import Shown
from textmsa.train.job import plain
from textmsa.train.learner import ENCODED, Learner
from textmsa.train.model_card import model_card
from textmsa.train.one_device import OneDeviceArguments


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return generate_store(tmp_path_factory.mktemp("generated") / "store", clips=60)


# A run folder and what it was begun with.


@pytest.fixture
def finished(store, encoder, tmp_path) -> Path:
    """A finished run of one short epoch."""
    train(small_recipe(encoder), data=store.path, out=tmp_path / "run", device="cpu")
    return tmp_path / "run"


def changed_store(folder: Path, change: Callable[[StoredClip], StoredClip], **manifest) -> Path:
    """The generated store with other clips."""
    whole = generate_store(folder.with_name(f"{folder.name}-before"), clips=60)
    shutil.copytree(whole.path, folder, ignore=shutil.ignore_patterns(f"{whole.manifest.data}*"))
    clips = [change(whole.row(index)) for index in range(len(whole))]
    write_store(folder, clips, manifest=replace(whole.manifest, **manifest), statistics=whole.statistics)
    return folder


def with_label(stored: StoredClip, label: float | None) -> StoredClip:
    return replace(stored, sample=replace(stored.sample, clip=replace(stored.sample.clip, label=label)))


def files_of(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def test_a_finished_run_is_told_and_nothing_is_written(store, encoder, finished):
    before = files_of(finished)
    again = train(small_recipe(encoder), data=store.path, out=finished, device="cpu")
    assert again.text().endswith("run: finished before; nothing to do")
    Run.open(finished).score(store, store.indices("test"))
    assert files_of(finished) == before


def test_a_store_is_known_by_what_it_holds_not_by_where_it_lies(store, encoder, finished, tmp_path):
    shutil.copytree(store.path, tmp_path / "elsewhere", ignore=shutil.ignore_patterns(ENCODED))
    assert train(small_recipe(encoder), data=tmp_path / "elsewhere", out=finished, device="cpu").finished_before


def test_another_store_recipe_or_precision_is_refused(store, encoder, finished, tmp_path):
    other = generate_store(tmp_path / "other", clips=50).path
    with pytest.raises(UserError, match=r"begun otherwise by textmsa train \(store.clips.train 42 instead of 35"):
        train(small_recipe(encoder), data=other, out=finished, device="cpu")
    with pytest.raises(UserError, match=r"recipe.training.loss \"mse\" instead of \"l1\"\); give another folder"):
        train(small_recipe(encoder, loss="l1"), data=store.path, out=finished, device="cpu")
    with pytest.raises(UserError, match='precision "fp32" instead of "bf16"'):
        train(small_recipe(encoder), data=store.path, out=finished, device="cpu", precision="bf16")
    with pytest.raises(UserError, match=r"store\.clips"):
        train(small_recipe(encoder), data=other, out=finished, device="cpu", seeds="0,1")


@pytest.mark.parametrize("change", ["label", "transcript", "explanation", "source"])
def test_a_store_with_other_labels_texts_explanations_or_media_is_another(store, encoder, finished, tmp_path, change):
    """Counts, range, statistics and parts are the same."""

    def changed(stored: StoredClip) -> StoredClip:
        sample = stored.sample
        if change == "source":
            return replace(stored, source="of another file")
        if change == "explanation":
            return replace(stored, sample=replace(sample, explanation=replace(sample.explanation, audio="Loud.")))
        if change == "label":
            return with_label(stored, 1.5)
        words, observed = replace(sample.clip, transcript="Other."), replace(sample.observation, transcript="Other.")
        return replace(stored, sample=replace(sample, clip=words, observation=observed))

    other = changed_store(tmp_path / "other", changed)
    with pytest.raises(
        UserError, match=r"begun otherwise by textmsa train \(other store\.content\); give another folder"
    ):
        train(small_recipe(encoder), data=other, out=finished, device="cpu")
    same = changed_store(tmp_path / "same", lambda stored: stored)
    assert train(small_recipe(encoder), data=same, out=finished, device="cpu").finished_before


def test_seeds_of_another_store_are_not_added(store, encoder, tmp_path):
    other = generate_store(tmp_path / "other", clips=50).path
    train(small_recipe(encoder), data=store.path, out=tmp_path / "run", device="cpu", seeds="1")
    with pytest.raises(UserError, match=r"store\.clips\.train 42 instead of 35"):
        train(small_recipe(encoder), data=other, out=tmp_path / "run", device="cpu", seeds="1,2")


def test_a_run_of_an_older_textmsa_is_gone_on_with_where_it_agrees(store, encoder, finished, tmp_path, caplog):
    (finished / "claim.json").unlink()
    assert train(small_recipe(encoder), data=store.path, out=finished, device="cpu").finished_before
    assert "begun by an older textmsa" in caplog.text
    other = changed_store(tmp_path / "other", lambda stored: stored, data="data-0002", score_range=(-1.0, 1.0))
    with pytest.raises(UserError, match=r"store.score_range \[-3.0, 3.0\] instead of \[-1.0, 1.0\]"):
        train(small_recipe(encoder), data=other, out=finished, device="cpu")
    with pytest.raises(UserError, match=r"recipe\.training\.epochs 1 instead of 2"):
        train(small_recipe(encoder, epochs=2), data=store.path, out=finished, device="cpu")


def test_an_unfinished_run_of_an_older_textmsa_is_not_gone_on_with(store, encoder, finished):
    for name in ("claim.json", "run.json"):
        (finished / name).unlink()
    (finished / CHECKPOINTS).mkdir()
    with pytest.raises(UserError, match="did not record the store it learnt from; give another folder"):
        train(small_recipe(encoder), data=store.path, out=finished, device="cpu")
    (finished / CHECKPOINTS).rmdir()  # no step was kept: all begins anew
    assert not train(small_recipe(encoder), data=store.path, out=finished, device="cpu").finished_before
    assert (finished / "claim.json").is_file()


@pytest.mark.parametrize("content", [b"model: [1", b"\xff\xfe\x00", b"a: b: c"])
def test_a_damaged_recipe_of_an_older_textmsa_is_one_line(store, encoder, tmp_path, content):
    (tmp_path / "recipe.yaml").write_bytes(content)
    with pytest.raises(UserError, match=r"recipe\.yaml: damaged \(.*\); give another folder") as refused:
        train(small_recipe(encoder), data=store.path, out=tmp_path, device="cpu")
    assert "\n" not in str(refused.value)


def test_a_folder_of_something_else_is_left_alone(store, encoder, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"holds other files \(.*\); give a new or empty folder"):
        train(small_recipe(encoder), data=store.path, out=tmp_path, device="cpu")
    assert not (tmp_path / "lock").exists()


def test_seeds_in_another_order_keep_the_query_that_was_chosen(store, encoder, tmp_path):
    recipe = replace(small_recipe(encoder), try_alignment_queries=("features", "explanation"))
    out = tmp_path / "run"
    first = train(recipe, data=store.path, out=out, device="cpu", seeds="1").info
    both = train(recipe, data=store.path, out=out, device="cpu", seeds="2,1")
    assert both.info.seeds == [2, 1]
    assert {member.alignment_query for member in both.members} == {first.alignment_query}
    assert not (out / "seed-2" / "tried").exists()
    assert both.info.tried == first.tried
    assert train(recipe, data=store.path, out=out, device="cpu", seeds="1,2").finished_before


# What is learnt from.


def test_clips_without_a_label_are_left_out_and_counted(encoder, tmp_path, caplog):
    caplog.set_level("INFO")
    places = {name: iter(range(60)) for name in ("train", "valid", "test")}

    def unlabelled(stored: StoredClip) -> StoredClip:
        place = next(places[str(stored.sample.clip.split)])
        return with_label(stored, None if place % 3 == 0 else stored.sample.clip.label)

    data = changed_store(tmp_path / "store", unlabelled, data="data-0002")
    done = train(small_recipe(encoder), data=data, out=tmp_path / "run", device="cpu", seeds="1,2")
    assert done.info.valid["mae"] < 3
    assert "train: 14 of 42 clips have no label and are left out" in caplog.text
    assert "valid: 2 of 6 clips have no label and are left out" in caplog.text


def test_a_split_of_equal_labels_has_no_correlation_and_no_crash(encoder, tmp_path):
    data = changed_store(tmp_path / "store", lambda stored: with_label(stored, 1.0), data="data-0002")
    info = train(small_recipe(encoder), data=data, out=tmp_path / "run", device="cpu", seeds="3").info
    assert math.isnan(info.valid["corr"])
    assert json.loads((tmp_path / "run" / "run.json").read_text())["valid"]["corr"] is None
    assert math.isnan(Run.open(tmp_path / "run").info.valid["corr"])
    assert "valid_corr" not in json.loads((tmp_path / "run" / "seed-3" / "history.json").read_text())[0]


def test_one_clip_to_train_on_and_one_to_validate_with_are_enough(encoder, tmp_path):
    def few(stored: StoredClip) -> StoredClip:
        clip = stored.sample.clip
        return with_label(stored, clip.label if clip.id in chosen else None)

    first = generate_store(tmp_path / "first", clips=60)
    chosen = {first[first.indices(split)[0]].clip.id for split in ("train", "valid")}
    data = changed_store(tmp_path / "store", few, data="data-0002")
    assert train(small_recipe(encoder), data=data, out=tmp_path / "run", device="cpu").info.epochs == 1


@pytest.mark.parametrize(
    ("text_input", "message"),
    [("translated", r"has a translation \(text_en\)"), ("reason", "is explained with a reason")],
)
def test_a_text_that_no_clip_has_is_refused_before_anything_is_written(encoder, tmp_path, text_input, message):
    def bare(stored: StoredClip) -> StoredClip:
        sample = stored.sample
        explanation = replace(sample.explanation, reason=None)
        return replace(stored, sample=replace(sample, explanation=explanation))

    data = changed_store(tmp_path / "store", bare, data="data-0002")
    recipe = replace(small_recipe(encoder), inputs=InputConfig(text_input=text_input))
    with pytest.raises(UserError, match=f"inputs.text_input {text_input}, and no clip to train on {message}"):
        train(recipe, data=data, out=tmp_path / "run", device="cpu")
    assert not (tmp_path / "run").exists()


def test_how_many_clips_lack_the_text_is_logged(encoder, tmp_path, caplog):
    caplog.set_level("INFO")

    def translated(stored: StoredClip) -> StoredClip:
        clip = stored.sample.clip
        english = None if clip.id.endswith("1") else "in English"
        return replace(stored, sample=replace(stored.sample, clip=replace(clip, transcript_en=english)))

    data = changed_store(tmp_path / "store", translated, data="data-0002")
    recipe = replace(small_recipe(encoder), inputs=InputConfig(text_input="translated"))
    train(recipe, data=data, out=tmp_path / "run", device="cpu")
    assert re.search(r"train: [1-9]\d* of 42 clips have no text \(inputs.text_input translated\)", caplog.text)


# What is written, and where it is computed.


def test_run_json_says_what_trained_it(store, encoder, finished):
    document = json.loads((finished / "run.json").read_text())
    assert document["format"] == 1
    assert {"textmsa", "torch", "transformers"} <= document["packages"].keys()
    assert document["created"]
    assert "commit" in document


def test_a_run_json_without_a_format_is_read(finished):
    path = finished / "run.json"
    document = json.loads(path.read_text())
    for name in ("format", "commit", "created"):
        del document[name]
    path.write_text(json.dumps(document))
    assert Run.open(finished).info.epochs == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"corpus": "x"', "damaged"),
        ("[]", "not a JSON object"),
        ('{"corpus": "x"}', "lacks alignment_query, best_epoch"),
        ('{"format": 99}', "has format 99"),
        ('{"surprise": 1, %s', "has surprise, which this textmsa does not know"),
        ('%s, "score_range": 0}', "damaged"),
        ('%s, "score_range": [1]}', "damaged"),
        ('%s, "valid": []}', "damaged"),
        ('%s, "valid": {"mae": "low"}}', "damaged"),
        ('%s, "seeds": 3}', "damaged"),
    ],
)
def test_a_run_json_that_cannot_be_used_is_one_line(finished, text, message):
    whole = (finished / "run.json").read_text()
    inside = whole.strip()[1:] if text.endswith("%s") else whole.strip()[:-1]
    (finished / "run.json").write_text(text % inside if "%s" in text else text)
    with pytest.raises(UserError, match=message) as refused:
        Run.open(finished)
    assert "\n" not in str(refused.value)
    assert "--out" not in str(refused.value)
    assert "other folder" in str(refused.value) or "use the one that wrote it" in str(refused.value)


def test_a_network_has_a_model_card(encoder, finished):
    text = (finished / "model" / "README.md").read_text()
    _, header, body = text.split("---\n", 2)
    document = yaml.safe_load(header)
    assert document["library_name"] == "textmsa"
    assert "mae" in document["metrics"]
    assert "base_model" not in document  # a folder of this machine is no name
    assert str(encoder) not in text
    info = Run.open(finished).info
    for words in (
        "# TEXT, trained on generated",
        "textmsa predict RUN clip.mp4",
        'textmsa.load("RUN").predict(',
        f"| mae | {info.valid['mae']:.4f} |",
        "| clips | train 42, valid 6, test 12 |",
        "| explainer | generated 1 |",
        "| training.epochs | 1 |",
        info.packages["torch"],
        info.created,
        "## What it is not for",
    ):
        assert words in body
    tried = replace(info, valid={"corr": math.nan})
    manifest = generate_store(finished / "again", clips=10).manifest
    assert "| corr | not defined |" in model_card(tried, small_recipe(encoder), manifest)
    hub = replace(small_recipe(encoder), model=ModelConfig(text_encoder="google-bert/bert-base-uncased"))
    assert "base_model: google-bert/bert-base-uncased" in model_card(info, hub, manifest)


def test_python_may_name_the_recipe(store, encoder, tmp_path):
    import textmsa.train

    recipe = tmp_path / "mine.yaml"
    recipe.write_text(yaml.safe_dump(plain(asdict(small_recipe(encoder)))))
    done = textmsa.train.train(recipe, data=str(store.path), out=str(tmp_path / "run"), device="cpu")
    assert done.path == tmp_path / "run"
    with pytest.raises(UserError, match="recipe nosuch: give a YAML file, or one of"):
        textmsa.train.train("nosuch", data=store.path, out=tmp_path / "other")


@pytest.fixture
def two_gpus(monkeypatch) -> Iterator[list[str]]:
    """A machine that seems to have two; the devices that are made the current one, in order."""
    current: list[str] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", lambda device: current.append(str(device)))
    yield current
    AcceleratorState._reset_state(reset_partial_state=True)


def test_the_trainer_computes_on_the_device_that_was_asked_for_and_no_other(two_gpus, tmp_path):
    before = dict(os.environ)
    arguments = OneDeviceArguments(place=choose_device("cuda:1"), output_dir=str(tmp_path), report_to=[])
    assert arguments.device == PartialState().device == torch.device("cuda:1")
    assert arguments.n_gpu == 1  # two would be DataParallel
    assert two_gpus[-1] == "cuda:1"
    assert dict(os.environ) == before


def test_both_trainers_are_given_the_device_that_was_asked_for(store, encoder, two_gpus, tmp_path, monkeypatch):
    class Recorded:
        def __init__(self, **options):
            self.args = options["args"]

        def remove_callback(self, callback): ...

        def add_callback(self, callback): ...

    monkeypatch.setattr(trainer, "TextMsaTrainer", Recorded)
    monkeypatch.setattr(explainer_trainer, "Trainer", Recorded)
    learner = Learner.build(small_recipe(encoder), store)
    model = SimpleNamespace(device="cuda:1", net=SimpleNamespace(dtype=torch.float32))
    recipe = SimpleNamespace(
        epochs=1,
        batch_size=1,
        gradient_accumulation=1,
        learning_rate=1e-4,
        warmup_fraction=0.0,
        seed=0,
        gradient_checkpointing=False,
    )
    for given in (
        trainer.trainer_of(learner, tmp_path, device="cuda:1", precision="fp32"),
        explainer_trainer.trainer_of(model, None, recipe, [], Shown(1.0, 1), tmp_path, steps=1),  # type: ignore[arg-type]
    ):
        AcceleratorState._reset_state(reset_partial_state=True)
        assert given.args.device == torch.device("cuda:1")
        assert given.args.n_gpu == 1


def test_devices_are_named_in_one_way(two_gpus):
    assert [choose_device(name) for name in ("auto", "cuda", "cuda:1", "cpu")] == ["cuda:0", "cuda:0", "cuda:1", "cpu"]
    with pytest.raises(UserError, match="this machine has 2 CUDA device"):
        choose_device("cuda:2")
    for name in ("cuda:", "cuda1", "gpu", "cuda:-1"):
        with pytest.raises(UserError, match="give auto, cpu or cuda:N"):
            choose_device(name)


def test_training_leaves_the_environment_alone(store, encoder, tmp_path, monkeypatch):
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    before = dict(os.environ)
    train(small_recipe(encoder), data=store.path, out=tmp_path / "run", device="cpu")
    assert dict(os.environ) == before
    assert list((tmp_path / "run" / "tensorboard").glob("events*"))


def test_a_second_training_in_one_folder_waits_for_nobody(store, encoder, tmp_path):
    with (
        locked(tmp_path / "run", command="textmsa train"),
        pytest.raises(UserError, match="another textmsa train is at work here"),
    ):
        train(small_recipe(encoder), data=store.path, out=tmp_path / "run", device="cpu")
