"""Several networks at once, each in a process and a thread of its own: small ones hardly use a second core."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from textmsa.config import Recipe
from textmsa.errors import UserError, WorkerDied
from textmsa.run import RunInfo
from textmsa.runtime.workers import Crew
from textmsa.store.reading import Store
from textmsa.train.job import Job
from textmsa.train.one_network import train_one


@dataclass(frozen=True)
class _Order:
    """A job as it is sent to a process: the store is opened there."""

    recipe: Recipe
    data: Path
    folder: Path
    device: str
    precision: str


def train_side_by_side(jobs: Sequence[Job], *, workers: int) -> Iterator[tuple[Job, RunInfo]]:
    """Begun jobs with what became of them, as they are done; on Ctrl-C the processes end with their last checkpoints.

    Raises UserError where a process dies twice on the same job, as it does where memory is short.
    """
    by_folder = {job.folder: job for job in jobs}
    orders = [_Order(job.recipe, job.store.path, job.folder, job.device, job.precision) for job in jobs]
    crew = Crew(_train, workers=workers, waits=False)
    for order, info in crew.each(orders):
        if isinstance(info, WorkerDied):
            raise UserError(f"{order.folder}: {info}; give fewer --workers to textmsa train")
        yield by_folder[order.folder], info


def _train(order: _Order) -> RunInfo:
    os.environ["TERM"] = "dumb"  # two processes cannot redraw one line: each writes lines now and then
    return train_one(Job(order.recipe, Store.open(order.data), order.folder, order.device, order.precision))
