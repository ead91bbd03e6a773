import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from textmsa import seams
from textmsa.arguments import load_recipe, parse
from textmsa.cli import COMMANDS, main
from textmsa.config import Recipe
from textmsa.errors import UserError


@dataclass
class Inner:
    size: int = 3
    """How large."""


@dataclass
class Settings:
    inner: Inner = field(default_factory=Inner)


def command(settings: Settings, *, data: Path, name: str = "x", fast: bool = False) -> None:
    """Do it.

    Parameters
    ----------
    settings
        A file.
    data
        Where the data lie.
    """


def recipe(tmp_path: Path, text: str) -> str:
    (tmp_path / "r.yaml").write_text(text)
    return str(tmp_path / "r.yaml")


def test_recipe_file_and_overrides(tmp_path):
    path = recipe(tmp_path, "inner: {size: 5}")
    values = parse(command, [path, "--data", "d", "--fast"], prog="p")
    assert values == {"settings": Settings(Inner(5)), "data": Path("d"), "name": "x", "fast": True}
    assert parse(command, [path, "--data", "d", "--inner.size", "7"], prog="p")["settings"].inner.size == 7


@pytest.mark.parametrize(
    ("text", "named"),
    [("inner: {sise: 5}", "'size'"), ("iner: {}", "'inner'"), ("inner: {size: big}", "inner.size"), ("- 1", "mapping")],
)
def test_a_wrong_key_names_the_nearest(tmp_path, text, named):
    with pytest.raises(UserError, match=named):
        parse(command, [recipe(tmp_path, text), "--data", "d"], prog="p")


def test_a_wrong_option_names_the_nearest(tmp_path):
    with pytest.raises(UserError, match=r"did you mean '--inner\.size'"):
        parse(command, [recipe(tmp_path, ""), "--data", "d", "--inner.sise", "1"], prog="p")


def test_every_recipe_of_the_package_loads():
    recipes = sorted((Path(seams.__file__).parent / "recipes").glob("*.yaml"))
    assert recipes
    for path in recipes:
        assert load_recipe(path, Recipe).model.num_experts >= 1


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_its_arguments(name, capsys):
    with pytest.raises(SystemExit) as stopped:
        main([name, "--help"])
    assert stopped.value.code == 0
    assert f"textmsa {name}" in capsys.readouterr().out


def test_help_imports_nothing_heavy():
    code = "import sys; from textmsa.cli import main; main(['--help']); print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "prepare" in shown
    assert not {"numpy", "torch", "transformers", "jsonargparse"} & set(shown.split())


def test_errors_are_one_line(capsys, tmp_path):
    assert main(["predct"]) == 2
    assert main(["predict", str(tmp_path), "x.mp4"]) == 2
    assert main(["evaluate", str(tmp_path), "--data", str(tmp_path)]) == 2
    assert main(["train", "absent.yaml", "--data", "x", "--out", "y"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert "did you mean 'predict'" in lines[0]
    assert "not a run folder" in lines[1]


@pytest.mark.parametrize("table", [seams.AUDIO_EXTRACTORS, seams.VIDEO_EXTRACTORS, seams.EXPLAINERS, seams.CORPORA])
def test_every_name_in_a_seam_can_be_imported(table):
    for name in table:
        assert isinstance(seams.load(table, name, what="part"), type)


def test_seams_accept_outsiders_and_name_the_choices():
    assert seams.load(seams.EXPLAINERS, "textmsa.types:Clip", what="explainer").__name__ == "Clip"
    with pytest.raises(UserError, match="choose one of measured"):
        seams.load(seams.EXPLAINERS, "mesured", what="explainer")
    with pytest.raises(UserError, match="no module"):
        seams.load(seams.EXPLAINERS, "nowhere_at_all:X", what="explainer")
