"""Learning curves: a recipe on ever more training clips, beside baselines that were given the same ones."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from textmsa.config import Recipe
from textmsa.errors import UserError
from textmsa.evaluate.ablate import changed, current_predictions
from textmsa.evaluate.baselines import NAMES
from textmsa.evaluate.figures import save_figure
from textmsa.evaluate.paired import Comparison, paired
from textmsa.evaluate.predictions import Predictions
from textmsa.runtime.atomic import csv_text, write_text
from textmsa.store.reading import Store
from textmsa.store.training_clips import learnt_from
from textmsa.train.command import parse_seeds, train

CURVE = "learning_curve"
TEXT_SEED, TEXT_MEAN = "TEXT, one seed", "TEXT, mean of the seeds' scores"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Point:
    """What was reached with so many training clips."""

    clips: int
    mae: dict[str, float]
    """Predictor -> mean absolute error on the split; of `TEXT_SEED` the mean over the seeds."""
    spread: float
    """Standard deviation over the seeds of one network's error (ddof=1); NaN for one seed."""
    best: str
    """The baseline with the lowest error."""
    against_best: Comparison
    """The error of the seeds' mean score less that baseline's."""

    @staticmethod
    def of(clips: int, saved: Predictions, seeds: list[int]) -> "Point":
        """From saved scores of the seeds and the baselines."""
        error = {name: np.abs(saved.columns[name] - saved.label_N) for name in NAMES if name in saved.columns}
        mae = {name: float(error_N.mean()) for name, error_N in error.items()}
        by_seed = [float(np.abs(saved.columns[f"seed_{seed}"] - saved.label_N).mean()) for seed in seeds]
        own_N = np.abs(np.mean([saved.columns[f"seed_{seed}"] for seed in seeds], axis=0) - saved.label_N)
        best = min(mae, key=mae.__getitem__)
        return Point(
            clips=clips,
            mae={TEXT_SEED: float(np.mean(by_seed)), TEXT_MEAN: float(own_N.mean()), **mae},
            spread=float(np.std(by_seed, ddof=1)) if len(by_seed) > 1 else float("nan"),
            best=best,
            against_best=paired(own_N, error[best]),
        )


@dataclass(frozen=True)
class LearningCurve:
    """What `learning_curve` gives back."""

    points: list[Point]
    """By the number of training clips."""
    split: str
    seeds: int
    table: Path

    def text(self) -> str:
        """The table, for people."""
        return markdown(self.points, self.split, self.seeds)


def learning_curve(
    recipe: Recipe,
    *,
    data: Path,
    out: Path,
    clips: str = "100,200,400,800,1600",
    seeds: str = "1111,1112,1113",
    device: str = "auto",
    workers: int = 1,
    split: Literal["valid", "test"] = "test",
) -> LearningCurve:
    """Train and evaluate a recipe on ever more training clips; run the same command again to go on after a stop.

    Fewer clips are always part of more (`training.train_clips`). The validation clips, which choose epochs and
    settings, are all of the store's.

    Parameters
    ----------
    recipe
        A YAML file, or the name of a packaged one.
    data
        The store.
    out
        Folder for the runs and the table (learning_curve.md, .csv, .png).
    clips
        Numbers of training clips with commas between; "all" for those there are. Numbers above that are passed over.
    seeds
        Seeds with commas between.
    device
        "auto", "cpu" or "cuda:N".
    workers
        Seeds that are trained side by side, on the CPU, with one thread each.
    split
        The split that is evaluated.

    Examples
    --------
    textmsa learning-curve demo --data store --out curve
    textmsa learning-curve demo --data store --out curve --clips 100,400,all --seeds 1,2
    """
    store, numbers, out = Store.open(data), parse_seeds(seeds), Path(out)
    sizes = parse_sizes(clips, len(learnt_from(store, aside=recipe.training.calibration_share)))
    points: list[Point] = []
    for place, size in enumerate(sizes, 1):
        logger.info("[%d/%d] %d training clips", place, len(sizes), size)
        folder = out / str(size)
        train(
            changed(recipe, {"training.train_clips": size}),
            data=data,
            out=folder,
            device=device,
            seeds=seeds,
            workers=workers,
        )
        points.append(Point.of(size, current_predictions(folder, store, split, baselines=True), numbers))
        _write(points, out, split, len(numbers))  # after each size, so that a stop leaves the table so far
    return LearningCurve(points, split, len(numbers), out / f"{CURVE}.md")


def parse_sizes(given: str, there: int) -> list[int]:
    """ "100,all" -> [100, `there`], the smallest first; UserError for anything else."""
    words = [word.strip() for word in given.split(",")]
    if not all(word == "all" or (word.isdecimal() and int(word) > 0) for word in words):
        raise UserError(f"--clips {given!r}: give whole numbers above 0 with commas between, as in 100,200,all")
    asked = sorted({there if word == "all" else int(word) for word in words})
    if above := [size for size in asked if size > there]:
        logger.warning("--clips: %s passed over, the store has %d to learn from", ", ".join(map(str, above)), there)
    sizes = [size for size in asked if size <= there]
    if not sizes:
        raise UserError(f"--clips {given!r}: the store has {there} clips to learn from; give fewer, or all")
    return sizes


def _write(points: list[Point], out: Path, split: str, seeds: int) -> None:
    write_text(out / f"{CURVE}.md", markdown(points, split, seeds) + "\n")
    lines = [["clips", "predictor", "mae", "spread", "best_baseline", "difference", "low", "high", "permutation_p"]]
    for point in points:
        gap = point.against_best
        for name, mae in point.mae.items():
            more = [f"{point.spread:.6g}" if name == TEXT_SEED else "", "", "", "", "", ""]
            if name == TEXT_MEAN:
                numbers = (gap.difference, *gap.interval, gap.permutation_p)
                more = ["", point.best, *(f"{number:.6g}" for number in numbers)]
            lines.append([str(point.clips), name, f"{mae:.6g}", *more])
    write_text(out / f"{CURVE}.csv", csv_text(lines))
    _plot(points, out / f"{CURVE}.png", split)


def _predictors(points: list[Point]) -> list[str]:
    """Those of any point, TEXT first."""
    return list(dict.fromkeys(name for point in points for name in point.mae))


def markdown(points: list[Point], split: str, seeds: int) -> str:
    """The table: a row a predictor, a column a number of training clips."""
    lines = [
        f"| MAE by training clips | {' | '.join(str(point.clips) for point in points)} |",
        f"|---|{'---|' * len(points)}",
    ]
    for name in _predictors(points):
        cells = [f"{point.mae[name]:.3f}" if name in point.mae else "" for point in points]
        if name == TEXT_SEED and seeds > 1:
            cells = [f"{cell} ± {point.spread:.3f}" for cell, point in zip(cells, points, strict=True)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    gaps = [point.against_best for point in points]
    shown = (f"{gap.difference:+.3f} [{gap.interval[0]:+.3f}, {gap.interval[1]:+.3f}]" for gap in gaps)
    lines.append(f"| mean of the seeds' scores less the best baseline [95 % interval] | {' | '.join(shown)} |")
    note = f"{split}, {gaps[0].clips} clips; {seeds} seed(s)"
    note += ", ± standard deviation (ddof=1)" if seeds > 1 else ""
    return "\n".join([*lines, "", note])


def _plot(points: list[Point], path: Path, split: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.5), layout="constrained", dpi=110)
    axes = figure.add_subplot()
    for name in _predictors(points):
        told = [(point.clips, point.mae[name]) for point in points if name in point.mae]
        own = name in (TEXT_SEED, TEXT_MEAN)
        style = {"color": "black", "lw": 2.2, "ls": "--" if name == TEXT_SEED else "-"} if own else {"lw": 1.2}
        axes.plot(*zip(*told, strict=True), marker="o", ms=4, label=name, **style)
    axes.set_xscale("log")
    axes.set_xticks([point.clips for point in points], [str(point.clips) for point in points])
    axes.minorticks_off()
    axes.set(xlabel="training clips", ylabel=f"MAE on {split}")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=8, frameon=False)
    axes.grid(alpha=0.25)
    save_figure(figure, path)
