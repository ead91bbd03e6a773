"""docs/notebook.ipynb: its cells run, and what is kept of them is light."""

import json
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


def outputs() -> list[dict]:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    return [output for cell in cells if cell["cell_type"] == "code" for output in cell["outputs"]]


def test_a_cell_that_fails_is_told_and_ends_with_1(tmp_path):
    notebook = written(tmp_path / "x.ipynb", "x = 1", "print(x)\nx + 1", "x.no_such")
    failed = ran(tmp_path, notebook)
    assert failed.returncode == 1 and "cell 3 failed" in failed.stderr and "no_such" in failed.stderr
    fine = written(tmp_path / "y.ipynb", "x = 1", "print(x)\nx + 1")
    assert ran(tmp_path, fine, "--write").returncode == 0
    kept = json.loads(fine.read_text())["cells"][1]["outputs"]
    assert [kept[0]["text"], kept[1]["data"]["text/plain"]] == [["1\n"], ["2"]]


def test_what_is_kept_is_light_whole_and_of_no_machine():
    text = NOTEBOOK.read_text(encoding="utf-8")
    assert len(text) < MOST_BYTES
    cells = json.loads(text)["cells"]
    assert all(cell["execution_count"] for cell in cells if cell["cell_type"] == "code"), "run_notebook.py --write"
    assert any("image/png" in output.get("data", {}) for output in outputs())
    assert not any(place in text for place in (str(Path.home()), "/work/", "/tmp/"))


@pytest.mark.slow
def test_every_cell_runs(tmp_path):
    done = ran(tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
