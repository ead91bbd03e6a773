"""How a run's error grows as modalities go missing (the field's robustness curve)."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from textmsa import metrics
from textmsa.errors import UserError
from textmsa.evaluate.figures import save_figure
from textmsa.evaluate.labelled import Labelled
from textmsa.inputs.examples import Example, SampleDataset
from textmsa.inputs.time_grid import standards_of
from textmsa.inputs.views import choose_missing, without
from textmsa.run import Run
from textmsa.runtime.atomic import csv_text, write_text
from textmsa.scoring import mean_of, score_all
from textmsa.store.reading import Store
from textmsa.types import MODALITIES

DRAWS = 3


@dataclass(frozen=True)
class RobustnessRow:
    """Metrics at one rate, means over the draws."""

    rate: float
    """Probability with which each modality of each clip is missing; one of them always stays."""
    mae: float
    corr: float
    mae_std: float
    """Over the draws."""


def parse_rates(given: str) -> list[float]:
    """ "0.0:0.9:0.1" (first, last, step) or "0,0.3,0.5" -> rates; UserError for anything else."""
    try:
        if ":" in given:
            first, last, step = (float(part) for part in given.split(":"))
            count = int(np.floor((last - first) / step + 1e-9)) + 1 if step > 0 else 0
            rates = [round(first + i * step, 6) for i in range(count)]
        else:
            rates = [float(part) for part in given.split(",")]
    except ValueError:
        rates = []
    if not rates or not all(0 <= rate < 1 for rate in rates):
        raise UserError(f"--missing-rate {given!r}: give FIRST:LAST:STEP or rates with commas, each from 0 to below 1")
    return rates


def robustness(run: Run, store: Store, clips: Labelled, rates: list[float]) -> list[RobustnessRow]:
    """Score a split's clips with modalities removed at random, `DRAWS` times at each rate."""
    assert run.preparation.statistics is not None
    standards = standards_of(run.preparation.statistics)
    family = metrics.family_of(store.manifest.score_range)
    networks = []
    for model, collator in run.load():
        dataset = SampleDataset(run.view(store, model), clips.indices, standards, model.config)
        networks.append((model, collator, [dataset[i] for i in range(len(dataset))]))

    def measured(rate: float, draw: int) -> dict[str, float]:
        gone = _gone(networks[0][2], rate, np.random.default_rng([draw, round(rate * 1000)]))
        scores = []
        for model, collator, examples in networks:
            thinned = [without(example, names) for example, names in zip(examples, gone, strict=True)]
            scores.append(score_all(model, collator, thinned))
        return metrics.evaluate(mean_of(scores).score_N, clips.label_N, family)

    return [_row(rate, [measured(rate, draw) for draw in range(DRAWS)]) for rate in rates]


def _row(rate: float, draws: list[dict[str, float]]) -> RobustnessRow:
    maes = [draw["mae"] for draw in draws]
    corr = float(np.mean([draw["corr"] for draw in draws]))
    return RobustnessRow(rate, float(np.mean(maes)), corr, float(np.std(maes, ddof=1)))


def _gone(examples: list[Example], rate: float, rng: np.random.Generator) -> list[set[str]]:
    """For each clip the modalities to remove; one that it has always stays."""

    def choose(count: int) -> int:
        return int(rng.integers(count))

    present = [[name for name in MODALITIES if getattr(example, name) is not None] for example in examples]
    return [choose_missing(names, rate, rng.random, choose) for names in present]


def write_robustness(rows: list[RobustnessRow], out: Path) -> None:
    """robustness.csv and robustness.png in `out`."""
    from matplotlib.figure import Figure

    out.mkdir(parents=True, exist_ok=True)
    lines = ([f"{value:.6f}" for value in (r.rate, r.mae, r.corr, r.mae_std)] for r in rows)
    write_text(out / "robustness.csv", csv_text([["missing_rate", "mae", "corr", "mae_std"], *lines]))
    figure = Figure(figsize=(5.5, 3.6), layout="constrained", dpi=110)
    axes = figure.add_subplot()
    rates = [row.rate for row in rows]
    axes.errorbar(rates, [row.mae for row in rows], yerr=[row.mae_std for row in rows], marker="o", capsize=3)
    axes.set(xlabel="share of modalities missing", ylabel="MAE", ylim=(0, None), xlim=(-0.02, 1))
    save_figure(figure, out / "robustness.png")


def table(rows: list[RobustnessRow]) -> str:
    """For people."""
    lines = ["missing    MAE             corr"]
    lines += [f"{row.rate:7.2f}    {row.mae:.3f} +- {row.mae_std:.3f}  {row.corr:6.3f}" for row in rows]
    return "\n".join(lines)
