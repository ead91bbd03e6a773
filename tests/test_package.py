"""The package from outside: what it exports, what the docs say of errors and variables, README's Python."""

import ast
import inspect
import logging
import re
import subprocess
import sys
from pathlib import Path

import pytest

import textmsa
from textmsa import errors

ROOT = Path(__file__).parents[1]


def python_blocks(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.S)


def test_importing_the_package_is_light_and_sets_no_logging_up():
    code = "import sys, logging, textmsa; dir(textmsa); print(len(logging.getLogger().handlers), *sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    handlers, *modules = done.stdout.split()
    assert handlers == "0"
    assert not {"torch", "numpy", "transformers", "av", "yaml"} & set(modules)


def test_the_package_logs_under_its_own_name_and_is_silent_unless_asked():
    assert [type(handler) for handler in logging.getLogger("textmsa").handlers] == [logging.NullHandler]


def test_packages_named_for_a_function_are_called_like_it():
    for package in (textmsa.prepare, textmsa.train, textmsa.evaluate):
        function = getattr(package, package.__name__.rpartition(".")[2])
        assert function.__doc__
        with pytest.raises(TypeError, match=rf"{function.__name__}\(\) missing"):
            package()  # type: ignore[operator]


def test_type_checkers_see_all_that_is_exported():
    names = textmsa._EXPORTS
    (block,) = (node for node in ast.parse(inspect.getsource(textmsa)).body if isinstance(node, ast.If))
    assert ast.unparse(block.test) == "TYPE_CHECKING"
    imported = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    shown = {alias.asname: node.module for node in imported for alias in node.names if alias.asname == alias.name}
    assert shown == names | dict.fromkeys(textmsa._PACKAGES, "textmsa")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="'textmsa' has no attribute 'predictor'"):
        textmsa.predictor  # noqa: B018


def test_every_error_has_the_one_base_and_its_place_in_the_drawing():
    raised = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, Exception)]
    assert len(raised) >= 8
    assert all(issubclass(error, errors.TextMsaError) for error in raised)
    drawing = errors.__doc__ or ""
    assert {error.__name__ for error in raised} == set(re.findall(r"^[ |'-]*(\w+?)(?: {2,}|$)", drawing, flags=re.M))
    page = (ROOT / "docs/python-api.md").read_text(encoding="utf-8")
    assert drawing[drawing.index("TextMsaError") :].strip() in page


def test_no_module_raises_an_error_of_its_own_outside_the_drawing():
    for path in (ROOT / "textmsa").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and path.name != "errors.py":
                assert not {"Exception", "RuntimeError", "ValueError"} & {ast.unparse(base) for base in node.bases}, (
                    path,
                    node.name,
                )


def variables_of(path: Path) -> set[str]:
    """Names of environment variables in a file: capitals in strings that are looked up or kept in a constant."""
    text = path.read_text(encoding="utf-8")
    if "environ" not in text and not re.search(r"_VARIABLE|KEYS|PROGRAM", text):
        return set()
    return {name for name in re.findall(r'"([A-Z][A-Z0-9]*_[A-Z0-9_]+)"', text) if not name.startswith("DOC")}


def test_the_page_of_environment_variables_names_all_that_are_read():
    page = (ROOT / "docs/environment.md").read_text(encoding="utf-8")
    read = {name for path in (ROOT / "textmsa").rglob("*.py") for name in variables_of(path)}
    assert {"TEXTMSA_CACHE", "TEXTMSA_LOG", "TEXTMSA_OPENFACE", "OPENAI_API_KEY", "OMP_NUM_THREADS"} <= read
    assert not {name for name in read if f"`{name}`" not in page}
    described = set(re.findall(r"^\| (.*?) \|", page, flags=re.M))
    named = {name for row in described for name in re.findall(r"`(\w+)`", row)}
    assert named <= read


@pytest.mark.parametrize("page", ["README.md", "docs/python-api.md"])
def test_python_in_the_docs_names_what_there_is(page):
    blocks = python_blocks(ROOT / page)
    assert blocks
    for block in blocks:
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "textmsa":
                assert node.attr in textmsa.__all__, node.attr


def test_readmes_python_runs(tiny_run, tmp_path, monkeypatch, capsys):
    """The three lines of the README, in a folder that has a run and a clip of these names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").symlink_to(tiny_run.path)
    (tmp_path / "clip.mp4").symlink_to(next(tiny_run.corpus.rglob("*.mp4")))
    exec(compile(python_blocks(ROOT / "README.md")[0], "README.md", "exec"), {})
    score, *words = capsys.readouterr().out.split()
    assert -3 <= float(score) <= 3
    assert words


def test_the_whole_way_in_python_runs(tiny_run, tmp_path, monkeypatch, capsys):
    """docs/python-api.md's way from a folder to a table, with a small recipe and cheap extractors."""
    monkeypatch.chdir(tmp_path)
    block = next(block for block in python_blocks(ROOT / "docs/python-api.md") if "textmsa.prepare" in block)
    options = ', audio="outside_parts:Loudness", video="outside_parts:Brightness", explainer="outside_parts:Quoting"'
    block = block.replace('"my_clips"', repr(str(tiny_run.corpus))).replace('out="store"', 'out="store"' + options)
    block = block.replace('"demo"', repr(str(tiny_run.recipe)))
    exec(compile(block, "python-api.md", "exec"), {})
    assert "clips      MAE    corr" in capsys.readouterr().out
