"""Extractors and explainer of a preparation, built from what is installed."""

from dataclasses import dataclass
from typing import Any

from textmsa import seams
from textmsa.errors import UserError
from textmsa.explain import Explainer
from textmsa.features import Extractor
from textmsa.store.preparation import CONVERTED, Preparation
from textmsa.types import ExplainerSpec, FeatureSpec


@dataclass(frozen=True)
class BuiltParts:
    """Extractors and explainer, ready for clips."""

    audio: Extractor
    video: Extractor
    explainer: Explainer


def installed_preparation(*, audio: str, video: str, explainer: str, options: dict[str, Any]) -> Preparation:
    """What the installed extractors and explainer of these names are; UserError where there are none."""
    class_ = seams.load(seams.EXPLAINERS, explainer, what="explainer")
    return Preparation(
        audio=_installed_features(seams.AUDIO_EXTRACTORS, audio, "audio extractor"),
        video=_installed_features(seams.VIDEO_EXTRACTORS, video, "video extractor"),
        explainer=ExplainerSpec(explainer, str(class_.version), options),
    )


def build_parts(preparation: Preparation) -> BuiltParts:
    """Make extractors and explainer; UserError where the installed ones are of another version."""
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
    return BuiltParts(
        audio=seams.load(seams.AUDIO_EXTRACTORS, preparation.audio.extractor, what="audio extractor")(),
        video=seams.load(seams.VIDEO_EXTRACTORS, preparation.video.extractor, what="video extractor")(),
        explainer=build_explainer(preparation),
    )


def build_explainer(preparation: Preparation, passing: dict[str, Any] | None = None) -> Explainer:
    """Make the explainer, with options that are not recorded; UserError where it does not know one of them."""
    spec, statistics = preparation.explainer, preparation.statistics
    class_ = seams.load(seams.EXPLAINERS, spec.explainer, what="explainer")
    if class_.needs_statistics and statistics is None:
        raise UserError(f"explainer {spec.explainer!r} needs statistics: finish textmsa prepare first")
    given = (statistics.explainer,) if class_.needs_statistics and statistics else ()
    try:
        built: Explainer = class_(*given, **spec.options, **(passing or {}))
    except TypeError as error:
        raise UserError(
            f"explainer {spec.explainer!r} cannot be built with the options {spec.options} ({error}); leave them out"
        ) from error
    return built


def _installed_features(table: dict[str, str], name: str, what: str) -> FeatureSpec:
    class_ = seams.load(table, name, what=what)
    return FeatureSpec(name, str(class_.version), tuple(class_.names))
