"""Training on a generated store: which part of the encoder learns, going on after a kill, refusals."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from network_fixtures import save_tiny_encoder

from benchmarks.generated_store import generate_store
from textmsa.config import ModelConfig, Recipe, TrainingConfig
from textmsa.errors import UserError
from textmsa.evaluate.command import evaluate
from textmsa.model.text_encoder import load_encoder
from textmsa.run import Run
from textmsa.store.reading import Store
from textmsa.train.checkpoints import CHECKPOINTS
from textmsa.train.command import train
from textmsa.train.learner import ENCODED
from textmsa.train.schedule import schedule

LAYERS = 3


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return generate_store(tmp_path_factory.mktemp("generated") / "store", clips=60)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory) -> Path:
    """A folder with a tiny text encoder."""
    return save_tiny_encoder(tmp_path_factory.mktemp("encoder"), LAYERS)


def recipe_of(encoder: Path, **training) -> Recipe:
    sizes: dict[str, Any] = {
        "hidden_size": 16,
        "num_heads": 2,
        "head_size": 8,
        "mlp_size": 16,
        "num_layers": 1,
        "fusion_size": 8,
    }
    options: dict[str, Any] = {"epochs": 2, "batch_size": 16, "learning_rate": 3e-3}
    return Recipe(ModelConfig(text_encoder=str(encoder), **sizes), training=TrainingConfig(**(options | training)))


def changed_layers(run: Run, encoder: Path) -> set[str]:
    """Parts of the text encoder whose weights are not those it began with."""
    before = load_encoder(str(encoder))[0].state_dict()
    after = run.model.text_encoder.state_dict()
    assert before.keys() == after.keys()
    names = [n for n in before if not n.startswith("pooler") and not torch.equal(before[n], after[n])]
    return {name.split(".")[0] if name.startswith("embeddings") else name.split(".")[2] for name in names}


@pytest.mark.parametrize(
    ("trainable", "changed"),
    [("all", {"embeddings", "0", "1", "2"}), ("last-2", {"1", "2"}), ("none", set()), ("lora", {"0", "1", "2"})],
)
def test_the_part_of_the_encoder_that_was_asked_for_learns(store, encoder, tmp_path, trainable, changed):
    if trainable == "lora":
        pytest.importorskip("peft")
    train(recipe_of(encoder, encoder_trainable=trainable), data=store.path, out=tmp_path / "run", device="cpu")
    run = Run.open(tmp_path / "run")
    assert changed_layers(run, encoder) == changed
    # The saved network, which knows nothing of stored states, scores as the trained one did.
    scored = run.score(store, store.indices("valid"))
    gap = abs(scored.score_N - store.labels("valid")).mean()
    assert gap == pytest.approx(run.info.valid["mae"], abs=1e-4)


def test_states_of_frozen_layers_are_kept_beside_the_store_and_used_again(store, encoder, tmp_path, capsys):
    for name, seed in (("a", 0), ("b", 1)):
        recipe = recipe_of(encoder, encoder_trainable="last-1", epochs=1, seed=seed)
        train(recipe, data=store.path, out=tmp_path / name, device="cpu")
        assert ("encoding texts" in capsys.readouterr().err) == (name == "a")
    assert len(list((store.path / ENCODED).iterdir())) >= 1


@pytest.mark.parametrize("given", ["last-0", "last", "some", "last-9"])
def test_other_words_for_what_is_trained_are_refused(store, encoder, tmp_path, given):
    with pytest.raises(UserError, match=f"encoder_trainable '{given}'"):
        train(recipe_of(encoder, encoder_trainable=given), data=store.path, out=tmp_path / "run", device="cpu")


def test_an_encoder_whose_layers_cannot_be_told_apart_is_trained_whole_or_not_at_all(store, tmp_path):
    from transformers import MPNetConfig, MPNetModel

    sizes: dict[str, Any] = {
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 24,
    }
    MPNetModel(MPNetConfig(max_position_embeddings=64, **sizes)).save_pretrained(tmp_path / "mpnet")
    load_encoder("minilm")[1].save_pretrained(tmp_path / "mpnet")
    with pytest.raises(UserError, match="give all, lora or none"):
        recipe = recipe_of(tmp_path / "mpnet", encoder_trainable="last-1")
        train(recipe, data=store.path, out=tmp_path / "run", device="cpu")
    train(
        recipe_of(tmp_path / "mpnet", encoder_trainable="none", epochs=1),
        data=store.path,
        out=tmp_path / "none",
        device="cpu",
    )
    assert changed_layers(Run.open(tmp_path / "none"), tmp_path / "mpnet") == set()


def test_the_papers_schedule_trains_a_whole_run(store, encoder, tmp_path):
    recipe = recipe_of(encoder, encoder_trainable="none", schedule="paper", epochs=3)
    assert train(recipe, data=store.path, out=tmp_path / "run", device="cpu").info.epochs == 3
    share = schedule(TrainingConfig(schedule="paper"), 10, 2000)
    assert [share(step) for step in (0, 9, 10, 200)] == [0, 0, 1 / 20, 1]
    assert share(1999) < 0.01


def test_workers_that_read_ahead_change_nothing(store, encoder, tmp_path):
    infos = [
        train(recipe_of(encoder, epochs=1, data_workers=n), data=store.path, out=tmp_path / str(n), device="cpu").info
        for n in (0, 1)
    ]
    assert infos[0].valid["mae"] == pytest.approx(infos[1].valid["mae"], abs=1e-4)


def test_bf16_trains_on_the_cpu_too(store, encoder, tmp_path):
    info = train(recipe_of(encoder, epochs=1), data=store.path, out=tmp_path / "r", device="cpu", precision="bf16").info
    assert info.precision == "bf16"
    assert info.valid["mae"] < 3


def test_a_killed_training_goes_on_and_ends_as_if_it_had_not_been_killed(store, encoder, tmp_path):
    recipe = recipe_of(encoder, encoder_trainable="last-1", epochs=6)
    whole = train(recipe, data=store.path, out=tmp_path / "whole", device="cpu").info
    code = (
        "import sys, test_train as t; from pathlib import Path;"
        f"t.train(t.recipe_of(Path({str(encoder)!r}), encoder_trainable='last-1', epochs=6),"
        f"data=Path({str(store.path)!r}), out=Path(sys.argv[1]), device='cpu')"
    )
    out = tmp_path / "killed"
    paths = os.pathsep.join(
        str(folder) for folder in Path(__file__).parents[:3]
    )  # this file, its fixtures, the package
    process = subprocess.Popen([sys.executable, "-c", code, str(out)], env=os.environ | {"PYTHONPATH": paths})
    deadline = time.monotonic() + 120
    while not list((out / CHECKPOINTS).glob("checkpoint-*/trainer_state.json")) and time.monotonic() < deadline:
        assert process.poll() is None, "it ended before it was killed"
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert list((out / CHECKPOINTS).glob("checkpoint-*/trainer_state.json"))
    assert not (out / "run.json").exists()
    info = train(recipe, data=store.path, out=out, device="cpu").info
    assert (info.epochs, info.best_epoch) == (whole.epochs, whole.best_epoch)
    assert info.valid["mae"] == pytest.approx(whole.valid["mae"], abs=1e-4)
    histories = [json.loads((folder / "history.json").read_text()) for folder in (tmp_path / "whole", out)]
    assert [row["valid_mae"] for row in histories[1]] == pytest.approx(
        [row["valid_mae"] for row in histories[0]], abs=1e-4
    )


def test_several_seeds_make_one_run_whose_score_is_the_mean_of_theirs(store, encoder, tmp_path, capsys):
    recipe = recipe_of(encoder, encoder_trainable="none", epochs=1)
    out = tmp_path / "run"
    done = train(recipe, data=store.path, out=out, device="cpu", seeds="5,6,7")
    assert "3 seeds, valid MAE" in done.text()
    assert capsys.readouterr().out == ""
    run, indices = Run.open(out), store.indices("test")
    members = [Run.open(out / f"seed-{seed}").score(store, indices) for seed in (5, 6, 7)]
    scored = run.score(store, indices)
    assert np.allclose(scored.score_N, np.mean([m.score_N for m in members], axis=0))
    assert np.ptp([m.score_N[0] for m in members]) > 1e-3
    assert scored.ids == members[0].ids
    found = evaluate(out, data=store.path, no_baselines=True)
    for seed, member in zip(("5", "6", "7"), members, strict=True):
        assert found.by_seed[seed]["mae"] == pytest.approx(np.abs(member.score_N - store.labels("test")).mean())
    # Every figure can be computed again from the saved predictions.
    rows = list(csv.DictReader((out / "evaluation-test" / "predictions.csv").read_text().splitlines()))
    again = np.mean([abs(float(row["seed_6"]) - float(row["label"])) for row in rows])
    assert again == pytest.approx(found.by_seed["6"]["mae"], abs=1e-5)
    assert np.mean([abs(float(r["score"]) - float(r["label"])) for r in rows]) == pytest.approx(
        found.metrics["mae"], abs=1e-5
    )
    # How often the test split was read stands in the run.
    assert "read" not in found.text()
    assert "test split was read 2 times" in evaluate(out, data=store.path, no_baselines=True).text()
    assert [line.split(",")[1] for line in (out / "readings.csv").read_text().splitlines()] == ["split", "test", "test"]


def test_seeds_that_were_trained_before_a_stop_are_not_trained_again(store, encoder, tmp_path):
    recipe = recipe_of(encoder, encoder_trainable="none", epochs=1)
    out = tmp_path / "run"
    train(recipe, data=store.path, out=out, device="cpu", seeds="5,6")
    times = {seed: (out / f"seed-{seed}" / "run.json").stat().st_mtime_ns for seed in (5, 6)}
    (out / "run.json").unlink()
    train(recipe, data=store.path, out=out, device="cpu", seeds="5,6")
    assert times == {seed: (out / f"seed-{seed}" / "run.json").stat().st_mtime_ns for seed in (5, 6)}
    with pytest.raises(UserError, match="holds the seeds 5, 6;"):
        train(recipe, data=store.path, out=out, device="cpu", seeds="5,7")
    train(recipe, data=store.path, out=out, device="cpu", seeds="5,6,7")
    assert times == {seed: (out / f"seed-{seed}" / "run.json").stat().st_mtime_ns for seed in (5, 6)}
    assert len(Run.open(out).score_members(store, store.indices("test"))) == 3


@pytest.mark.parametrize("given", ["5,", "a", "5;6", "5,5", "-1", "4294967296"])
def test_seeds_that_are_no_list_of_numbers_are_refused(store, encoder, tmp_path, given):
    with pytest.raises(UserError, match="--seeds"):
        train(recipe_of(encoder), data=store.path, out=tmp_path / "run", seeds=given)


@pytest.mark.parametrize(("loss", "middle"), [("l1", np.median), ("mse", np.mean)])
def test_the_last_bias_is_moved_to_where_the_loss_on_the_clips_learnt_from_is_least(
    store, encoder, tmp_path, loss, middle
):
    def missing(name: str, **training) -> np.ndarray:
        """What is missing to the labels of the training clips."""
        train(recipe_of(encoder, loss=loss, **training), data=store.path, out=tmp_path / name, device="cpu")
        clips = store.labelled("train")
        scored = Run.open(tmp_path / name).score_members(store, clips)[0]
        return store.label_N[clips] - scored.score_N

    before, after = missing("before"), missing("after", refit_intercept=True)
    assert abs(middle(before)) > 1e-3
    assert middle(after) == pytest.approx(0, abs=1e-5)
    assert before - after == pytest.approx(middle(before), abs=1e-5), "all scores are moved alike"
