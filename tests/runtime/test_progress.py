"""Progress on a terminal and in a log: on standard error, with nothing left over."""

import io
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr

import pytest

from textmsa.runtime.progress import Meter, duration, track, watched


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """What `redirect_stderr` takes for a terminal of 80 columns."""
    stream = Terminal()
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "80"}.items():
        monkeypatch.setenv(name, value)
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    return stream


def wait_for(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)


def plain(text: str) -> str:
    """Without what moves the cursor and clears lines."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_a_log_gets_a_line_now_and_then_and_a_final_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = iter(range(0, 1000, 4))
    monkeypatch.setattr("textmsa.runtime.progress.time.monotonic", lambda: float(next(seconds)))
    assert list(track("abcdef", total=9, label="explaining", done=3)) == list("abcdef")
    output = capsys.readouterr()
    assert output.out == ""
    lines = output.err.splitlines()
    assert len(lines) < 6
    assert re.fullmatch(r"explaining: [56]/9, \d+ s left", lines[0])
    assert re.fullmatch(r"explaining: 9/9 in \d+ s", lines[-1])
    assert "\x1b" not in output.err
    assert "\r" not in output.err


def test_what_loading_takes_is_not_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("textmsa.runtime.progress.time.monotonic", lambda: clock[0])
    meter, left = Meter(total=30, label="prepare"), list[float | None]()
    for seconds in (50, 1, 1, 1):
        clock[0] += seconds
        meter.advance()
        left.append(meter.seconds_left)
    assert left == [None, None, 27, 26]


def test_of_a_few_long_items_the_first_tells_the_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("textmsa.runtime.progress.time.monotonic", lambda: clock[0])
    meter = Meter(total=8, label="baselines")
    clock[0] = 30.0
    meter.advance()
    assert meter.seconds_left == 7 * 30


def test_a_quick_step_in_a_log_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    list(track([1, 2], total=2, label="writing"))
    assert re.fullmatch(r"writing: 2/2 in 0\.\d s\n", capsys.readouterr().err)


def test_a_terminal_shows_count_and_remaining_time_and_keeps_the_final_line(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    with redirect_stderr(terminal):
        meter = Meter(total=4, label="train")
        meter.advance(2)
        meter.label = "train (loss 0.5)"
        assert re.fullmatch(r"train \(loss 0\.5\): 2/4, \d\.\d s left", meter.line())
        wait_for(lambda: "train (loss 0.5): 2/4, " in plain(terminal.getvalue()))
        meter.advance(2)
        meter.close()
    assert re.search(r"train \(loss 0\.5\): 4/4 in \d+\.?\d* s\n$", plain(terminal.getvalue()))
    assert capsys.readouterr().out == ""


def test_the_cursor_comes_back_whatever_happens(terminal: Terminal) -> None:
    with redirect_stderr(terminal), pytest.raises(ZeroDivisionError):
        for item in track([1, 0], total=2, label="dividing"):
            1 / item
    with redirect_stderr(terminal), pytest.raises(ValueError, match="broken"):
        list(track(broken(), total=2, label="reading"))
    with redirect_stderr(terminal):
        forgotten = Meter(total=2, label="forgotten")
        forgotten.advance()
        del forgotten
    drawn = terminal.getvalue()
    assert drawn.count("\x1b[?25l") == drawn.count("\x1b[?25h") == 3


def broken() -> Iterator[int]:
    yield 1
    raise ValueError("broken")


def test_a_terminal_that_cannot_redraw_gets_plain_lines(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with redirect_stderr(terminal):
        list(track([1], total=1, label="writing"))
    assert re.fullmatch(r"writing: 1/1 in 0\.\d s\n", terminal.getvalue())


def test_two_meters_at_once_do_no_harm(terminal: Terminal) -> None:
    with redirect_stderr(terminal):
        for _ in track([1, 2], total=2, label="outer"):
            list(track([1], total=1, label="inner"))
    assert "outer: 2/2 in" in plain(terminal.getvalue())
    assert terminal.getvalue().count("\x1b[?25l") == terminal.getvalue().count("\x1b[?25h")


def test_rich_is_loaded_for_terminals_only() -> None:
    import subprocess

    code = "import sys; from textmsa.runtime.progress import track; list(track([1], total=1, label='x')); "
    subprocess.run([sys.executable, "-c", code + "assert 'rich' not in sys.modules"], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.44, "0.4 s"), (38.2, "38 s"), (125, "2 min 05 s"), (4200, "1 h 10 min")]
)
def test_durations_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_meter_that_is_watched_is_handed_on_and_not_shown(terminal: Terminal) -> None:
    seen: list[tuple[str, int, int, bool]] = []
    with redirect_stderr(terminal):
        with watched(lambda meter: seen.append((meter.label, meter.done, meter.total, meter.seconds_left is None))):
            meter = Meter(total=4, label="work", done=1)
            meter.advance(2)
            meter.total = meter.done = 5
            meter.close()
        assert terminal.getvalue() == ""
        Meter(total=1, label="later").close()
    assert seen == [("work", 1, 4, True), ("work", 3, 4, False), ("work", 5, 5, False)]
    assert "later: 0/1" in plain(terminal.getvalue())


def test_what_a_watcher_raises_ends_the_step() -> None:
    def stop(meter: Meter) -> None:
        if meter.done == 2:
            raise ValueError("enough")

    with watched(stop), pytest.raises(ValueError, match="enough"):
        list(track(range(5), total=5, label="work"))
