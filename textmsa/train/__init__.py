"""Recipe + store -> a run folder; `command.py` is `textmsa train`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from textmsa.config import Recipe, load_recipe
from textmsa.runtime.callable_package import CallablePackage
from textmsa.train import command
from textmsa.train.command import TrainResult

__all__ = ["TrainResult", "train"]


def train(
    recipe: Recipe | Path | str,
    *,
    data: Path | str,
    out: Path | str,
    device: str = "auto",
    precision: Literal["fp32", "bf16"] = "fp32",
    seeds: str | Sequence[int] = (),
) -> TrainResult:
    """Train TEXT on a prepared store, as `textmsa train` does.

    Parameters
    ----------
    recipe
        A `Recipe`, a YAML file, or the name of a recipe that comes with the package.
    data, out, device, precision
        See `textmsa.train.command.train`.
    seeds
        Numbers, or text as on the command line, "1,2"; none for the recipe's.
    """
    numbers = seeds if isinstance(seeds, str) else ",".join(map(str, seeds))
    whole = recipe if isinstance(recipe, Recipe) else load_recipe(recipe)
    return command.train(whole, data=Path(data), out=Path(out), device=device, precision=precision, seeds=numbers)


sys.modules[__name__].__class__ = CallablePackage
