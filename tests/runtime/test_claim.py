"""Folders that belong to one command: begun, gone on with, refused, held."""

import subprocess
import sys
from pathlib import Path

import pytest

from textmsa.errors import UserError
from textmsa.runtime.atomic import UNFINISHED, read_json
from textmsa.runtime.claim import CLAIM, LOCK, Claim, check_empty, differences, locked

OPTIONS = {"precision": "fp32", "recipe": {"seed": 1, "names": ["a", "b"]}, "store": None}


def claim(folder: Path, **changes: object) -> Claim:
    return Claim(folder, "textmsa train", OPTIONS | changes)


def refused(folder: Path, **changes: object) -> str:
    with pytest.raises(UserError) as caught:
        claim(folder, **changes).take()
    assert str(folder) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def test_a_new_folder_is_taken_and_gone_on_with(tmp_path: Path) -> None:
    folder = tmp_path / "a/b"
    claim(folder).take()
    assert read_json(folder / CLAIM) == OPTIONS
    (folder / "result").touch()
    claim(folder).take()
    claim(folder, recipe={"seed": 1, "names": ("a", "b")}).check()
    claim(folder).check()


def test_a_folder_begun_otherwise_is_refused_and_says_how(tmp_path: Path) -> None:
    claim(tmp_path).take()
    message = refused(tmp_path, precision="bf16", recipe={"seed": 2, "names": ["a", "b"], "epochs": 3})
    assert "was begun otherwise by textmsa train" in message
    assert 'precision "fp32" instead of "bf16"; recipe.seed 1 instead of 2; recipe.epochs null instead of 3' in message
    assert read_json(tmp_path / CLAIM) == OPTIONS


def test_an_option_that_is_none_is_as_good_as_absent(tmp_path: Path) -> None:
    Claim(tmp_path, "textmsa train", {"a": 1}).take()
    Claim(tmp_path, "textmsa train", {"a": 1, "like": None}).check()


def test_long_values_are_not_spelled_out() -> None:
    names = [f"feature_{i}" for i in range(700)]
    assert differences({"audio": {"names": names}}, {"audio": {"names": names[1:]}}) == ["other audio.names"]


def test_of_another_thing_its_name_is_told_alone() -> None:
    wanted, recorded = ({"video": {"name": name, "size": len(name), "at": 1}} for name in ("b.mp4", "talk.mp4"))
    assert differences(wanted, recorded) == ['video.name "talk.mp4" instead of "b.mp4"']
    assert differences({"video": {"name": "b.mp4", "size": 6}}, {"video": {"name": "b.mp4", "size": 5}}) == [
        "video.size 5 instead of 6"
    ]


def test_another_commands_folder_and_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    assert "holds other files (photo.jpg)" in refused(tmp_path)
    assert "is a file" in refused(tmp_path / "photo.jpg")
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]


def test_leftovers_do_not_count(tmp_path: Path) -> None:
    for name in (LOCK, "x" + UNFINISHED):
        (tmp_path / name).touch()
    claim(tmp_path).take()
    (tmp_path / "other").mkdir()
    (tmp_path / "other/config.yaml").touch()
    with pytest.raises(UserError, match=r"config\.yaml"):
        check_empty(tmp_path / "other")


def test_a_damaged_claim_is_one_line(tmp_path: Path) -> None:
    (tmp_path / CLAIM).write_text("{")
    assert "claim.json: damaged" in refused(tmp_path)
    (tmp_path / CLAIM).write_text("[1]")
    assert "claim.json: damaged" in refused(tmp_path)


def test_a_held_folder_is_taken_and_a_refused_one_left_as_it_was(tmp_path: Path) -> None:
    with claim(tmp_path / "run").held():
        claim(tmp_path / "run").check()
        with pytest.raises(UserError, match="another textmsa train is at work here"), claim(tmp_path / "run").held():
            pass
    with claim(tmp_path / "run").held():
        pass
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/photo.jpg").touch()
    with pytest.raises(UserError, match="holds other files"), claim(tmp_path / "photos").held():
        pass
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["photo.jpg"]


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from textmsa.runtime.claim import locked\n"
        "with locked(Path(sys.argv[1]), command='x'):\n    print('held', flush=True); os._exit(9)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (9, "held\n")
    with locked(tmp_path, command="x"):
        pass


def test_a_place_that_cannot_be_written_to_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written to"), locked(tmp_path / "file/x", command="x"):
        pass
    with pytest.raises(UserError, match="is a file; give a new folder"), locked(tmp_path / "file", command="x"):
        pass
