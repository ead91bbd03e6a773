"""Long videos that are analyzed: bounded in number, each in a process of its own, kept for a while, then removed."""

import asyncio
import logging
import math
import os
import secrets
import shutil
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from textmsa.serve.analysis import ANALYZING, LISTENING, LOADING, OUT, RESULTS, AnalysisTask, analyze_in_folder
from textmsa.serve.child import Answer, Child, Progress
from textmsa.serve.limits import Limits, Refusal
from textmsa.serve.worker import CLIP, WorkerOptions

State = Literal["waiting", "running", "done", "failed", "cancelled"]
STATES: tuple[State, ...] = ("waiting", "running", "done", "failed", "cancelled")
ENDED: tuple[State, ...] = ("done", "failed", "cancelled")
PREFIX = "textmsa-job-"  # of a job's folder
SUBTITLES = {True: "subtitles.vtt", False: "subtitles.srt"}  # whether they begin as WebVTT does -> their file
EVENTS_KEPT = 100  # of a job, for clients that come back
TELL_EVERY = 0.5  # seconds between two events of progress in one step
USUAL_WAIT = 60  # seconds after which to come again, where nothing is known
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Event:
    """What happened to a job."""

    number: int
    """From 1, by which a client that comes back says what it has."""
    kind: str
    """"progress", or the state in which the job ended."""
    document: dict[str, Any]


@dataclass
class Job:
    """One long video."""

    id: str
    folder: Path
    subtitles: str | None
    state: State = "waiting"
    created: float = field(default_factory=time.time)
    begun: float | None = None
    """When its turn came; by `time.monotonic`, as is `told`."""
    progress: Progress = field(default_factory=lambda: Progress(LOADING, 0.0, 1.0, None))
    reason: str | None = None
    """Why it failed."""
    summary: dict[str, Any] = field(default_factory=dict)
    kept_until: float | None = None
    stopping: bool = False
    told: float = 0.0
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=EVENTS_KEPT))
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[None] | None" = None

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to it."""
        return self.state in ENDED

    @property
    def files(self) -> list[str]:
        """The names of its results."""
        out = self.folder / OUT
        return [name for name in RESULTS if (out / name).is_file()] if self.state == "done" else []

    def document(self, before: int = 0) -> dict[str, Any]:
        """What is told of it, as JSON has it; `before` is how many wait before it."""
        here = f"/v1/analyze/{self.id}"
        told: dict[str, Any] = {
            "id": self.id,
            "state": self.state,
            "created": _clock(self.created),
            "url": here,
            "events": f"{here}/events",
            "result": f"{here}/result",
        }
        if self.state == "waiting":
            told["before"] = before
        if self.state == "running":
            steps = [LOADING, *([LISTENING] if self.subtitles is None else []), ANALYZING]
            left = self.progress.seconds_left
            told |= {
                "step": self.progress.step,
                "steps": steps,
                "done": self.progress.done,
                "total": self.progress.total,
                "seconds_left": None if left is None else round(left, 1),
            }
        if self.state == "failed":
            told["reason"] = self.reason
        if self.state == "done":
            told |= {"summary": self.summary, "files": [f"{here}/result/{name}" for name in self.files]}
        if self.kept_until is not None:
            told["kept_until"] = _clock(self.kept_until)
        return told

    def tell(self, kind: str, before: int = 0) -> None:
        """Let those who listen know."""
        number = self.events[-1].number + 1 if self.events else 1
        self.events.append(Event(number, kind, self.document(before)))
        self.told = time.monotonic()
        before_this, self.changed = self.changed, asyncio.Event()
        before_this.set()

    async def since(self, number: int, heartbeat: float) -> AsyncIterator[Event | None]:
        """The events after the one of this number, until the job has ended; None where nothing happened for a while."""
        while True:
            changed = self.changed
            for event in [event for event in self.events if event.number > number]:
                number = event.number
                yield event
            if self.ended and number >= self.events[-1].number:
                return
            if changed is not self.changed:
                continue
            try:
                await asyncio.wait_for(changed.wait(), heartbeat)
            except TimeoutError:
                yield None


class Jobs:
    """Those that wait, run, or are kept.

    Parameters
    ----------
    options
        What clips are scored with: jobs are, too.
    limits
        How many, how large, for how long.
    target
        What a job's process does.
    """

    def __init__(
        self,
        options: WorkerOptions,
        limits: Limits,
        target: Callable[[Connection, AnalysisTask], None] = analyze_in_folder,
    ) -> None:
        self.options, self.limits, self.target = options, limits, target
        self.ended: Callable[[Job], None] = lambda _: None
        """Is called with each that has ended."""
        self.by_id: dict[str, Job] = {}
        self.arriving = 0
        self.listening = 0
        self._turn = asyncio.Semaphore(limits.jobs)
        self._threads = ThreadPoolExecutor(limits.jobs, "job")

    def count(self, state: State) -> int:
        """How many are in it."""
        return sum(job.state == state for job in self.by_id.values())

    def get(self, name: str) -> Job:
        """The job of this id; raises Refusal 404 where there is none (any more)."""
        job = self.by_id.get(name)
        if job is None:
            raise Refusal(404, "no such job: it was removed, or its time is over")
        return job

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place for a video that arrives; raises Refusal 503 where there is none."""
        inside = self.arriving + self.count("waiting") + self.count("running")
        if inside >= self.limits.jobs + self.limits.job_queue:
            known = [job.progress.seconds_left for job in self.by_id.values() if job.state == "running"]
            left = [seconds for seconds in known if seconds is not None]
            wait = max(1, math.ceil(min(left))) if left else USUAL_WAIT
            raise Refusal(503, f"busy: {inside} videos are at work or wait; try again later", retry_after=wait)
        self.arriving += 1
        try:
            yield
        finally:
            self.arriving -= 1

    def submit(self, clip: Path, subtitles: str | None, *, ours: bool) -> Job:
        """Begin a job, or let it wait.

        Parameters
        ----------
        clip
            The file, which is moved away; one that is `ours` stays where it is.
        subtitles
            Text of a file .srt or .vtt; without it the words are recognised.
        ours
            Whether it is of the server's own folder.
        """
        name = None if subtitles is None else SUBTITLES[subtitles.lstrip("\ufeff").startswith("WEBVTT")]
        folder = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
        try:
            if ours:
                (folder / CLIP).symlink_to(clip.resolve())
            else:
                os.replace(clip, folder / CLIP)
            if subtitles is not None and name is not None:
                (folder / name).write_text(subtitles, encoding="utf-8")
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        job = Job(secrets.token_urlsafe(16), folder, name)
        self.by_id[job.id] = job
        job.tell("progress", self.before(job))
        job.task = asyncio.get_running_loop().create_task(self._run(job))
        return job

    def before(self, job: Job) -> int:
        """How many wait before it."""
        waiting = [other for other in self.by_id.values() if other.state == "waiting"]
        return waiting.index(job) if job in waiting else 0

    async def remove(self, job: Job) -> None:
        """Cancel it where it has not ended, and remove its files; one that had ended is forgotten."""
        if job.ended:
            self._forget(job)
            return
        job.stopping = True
        if job.state == "waiting" and job.task is not None:
            job.task.cancel()
        if job.task is not None:
            await asyncio.wait([job.task])
        if not job.ended:  # it was cancelled before its first step
            self._end(job, "cancelled")

    async def stop(self) -> None:
        """End all of them and remove all files."""
        for job in list(self.by_id.values()):
            await self.remove(job)
            shutil.rmtree(job.folder, ignore_errors=True)
        self._threads.shutdown(wait=False)

    async def _run(self, job: Job) -> None:
        try:
            async with self._turn:
                job.state, job.begun = "running", time.monotonic()
                job.tell("progress")
                self._tell_waiting()
                answer = await asyncio.get_running_loop().run_in_executor(
                    self._threads, self._work, job, self._teller(job)
                )
            self._end(job, answer)
        except asyncio.CancelledError:
            self._end(job, "cancelled")
        except Exception as error:
            logger.warning("a job failed: %s", error)
            self._end(job, "the server could not begin it")

    def _tell_waiting(self) -> None:
        """Those that wait have fewer before them."""
        for job in self.by_id.values():
            if job.state == "waiting":
                job.tell("progress", self.before(job))

    def _teller(self, job: Job) -> Callable[[Progress], None]:
        """What takes a job's progress in another thread."""
        loop = asyncio.get_running_loop()

        def told(progress: Progress) -> None:
            loop.call_soon_threadsafe(self._advance, job, progress)

        return told

    def _work(self, job: Job, told: Callable[[Progress], None]) -> Answer | str:
        """Have it analyzed, in a thread that waits for the process."""
        task = AnalysisTask(
            job.folder,
            job.subtitles,
            self.options.model,
            self.options.precision,
            self.options.speech_model,
            self.limits.job_seconds,
            self.limits.streams,
        )
        child = Child(self.limits.memory_megabytes)
        try:
            child.start(self.target, task)
            return child.answer(self.limits.job_work_seconds, told=told, stopped=lambda: job.stopping)
        finally:
            child.stop()

    def _advance(self, job: Job, progress: Progress) -> None:
        if job.ended:
            return
        fresh = progress.step != job.progress.step
        job.progress = progress
        if fresh or time.monotonic() - job.told >= TELL_EVERY:
            job.tell("progress")

    def _end(self, job: Job, answer: Answer | str) -> None:
        """Note how it ended; what it no longer needs is removed before that is told."""
        waited = job.state == "waiting"
        if job.stopping or answer == "cancelled":
            job.state = "cancelled"
        elif isinstance(answer, Answer) and answer.status == 200:
            job.state, job.summary = "done", answer.document
        else:
            job.state = "failed"
            job.reason = answer if isinstance(answer, str) else answer.document["reason"]
        _remove_all_but(job.folder, OUT if job.state == "done" else None)
        job.kept_until = time.time() + self.limits.keep_seconds
        asyncio.get_running_loop().call_later(self.limits.keep_seconds, self._forget, job)
        job.tell(job.state)
        if waited:
            self._tell_waiting()
        self.ended(job)
        kept = [other for other in self.by_id.values() if other.ended]
        for other in sorted(kept, key=lambda one: one.kept_until or 0)[: max(0, len(kept) - self.limits.kept)]:
            self._forget(other)

    def _forget(self, job: Job) -> None:
        self.by_id.pop(job.id, None)
        shutil.rmtree(job.folder, ignore_errors=True)


def _remove_all_but(folder: Path, kept: str | None) -> None:
    """Remove a folder, or what lies in it besides one."""
    if kept is None:
        shutil.rmtree(folder, ignore_errors=True)
        return
    for path in folder.iterdir():
        if path.name == kept:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _clock(seconds: float) -> str:
    """A moment, as ISO 8601 has it, in UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
