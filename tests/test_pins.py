"""What must stay as it is while the code moves, held against the committed files in `tests/pins/`.

losses.csv       the loss of every training step of two packaged recipes, made small, and every validation MAE
predictions.csv  what `textmsa evaluate` writes of one of these runs, byte for byte
names.txt        exported names, keys of the seams, commands
imports.txt      import lines that others may have written; kept by hand, a line is only ever added

The numbers are those of the processor and the torch in machine.json. There text and digits must be the same; on others
ids, labels and headers must be, and numbers within 1e-3, since processors round differently (by 3e-6 at most here with
torch's and MKL's plainest kernels, ATEN_CPU_CAPABILITY=default MKL_CBWR=COMPATIBLE). `--help` of every
command is pinned as docs/commands.md, which tests/test_cli.py compares.

A file that no longer agrees tells of a change that a user sees. Where the change is meant (a new option, a new export,
a mend of the network), write the files anew, look at `git diff tests/pins` and commit them with the change that made
them differ, saying why:

    UPDATE_PINS=1 pytest tests/test_pins.py

A test that has written its file fails, so that a run that writes cannot be taken for one that compares; where the
variable CI is set, nothing is written. Nothing is to be written while code is only moved.

The tests go through the command line, the store and the exported names, all of which stay where they are.
"""

import csv
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from network_fixtures import save_tiny_encoder
from transformers import Trainer

from benchmarks.generated_store import generate_store
from textmsa.cli import COMMANDS, main
from textmsa.store import Store, StoredClip, write_store

PINS = Path(__file__).parent / "pins"
MACHINE = PINS / "machine.json"
NEAR = 1e-3  # between processors
EXACT_COLUMNS = ("recipe", "what", "id", "label")
SMALL: dict[str, object] = {
    "model.hidden_size": 16,
    "model.num_heads": 2,
    "model.head_size": 8,
    "model.mlp_size": 16,
    "model.fusion_size": 8,
}
# Three steps each: three of one epoch, whose order counts, or one in each of three, since the paper's schedule goes by
# epochs and begins with 0. Learning rates with which so few steps make a difference.
RECIPES: dict[str, dict[str, object]] = {
    "demo": {
        "seeds": "1,2",
        "try_alignment_queries": "features,explanation",
        "training.epochs": 1,
        "training.batch_size": 10,
        "training.learning_rate": 0.01,
    },
    "mosi": {"training.epochs": 3, "training.batch_size": 28, "training.learning_rate": 0.02},
}
NAMED = ("textmsa", "textmsa.model")
SEAMS = (
    "CORPORA",
    "AUDIO_EXTRACTORS",
    "VIDEO_EXTRACTORS",
    "EXPLAINERS",
    "LANGUAGE_MODELS",
    "TEMPORAL_ALIGNMENTS",
)

# What is compared, and how it is written anew.


def hold(path: Path, content: str, *, numbers: bool = False) -> None:
    """Fail unless the pinned file says the same; with UPDATE_PINS write it, and fail too."""
    pinned = path.read_bytes().decode() if path.is_file() else ""
    here = not numbers or machines().get(path.name) == machine()
    if os.environ.get("UPDATE_PINS"):
        if content == pinned and here:
            return
        if os.environ.get("CI"):
            pytest.fail("UPDATE_PINS and CI are both set: the pins are written by hand, never by a test run")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode())
        if numbers:
            MACHINE.write_text(json.dumps(machines() | {path.name: machine()}, indent=2) + "\n")
        pytest.fail(f"{path}: written anew; look at git diff, then run again without UPDATE_PINS")
    if here:
        assert content == pinned, f"{path.name} differs; if that is meant, see the top of {Path(__file__).name}"
    else:
        print(f"{path.name}: not made on this processor and torch; numbers are compared within {NEAR}")
        assert differences(pinned, content) == []


def machine() -> str:
    """What rounding depends on."""
    cpu = Path("/proc/cpuinfo")
    lines = dict(re.findall(r"^([\w ]+?)\s*: (.*)$", cpu.read_text(), re.MULTILINE)) if cpu.is_file() else {}
    name = ", ".join(lines.get(key, "?") for key in ("model name", "cpu family", "model"))
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}"


def machines() -> dict[str, str]:
    """File -> the machine that wrote it."""
    found: dict[str, str] = json.loads(MACHINE.read_text()) if MACHINE.is_file() else {}
    return found


def differences(pinned: str, content: str) -> list[str]:
    """Where two tables differ: numbers by more than `NEAR`, headers and `EXACT_COLUMNS` at all."""
    tables = [list(csv.reader(text.splitlines())) for text in (pinned, content)]
    if [len(row) for row in tables[0]] != [len(row) for row in tables[1]] or tables[0][:1] != tables[1][:1]:
        return ["the header, or the number of rows or of columns"]
    return [
        f"line {line}, {column}: {old} -> {new}"
        for line, rows in enumerate(zip(*tables, strict=True), start=1)
        for column, old, new in zip(tables[0][0], *rows, strict=True)
        if old != new and (line == 1 or column in EXACT_COLUMNS or not abs(float(old) - float(new)) <= NEAR)
    ]


def test_tables_of_another_processor_may_differ_in_rounding_only():
    pinned = "id,label,score\r\na,1.0,0.5000\r\n"
    assert differences(pinned, pinned.replace("0.5000", "0.5009")) == []
    assert differences(pinned, pinned.replace("0.5000", "0.5011")) == ["line 2, score: 0.5000 -> 0.5011"]
    assert differences(pinned, pinned.replace("0.5000", "nan")) == ["line 2, score: 0.5000 -> nan"]
    assert differences(pinned, pinned.replace("1.0", "1.0001")) == ["line 2, label: 1.0 -> 1.0001"]
    assert differences(pinned, pinned.replace("a,", "b,")) == ["line 2, id: a -> b"]
    assert differences(pinned, pinned + "b,1.0,0.5\r\n") == ["the header, or the number of rows or of columns"]
    assert differences(pinned, pinned.replace("score", "scores")) == ["the header, or the number of rows or of columns"]


def test_pins_are_written_and_refused(tmp_path, monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("UPDATE_PINS", raising=False)
    path = tmp_path / "pin.txt"
    with pytest.raises(AssertionError, match=r"pin\.txt differs"):
        hold(path, "new")
    monkeypatch.setenv("UPDATE_PINS", "1")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="never by a test run"):
        hold(path, "new")
    assert not path.exists()
    monkeypatch.delenv("CI")
    with pytest.raises(pytest.fail.Exception, match="written anew"):
        hold(path, "new")
    hold(path, "new")


# Training and prediction.


@dataclass(frozen=True)
class Trained:
    """A run, and what the Trainer told while it was made."""

    path: Path
    found: list[tuple[str, float]]
    """The loss of each step and the MAE of each validation, in order."""


@pytest.fixture(scope="module")
def _one_thread() -> Iterator[None]:
    """Sums are made in one order, however many threads the machine gives."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def encoder(tmp_path_factory) -> Path:
    """A text encoder with random weights; one layer more than `demo` trains."""
    return save_tiny_encoder(tmp_path_factory.mktemp("encoder"), layers=4)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    return build_store(tmp_path_factory.mktemp("generated") / "store")


@pytest.fixture(scope="module")
def runs(_one_thread, encoder, store, tmp_path_factory) -> dict[str, Trained]:
    """Recipe -> its run."""
    if not torch.backends.mkl.is_available():
        pytest.skip("this torch draws other numbers for dropout than one with MKL, which made the pins")
    out = tmp_path_factory.mktemp("runs")
    return {recipe: train_run(recipe, encoder, store, out / recipe) for recipe in RECIPES}


def build_store(folder: Path) -> Path:
    """40 clips, 28 of them for training, from seeded numbers; some lack a modality, an explanation or a value."""

    def thinned(index: int, stored: StoredClip) -> StoredClip:
        seen, told, clip = stored.sample.observation, stored.sample.explanation, stored.sample.clip
        assert seen.audio is not None
        seen.audio.values_TF[index % 3 :: 4, 0] = np.nan
        if index % 7 == 2:
            seen, told = replace(seen, audio=None, missing={"audio": "no sound"}), replace(told, audio=None)
        if index % 5 == 1:
            seen, told = replace(seen, video=None, missing={"video": "no picture"}), replace(told, video=None)
        if index % 9 == 4:
            clip = replace(clip, transcript=None)
            seen = replace(seen, transcript=None, missing=seen.missing | {"text": "no transcript"})
        if index % 8 == 3:
            told = replace(told, audio=None, video=None, summary=None)
        return replace(stored, sample=replace(stored.sample, clip=clip, observation=seen, explanation=told))

    whole = generate_store(folder, clips=40, audio=(30, 5), video=(20, 7), words=(3, 12))
    clips = [thinned(index, whole.row(index)) for index in range(len(whole))]
    manifest = replace(whole.manifest, data="data-0002")
    write_store(folder, clips, manifest=manifest, statistics=whole.statistics)
    return folder


def train_run(recipe: str, encoder: Path, store: Path, out: Path) -> Trained:
    """Train a packaged recipe, made small, by the command; the Trainer's own methods tell what is lost at each step."""
    found: list[tuple[str, float]] = []
    train_step, validate = Trainer.training_step, Trainer.evaluate

    def step(self, *arguments, **options):
        loss = train_step(self, *arguments, **options)
        found.append(("loss", float(loss)))
        return loss

    def validation(self, *arguments, **options):
        measured = validate(self, *arguments, **options)
        found.append(("valid MAE", measured["eval_mae"]))
        return measured

    options = SMALL | {"model.text_encoder": encoder, "data": store, "out": out, "device": "cpu"} | RECIPES[recipe]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "training_step", step)
        patch.setattr(Trainer, "evaluate", validation)
        assert main(["train", recipe, *(f"--{name}={value}" for name, value in options.items())]) == 0
    return Trained(out, found)


def test_losses_of_training_steps(runs):
    lines = ["recipe,what,value"]
    for recipe, run in runs.items():
        # demo: both alignment queries with the first seed, the better one with the second.
        assert [what for what, _ in run.found].count("loss") == (9 if recipe == "demo" else 3)
        valid = json.loads((run.path / "run.json").read_text())["valid"]
        lines += [f"{recipe},{what},{value:.9g}" for what, value in [*run.found, ("run", valid["mae"])]]
    hold(PINS / "losses.csv", "\n".join(lines) + "\n", numbers=True)


def test_predictions_of_a_run_of_two_seeds(runs, store):
    path = runs["demo"].path
    assert main(["evaluate", str(path), "--data", str(store), "--no-baselines"]) == 0
    written = (path / "evaluation-test" / "predictions.csv").read_bytes().decode()
    assert len(written.splitlines()) == 1 + len(Store.open(store).indices("test"))
    hold(PINS / "predictions.csv", written, numbers=True)


# Help and names.


def test_exported_names():
    lines = [f"{module}: {name}" for module in NAMED for name in sorted(import_module(module).__all__)]
    seams = import_module("textmsa.seams")
    lines += [f"textmsa.seams {table}: {key}" for table in SEAMS for key in getattr(seams, table)]
    lines += [f"command: {name}" for name in COMMANDS]
    hold(PINS / "names.txt", "\n".join(lines) + "\n")


@pytest.mark.parametrize("module", NAMED)
def test_every_exported_name_can_be_had(module):
    for name in import_module(module).__all__:
        assert getattr(import_module(module), name) is not None


@pytest.mark.parametrize("line", (PINS / "imports.txt").read_text().splitlines())
def test_an_import_that_others_may_have_written(line):
    module, _, names = line.partition(": ")
    for name in names.split(", "):
        assert callable(getattr(import_module(module), name)), f"from {module} import {name}"
