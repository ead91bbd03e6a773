"""Of what and with what a result was made: run, store, split, precision; versions, commit, date."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from textmsa.evaluate.labelled import Labelled
from textmsa.run import RECIPE, RUN, Precision, Run
from textmsa.runtime.atomic import file_sha256
from textmsa.runtime.claim import differences
from textmsa.runtime.versions import TRAINING, commit, package_versions
from textmsa.store.reading import Store
from textmsa.types import ExplainerSpec

STAMP = "made"  # its key in files


@dataclass(frozen=True)
class StoreRecord:
    """Which store; wherever it lies, it is the same where the rest is."""

    path: str
    corpus: str
    score_range: tuple[float, float]
    counts: dict[str, int]
    """Split -> clips."""
    content_sha256: str
    """Of labels, texts, explanations and what the features were made from."""
    statistics_sha256: str

    @staticmethod
    def of(store: Store) -> "StoreRecord":
        """Of an open store."""
        manifest = store.manifest
        return StoreRecord(
            path=str(store.path.resolve()),
            corpus=manifest.corpus,
            score_range=manifest.score_range,
            counts=manifest.counts,
            content_sha256=store.content_sha256,
            statistics_sha256=manifest.statistics_sha256,
        )


@dataclass(frozen=True)
class RunRecord:
    """Which training; wherever its folder lies, it is the same where the rest is."""

    path: str
    seeds: list[int]
    recipe_sha256: str | None
    run_sha256: str
    """Of run.json, which is another after every training."""

    @staticmethod
    def of(run: Run) -> "RunRecord":
        """Of an open run."""
        recipe = run.path / RECIPE
        return RunRecord(
            path=str(run.path.resolve()),
            seeds=run.info.seeds or [run.info.seed],
            recipe_sha256=file_sha256(recipe) if recipe.is_file() else None,
            run_sha256=file_sha256(run.path / RUN),
        )


@dataclass(frozen=True)
class Origin:
    """What a table of scores was made of."""

    command: str
    store: StoreRecord
    split: str
    clips: int
    unlabelled: int
    """Clips of the split that have no label, and are not in the table."""
    run: RunRecord | None
    """None where no run scored, but `explainer`."""
    precision: str | None
    explainer: ExplainerSpec | None
    stamp: dict[str, Any]
    """Versions, commit and date."""

    @staticmethod
    def of_run(run: Run, store: Store, clips: Labelled, precision: Precision) -> "Origin":
        """Of `textmsa evaluate`."""
        counts = clips.split, len(clips.ids), clips.unlabelled
        return Origin("evaluate", StoreRecord.of(store), *counts, RunRecord.of(run), precision, None, stamp())

    @staticmethod
    def of_explainer(explainer: ExplainerSpec, store: Store, clips: Labelled) -> "Origin":
        """Of `textmsa zero-shot`."""
        counts = clips.split, len(clips.ids), clips.unlabelled
        return Origin("zero-shot", StoreRecord.of(store), *counts, None, None, explainer, stamp())

    def to_json(self) -> dict[str, Any]:
        """As it stands in files."""
        return stamped(asdict(self))

    @staticmethod
    def from_json(document: dict[str, Any]) -> "Origin":
        """From what `to_json` gave; raises TypeError or KeyError for anything else."""
        store, run, explainer = document["store"], document["run"], document["explainer"]
        parts = {
            "store": StoreRecord(**{**store, "score_range": tuple(store["score_range"])}),
            "run": None if run is None else RunRecord(**run),
            "explainer": None if explainer is None else ExplainerSpec(**explainer),
        }
        values = {"stamp" if key == STAMP else key: value for key, value in document.items()}
        return Origin(**{**values, **parts})

    def differences(self, recorded: "Origin") -> list[str]:
        """What `recorded` was made of otherwise, in words; where things lie, versions and dates do not count."""
        return differences(self._deciding(), recorded._deciding())

    def _deciding(self) -> dict[str, Any]:
        document = asdict(self)
        del document["stamp"]
        for part in ("store", "run"):
            if document[part] is not None:
                del document[part]["path"]
        return document


def stamped(document: dict[str, Any]) -> dict[str, Any]:
    """The same, with the key of the stamp as files have it."""
    return {STAMP if key == "stamp" else key: value for key, value in document.items()}


def stamp() -> dict[str, Any]:
    """With what and when a result is made: packages, commit of a checkout, and the date (UTC)."""
    versions = package_versions([*TRAINING, "scikit-learn", "scipy"])
    return {"packages": versions, "commit": commit(), "date": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"}
