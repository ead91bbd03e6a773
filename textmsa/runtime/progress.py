"""Progress of long steps: counts and remaining time, on a terminal and in a log."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
LOG_EVERY_SECONDS = 10.0


def track(items: Iterable[T], *, total: int, label: str, done: int = 0) -> Iterator[T]:
    """Yield `items` while showing `label`, count and remaining time on standard error.

    `done` is how many of `total` were finished by an earlier run; the pace is measured without them.
    """
    meter = Meter(total=total, label=label, done=done)
    for item in items:
        yield item
        meter.advance()
    meter.close()


class Meter:
    """A line that says `label 120/600, 38 s left`; redrawn on a terminal, repeated now and then in a log."""

    def __init__(self, *, total: int, label: str, done: int = 0) -> None:
        self.total, self.label, self.done = total, label, done
        self.first = done
        self.started = self.shown = time.monotonic()
        self.live = sys.stderr.isatty()

    def advance(self, steps: int = 1) -> None:
        """Count `steps` more items as done."""
        self.done += steps
        now = time.monotonic()
        if now - self.shown >= (0.2 if self.live else LOG_EVERY_SECONDS):
            self.shown = now
            self._show(end="\r" if self.live else "\n")

    def close(self) -> None:
        """Show the final count and the time taken."""
        seconds = time.monotonic() - self.started
        print(
            f"{self.label}: {self.done}/{self.total} in {duration(seconds)}\x1b[K"
            if self.live
            else f"{self.label}: {self.done}/{self.total} in {duration(seconds)}",
            file=sys.stderr,
            flush=True,
        )

    def _show(self, *, end: str) -> None:
        fresh = self.done - self.first
        left = (self.total - self.done) * (time.monotonic() - self.started) / max(fresh, 1)
        clear = "\x1b[K" if self.live else ""
        line = f"{self.label}: {self.done}/{self.total}, {duration(left)} left{clear}"
        print(line, end=end, file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """A length of time for people: `38 s`, `2 min 05 s`, `1 h 10 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
