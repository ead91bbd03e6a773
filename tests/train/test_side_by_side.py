"""Seeds that are trained in processes of their own."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from network_fixtures import small_recipe

from benchmarks.generated_store import generate_store
from textmsa.errors import UserError
from textmsa.run import Run, RunInfo, seed_folder
from textmsa.store.reading import Store
from textmsa.train.command import check_workers, train
from textmsa.train.job import plain


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return generate_store(tmp_path_factory.mktemp("generated") / "store", clips=60)


def test_seeds_side_by_side_are_what_they_are_one_after_another(store: Store, encoder: Path, tmp_path: Path) -> None:
    folders = [tmp_path / "apart", tmp_path / "together"]
    for workers, out in enumerate(folders, start=1):
        train(small_recipe(encoder), data=store.path, out=out, device="cpu", seeds="3,1,2", workers=workers)
    runs = [Run.open(folder) for folder in folders]
    one, two = (run.score(store, store.labelled("test")).score_N for run in runs)
    assert np.allclose(one, two, atol=1e-4)
    assert np.std(one) > 1e-3, "or any two runs would do"
    assert [run.info.seeds for run in runs] == [[3, 1, 2], [3, 1, 2]]
    files = [sorted(str(file.relative_to(folder)) for file in folder.rglob("*.json")) for folder in folders]
    assert files[0] == files[1]


@pytest.mark.slow
def test_the_alignment_query_is_chosen_once_for_all(store: Store, encoder: Path, tmp_path: Path) -> None:
    recipe = replace(small_recipe(encoder), try_alignment_queries=("features", "explanation"))
    train(recipe, data=store.path, out=tmp_path / "run", device="cpu", seeds="1,2,3", workers=2)
    members = [RunInfo.load(seed_folder(tmp_path / "run", seed)) for seed in (1, 2, 3)]
    assert len({member.alignment_query for member in members}) == 1
    assert [len(member.tried) for member in members] == [2, 0, 0]


@pytest.mark.slow
def test_what_is_finished_is_not_trained_again(store: Store, encoder: Path, tmp_path: Path) -> None:
    recipe = small_recipe(encoder)
    train(recipe, data=store.path, out=tmp_path / "run", device="cpu", seeds="1", workers=2)
    made = seed_folder(tmp_path / "run", 1) / "run.json"
    before = made.stat().st_mtime_ns
    result = train(recipe, data=store.path, out=tmp_path / "run", device="cpu", seeds="1,2", workers=2)
    assert [member.seed for member in result.members] == [1, 2]
    assert made.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("workers", "device", "said"), [(0, "cpu", "give 1 or more"), (2, "cuda:0", "give 1 or --device cpu")]
)
def test_processes_that_there_cannot_be_are_refused(workers: int, device: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        check_workers(workers, device)


SCRIPT = """
import signal, sys
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs, as tests may be, ignore it
from textmsa.config import load_recipe
from textmsa.train.command import train
recipe, data, out = map(Path, sys.argv[1:])
train(load_recipe(recipe), data=data, out=out, device="cpu", seeds="1,2", workers=2)
"""


@pytest.mark.slow
def test_ctrl_c_ends_the_processes_at_once_and_leaves_what_to_go_on_from(
    store: Store, encoder: Path, tmp_path: Path
) -> None:
    recipe = small_recipe(encoder)
    long = replace(recipe, training=replace(recipe.training, epochs=400))
    (tmp_path / "long.yaml").write_text(yaml.safe_dump(plain(asdict(long))))
    command = [sys.executable, "-c", SCRIPT, tmp_path / "long.yaml", store.path, tmp_path / "run"]
    training = subprocess.Popen(list(map(str, command)), stderr=subprocess.DEVNULL)
    folders = [seed_folder(tmp_path / "run", seed) / "checkpoints" for seed in (1, 2)]
    deadline = time.monotonic() + 300  # on a crowded machine
    while not all(list(folder.glob("*")) for folder in folders):
        assert training.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    children = _children(training.pid)
    assert len(children) >= 2
    training.send_signal(signal.SIGINT)
    training.wait(timeout=20)
    deadline = time.monotonic() + 10
    while any(map(_runs, children)):
        assert time.monotonic() < deadline, "a process goes on"
        time.sleep(0.1)
    assert all(list(folder.glob("checkpoint-*")) for folder in folders), "to go on from"


def _children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
