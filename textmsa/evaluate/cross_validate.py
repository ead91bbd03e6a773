"""Cross-validation by speaker: a recipe beside the baselines, each clip scored by what never saw its speaker.

Explanations are those of the store. Where they are measured, they compare a clip with the store's own training split,
in which the speaker may be: of that no label is known. All that labels decide is made anew in each fold.

Shape suffixes: N held-out clips, S seeds.
"""

import logging
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from textmsa import metrics
from textmsa.config import Recipe
from textmsa.errors import UserError
from textmsa.evaluate.baselines import NAMES
from textmsa.evaluate.command import evaluate
from textmsa.evaluate.paired import Comparison, Floats, paired, shown_p
from textmsa.evaluate.predictions import PREDICTIONS, Predictions
from textmsa.inputs.time_grid import without_padding
from textmsa.recipe_checks import check_recipe
from textmsa.runtime.atomic import csv_text, write_text
from textmsa.runtime.claim import Claim
from textmsa.store.folds import Fold, Speakers, as_it_is, folds_of, write_fold
from textmsa.store.preparation import CONVERTED
from textmsa.store.reading import Store
from textmsa.train.command import parse_seeds, train
from textmsa.train.job import identity_of, plain
from textmsa.train.learner import ENCODED

TABLE = "cross_validation"
TEXT_SEED, TEXT_MEAN = "TEXT, one seed", "TEXT, mean of the seeds' scores"
EACH = "each"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class HeldOut:
    """The clips that folds held out so far, and what each predictor says of them."""

    ids: list[str]
    video_N: npt.NDArray[np.str_]
    fold_N: npt.NDArray[np.integer]
    """From 0."""
    label_N: Floats
    seeds: dict[int, Floats]
    """Seed -> its network's scores (N,)."""
    baselines: dict[str, Floats]
    """Name -> its scores (N,); those that were fitted in every fold."""
    left_out: list[str]
    """Baselines that were fitted in some of the folds only."""

    @staticmethod
    def of(saved: list[Predictions], seeds: list[int], video_of: dict[str, str]) -> "HeldOut":
        """Of the saved scores of some folds."""

        def pooled(name: str) -> Floats:
            return np.concatenate([fold.columns[name] for fold in saved])

        ids = [identity for fold in saved for identity in fold.ids]
        everywhere = [name for name in NAMES if all(name in fold.columns for fold in saved)]
        somewhere = [name for name in NAMES if any(name in fold.columns for fold in saved)]
        return HeldOut(
            ids=ids,
            video_N=np.array([video_of[identity] for identity in ids]),
            fold_N=np.repeat(np.arange(len(saved)), [len(fold.ids) for fold in saved]),
            label_N=np.concatenate([fold.label_N for fold in saved]),
            seeds={seed: pooled(f"seed_{seed}") for seed in seeds},
            baselines={name: pooled(name) for name in everywhere},
            left_out=[name for name in somewhere if name not in everywhere],
        )

    @property
    def mean_N(self) -> Floats:
        """The mean of the seeds' scores (N,)."""
        return np.asarray(np.mean(list(self.seeds.values()), axis=0))

    def csv(self) -> str:
        """A row a clip; `textmsa compare` reads it."""
        scores = {"score": self.mean_N, **{f"seed_{seed}": score_N for seed, score_N in self.seeds.items()}}
        columns = {"label": self.label_N, **scores, **self.baselines}
        lines: list[list[object]] = [["id", "video_id", "fold", *columns]]
        for place, identity in enumerate(self.ids):
            numbers = (f"{column[place]:.6f}" for column in columns.values())
            lines.append([identity, self.video_N[place], self.fold_N[place] + 1, *numbers])
        return csv_text(lines)


@dataclass(frozen=True)
class Row:
    """What a predictor reached on the held-out clips."""

    name: str
    mae: float
    """Over all clips."""
    corr: float
    """Over all clips; NaN where it is not defined within any fold, as of one number for all clips of a fold."""
    fold_mae: list[float]
    fold_corr: list[float]
    against_mean: Comparison | None = None
    """Error of the seeds' mean score less this baseline's; of baselines only."""
    against_seed: Comparison | None = None
    """The same of one seed's network: each clip's error a mean over the seeds."""


@dataclass(frozen=True)
class CrossValidation:
    """What `cross_validate` gives back."""

    rows: list[Row]
    """TEXT, then the baselines."""
    folds: list[Fold]
    held_out: HeldOut
    split: str
    table: Path

    @property
    def done(self) -> int:
        """Folds that are finished."""
        return int(self.held_out.fold_N.max()) + 1

    def text(self) -> str:
        """The tables, for people."""
        return markdown(self)


def cross_validate(
    recipe: Recipe,
    *,
    data: Path,
    out: Path,
    folds: str = EACH,
    seeds: str = "1111,1112,1113",
    device: str = "auto",
    workers: int = 1,
    split: Literal["valid", "test"] = "test",
    speaker_normalised: bool = False,
) -> CrossValidation:
    """Hold out one speaker after the other, train on the others, and pool what is said of all; run again to go on.

    In the MMSA layout a video_id is a speaker. The splits of the corpus do not count. Of each fold its store and runs
    are removed when it is scored; the scores stay.

    Parameters
    ----------
    recipe
        A YAML file, or the name of a packaged one.
    data
        The store.
    out
        Folder for the folds' scores and the tables (cross_validation.md; cross_validation.csv has every clip).
    folds
        "each" holds out one video_id at a time; a number makes so many folds of whole videos.
    seeds
        Seeds with commas between; each fold is trained with each.
    device
        "auto", "cpu" or "cuda:N".
    workers
        Seeds that are trained side by side, on the CPU, with one thread each.
    split
        What of each fold is scored: "valid" chooses between recipes, so that "test", the held-out speakers, is read
        once.
    speaker_normalised
        Each audio and video feature by mean and deviation over all clips of its speaker, for TEXT and baselines alike:
        no label is looked at, but all clips of a new speaker are.

    Examples
    --------
    textmsa cross-validate demo --data store --out folds
    textmsa cross-validate demo --data store --out folds5 --folds 5 --seeds 1,2 --speaker-normalised
    """
    numbers, wanted = parse_seeds(seeds), parse_folds(folds)
    check_recipe(recipe)
    store, out = Store.open(data), Path(out)
    parts = folds_of(store, wanted)
    measured = without_padding if store.preparation.audio.extractor == CONVERTED else as_it_is
    video_of = dict(zip(store.column("id"), store.column("video_id"), strict=True))
    options = {
        "recipe": plain(asdict(recipe)),
        "store": identity_of(store),
        "folds": folds,
        "seeds": numbers,
        "split": split,
        "speaker_normalised": speaker_normalised,
    }
    saved: list[Predictions] = []
    with Claim(out, "textmsa cross-validate", options).held():
        speakers = Speakers.of(store, measured) if speaker_normalised else None
        for place, fold in enumerate(parts, 1):
            folder = out / f"fold-{place:02d}"
            if (scores := finished(folder)) is None:
                logger.info("[%d/%d] held out: %s", place, len(parts), ", ".join(fold.test))
                shutil.rmtree(folder / "store", ignore_errors=True)  # half of one, after a stop
                made = write_fold(store, folder / "store", fold, speakers=speakers, measured=measured)
                (store.path / ENCODED).mkdir(exist_ok=True)  # texts are the same in all folds: encoded once
                (made.path / ENCODED).symlink_to((store.path / ENCODED).resolve())
                train(recipe, data=made.path, out=folder / "run", device=device, seeds=seeds, workers=workers)
                evaluate(folder / "run", data=made.path, split=split, out=folder)
                scores = Predictions.load(folder / PREDICTIONS)
            for leftover in ("store", "run"):
                shutil.rmtree(folder / leftover, ignore_errors=True)
            saved.append(scores)
            result = _result(saved, parts, numbers, video_of, split, out)
            write_text(out / f"{TABLE}.csv", result.held_out.csv())
            write_text(result.table, result.text() + "\n")  # after each fold, so that a stop leaves the table so far
    return result


def parse_folds(given: str) -> int | None:
    """ "each" -> None, "5" -> 5; UserError for anything else."""
    if given == EACH:
        return None
    if given.isdecimal() and int(given) >= 2:
        return int(given)
    raise UserError(f"--folds {given!r}: give a whole number from 2 on, or each")


def finished(folder: Path) -> Predictions | None:
    """The scores of a fold that is finished; None where it is not, or a stop left half of them."""
    try:
        return Predictions.load(folder / PREDICTIONS) if (folder / "metrics.json").is_file() else None
    except (UserError, OSError):
        return None


def _result(
    saved: list[Predictions], folds: list[Fold], seeds: list[int], video_of: dict[str, str], split: str, out: Path
) -> CrossValidation:
    held_out = HeldOut.of(saved, seeds, video_of)
    return CrossValidation(rows_of(held_out), folds, held_out, split, out / f"{TABLE}.md")


def rows_of(held_out: HeldOut) -> list[Row]:
    """TEXT by the mean of its seeds' scores and, of several, by one seed; then each baseline, with TEXT against it."""
    label_N, group_N = held_out.label_N, np.unique(held_out.video_N, return_inverse=True)[1]
    seeds = list(held_out.seeds.values())
    mean_error_N = np.abs(held_out.mean_N - label_N)
    seed_error_N = np.mean([np.abs(score_N - label_N) for score_N in seeds], axis=0)
    rows = [_row(TEXT_MEAN, [held_out.mean_N], held_out), _row(TEXT_SEED, seeds, held_out)]
    for name, score_N in held_out.baselines.items():
        error_N = np.abs(score_N - label_N)
        against = (paired(own_N, error_N, group_N=group_N) for own_N in (mean_error_N, seed_error_N))
        rows.append(_row(name, [score_N], held_out, *against))
    return rows if len(seeds) > 1 else rows[1:]


def _row(name: str, scores: list[Floats], held_out: HeldOut, *against: Comparison) -> Row:
    """Of one predictor's scores, or of several networks', whose figures are averaged."""

    def figure(key: str, where_N: npt.NDArray[np.bool_]) -> float:
        values = [metrics.evaluate(score_N[where_N], held_out.label_N[where_N])[key] for score_N in scores]
        return float(np.mean(values))

    folds = [held_out.fold_N == fold for fold in range(int(held_out.fold_N.max()) + 1)]
    every = np.ones(len(held_out.ids), bool)
    by_fold = [figure("corr", where_N) for where_N in folds]
    corr = figure("corr", every) if np.isfinite(by_fold).any() else float("nan")
    return Row(name, figure("mae", every), corr, [figure("mae", where_N) for where_N in folds], by_fold, *against)


def markdown(result: CrossValidation) -> str:
    """A table of the predictors, what is to be known of it, and one of the folds."""
    held_out, several = result.held_out, len(result.held_out.seeds) > 1
    heads = ["predictor", "MAE", "corr", "MAE by fold", "corr by fold"]
    heads += ["mean of the seeds' scores less it [95 %]", "p"] if several else []
    lines = [_line([*heads, "one seed less it [95 %]", "p"]), "|---" * (len(heads) + 2) + "|"]
    for row in result.rows:
        cells = [row.name, f"{row.mae:.3f}", _number(row.corr), _spread(row.fold_mae), _spread(row.fold_corr)]
        for gap in (row.against_mean, row.against_seed) if several else (row.against_seed,):
            cells += ["", ""] if gap is None else [_interval(gap), shown_p(gap.permutation_p).removeprefix("= ")]
        lines.append(_line(cells))
    speakers = len(set(held_out.video_N))
    lines += [
        "",
        f"{result.split} parts of {result.done} of {len(result.folds)} folds: {len(held_out.ids)} clips of {speakers} "
        f"videos; {len(held_out.seeds)} seed(s). MAE and corr over all clips together; by fold: mean ± standard "
        "deviation over the folds (ddof=1). Intervals: bootstrap that draws whole videos; p: errors exchanged within "
        "whole videos.",
    ]
    if result.split == "valid":
        lines.append("TEXT's epochs were chosen on these clips, the baselines' settings on training clips only.")
    lines += [f"Not fitted in every fold, and left out: {', '.join(held_out.left_out)}."] if held_out.left_out else []
    lines += ["", _line(["fold", "held out", "chosen by", "clips", *(row.name for row in result.rows)])]
    lines.append("|---" * (4 + len(result.rows)) + "|")
    for place, fold in enumerate(result.folds[: result.done]):
        maes = [f"{row.fold_mae[place]:.3f}" for row in result.rows]
        clips = str(int((held_out.fold_N == place).sum()))
        lines.append(_line([str(place + 1), ", ".join(fold.test), ", ".join(fold.valid), clips, *maes]))
    return "\n".join(lines)


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _number(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else ""


def _spread(values: list[float]) -> str:
    """Mean and deviation of those that are defined."""
    there = [value for value in values if np.isfinite(value)]
    if not there:
        return ""
    return f"{np.mean(there):.3f}" + (f" ± {np.std(there, ddof=1):.3f}" if len(there) > 1 else "")


def _interval(gap: Comparison) -> str:
    return f"{gap.difference:+.3f} [{gap.interval[0]:+.3f}, {gap.interval[1]:+.3f}]"
