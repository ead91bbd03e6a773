"""Worker processes that may die: what was in their hands is tried again alone, the rest goes on.

Nothing heavy is imported here: a worker must limit its threads before numpy and its like are loaded.
"""

import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, connection, get_context, parent_process
from types import ModuleType
from typing import Generic, TypeVar

from textmsa.errors import UserError, WorkerDied

Task = TypeVar("Task")
Result = TypeVar("Result")
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class Crew(Generic[Task, Result]):
    """`workers` processes that apply `work` to tasks.

    `work` is a module's function (it is sent by name) and should answer for its own exceptions; one that it raises
    ends the run. Processes are spawned, since neither mediapipe nor numba survive a fork. On Ctrl-C the tasks in hand
    are finished first, or, where the crew `waits` for nothing, the processes are ended.
    """

    def __init__(self, work: Callable[[Task], Result], *, workers: int, waits: bool = True) -> None:
        self.work, self.workers, self.waits = work, workers, waits
        self.proven = False

    def each(self, tasks: Sequence[Task]) -> Iterator[tuple[Task, Result | WorkerDied]]:
        """Tasks with their results, as they are done.

        No worker holds a task in reserve, so that when one dies the suspects are few: these are tried alone, each
        in a fresh process. Raises UserError where no worker can be started at all.
        """
        waiting = deque(tasks)
        while waiting:
            in_hand: dict[Future[Result], Task] = {}
            try:
                with _pool(min(self.workers, len(waiting)), waits=self.waits) as pool:
                    yield from self._work_off(pool, waiting, in_hand)
            except BrokenProcessPool:
                suspects = list(in_hand.values())
                self._prove_that_workers_start()
                for task in suspects:
                    yield task, self._alone(task)

    def _work_off(
        self, pool: ProcessPoolExecutor, waiting: deque[Task], in_hand: dict[Future[Result], Task]
    ) -> Iterator[tuple[Task, Result | WorkerDied]]:
        """Keep every worker busy with one task; `in_hand` always holds what was begun and is not done."""
        while waiting or in_hand:
            while waiting and len(in_hand) < self.workers:
                task = waiting.popleft()
                try:
                    with _main_hidden(unless=self.work.__module__ == "__main__"):
                        in_hand[pool.submit(self.work, task)] = task
                except BrokenProcessPool:
                    waiting.appendleft(task)
                    raise
            for future in wait(in_hand, return_when=FIRST_COMPLETED).done:
                result = future.result()
                yield in_hand.pop(future), result

    def _alone(self, task: Task) -> Result | WorkerDied:
        try:
            with _pool(1, waits=self.waits) as pool, _main_hidden(unless=self.work.__module__ == "__main__"):
                return pool.submit(self.work, task).result()
        except BrokenProcessPool:
            return WorkerDied("the worker process died, twice: crashed in native code or out of memory")

    def _prove_that_workers_start(self) -> None:
        if self.proven:
            return
        try:
            with _pool(1) as pool, _main_hidden(unless=self.work.__module__ == "__main__"):
                self.proven = pool.submit(os.getpid).result() > 0
        except BrokenProcessPool as error:
            raise UserError(
                "worker processes cannot start: see what they said on standard error, or give fewer workers"
            ) from error


@contextmanager
def _pool(workers: int, *, waits: bool = True) -> Iterator[ProcessPoolExecutor]:
    """A pool whose processes use one thread each; left early, it does not wait for tasks that are not begun."""
    others = set(active_children())
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))  # read by the libraries when a worker loads them
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_start_worker)
    try:
        yield pool
    except BaseException:
        for child in set() if waits else set(active_children()) - others:
            child.kill()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _main_hidden(*, unless: bool) -> Iterator[None]:
    """Start processes that do not run the user's script again, as spawned ones do: they need nothing of it.

    A script could otherwise not prepare anything but under `if __name__ == "__main__"`.
    """
    main = sys.modules["__main__"]
    if not unless:
        sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _start_worker() -> None:
    """In each worker: leave Ctrl-C to the parent, and end when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
