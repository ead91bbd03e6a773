"""What TEXT has to beat, on the same store and splits: mean, ridge, boosting, late fusion.

A store of transcripts alone has mean, ridge on the text, and plain fine-tuning of the run's text encoder with the run's
seeds (`fine_tuned`: the mean of their scores).

Shapes: N clips, F pooled features. Choices are made on the validation split only.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from textmsa.evaluate.fine_tuned import fine_tuned_text, late_fusion
from textmsa.evaluate.tables import Floats, standardised, tables
from textmsa.run import Run
from textmsa.runtime.progress import track
from textmsa.store.reading import Store
from textmsa.types import SPLITS

RIDGE_PENALTIES = np.logspace(-1, 5, 25)
BOOSTING_GRID = [{"max_iter": n, "learning_rate": rate} for n in (60, 150) for rate in (0.03, 0.1)]


def best_on_valid(candidates: list[Any], x: dict[str, Floats], y: dict[str, Floats]) -> Floats:
    """Test predictions (N,) of the fitted candidate with the lowest validation MAE."""
    for candidate in candidates:
        candidate.fit(x["train"], y["train"])
    errors = [np.abs(candidate.predict(x["valid"]) - y["valid"]).mean() for candidate in candidates]
    return np.asarray(candidates[int(np.argmin(errors))].predict(x["test"]), dtype=np.float64)


def ridge(x: dict[str, Floats], y: dict[str, Floats]) -> Floats:
    """Ridge regression, its penalty chosen on validation."""
    from sklearn.linear_model import Ridge

    scaled = {split: standardised(x["train"], x[split]) for split in SPLITS}
    return best_on_valid([Ridge(alpha=alpha) for alpha in RIDGE_PENALTIES], scaled, y)


def boosting(x: dict[str, Floats], y: dict[str, Floats]) -> Floats:
    """Gradient-boosted trees on absolute error, chosen on validation."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    trees = [
        HistGradientBoostingRegressor(loss="absolute_error", max_features=0.3, random_state=0, **options)
        for options in BOOSTING_GRID
    ]
    return best_on_valid(trees, x, y)


def predictions(run: Run, store: Store, split: str, indices: list[int]) -> dict[str, Floats]:
    """Each baseline's predictions for the clips at `indices`, which are never fitted on nor chosen by."""
    data = {name: tables(run, store, name, store.indices(name)) for name in ("train", "valid")}
    data["test"] = tables(run, store, split, indices)
    y = {name: data[name].label_N for name in SPLITS}
    text = {name: data[name].text_NF for name in SPLITS}
    everything = {name: data[name].all_NF for name in SPLITS}
    recipes: dict[str, Callable[[], Floats]] = {
        "mean": lambda: np.full(len(indices), y["train"].mean()),
        "ridge_text": lambda: ridge(text, y),
    }
    if data["train"].pooled_NF.shape[1]:
        recipes |= {
            "ridge_all": lambda: ridge(everything, y),
            "gbm_all": lambda: boosting(everything, y),
            "late_fusion": lambda: late_fusion(data, run.info.seed),
        }
        return {name: recipes[name]() for name in track(recipes, total=len(recipes), label="baselines")}
    found = {name: recipe() for name, recipe in recipes.items()}
    seeds = run.info.seeds or [run.info.seed]
    encoder = run.members[0].model.config.text_encoder
    by_seed = {f"fine_tuned_seed_{seed}": fine_tuned_text(data, seed, encoder) for seed in seeds}
    return found | {"fine_tuned": np.mean(list(by_seed.values()), axis=0)} | by_seed
