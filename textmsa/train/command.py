"""`textmsa train`: recipe + store -> run folder, for one seed or several."""

import logging
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast

import numpy as np

from textmsa import metrics
from textmsa.config import AlignmentQuery, Recipe
from textmsa.errors import UserError
from textmsa.intervals import calibrate, calibration_of
from textmsa.recipe_checks import MOST_SEED, check_recipe
from textmsa.run import MODEL, RECIPE, RUN, Run, RunInfo, seed_folder
from textmsa.runtime.claim import CLAIM, LOCK, locked
from textmsa.runtime.device import choose_device
from textmsa.runtime.progress import duration
from textmsa.store.reading import Store
from textmsa.train.job import COMMAND, Job
from textmsa.train.learner import check_data, labels_of
from textmsa.train.one_network import train_one
from textmsa.train.side_by_side import train_side_by_side

TRIED = "tried"
OWN = (RUN, RECIPE, CLAIM, LOCK)
"""What a run folder does not take over from the alignment query that was tried with the best outcome."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainResult:
    """What `train` gives back."""

    path: Path
    info: RunInfo
    members: tuple[RunInfo, ...] = ()
    """Of each seed, where several were trained."""
    finished_before: bool = False

    def text(self) -> str:
        """A line for people."""
        info = self.info
        if self.finished_before:
            return f"{self.path}: finished before; nothing to do"
        if not self.members:
            return (
                f"{self.path}: valid MAE {info.valid['mae']:.3f}, corr {info.valid['corr']:.3f} at epoch "
                f"{info.best_epoch} of {info.epochs}, alignment_query {info.alignment_query}, {duration(info.seconds)}"
            )
        errors = [member.valid["mae"] for member in self.members]
        spread = f" +- {np.std(errors, ddof=1):.3f}" if len(errors) > 1 else ""
        count = f"{len(errors)} seeds" if len(errors) > 1 else "1 seed"
        return (
            f"{self.path}: {count}, valid MAE {np.mean(errors):.3f}{spread} each, {info.valid['mae']:.3f} by the mean "
            f"of their scores, {duration(info.seconds)}"
        )


def train(
    recipe: Recipe,
    *,
    data: Path,
    out: Path,
    device: str = "auto",
    precision: Literal["fp32", "bf16"] = "fp32",
    seeds: str = "",
    workers: int = 1,
) -> TrainResult:
    """Train TEXT on a prepared store; run the same command again to go on after a stop.

    Parameters
    ----------
    recipe
        A YAML file, or the name of one that comes with the package.
    data
        The store that `textmsa prepare` made.
    out
        The run folder to write.
    device
        "auto", "cpu" or "cuda:N".
    precision
        "fp32", or "bf16" for GPUs (on most CPUs bf16 is slower).
    seeds
        Several seeds, as in 1111,1112,1113, instead of the recipe's: one network for each, whose mean score is the
        run's. The first seed chooses among the alignment queries that the recipe tries. A run folder that holds some
        of them gets the others.
    workers
        Processes that train these seeds side by side, on the CPU, with one thread each. They add up in another order
        than a process with several threads: its scores and theirs are equal but for rounding.

    Examples
    --------
    textmsa train demo --data store --out run
    textmsa train my.yaml --data store --out run --seeds 1111,1112,1113 --workers 2
    textmsa train demo --data store --out run --model.num_experts 8 --inputs.modalities text,audio
    """
    check_recipe(recipe)
    numbers = parse_seeds(seeds) if seeds else []
    store = Store.open(data)
    job = Job(recipe, store, out, choose_device(device), precision)
    check_workers(workers, job.device)
    if _is_finished(job, numbers):
        _calibrate(job)
        return TrainResult(out, RunInfo.load(out), finished_before=True)
    check_data(recipe, store)
    job.check()
    with locked(out, command=COMMAND):
        result = _train_seeds(job, numbers, workers) if numbers else _train_seed(job)
        _calibrate(job)
        return result


def _calibrate(job: Job) -> None:
    """Give a finished run intervals from the clips that its training set aside, if it did and has none."""
    if job.recipe.training.calibration_share and calibration_of(Run.open(job.folder))[0] is None:
        logger.info(calibrate(job.folder, data=job.store.path).text())


def parse_seeds(given: str) -> list[int]:
    """ "1111,1112" -> [1111, 1112]; UserError for anything else, and for a seed that comes twice."""
    words = [word.strip() for word in given.split(",")]
    if not all(word.isdecimal() and int(word) <= MOST_SEED for word in words):
        raise UserError(
            f"--seeds {given!r}: give whole numbers from 0 to {MOST_SEED} with commas between, as in 1111,1112,1113"
        )
    seeds = [int(word) for word in words]
    if len(set(seeds)) < len(seeds):
        raise UserError(f"--seeds {given!r}: a seed comes twice")
    return seeds


def check_workers(workers: int, device: str) -> None:
    """Raises UserError for processes that there cannot be."""
    if workers < 1:
        raise UserError(f"textmsa train --workers {workers}: give 1 or more")
    if workers > 1 and device != "cpu":
        raise UserError(
            f"textmsa train --workers {workers}: on {device} one seed is trained after another; give 1 or --device cpu"
        )


def _is_finished(job: Job, seeds: list[int]) -> bool:
    """Whether the run is there, and of these seeds; UserError where it has others, or was begun otherwise."""
    if not job.is_finished:
        return False
    info = RunInfo.load(job.folder)
    if not seeds or set(info.seeds) == set(seeds):
        return True
    if not info.seeds or not set(info.seeds) <= set(seeds):
        held = ", ".join(map(str, info.seeds or [info.seed]))
        raise UserError(f"{job.folder}: holds the seeds {held}; add others to them, or give another folder")
    return False


def _train_seeds(job: Job, seeds: list[int], workers: int) -> TrainResult:
    """A run for each seed, and their mean; the alignment query is chosen by one of them for all."""
    job.begin()
    # Where a run is gone on with, or given more seeds, it has been chosen already, whatever the seeds' order now.
    chooser = next((seed for seed in seeds if (seed_folder(job.folder, seed) / TRIED).is_dir()), seeds[0])
    infos: dict[int, RunInfo] = {}

    def add(result: TrainResult) -> None:
        logger.info(result.text())
        infos[result.info.seed] = result.info

    if job.recipe.try_alignment_queries:
        add(_train_seed(job.at(seed_folder(job.folder, chooser), seed=chooser)))
    chosen = cast(AlignmentQuery | None, infos[chooser].alignment_query if infos else None)
    others = [job.at(seed_folder(job.folder, seed), seed=seed, query=chosen) for seed in seeds if seed not in infos]
    waiting = [one for one in others if workers > 1 and not one.is_finished]
    for one in waiting:
        one.begin()
    for done, info in train_side_by_side(waiting, workers=workers):
        add(TrainResult(done.folder, info))
    for one in others:
        if one not in waiting:
            add(_train_seed(one))
    members = tuple(infos[seed] for seed in seeds)
    info = _mean_of(job, infos[chooser], members)
    info.save(job.folder)
    return TrainResult(job.folder, info, members)


def _mean_of(job: Job, first: RunInfo, members: tuple[RunInfo, ...]) -> RunInfo:
    """What run.json says of several seeds: the figures of the mean of their scores."""
    job.store.preparation.save(job.folder)
    info = replace(first, seed=members[0].seed, seeds=[member.seed for member in members])
    scored = Run(job.folder, info, job.store.preparation).score(job.store, job.store.labelled("valid"))
    family = metrics.family_of(info.score_range)
    return replace(
        info,
        valid=metrics.evaluate(scored.score_N, labels_of(job.store, "valid"), family),
        expert_load=np.mean([member.expert_load for member in members], axis=0).tolist(),
        seconds=sum(member.seconds for member in members),
    )


def _train_seed(job: Job) -> TrainResult:
    """Train with the recipe's seed, once for each alignment query that it tries."""
    if job.is_finished:
        return TrainResult(job.folder, RunInfo.load(job.folder), finished_before=True)
    job.begin()
    tried = [job.at(job.folder / TRIED / query, query=query) for query in job.recipe.try_alignment_queries]
    if not tried:
        return TrainResult(job.folder, train_one(job))
    return TrainResult(
        job.folder, _keep_best({variant.folder: _train_seed(variant).info for variant in tried}, job.folder)
    )


def _keep_best(infos: dict[Path, RunInfo], out: Path) -> RunInfo:
    """Copy the run with the lowest validation MAE to `out`."""
    best = min(infos, key=lambda folder: infos[folder].valid["mae"])
    for name in os.listdir(best):
        source, target = best / name, out / name
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif name not in OWN:
            shutil.copy(source, target)
    for folder in infos:
        if folder != best:
            shutil.rmtree(folder / MODEL, ignore_errors=True)
    tried = {info.alignment_query: info.valid["mae"] for info in infos.values()}
    info = replace(infos[best], tried=tried, seconds=sum(info.seconds for info in infos.values()))
    info.save(out)
    return info
