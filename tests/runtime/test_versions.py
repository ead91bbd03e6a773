"""What was used is recorded, and a machine without git or another repository around the package do no harm."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from textmsa.runtime.versions import TRAINING, commit, package_versions

ROOT = Path(__file__).parents[2]
ASK = "from textmsa.runtime.versions import commit; print(commit())"


def said_by(folder: Path, **environment: str) -> str:
    """What the package that lies in `folder` takes for its commit."""
    variables = os.environ | {"PYTHONPATH": str(folder)} | environment
    done = subprocess.run([sys.executable, "-c", ASK], capture_output=True, text=True, env=variables, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=A", "-c", "user.email=a@b.c"]
    done = subprocess.run(["git", "-C", str(folder), *who, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The parts that tell the commit, as they would be installed."""
    for name in ("__init__.py", "errors.py"):
        (tmp_path / "there/textmsa").mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "textmsa" / name, tmp_path / "there/textmsa" / name)
    shutil.copytree(ROOT / "textmsa/runtime", tmp_path / "there/textmsa/runtime")
    return tmp_path / "there"


def test_the_commit_of_the_packages_own_checkout(copied):
    git(copied, "init", "-q")
    git(copied, "add", "-A")
    git(copied, "commit", "-qm", "all")
    assert said_by(copied) == git(copied, "rev-parse", "HEAD")


def test_the_commit_of_a_repository_around_it_is_not_taken(copied):
    git(copied.parent, "init", "-q")
    git(copied.parent, "add", "-A")
    git(copied.parent, "commit", "-qm", "somebody else's")
    assert said_by(copied) == "None"


def test_without_git_there_is_no_commit_and_no_error(copied):
    git(copied, "init", "-q")
    assert said_by(copied, PATH="/nowhere") == "None"


def test_a_checkout_without_a_commit_has_none(copied):
    git(copied, "init", "-q")
    assert said_by(copied) == "None"


def test_this_checkout():
    expected = git(ROOT, "rev-parse", "HEAD") if (ROOT / ".git").exists() else None
    assert commit() == expected


def test_versions_of_what_is_installed():
    versions = package_versions([*TRAINING, "no-such-package"])
    assert {"torch", "transformers", "textmsa"} <= set(versions)
    assert "no-such-package" not in versions
