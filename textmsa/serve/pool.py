"""Workers and who waits for them: bounded, and whole again after a worker died or hung."""

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from textmsa.errors import UserError
from textmsa.serve.child import Answer, Child
from textmsa.serve.limits import Limits, Refusal
from textmsa.serve.worker import Task, WorkerOptions, work

LOOK_FOR_CLIENT_EVERY = 0.25  # seconds between looks whether a client that waits is still there
STARTING_SECONDS = 300.0
SMOOTHING = 0.3  # of the mean time that an answer takes
logger = logging.getLogger(__name__)


class Worker:
    """A process that has its model and answers one task after another."""

    def __init__(self, options: WorkerOptions, limits: Limits) -> None:
        self.options, self.limits = options, limits
        self.child = Child(limits.memory_megabytes)
        self.ready = False

    def start(self) -> None:
        """Start the process and wait until it has built its run; raises UserError where it cannot."""
        self.stop()
        self.child.start(work, self.options)
        answer = self.child.answer(STARTING_SECONDS)
        if isinstance(answer, str) or answer.status != 200:
            self.stop()
            reason = answer.partition(";")[0] if isinstance(answer, str) else answer.document["reason"]
            raise UserError(f"no worker starts: {reason}")  # no clip is to blame
        self.ready = True

    def do(self, task: Task) -> Answer:
        """The answer to a task; where the process dies, hangs or grows too large, that is told.

        It is then replaced before the worker's next task, by `revive` or that task itself.
        """
        if not self.ready:
            try:
                self.start()
            except UserError as error:
                return Answer(503, {"reason": str(error)})
        try:
            self.child.send(task)
            answer = self.child.answer(self.limits.work_seconds)
        except OSError:
            answer = "the worker had died before it was given the clip; send it again"
        if isinstance(answer, Answer):
            return answer
        logger.warning("worker replaced: %s", answer)
        self.stop()
        return Answer(500, {"reason": answer})

    def revive(self) -> None:
        """Start the process again where it was ended; a run that became unusable is told to the next client."""
        if not self.ready:
            try:
                self.start()
            except UserError as error:
                logger.warning("%s", error)

    def stop(self) -> None:
        """End the process, whatever it is at."""
        self.ready = False
        self.child.stop()


class Pool:
    """Workers with a bounded queue. A request takes a ticket before its clip is read, so that disk use is bounded."""

    def __init__(self, options: WorkerOptions, limits: Limits) -> None:
        self.options, self.limits = options, limits
        self.workers = [Worker(options, limits) for _ in range(limits.workers)]
        self.free: asyncio.Queue[Worker] = asyncio.Queue()
        self.tickets = 0
        self.usual_seconds = 2.0
        self.reviving: set[asyncio.Future[None]] = set()

    def start(self) -> None:
        """Start every worker; raises UserError where one cannot be."""
        for worker in self.workers:
            worker.start()
            self.free.put_nowait(worker)

    def stop(self) -> None:
        """End every worker."""
        for worker in self.workers:
            worker.stop()

    @property
    def ready(self) -> int:
        """How many workers have their run built."""
        return sum(worker.ready for worker in self.workers)

    @asynccontextmanager
    async def ticket(self) -> AsyncIterator[None]:
        """A place among those that are served or wait; raises Refusal 429 where there is none."""
        if self.tickets >= self.limits.workers + self.limits.queue:
            wait = max(1, math.ceil(self.usual_seconds * self.tickets / self.limits.workers))
            raise Refusal(429, f"busy: {self.tickets} clips are at work or wait; try again later", retry_after=wait)
        self.tickets += 1
        try:
            yield
        finally:
            self.tickets -= 1

    async def do(self, task: Task, gone: Callable[[], Awaitable[bool]]) -> Answer | None:
        """The answer of the next free worker; None where who asked is `gone` before its turn.

        The task's file may be removed when this returns: work that was begun is waited for.
        """
        while True:
            try:
                worker = await asyncio.wait_for(self.free.get(), LOOK_FOR_CLIENT_EVERY)
                break
            except TimeoutError:
                if await gone():
                    return None
        started = time.monotonic()
        try:
            answer = await asyncio.to_thread(worker.do, task)
        finally:
            self._freed(worker)
        if answer.status == 200:
            self.usual_seconds += SMOOTHING * (time.monotonic() - started - self.usual_seconds)
        return answer

    def _freed(self, worker: Worker) -> None:
        """Back among the free ones; one that died first gets its new process."""
        if worker.ready:
            self.free.put_nowait(worker)
            return
        reviving = asyncio.ensure_future(asyncio.to_thread(worker.revive))
        self.reviving.add(reviving)
        reviving.add_done_callback(self.reviving.discard)
        reviving.add_done_callback(lambda _: self.free.put_nowait(worker))
