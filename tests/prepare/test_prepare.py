"""Preparation and the store: real clips, real kills; nothing is done twice, nothing is lost, no label enters."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from small_corpora import media_path, write_clip, write_corpus, write_table

from textmsa.errors import UserError
from textmsa.prepare.command import prepare
from textmsa.store.reading import Store

PARTS = {
    "audio": "outside_parts:Loudness",
    "video": "outside_parts:Brightness",
    "explainer": "outside_parts:Comparing",
}
TESTS = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def outsiders_can_be_found(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(TESTS))


def run(corpus: Path, out: Path, **options):
    return prepare(corpus, out=out, **(PARTS | {"workers": 1} | options))


def same(one: Store, other: Store) -> None:
    assert len(one) == len(other)
    for a, b in zip(one, other, strict=True):
        assert a.clip.id == b.clip.id
        assert a.explanation == b.explanation
        for name in ("audio", "video"):
            left, right = getattr(a.observation, name), getattr(b.observation, name)
            assert (left is None) == (right is None)
            if left is not None:
                np.testing.assert_array_equal(left.values_TF, right.values_TF)
                np.testing.assert_array_equal(left.times_T, right.times_T)


@pytest.mark.parametrize("seconds", [1.0, 2.0, 3.0])
def test_killed_and_run_again_equals_an_undisturbed_run(tmp_path, monkeypatch, seconds):
    write_corpus(tmp_path / "corpus", 15)
    run(tmp_path / "corpus", tmp_path / "whole")
    log = tmp_path / "calls.txt"
    monkeypatch.setenv("OUTSIDE_LOG", str(log))
    monkeypatch.setenv("OUTSIDE_SLEEP", "0.2")
    options = [word for name, part in PARTS.items() for word in (f"--{name}", part)]
    command = [sys.executable, "-m", "textmsa", "prepare", str(tmp_path / "corpus"), "--out", str(tmp_path / "s")]
    process = subprocess.Popen(
        [*command, *options, "--workers", "1"], start_new_session=True, stderr=subprocess.DEVNULL
    )
    time.sleep(seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    monkeypatch.setenv("OUTSIDE_SLEEP", "0")
    run(tmp_path / "corpus", tmp_path / "s")
    same(Store.open(tmp_path / "s"), Store.open(tmp_path / "whole"))
    heard = [line for line in log.read_text().splitlines() if line.startswith("audio")]
    assert len(set(heard)) == 15
    assert len(heard) <= 16  # at most the clip in hand is done again
    before = log.read_text()
    run(tmp_path / "corpus", tmp_path / "s")
    assert log.read_text() == before


def test_labels_do_not_enter(tmp_path):
    rows = write_corpus(tmp_path / "corpus", 10)
    run(tmp_path / "corpus", tmp_path / "one")
    labels = [row["label"] for row in rows][::-1]
    write_table(tmp_path / "corpus", [row | {"label": label} for row, label in zip(rows, labels, strict=True)])
    run(tmp_path / "corpus", tmp_path / "two")
    for name in ("explanations.jsonl", "statistics.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    run(tmp_path / "corpus", tmp_path / "one")  # takes the new labels over, measures nothing
    assert (
        Store.open(tmp_path / "one").labels("train").tolist() == Store.open(tmp_path / "two").labels("train").tolist()
    )


def test_missing_modalities_are_recorded_and_bad_clips_skipped(tmp_path):
    rows = write_corpus(tmp_path / "corpus", 10)
    write_clip(media_path(tmp_path / "corpus", rows[0]), seed=0, sound=False)
    write_clip(media_path(tmp_path / "corpus", rows[1]), seed=1, picture=False)
    media_path(tmp_path / "corpus", rows[2]).write_text("no clip")
    media_path(tmp_path / "corpus", rows[5]).unlink()
    result = run(tmp_path / "corpus", tmp_path / "s")
    assert result.exit_code == 1
    assert "8 of 10" in result.text()
    failures = (tmp_path / "s/failures.csv").read_text().splitlines()
    assert len(failures) == 3
    store = Store.open(tmp_path / "s")
    first, second = store[0].observation, store[1].observation
    assert (first.audio, second.video) == (None, None)
    assert first.missing["audio"]
    assert second.missing["video"]


def test_new_clips_change_nothing_of_the_old(tmp_path):
    rows = write_corpus(tmp_path / "corpus", 10)
    write_table(tmp_path / "corpus", rows[:5])
    run(tmp_path / "corpus", tmp_path / "s")
    old = (tmp_path / "s/explanations.jsonl").read_text().splitlines()
    statistics = (tmp_path / "s/statistics.json").read_bytes()
    write_table(tmp_path / "corpus", rows)
    run(tmp_path / "corpus", tmp_path / "s")
    assert (tmp_path / "s/explanations.jsonl").read_text().splitlines()[:5] == old
    assert (tmp_path / "s/statistics.json").read_bytes() == statistics
    assert len(Store.open(tmp_path / "s")) == 10


def test_other_options_need_another_folder(tmp_path):
    write_corpus(tmp_path / "corpus", 5)
    run(tmp_path / "corpus", tmp_path / "s")
    with pytest.raises(UserError, match="audio"):
        run(tmp_path / "corpus", tmp_path / "s", audio="outside_parts:LoudnessTwo")


def test_not_a_store(tmp_path):
    with pytest.raises(UserError, match="textmsa prepare"):
        Store.open(tmp_path)


def test_a_broken_tail_is_told(tmp_path: Path) -> None:
    rows = write_corpus(tmp_path / "corpus", 4)
    broken = media_path(tmp_path / "corpus", rows[0])
    write_clip(tmp_path / "long.mkv", seed=0, seconds=4.0)
    content = (tmp_path / "long.mkv").read_bytes()
    broken.unlink()
    broken.with_suffix(".mkv").write_bytes(content[: len(content) * 2 // 3])
    result = prepare(tmp_path / "corpus", out=tmp_path / "store", workers=1)
    assert result.damaged == 1
    assert "1 broken files used" in result.text()
    damage = Store.open(tmp_path / "store").damage()
    assert [text is not None for text in damage] == [True, False, False, False]
    again = prepare(tmp_path / "corpus", out=tmp_path / "store", workers=1)
    assert (again.damaged, again.changed) == (1, False)
