"""Progress of long steps: counts and remaining time, on a terminal (drawn by rich) and in a log."""

import os
import sys
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.console import RenderableType

T = TypeVar("T")
LOG_EVERY_SECONDS = 10.0
DRAWN_PER_SECOND = 5
FEW = 10
"""Up to so many items each counts, the first too; of more the first ones tell how long loading takes."""
PLAIN_TERMINALS = ("dumb", "unknown")
"""Kinds of terminal that cannot redraw a line."""


_watchers: "list[Callable[[Meter], None]]" = []


@contextmanager
def watched(watcher: "Callable[[Meter], None]") -> Iterator[None]:
    """Within the block, meters of this process are handed to `watcher` as they begin, advance and close.

    Nothing of them is drawn or written then. What the watcher raises comes out of the step that is measured.
    """
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


def track(items: Iterable[T], *, total: int, label: str, done: int = 0) -> Iterator[T]:
    """Yield `items` while showing `label`, count and remaining time on standard error.

    `done` is how many of `total` were finished by an earlier run; the pace is measured without them.
    """
    meter = Meter(total=total, label=label, done=done)
    try:
        for item in items:
            yield item
            meter.advance()
    except BaseException:
        meter.stop()
        raise
    meter.close()


class Meter:
    """A line that says `label: 120/600, 38 s left`; redrawn on a terminal, repeated now and then in a log.

    `label` may be changed at any time. A meter that is neither closed nor stopped is wiped off the terminal when it is
    collected, at the end of the process at the latest.
    """

    def __init__(self, *, total: int, label: str, done: int = 0) -> None:
        self.total, self.label, self.done = total, label, done
        self.first = done
        self.warm: tuple[float, int] | None = None
        """When the first item was done, and how many were then."""
        self.started = self.shown = time.monotonic()
        self.stop = _drawn(weakref.ref(self)) if is_live() and not _watchers else _nothing
        """Wipes the line off the terminal; may be called again."""
        self._tell()

    def advance(self, steps: int = 1) -> None:
        """Count `steps` more items as done."""
        self.done += steps
        if self.warm is None:
            self.warm = time.monotonic(), self.done
        if self._tell():
            return
        now = time.monotonic()
        if self.stop is _nothing and now - self.shown >= LOG_EVERY_SECONDS:
            self.shown = now
            _write(self.line())

    def close(self) -> None:
        """Show the final count and the time taken, on a line that stays."""
        self.stop()
        if self._tell():
            return
        seconds = time.monotonic() - self.started
        _write(f"{self.label}: {self.done}/{self.total} in {duration(seconds)}")

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the end at the pace so far; None before there is one.

        Of many items the pace is that since the first was done: until then workers load what they need.
        """
        started, first, least = self.started, self.first, 1
        if self.total - self.first > FEW and self.warm is not None:
            (started, first), least = self.warm, 2
        counted = self.done - first
        return (self.total - self.done) * (time.monotonic() - started) / counted if counted >= least else None

    def line(self) -> str:
        """How far it is."""
        left = self.seconds_left
        shown = f"{self.label}: {self.done}/{self.total}"
        return shown if left is None else f"{shown}, {duration(left)} left"

    def _tell(self) -> bool:
        """Hand it to those who watch; whether there are any."""
        for watcher in _watchers:
            watcher(self)
        return bool(_watchers)


def is_live() -> bool:
    """Whether standard error is a terminal on which a line can be redrawn."""
    return sys.stderr.isatty() and os.environ.get("TERM", "").lower() not in PLAIN_TERMINALS


def _write(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _nothing() -> None:
    pass


def _drawn(meter: "weakref.ref[Meter]") -> "weakref.finalize[..., Meter]":
    """Draw a meter's line with a spinner below what is printed, until the returned function is called."""
    from rich.console import Console
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.text import Text

    spinner = Spinner("dots")

    def picture() -> "RenderableType":
        shown = meter()
        spinner.update(text=Text(shown.line() if shown is not None else "", no_wrap=True, overflow="ellipsis"))
        return spinner

    live = Live(
        console=Console(file=sys.stderr),
        get_renderable=picture,
        refresh_per_second=DRAWN_PER_SECOND,
        transient=True,
        redirect_stdout=False,
    )
    live.start()
    alive = meter()
    assert alive is not None
    return weakref.finalize(alive, live.stop)


def duration(seconds: float) -> str:
    """A length of time for people: `38 s`, `2 min 05 s`, `1 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
