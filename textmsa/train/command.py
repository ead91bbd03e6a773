"""`textmsa train`: recipe + store -> run folder, for one seed or several."""

import os
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np

from textmsa import metrics
from textmsa.config import AlignmentQuery, Recipe, check_recipe
from textmsa.errors import UserError
from textmsa.run import MODEL, RECIPE, RUN, Run, RunInfo, seed_folder
from textmsa.runtime.device import choose_device
from textmsa.runtime.progress import duration
from textmsa.store.preparation import Preparation
from textmsa.store.reading import Store
from textmsa.train.one_network import TrainResult, train_one

TRIED = "tried"


def train(
    recipe: Recipe,
    *,
    data: Path,
    out: Path,
    device: str = "auto",
    precision: Literal["fp32", "bf16"] = "fp32",
    seeds: str = "",
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

    Examples
    --------
    textmsa train demo --data store --out run
    textmsa train my.yaml --data store --out run --seeds 1111,1112,1113
    textmsa train demo --data store --out run --model.num_experts 8 --inputs.modalities text,audio
    """
    check_recipe(recipe)
    store = Store.open(data)
    store.indices("train"), store.indices("valid")  # each raises UserError where it is empty
    place = choose_device(device)
    if seeds:
        return _train_seeds(recipe, parse_seeds(seeds), store, out, place, precision)
    return _train_seed(recipe, store, out, place, precision)


def parse_seeds(given: str) -> list[int]:
    """ "1111,1112" -> [1111, 1112]; UserError for anything else, and for a seed that comes twice."""
    words = [word.strip() for word in given.split(",")]
    if not all(word.isdecimal() for word in words):
        raise UserError(f"--seeds {given!r}: give whole numbers from 0 with commas between, as in 1111,1112,1113")
    found = [int(word) for word in words]
    if len(set(found)) < len(found):
        raise UserError(f"--seeds {given!r}: a seed comes twice")
    return found


def _train_seeds(recipe: Recipe, seeds: list[int], store: Store, out: Path, device: str, precision: str) -> TrainResult:
    if (out / RUN).is_file():
        held = Run.open(out).info
        if held.seeds == seeds:
            return _finished(recipe, out)
        if not held.seeds or not set(held.seeds) <= set(seeds):
            held_seeds = ", ".join(map(str, held.seeds or [held.seed]))
            raise UserError(f"--out {out}: holds the seeds {held_seeds}; add others to them, or give another --out")
    _claim(recipe, out)
    infos: list[RunInfo] = []
    for seed in seeds:
        seeded = replace(recipe, training=replace(recipe.training, seed=seed))
        if infos and recipe.try_alignment_queries:  # the first seed has chosen
            chosen = cast(AlignmentQuery, infos[0].alignment_query)
            seeded = replace(seeded, model=replace(recipe.model, alignment_query=chosen), try_alignment_queries=())
        infos.append(_train_seed(seeded, store, seed_folder(out, seed), device, precision).info)
    Preparation.load(store.path).save(out)
    info = replace(infos[0], seeds=seeds)
    scored = Run(out, info, Preparation.load(out)).score(store, store.indices("valid"))
    family = metrics.family_of(store.manifest.score_range)
    info = replace(
        info,
        valid=metrics.evaluate(scored.score_N, store.labels("valid"), family),
        expert_load=np.mean([member.expert_load for member in infos], axis=0).tolist(),
        seconds=sum(member.seconds for member in infos),
    )
    info.save(out)
    errors = [member.valid["mae"] for member in infos]
    spread = f" +- {np.std(errors, ddof=1):.3f}" if len(errors) > 1 else ""
    count = f"{len(seeds)} seeds" if len(seeds) > 1 else "1 seed"
    print(
        f"{out}: {count}, valid MAE {np.mean(errors):.3f}{spread} each, {info.valid['mae']:.3f} by the mean "
        f"of their scores, {duration(info.seconds)}"
    )
    return TrainResult(out, info)


def _train_seed(recipe: Recipe, store: Store, out: Path, device: str, precision: str) -> TrainResult:
    """Train with the recipe's seed, once for each alignment query that it tries."""
    queries = recipe.try_alignment_queries
    if (out / RUN).is_file():
        return _finished(recipe, out)
    _claim(recipe, out)
    if not queries:
        result = train_one(recipe, store, out, device=device, precision=precision)
    else:
        results: dict[str, TrainResult] = {}
        for query in queries:
            variant = replace(recipe, model=replace(recipe.model, alignment_query=query), try_alignment_queries=())
            results[query] = _try(variant, store, out / TRIED / query, device, precision)
        result = _keep_best(results, out)
    info = result.info
    print(
        f"{out}: valid MAE {info.valid['mae']:.3f}, corr {info.valid['corr']:.3f} at epoch {info.best_epoch} of "
        f"{info.epochs}, alignment_query {info.alignment_query}, {duration(info.seconds)}"
    )
    return result


def _claim(recipe: Recipe, out: Path) -> None:
    """Write the recipe into a new run folder; an unfinished one must have been made with the same recipe."""
    import yaml

    text = yaml.safe_dump(_plain(asdict(recipe)), sort_keys=False)
    if out.exists() and not (out / RECIPE).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"--out {out}: exists and is not a run folder; give another")
    if (out / RECIPE).is_file() and (out / RECIPE).read_text() != text:
        raise UserError(f"--out {out}: was begun with another recipe (see {out / RECIPE}); give another --out")
    out.mkdir(parents=True, exist_ok=True)
    (out / RECIPE).write_text(text)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _finished(recipe: Recipe, out: Path) -> TrainResult:
    _claim(recipe, out)
    print(f"{out}: finished before; nothing to do")
    return TrainResult(out, Run.open(out).info)


def _try(recipe: Recipe, store: Store, out: Path, device: str, precision: str) -> TrainResult:
    if (out / RUN).is_file():
        return TrainResult(out, Run.open(out).info)
    _claim(recipe, out)
    return train_one(recipe, store, out, device=device, precision=precision)


def _keep_best(results: dict[str, TrainResult], out: Path) -> TrainResult:
    """Copy the run with the lowest validation MAE to `out`."""
    best = min(results.values(), key=lambda result: result.info.valid["mae"])
    tried = {query: result.info.valid["mae"] for query, result in results.items()}
    for name in os.listdir(best.path):
        source, target = best.path / name, out / name
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif name not in (RUN, RECIPE):
            shutil.copy(source, target)
    for result in results.values():
        if result is not best:
            shutil.rmtree(result.path / MODEL, ignore_errors=True)
    info = replace(best.info, tried=tried, seconds=sum(result.info.seconds for result in results.values()))
    info.save(out)
    return TrainResult(out, info)
