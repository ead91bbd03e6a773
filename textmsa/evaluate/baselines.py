"""What TEXT has to beat, on the same store and splits: mean, ridge, boosting, late fusion, stacking.

They are informed as TEXT is: they read the states of the run's text encoder as it was before the training, the facts
of which measured explanations are made, and, where TEXT learnt labels of each modality alone, those too
(`stacking.py`).

A store without audio and video has mean, ridge on the text, and plain fine-tuning of the run's text encoder with the
run's seeds (`fine_tuned`: the mean of their scores).

Shapes: N clips, F pooled features. Settings are chosen on the validation split, or, where that is scored, by
cross-validation on the training split; never on what is scored.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol

import numpy as np

from textmsa.errors import UserError, first_line
from textmsa.evaluate.fine_tuned import fine_tuned_text, late_fusion
from textmsa.evaluate.labelled import Labelled
from textmsa.evaluate.paired import Floats
from textmsa.evaluate.stacking import RIDGE_PENALTIES, Stacked
from textmsa.evaluate.tables import Columns, Fitting, measured, standardised
from textmsa.run import Run
from textmsa.runtime.progress import track
from textmsa.store.reading import Store

BOOSTING_GRID = [{"max_iter": n, "learning_rate": rate} for n in (60, 150) for rate in (0.03, 0.1)]
OF_MEDIA = ("ridge_all", "gbm_all", "gbm_facts", "late_fusion")
OF_SEED = "fine_tuned_seed_"
IN_WORDS = {
    "mean": "mean of the training labels",
    "ridge_text": "ridge on transcript embeddings",
    "ridge_all": "ridge on all pooled features",
    "gbm_all": "gradient boosting on all pooled features",
    "gbm_facts": "gradient boosting on these and the facts of the explanations",
    "late_fusion": "late fusion (the same encoder fine-tuned, and pooled features)",
    "stacked_ridge": "ridge on readings of words, voice and face, and all pooled features",
    "stacked_gbm": "gradient boosting on these readings and the facts of the explanations",
    "fine_tuned": "the same encoder fine-tuned plainly",
}
"""All there are -> what they are, for people."""
NAMES = tuple(IN_WORDS)
"""Each a column of predictions.csv where it was fitted."""
Recipe = Callable[[], Floats]
"""What fits a baseline and gives its scores (N,)."""


@dataclass(frozen=True)
class Baselines:
    """Scores of fitted baselines, and why others are not there."""

    scores: dict[str, Floats] = field(default_factory=dict)
    """Baseline -> its scores (N,)."""
    left_out: dict[str, str] = field(default_factory=dict)
    """Baseline -> reason, one line."""

    @staticmethod
    def fit(run: Run, store: Store, clips: Labelled) -> "Baselines":
        """Fit all that the store's training clips allow, and score the clips."""
        try:
            most = recipe.training.train_clips if (recipe := run.members[0].recipe) else None
            config = run.members[0].model.config
            data = Fitting.of(store, clips, config.text_encoder, most, config.text_input)
        except UserError as error:
            return Baselines(left_out={"baselines": first_line(error)})
        baselines = Baselines()
        recipes = _recipes(run, data, store.manifest.score_range, baselines.left_out)
        for name in track(recipes, total=len(recipes), label="baselines"):
            baselines._add(name, recipes[name])
        return Baselines(_with_mean_of_seeds(baselines.scores), baselines.left_out)

    def _add(self, name: str, recipe: Recipe) -> None:
        """Fit one, or note why it could not be."""
        try:
            score_N = recipe()
        except UserError as error:
            self.left_out[name] = first_line(error)
            return
        if np.isfinite(score_N).all():
            self.scores[name] = score_N
        else:
            self.left_out[name] = "its scores are no finite numbers"


def _recipes(run: Run, data: Fitting, score_range: tuple[float, float], left_out: dict[str, str]) -> dict[str, Recipe]:
    """What can be fitted; the reasons of the others go to `left_out`."""
    recipes: dict[str, Recipe] = {"mean": lambda: np.full(len(data.scored.label_N), data.train.label_N.mean())}
    if data.has_text:
        recipes["ridge_text"] = lambda: ridge(data, lambda table: table.text_NF)
    else:
        left_out["ridge_text"] = "no training clip has a transcript"
    config = run.members[0].model.config
    encoder = config.text_encoder
    if data.has_media:
        recipes |= {
            "ridge_all": lambda: ridge(data, lambda table: table.all_NF),
            "gbm_all": lambda: boosting(data, lambda table: table.all_NF),
            "gbm_facts": lambda: boosting(data, lambda table: table.all_and_facts_NF),
        }
        if config.unimodal_heads:
            stacked = cache(lambda: Stacked.of(data))
            recipes |= {
                "stacked_ridge": lambda: ridge(data, stacked().beside_all),
                "stacked_gbm": lambda: boosting(data, stacked().beside_facts),
            }
        return recipes | {"late_fusion": lambda: late_fusion(data, run.info.seed, encoder)}
    if data.train.pooled_NF.shape[1]:
        left_out |= dict.fromkeys(OF_MEDIA, "nothing was heard or seen in any training clip")
    if not data.has_text:
        left_out["fine_tuned"] = left_out["ridge_text"]
        return recipes

    begins = score_range if config.rating else None  # as the run does

    def tuned(seed: int) -> Recipe:
        return lambda: fine_tuned_text(data, seed, encoder, begins)

    return recipes | {f"{OF_SEED}{seed}": tuned(seed) for seed in run.info.seeds or [run.info.seed]}


def _with_mean_of_seeds(scores: dict[str, Floats]) -> dict[str, Floats]:
    """With the mean score of the fine-tuned encoders, before each one's."""
    by_seed = {name: score_N for name, score_N in scores.items() if name.startswith(OF_SEED)}
    others = {name: score_N for name, score_N in scores.items() if name not in by_seed}
    mean = {"fine_tuned": np.mean(list(by_seed.values()), axis=0)} if by_seed else {}
    return others | mean | by_seed


class Regressor(Protocol):
    """One of scikit-learn's, with its settings."""

    def fit(self, X: Floats, y: Floats) -> object:
        """Fit anew to features (N, F) and labels (N,)."""
        ...

    def predict(self, X: Floats) -> Floats:
        """Scores (N,)."""
        ...


def ridge(data: Fitting, columns: Columns) -> Floats:
    """Ridge regression, its penalty chosen."""
    from sklearn.linear_model import Ridge

    return best([Ridge(alpha=alpha) for alpha in RIDGE_PENALTIES], data, columns, standardised)


def boosting(data: Fitting, columns: Columns) -> Floats:
    """Gradient-boosted trees on absolute error, their settings chosen."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    trees = [
        HistGradientBoostingRegressor(loss="absolute_error", max_features=0.3, random_state=0, **options)
        for options in BOOSTING_GRID
    ]
    return best(trees, data, columns, measured)


def best(
    candidates: Sequence[Regressor], data: Fitting, columns: Columns, scale: Callable[[Floats, Floats], Floats]
) -> Floats:
    """Scores (N,) of the candidate with the lowest error on the clips to choose by.

    `scale` makes features of others like those to fit on: (those to fit on, others) -> others.
    """
    error_C = np.zeros(len(candidates))
    folds = 0
    for fit_NF, fit_N, choose_NF, choose_N in data.folds(columns):
        folds += 1
        seen_NF, new_NF = scale(fit_NF, fit_NF), scale(fit_NF, choose_NF)
        for place, candidate in enumerate(candidates):
            candidate.fit(seen_NF, fit_N)
            error_C[place] += np.abs(candidate.predict(new_NF) - choose_N).sum()
    if not folds:
        raise UserError("one training clip: nothing to choose its settings by")
    chosen = candidates[int(np.argmin(error_C))]
    train_NF = columns(data.train)
    chosen.fit(scale(train_NF, train_NF), data.train.label_N)
    return np.asarray(chosen.predict(scale(train_NF, columns(data.scored))), dtype=np.float64)
