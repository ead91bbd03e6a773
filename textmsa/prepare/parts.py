"""Extractors and explainer of a preparation, built from what is installed."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from textmsa import seams
from textmsa.errors import UserError, first_line
from textmsa.explain import Explainer
from textmsa.features import Extractor
from textmsa.store.preparation import CONVERTED, PREPARATION, STATISTICS, Preparation
from textmsa.types import ExplainerSpec, FeatureSpec

AUDIO, VIDEO, EXPLAINER = "librosa", "mediapipe", "measured"
"""What clips are measured and explained with where nothing else is asked for."""


@dataclass(frozen=True)
class BuiltParts:
    """Extractors and explainer, ready for clips."""

    audio: Extractor
    video: Extractor
    explainer: Explainer
    spec: ExplainerSpec
    """Of the explainer: whose failures are recorded."""


def installed_preparation(*, audio: str, video: str, explainer: str, options: dict[str, Any]) -> Preparation:
    """What the installed extractors and explainer of these names are; UserError where there are none."""
    class_ = seams.load(seams.EXPLAINERS, explainer, what="explainer")
    return Preparation(
        audio=_installed_features(seams.AUDIO_EXTRACTORS, audio, "audio extractor"),
        video=_installed_features(seams.VIDEO_EXTRACTORS, video, "video extractor"),
        explainer=ExplainerSpec(explainer, _version_of(class_, explainer), options),
    )


def recorded_preparation(folder: Path) -> Preparation:
    """What a store or run folder was made with, statistics and all; UserError where the folder is neither."""
    if not (folder / PREPARATION).is_file() or not (folder / STATISTICS).is_file():
        raise UserError(f"{folder}: neither a store nor a run folder; give --like one of them")
    return Preparation.load(folder)


def check_same_extractors(recorded: Preparation, like: Path, *, audio: str | None, video: str | None) -> None:
    """UserError where another extractor is asked for than `like` was made with."""
    for option, name, spec in (("--audio", audio, recorded.audio), ("--video", video, recorded.video)):
        if name not in (None, spec.extractor):
            raise UserError(f"{option} {name}: --like {like} was made with {spec.extractor!r}; leave {option} out")


def check_installed(preparation: Preparation) -> None:
    """UserError where extractors or explainer are not installed, or of another version than recorded."""
    if preparation.audio.extractor == CONVERTED:
        raise UserError(
            "trained on the features of a published data file, whose extractors are not here: textmsa evaluate "
            "scores such features; to predict clips, train on a store made by textmsa prepare"
        )
    now = installed_preparation(
        audio=preparation.audio.extractor,
        video=preparation.video.extractor,
        explainer=preparation.explainer.explainer,
        options=preparation.explainer.options,
    )
    if differences := now.differences(preparation):
        raise UserError(
            f"the installed parts are not those of the preparation ({'; '.join(differences)}): install "
            "the textmsa that made it, or prepare and train again"
        )


def build_parts(
    preparation: Preparation, passing: dict[str, Any] | None = None, *, may_lack_statistics: bool = False
) -> BuiltParts:
    """Make extractors and explainer; UserError where the installed ones are of another version.

    `passing` are options of the explainer that are not recorded. With `may_lack_statistics` an explainer is asked to
    do without those of a training split.
    """
    check_installed(preparation)
    return BuiltParts(
        audio=seams.load(seams.AUDIO_EXTRACTORS, preparation.audio.extractor, what="audio extractor")(),
        video=seams.load(seams.VIDEO_EXTRACTORS, preparation.video.extractor, what="video extractor")(),
        explainer=build_explainer(preparation, passing, may_lack_statistics=may_lack_statistics),
        spec=preparation.explainer,
    )


def build_explainer(
    preparation: Preparation, passing: dict[str, Any] | None = None, *, may_lack_statistics: bool = False
) -> Explainer:
    """Make the explainer, with options that are not recorded; UserError where it does not know one of them."""
    spec, statistics = preparation.explainer, preparation.statistics
    class_ = seams.load(seams.EXPLAINERS, spec.explainer, what="explainer")
    if class_.needs_statistics and statistics is None and not may_lack_statistics:
        raise UserError(f"explainer {spec.explainer!r} needs statistics: finish textmsa prepare first")
    leading = (None if statistics is None else statistics.explainer,) if class_.needs_statistics else ()
    try:
        built: Explainer = class_(*leading, **spec.options, **(passing or {}))
    except UserError:
        raise
    except TypeError as error:
        raise UserError(
            f"explainer {spec.explainer!r} cannot be built with the options {spec.options} ({first_line(error)}); "
            "leave them out"
        ) from error
    except (KeyError, ValueError) as error:
        raise UserError(
            f"explainer {spec.explainer!r} cannot be built ({type(error).__name__}: {first_line(error)}); its "
            "statistics must be those of its own"
        ) from error
    return built


def with_explainer(preparation: Preparation, explainer: str, options: dict[str, Any]) -> Preparation:
    """The preparation with another explainer, or with other options of the same, whose version stays as recorded."""
    if explainer == preparation.explainer.explainer:
        return replace(preparation, explainer=replace(preparation.explainer, options=options))
    class_ = seams.load(seams.EXPLAINERS, explainer, what="explainer")
    return replace(preparation, explainer=ExplainerSpec(explainer, _version_of(class_, explainer), options))


def _version_of(class_: type[Any], explainer: str) -> str:
    return str(seams.required(class_, "version", explainer, what="explainer"))


def _installed_features(table: dict[str, str], name: str, what: str) -> FeatureSpec:
    class_ = seams.load(table, name, what=what)
    version, names = (seams.required(class_, attribute, name, what=what) for attribute in ("version", "names"))
    return FeatureSpec(name, str(version), tuple(names))
