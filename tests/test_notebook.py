"""docs/notebook.ipynb: its cells run, and what is kept of them is light."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
NOTEBOOK, RUNNER = DOCS / "notebook.ipynb", DOCS / "run_notebook.py"
MOST_BYTES = 150_000


def ran(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(RUNNER), *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def written(path: Path, *sources: str) -> Path:
    cells = [{"cell_type": "code", "source": [source], "outputs": [], "metadata": {}} for source in sources]
    path.write_text(json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {}}))
    return path


def check(path: Path, *, whole: bool) -> None:
    """Light, of no machine, and with the outputs of all code cells or of none; `whole`: of all, a plot among them."""
    text = path.read_text(encoding="utf-8")
    assert len(text) < MOST_BYTES
    assert not any(place in text for place in (str(Path.home()), str(DOCS), str(path.parent)))
    code = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
    assert {bool(cell["execution_count"]) for cell in code} in ([{True}] if whole else [{True}, {False}])
    if whole:
        assert any("image/png" in output.get("data", {}) for cell in code for output in cell["outputs"])


def test_a_cell_that_fails_is_told_and_ends_with_1(tmp_path):
    notebook = written(tmp_path / "x.ipynb", "x = 1", "print(x)\nx + 1", "x.no_such")
    failed = ran(tmp_path, notebook)
    assert failed.returncode == 1 and "cell 3 failed" in failed.stderr and "no_such" in failed.stderr
    fine = written(tmp_path / "y.ipynb", "x = 1", "print(x)\nx + 1")
    assert ran(tmp_path, fine, "--write").returncode == 0
    kept = json.loads(fine.read_text())["cells"][1]["outputs"]
    assert [kept[0]["text"], kept[1]["data"]["text/plain"]] == [["1\n"], ["2"]]


def test_what_is_kept_is_light_and_of_no_machine():
    check(NOTEBOOK, whole=False)


@pytest.mark.slow
def test_every_cell_runs_and_what_it_shows_is_light(tmp_path):
    copy = Path(shutil.copy(NOTEBOOK, tmp_path / "notebook.ipynb"))
    done = ran(tmp_path, copy, "--write")
    assert done.returncode == 0, done.stderr[-3000:]
    check(copy, whole=True)
