"""A run folder that is being made: begun with one recipe, one store and one precision, and with no other."""

import logging
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from textmsa.config import AlignmentQuery, Recipe
from textmsa.errors import UserError, reason_of
from textmsa.features.statistics import Statistics
from textmsa.run import RECIPE, RUN, RunInfo
from textmsa.runtime.atomic import write_text
from textmsa.runtime.claim import CLAIM, Claim, check_empty, differences
from textmsa.store.preparation import STATISTICS
from textmsa.store.reading import Store
from textmsa.train.checkpoints import CHECKPOINTS

COMMAND = "textmsa train"
ADDED_LATER = {
    "training.unimodal_weight": 0.0,
    "training.calibration_share": 0.0,
    "training.refit_intercept": False,
    "training.train_clips": None,
    "model.readings": False,
    "model.probes": False,
    "model.rating": False,
}
"""Keys of a recipe that came after claims did -> what they were before."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """What is trained, on which clips, on which device and where to.

    Recipe, store and precision are the folder's claim (claim.json). The store is told by what it holds, not by where
    it lies. In a folder of an older textmsa there is no claim: a finished run there is gone on with if its run.json
    and statistics.json agree with the store, an unfinished one only if no step of its training was kept.
    """

    recipe: Recipe
    store: Store
    folder: Path
    device: str
    precision: str

    def at(self, folder: Path, *, seed: int | None = None, query: AlignmentQuery | None = None) -> "Job":
        """The same in another folder, with another seed, or with an alignment query that is set and none to try."""
        recipe = self.recipe
        if seed is not None:
            recipe = replace(recipe, training=replace(recipe.training, seed=seed))
        if query is not None:
            recipe = replace(recipe, model=replace(recipe.model, alignment_query=query), try_alignment_queries=())
        return replace(self, recipe=recipe, folder=folder)

    @cached_property
    def claim(self) -> Claim:
        """What the folder is begun with."""
        options = {
            "recipe": without_later(plain(asdict(self.recipe))),
            "store": identity_of(self.store),
            "precision": self.precision,
        }
        return Claim(self.folder, COMMAND, options)

    @property
    def is_finished(self) -> bool:
        """Whether the folder's run is finished; UserError where it was begun with something else."""
        if not (self.folder / RUN).is_file():
            return False
        self.check()
        return True

    def check(self) -> None:
        """Raises UserError where the folder was begun with something else, or is another's; nothing is written."""
        if (self.folder / CLAIM).is_file():
            self.claim.check()
        elif (self.folder / RECIPE).is_file():
            self._check_unclaimed()
        else:
            check_empty(self.folder)

    def begin(self) -> None:
        """Claim the folder and write the recipe into it, or make sure that it was begun so."""
        import yaml

        self.check()
        if not (self.folder / CLAIM).is_file():
            self.claim.write()
        if not (self.folder / RECIPE).is_file():
            write_text(self.folder / RECIPE, yaml.safe_dump(plain(asdict(self.recipe)), sort_keys=False))

    def _check_unclaimed(self) -> None:
        """As `check`, of a folder that an older textmsa began, by what else it holds."""
        wanted, recorded = self.claim.options, {"recipe": without_later(_read_yaml(self.folder / RECIPE))}
        compared = ["recipe"]
        if (self.folder / RUN).is_file():
            info, statistics = RunInfo.load(self.folder), Statistics.load(self.folder / STATISTICS)
            facts = {"corpus": info.corpus, "score_range": info.score_range, "statistics": statistics.sha256}
            recorded |= {"store": facts, "precision": info.precision}
            compared += ["store", "precision"]
            wanted = wanted | {"store": {name: wanted["store"][name] for name in facts}}
        elif (self.folder / CHECKPOINTS).is_dir():
            raise UserError(
                f"{self.folder}: was begun by an older textmsa, which did not record the store it learnt from; give "
                "another folder"
            )
        if found := differences({name: wanted[name] for name in compared}, recorded):
            raise UserError(
                f"{self.folder}: was begun otherwise by {COMMAND} ({'; '.join(found)}); give another folder"
            )
        logger.warning(
            "%s: was begun by an older textmsa; its store is known by statistics and range only", self.folder
        )


def _read_yaml(path: Path) -> Any:
    import yaml

    try:
        return yaml.safe_load(path.read_text("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: damaged ({reason_of(error)}); give another folder") from error


def identity_of(store: Store) -> dict[str, Any]:
    """What tells a store from another, wherever it lies."""
    manifest = store.manifest
    parts = {name: getattr(manifest, name) for name in ("audio", "video", "explainer")}
    return {
        "corpus": manifest.corpus,
        "data": manifest.data,
        "clips": manifest.counts,
        "score_range": list(manifest.score_range),
        "statistics": manifest.statistics_sha256,
        "content": store.content_sha256,
        **{name: None if part is None else plain(asdict(part)) for name, part in parts.items()},
    }


def without_later(recipe: Any) -> Any:
    """A recipe as claims have it: without `ADDED_LATER` at their defaults, which older folders do not have."""
    if not isinstance(recipe, dict):
        return recipe
    kept = dict(recipe)
    for key, default in ADDED_LATER.items():
        part, _, name = key.partition(".")
        values = kept.get(part)
        if isinstance(values, dict) and values.get(name) == default:
            kept[part] = {other: value for other, value in values.items() if other != name}
    return kept


def plain(value: object) -> Any:
    """Tuples as lists, as YAML and JSON have them."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value
