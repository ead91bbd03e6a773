"""One process of the server's, watched while it is at work: it may die, hang or grow too large, and that is told."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from textmsa.serve.limits import MEGABYTE

LOOK_EVERY = 0.1  # seconds between looks at a process' memory
DIED = "the worker died on this clip: it crashed in native code, or was killed"
STOPPED = "the worker was told to stop"


@dataclass(frozen=True)
class Answer:
    """What a process says: a document, or why there is none."""

    status: int
    document: dict[str, Any]


@dataclass(frozen=True)
class Progress:
    """How far a process is in one step of its work."""

    step: str
    done: float
    """Of `total`, seconds of the file."""
    total: float
    seconds_left: float | None
    """Of this step, at the pace so far; None before there is one."""


class Child:
    """One process and the end of a pipe to it.

    Parameters
    ----------
    megabytes
        Of memory that it may hold.
    more_memory
        What the server's owner can do where that is too little.
    """

    def __init__(self, megabytes: float, *, more_memory: str = "allow more (--memory-mb)") -> None:
        self.megabytes, self.more_memory = megabytes, more_memory
        self.process: SpawnProcess | None = None

    def start(self, target: Callable[..., None], *arguments: object) -> None:
        """Start the process: `target(connection, *arguments)`. One that runs is ended."""
        self.stop()
        context = get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=target, args=(other, *arguments), daemon=True)
        self.process.start()
        other.close()

    def send(self, message: object) -> None:
        """Give it something to do; raises OSError where it is dead."""
        self.connection.send(message)

    def answer(
        self,
        seconds: float,
        *,
        told: Callable[[Progress], object] = lambda _: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Answer | str:
        """What the process says, or why it says nothing.

        Parameters
        ----------
        seconds
            For which it is waited.
        told
            Takes the progress that it sends before its answer.
        stopped
            Whether nobody waits any longer.
        """
        until = time.monotonic() + seconds
        try:
            while True:
                if self.connection.poll(LOOK_EVERY):
                    message = self.connection.recv()
                    if not isinstance(message, Progress):
                        answer: Answer = message
                        return answer
                    told(message)
                reason = self._amiss(until, seconds, stopped)
                if reason is not None and not (reason == DIED and self.connection.poll()):
                    return reason
        except (EOFError, OSError):
            return DIED

    def _amiss(self, until: float, seconds: float, stopped: Callable[[], bool]) -> str | None:
        """Why it is waited no longer."""
        assert self.process is not None
        if stopped():
            return STOPPED
        if not self.process.is_alive():
            return DIED
        if time.monotonic() > until:
            return f"took longer than {seconds:.0f} s; send a shorter clip"
        if memory_of(self.process.pid or 0) > self.megabytes * MEGABYTE:
            return f"needs more than {self.megabytes:.0f} MB of memory; send a smaller clip, or {self.more_memory}"
        return None

    def stop(self) -> None:
        """End the process, whatever it is at."""
        if self.process is not None:
            self.process.kill()
            self.process.join()
            self.connection.close()
            self.process = None


def memory_of(pid: int) -> int:
    """Bytes that a process holds; 0 where the system does not tell (it does on Linux)."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    import resource

    return pages * resource.getpagesize()
