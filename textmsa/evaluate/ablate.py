"""Ablations: one change of a recipe a row, several seeds, one table with intervals."""

import logging
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from textmsa import metrics
from textmsa.config import Recipe
from textmsa.errors import UserError
from textmsa.evaluate.baselines import NAMES
from textmsa.evaluate.command import evaluate
from textmsa.evaluate.figures import save_figure
from textmsa.evaluate.labelled import labelled_clips
from textmsa.evaluate.origin import Origin
from textmsa.evaluate.paired import Comparison, Floats, paired, shown_p
from textmsa.evaluate.predictions import Predictions, predictions_of
from textmsa.recipe_checks import check_recipe
from textmsa.run import Run
from textmsa.runtime.atomic import csv_text, write_text
from textmsa.runtime.progress import duration
from textmsa.store.reading import Store
from textmsa.train.command import parse_seeds, train

logger = logging.getLogger(__name__)
FULL = "full"


@dataclass(frozen=True)
class Change:
    """A row of the table: what it is called, and which values of the recipe it sets."""

    what: str
    values: dict[str, Any]
    paper: bool = False
    """Whether the paper's table has it."""


ROWS = {
    FULL: Change("full model", {}, paper=True),
    "no_explanation": Change("no explanation", {"inputs.explanations": "none"}, paper=True),
    "text_only": Change("text only, with explanation", {"inputs.modalities": ("text",)}, paper=True),
    "linear_alignment": Change(
        "explanation alignment -> linear", {"model.explanation_alignment": "linear"}, paper=True
    ),
    "temporal_concat": Change("temporal alignment -> concat", {"model.temporal_alignment": "none"}, paper=True),
    "temporal_mamba": Change("temporal alignment -> Mamba", {"model.temporal_alignment": "mamba"}, paper=True),
    "temporal_attention": Change(
        "temporal alignment -> cross-attention", {"model.temporal_alignment": "cross_attention"}, paper=True
    ),
    "dense": Change("sparse experts -> dense transformer", {"model.num_experts": 1, "model.top_k": 1}, paper=True),
    "concat_fusion": Change("gated fusion -> concat", {"model.fusion": "concat"}, paper=True),
    "lean": Change(
        "temporal alignment, experts and gates: none of them (as `lean`)",
        {"model.temporal_alignment": "none", "model.num_experts": 1, "model.top_k": 1, "model.fusion": "concat"},
    ),
    "query_features": Change("alignment query: features", {"model.alignment_query": "features"}),
    "query_explanation": Change("alignment query: explanation", {"model.alignment_query": "explanation"}),
    "no_unimodal": Change(
        "no unimodal supervision", {"training.unimodal_weight": 0.0, "model.readings": False, "model.probes": False}
    ),
    "no_probes": Change("streams' scores without probes", {"model.probes": False}),
    "no_readings": Change("score without the streams' readings and their coincidence", {"model.readings": False}),
    "no_rating": Change("score that does not begin with the encoder's own rating", {"model.rating": False}),
    "video_shuffled": Change("video's steps shuffled in time", {"inputs.video_order": "shuffled"}),
    "timeless": Change("measured explanations without times", {"inputs.explanations": "timeless"}),
    "explained_transcript": Change("explanation of the transcript only", {"inputs.explanations": "transcript"}),
    "explained_visual": Change("explanation of the face only", {"inputs.explanations": "visual"}),
    "explained_audio": Change("explanation of the voice only", {"inputs.explanations": "audio"}),
    "explained_shuffled": Change("explanations of other clips", {"inputs.explanations": "shuffled"}),
    "experts_10": Change("10 experts", {"model.num_experts": 10}),
    "top_1": Change("1 expert a clip", {"model.top_k": 1}),
    "top_all": Change("all 5 experts a clip", {"model.num_experts": 5, "model.top_k": 5}),
    "capacity_1": Change("capacity factor 1", {"model.capacity_factor": 1.0}),
    "routed_by_sequence": Change("routed by the fused sequence", {"model.routing": "sequence"}),
    "routed_by_position": Change("routed position by position", {"model.routing": "token"}),
}


@dataclass(frozen=True)
class RowResult:
    """What a row reached on the test split."""

    name: str
    what: str
    mae: list[float]
    """By seed."""
    corr: list[float]
    parameters: int
    seconds: float
    """Training, mean over the seeds."""
    against_full: Comparison | None
    """Its error less the full model's, clip by clip, both means over the seeds; None for the full model itself."""


@dataclass(frozen=True)
class AblationResult:
    """What `ablate` gives back."""

    rows: list[RowResult]
    table: Path

    def text(self) -> str:
        """The table, for people."""
        return markdown(self.rows)


def ablate(
    recipe: Recipe,
    *,
    data: Path,
    out: Path,
    rows: str = "paper",
    seeds: str = "1111,1112,1113",
    device: str = "auto",
    workers: int = 1,
    split: Literal["valid", "test"] = "test",
) -> AblationResult:
    """Train and evaluate a recipe with one change at a time; run the same command again to go on after a stop.

    Parameters
    ----------
    recipe
        A YAML file, or the name of a packaged one: the full model. Alignment queries that it tries are not tried:
        `model.alignment_query` holds for all rows but those that change it.
    data
        The store.
    out
        Folder for the runs and the table (ablation.md, .csv, .png).
    rows
        "paper" for the rows of the paper's table, "all", or names with commas between.
    seeds
        Seeds with commas between; each row is trained with each.
    device
        "auto", "cpu" or "cuda:N".
    workers
        Seeds that are trained side by side, on the CPU, with one thread each.
    split
        The split that is evaluated.

    Examples
    --------
    textmsa ablate demo --data store --out ablation
    textmsa ablate demo --data store --out ablation --rows full,dense --seeds 1,2
    """
    names, numbers, out = choose_rows(rows), parse_seeds(seeds), Path(out)
    base = replace(recipe, try_alignment_queries=())
    variants = {name: changed(base, ROWS[name].values) for name in names}
    for variant in variants.values():
        check_recipe(variant)
    store = Store.open(data)
    results: list[RowResult] = []
    full: Errors | None = None
    for place, (name, variant) in enumerate(variants.items(), 1):
        logger.info("[%d/%d] %s", place, len(variants), ROWS[name].what)
        train(variant, data=data, out=out / name, device=device, seeds=seeds, workers=workers)
        errors = Errors.of(current_predictions(out / name, store, split), numbers)
        full = full or errors
        results.append(_row(name, Run.open(out / name), errors, None if name == FULL else full))
        _write(results, out)  # after each row, so that a stop leaves the table so far
    return AblationResult(results, out / "ablation.md")


@dataclass(frozen=True)
class Errors:
    """How wrong each seed's network is, clip by clip; the clips ordered by id."""

    error_SN: Floats
    corr: list[float]
    """By seed; NaN where it is not defined."""

    @staticmethod
    def of(predictions: Predictions, seeds: list[int]) -> "Errors":
        """From saved scores of several seeds."""
        true_N, scores = predictions.label_N, [predictions.columns[f"seed_{seed}"] for seed in seeds]
        corr = [metrics.evaluate(score_N, true_N)["corr"] for score_N in scores]
        return Errors(np.abs(np.stack(scores) - true_N), corr)


def current_predictions(folder: Path, store: Store, split: str, *, baselines: bool = False) -> Predictions:
    """The saved predictions of a run where they are of this run, store and split as they are now; else new ones.

    With `baselines` their scores are among the columns.
    """
    run = Run.open(folder)
    wanted = Origin.of_run(run, store, labelled_clips(store, split), "fp32")
    try:
        saved = Predictions.load(predictions_of(folder, split))
    except UserError:  # none, or damaged
        saved = None
    current = saved is not None and saved.origin is not None and not wanted.differences(saved.origin)
    if saved is not None and current and (not baselines or any(name in saved.columns for name in NAMES)):
        return saved
    evaluate(folder, data=store.path, split=split, no_baselines=not baselines)
    return Predictions.load(predictions_of(folder, split))


def _row(name: str, run: Run, errors: Errors, full: Errors | None) -> RowResult:
    members = [member.info for member in run.members]
    gap = None if full is None else paired(errors.error_SN.mean(axis=0), full.error_SN.mean(axis=0))
    return RowResult(
        name=name,
        what=ROWS[name].what,
        mae=errors.error_SN.mean(axis=1).tolist(),
        corr=errors.corr,
        parameters=members[0].parameters,
        seconds=float(np.mean([member.seconds for member in members])),
        against_full=gap,
    )


def choose_rows(given: str) -> list[str]:
    """Names of rows, the full model first; UserError for unknown ones."""
    groups = {"all": list(ROWS), "paper": [name for name, change in ROWS.items() if change.paper]}
    words = [word.strip() for word in given.split(",")]
    if unknown := [word for word in words if word not in ROWS and word not in groups]:
        raise UserError(f"--rows: no row {unknown[0]!r}; give paper, all, or some of {', '.join(ROWS)}")
    names = [name for word in words for name in groups.get(word, [word])]
    return [FULL, *(name for name in dict.fromkeys(names) if name != FULL)]


def changed(recipe: Recipe, values: dict[str, Any]) -> Recipe:
    """The recipe with other values: {"model.top_k": 1, ...}."""
    for key, value in values.items():
        part, _, name = key.partition(".")
        inner = getattr(recipe, part)
        assert name in {field.name for field in fields(inner)}, key
        parts: dict[str, Any] = {part: replace(inner, **{name: value})}
        recipe = replace(recipe, **parts)
    return recipe


def _write(rows: list[RowResult], out: Path) -> None:
    write_text(out / "ablation.md", markdown(rows) + "\n")
    names = ("difference", "low", "high", "permutation_p", "equivalence_p")
    lines = [["row", "what", "mae", "mae_std", "corr", "corr_std", "parameters", "seconds", *names]]
    for row in rows:
        gap = row.against_full
        numbers = [*_mean_std(row.mae), *_mean_std(row.corr), row.parameters, row.seconds]
        more = [] if gap is None else [gap.difference, *gap.interval, gap.permutation_p, gap.equivalence_p]
        lines.append([row.name, row.what, *(f"{number:.6g}" for number in [*numbers, *more])])
    write_text(out / "ablation.csv", csv_text(lines))
    _plot(rows, out / "ablation.png")


def _mean_std(values: list[float]) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def markdown(rows: list[RowResult]) -> str:
    """The table, a line a row."""
    lines = [
        "| row | MAE | corr | less the full model's MAE [95 %] | p | equal within 0.02, p | parameters | training |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        (mae, mae_std), (corr, corr_std) = _mean_std(row.mae), _mean_std(row.corr)
        gap, against, p, equal = row.against_full, "", "", ""
        if gap is not None:
            low, high = gap.interval
            against = f"{gap.difference:+.3f} [{low:+.3f}, {high:+.3f}]"
            p, equal = (shown_p(value).removeprefix("= ") for value in (gap.permutation_p, gap.equivalence_p))
        spread = (f" ± {mae_std:.3f}", f" ± {corr_std:.3f}") if len(row.mae) > 1 else ("", "")
        lines.append(
            f"| {row.what} | {mae:.3f}{spread[0]} | {corr:.3f}{spread[1]} | {against} | {p} | {equal} | "
            f"{row.parameters / 1e6:.2f} M | {duration(row.seconds)} |"
        )
    seeds, clips = len(rows[0].mae), next((r.against_full.clips for r in rows if r.against_full), None)
    note = f"{seeds} seed(s), mean ± standard deviation (ddof=1)"
    if clips:
        note += (
            f"; intervals over {clips} clips, each clip's error a mean over the seeds; p by exchanging errors at random"
        )
        note += ", and of two one-sided t-tests (TOST): below .05 the errors are equal within 0.02"
    return "\n".join([*lines, "", note])


def _plot(rows: list[RowResult], path: Path) -> None:
    from matplotlib.figure import Figure

    compared = [row for row in rows if row.against_full is not None]
    figure = Figure(figsize=(8, 1.2 + 0.32 * max(len(compared), 1)), layout="constrained", dpi=110)
    axes = figure.add_subplot()
    for place, row in enumerate(reversed(compared)):
        gap = row.against_full
        assert gap is not None
        axes.plot(gap.interval, [place, place], color="C0", lw=2)
        axes.plot([gap.difference], [place], "o", color="C0")
    axes.axvline(0, color="#888", lw=1)
    axes.set_yticks(range(len(compared)), [row.what for row in reversed(compared)])
    axes.set(xlabel="MAE less the full model's (right: worse), 95 % interval")
    save_figure(figure, path)
