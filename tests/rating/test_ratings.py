"""Raters' files: what counts, what a kill leaves, who is who; and the order in which clips come."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from textmsa.errors import UserError
from textmsa.rating.plan import left_of, seconds_left, turns_of
from textmsa.rating.ratings import HEADER, RaterFile, Said, rater_name, raters_of

RANGE = (-3.0, 3.0)
CLIPS = [f"v{n // 5}$_$it's “{n}”, 中" for n in range(40)]


def rows_of(folder: Path, name: str = "anna") -> list[str]:
    return (folder / "ratings" / f"{name}.csv").read_text(encoding="utf-8").splitlines()


def test_the_last_row_of_a_clip_counts(tmp_path):
    file = RaterFile(tmp_path, "anna", RANGE)
    file.add(CLIPS[0], 1, 2, 3.21)
    file.add(CLIPS[1], 1, None, 1)
    file.add(CLIPS[0], 2, -3, 1)
    assert file.undo() == Said(CLIPS[0], 2, -3, 1)
    assert file.undo() == Said(CLIPS[1], 1, None, 1)
    file.add(CLIPS[1], 1, 0, 1)
    again = RaterFile(tmp_path, "anna", RANGE)
    assert again.order == file.order == [(CLIPS[0], 1), (CLIPS[1], 1)]
    assert [(said.score, said.seconds) for said in again.said.values()] == [(2.0, 3.2), (0.0, 1.0)]
    rows = rows_of(tmp_path)
    assert rows[0] == ",".join(HEADER) and len(rows) == 7
    assert [again.undo(), again.undo(), again.undo()][2] is None
    assert RaterFile(tmp_path, "anna", RANGE).said == {}


@pytest.mark.parametrize("torn", [b"2026-01-01T00:00:00,a$_$1,1", b"2026", b'2026,"a', b"2026-01-01,c,1,2,\xe2"])
def test_what_a_kill_left_half_written_is_as_if_it_had_not_been(tmp_path, torn):
    RaterFile(tmp_path, "anna", RANGE).add("a", 1, 1, 1)
    path = tmp_path / "ratings/anna.csv"
    whole = path.read_bytes()
    path.write_bytes(whole + torn)
    file = RaterFile(tmp_path, "anna", RANGE)
    assert file.order == [("a", 1)]
    file.add("b", 1, -1, 1)
    assert path.read_bytes().startswith(whole + b"20") and len(rows_of(tmp_path)) == 3
    assert RaterFile(tmp_path, "anna", RANGE).order == [("a", 1), ("b", 1)]


def test_a_last_line_that_somebody_wrote_without_an_end_is_kept(tmp_path):
    RaterFile(tmp_path, "anna", RANGE).add("a", 1, 1, 1)
    with (tmp_path / "ratings/anna.csv").open("a") as stream:
        stream.write("2026-01-01,b,1,2,3.0")
    file = RaterFile(tmp_path, "anna", RANGE)
    file.add("c", 1, 3, 1)
    assert RaterFile(tmp_path, "anna", RANGE).order == [("a", 1), ("b", 1), ("c", 1)]


def test_each_rating_is_on_the_disk_when_it_is_said_to_be(tmp_path):
    """A process that is killed while it rates has written all that it said it had."""
    program = (
        "import sys; from pathlib import Path; from textmsa.rating.ratings import RaterFile\n"
        "file = RaterFile(Path(sys.argv[1]), 'anna', (-3, 3))\n"
        "for n in range(100_000):\n    file.add(f'clip {n}', 1, n % 7 - 3, 1.0); print(n, flush=True)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    said = [int(process.stdout.readline()) for _ in range(50)]
    time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    said += [int(line) for line in process.stdout.read().splitlines()]
    process.wait()
    process.stdout.close()
    kept = RaterFile(tmp_path, "anna", RANGE).order
    assert kept[: len(said)] == [(f"clip {n}", 1) for n in said]
    assert len(kept) - len(said) <= 1


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("t,a,1,4,1", "score 4 is outside"),
        ("t,a,1,good,1", "could not convert"),
        ("t,a,x,1,1", "invalid literal"),
        ("t,a,1,nan,1", "outside"),
        ("t,a,1,1", "not enough values"),
    ],
)
def test_a_file_that_somebody_changed_is_refused_with_its_line(tmp_path, row, reason):
    (tmp_path / "ratings").mkdir()
    (tmp_path / "ratings/anna.csv").write_text(",".join(HEADER) + f"\nt,b,1,1,1\n{row}\n")
    with pytest.raises(UserError, match=rf"anna.csv: line 3: .*{reason}"):
        RaterFile(tmp_path, "anna", RANGE)
    (tmp_path / "ratings/anna.csv").write_text("a,b\n")
    with pytest.raises(UserError, match="line 1 must be"):
        RaterFile(tmp_path, "anna", RANGE)


def test_names_are_files_and_nothing_else(tmp_path):
    for name in ("Anna", "李雷", "Zoë O'Brien-2", "a" * 40):
        assert rater_name(f"  {name} ", []) == name
    assert rater_name("ANNA", ["Anna"]) == "Anna"
    assert rater_name("Zoe\u0308", []) == "Zoë"
    for wrong in ("", "  ", "../x", "a/b", "a\\b", ".hidden", "a" * 41, "<b>", "a\0b", "a.", "-x", "a,b"):
        with pytest.raises(UserError, match="give a name of up to 40 letters"):
            rater_name(wrong, [])
    RaterFile(tmp_path, "李雷", RANGE).add("a", 1, 1, 1)
    (tmp_path / "ratings/.x.csv").touch()
    (tmp_path / "ratings/labels.json").touch()
    assert raters_of(tmp_path) == ["李雷"]


def test_every_rater_has_an_order_that_stays(tmp_path):
    orders = {rater: turns_of(rater, CLIPS, 0) for rater in ("anna", "ben", "cleo")}
    assert all(sorted(turns) == sorted((clip, 1) for clip in CLIPS) for turns in orders.values())
    assert orders["anna"] != orders["ben"] != orders["cleo"] != [(clip, 1) for clip in CLIPS]
    assert turns_of("anna", CLIPS[::-1], 0) == orders["anna"] == turns_of("Anna", CLIPS, 0)
    fewer = [turn for turn in orders["anna"] if turn[0] != CLIPS[7]]
    assert turns_of("anna", [clip for clip in CLIPS if clip != CLIPS[7]], 0) == fewer


@pytest.mark.parametrize(("clips", "repeats", "twice"), [(40, 5, 5), (3, 9, 2), (1, 1, 1), (0, 3, 0), (40, 0, 0)])
def test_clips_that_come_twice_come_later(clips, repeats, twice):
    turns = turns_of("anna", CLIPS[:clips], repeats)
    again = [clip for clip, round_ in turns if round_ == 2]
    assert len(again) == twice == len(set(again)) and len(turns) == clips + twice
    assert all(turns.index((clip, 1)) < turns.index((clip, 2)) for clip in again)
    if clips == 40 and twice:
        apart = [turns.index((clip, 2)) - turns.index((clip, 1)) for clip in again]
        assert min(apart) >= 5 and turns[-3:] != [(clip, 2) for clip in again[-3:]]


def test_what_is_left_and_for_how_long(tmp_path):
    file = RaterFile(tmp_path, "anna", RANGE)
    turns = turns_of("anna", CLIPS[:6], 1)
    for clip, round_ in turns[:3]:
        file.add(clip, round_, 1, 4 if clip != turns[1][0] else 4000)  # a pause
    assert left_of(turns, file) == turns[3:]
    assert seconds_left(list(file.said.values()), 4) == 16
    assert seconds_left(list(file.said.values())[:2], 4) is None


def test_a_row_broken_off_by_a_kill_is_dropped_where_the_clips_name_holds_commas(tmp_path):
    file = RaterFile(tmp_path, "anna", (-3, 3))
    for score in (1.0, 2.0):
        file.add(f"Smith, John$_${score:g}", 1, score, 3.5)
    whole = file.path.read_bytes()
    rows = whole.splitlines(keepends=True)
    for length in range(len(rows[-1]) - len("3.5\n")):  # up to the seconds, which are the last cell
        file.path.write_bytes(b"".join(rows[:-1]) + rows[-1][:length])
        assert list(RaterFile(tmp_path, "anna", (-3, 3)).said) == [("Smith, John$_$1", 1)], rows[-1][:length]
