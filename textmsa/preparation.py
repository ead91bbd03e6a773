"""What is done to a clip before the network sees it; `prepare` and `predict` do it by these same functions.

A `Preparation` names extractors, explainer and statistics. A store and a run folder each carry one, in
`preparation.json` and `statistics.json`.
"""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from textmsa import seams
from textmsa.atomic import read_json, write_json
from textmsa.errors import MissingModality, UnreadableClip, UserError
from textmsa.explain import Explainer
from textmsa.feature_statistics import Statistics
from textmsa.features import Extractor
from textmsa.types import Clip, Explanation, FeatureSequence, Observation

PREPARATION = "preparation.json"
STATISTICS = "statistics.json"
PARTS = ("audio", "video", "explainer")


CONVERTED = "converted"
"""Extractor and explainer of features and explanations that came in a published data file."""


class ExtractorError(Exception):
    """An extractor broke down, or broke its contract, on a clip; the message tells which and how."""

    def __init__(self, modality: str, reason: str) -> None:
        super().__init__(modality, reason)
        self.modality, self.reason = modality, reason

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True)
class FeatureSpec:
    """What measured a modality: the columns of every `FeatureSequence` of the store."""

    extractor: str
    """The name in the seam, or the outside "module:Class"."""
    version: str
    names: tuple[str, ...]

    @staticmethod
    def from_json(document: dict[str, Any] | None) -> "FeatureSpec | None":
        """From what `dataclasses.asdict` made of one."""
        return None if document is None else FeatureSpec(**{**document, "names": tuple(document["names"])})


@dataclass(frozen=True)
class ExplainerSpec:
    """What wrote the explanations."""

    explainer: str
    """The name in the seam, or the outside "module:Class"."""
    version: str
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class BuiltPreparation:
    """Extractors and explainer, ready for clips."""

    audio: Extractor
    video: Extractor
    explainer: Explainer


@dataclass(frozen=True)
class Preparation:
    """Extractors and explainer by name and version, with the statistics that go with them."""

    audio: FeatureSpec
    video: FeatureSpec
    explainer: ExplainerSpec
    statistics: Statistics | None = None
    """None until the training split has been measured."""

    @staticmethod
    def installed(*, audio: str, video: str, explainer: str, options: dict[str, Any]) -> "Preparation":
        """What the installed extractors and explainer of these names are; UserError where there are none."""
        class_ = seams.load(seams.EXPLAINERS, explainer, what="explainer")
        return Preparation(
            audio=_installed_features(seams.AUDIO_EXTRACTORS, audio, "audio extractor"),
            video=_installed_features(seams.VIDEO_EXTRACTORS, video, "video extractor"),
            explainer=ExplainerSpec(explainer, str(class_.version), options),
        )

    def save(self, folder: Path) -> None:
        """Write preparation.json and, where there are statistics, statistics.json into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        if self.statistics is not None:
            self.statistics.save(folder / STATISTICS)
        parts = {name: asdict(getattr(self, name)) for name in PARTS}
        write_json(folder / PREPARATION, parts)

    @staticmethod
    def load(folder: Path) -> "Preparation":
        """The preparation that a store or a run folder carries; UserError where it is absent or damaged."""
        document = read_json(folder / PREPARATION)
        audio, video = (FeatureSpec.from_json(document[modality]) for modality in ("audio", "video"))
        assert audio is not None
        assert video is not None
        found = (folder / STATISTICS).is_file()
        return Preparation(
            audio=audio,
            video=video,
            explainer=ExplainerSpec(**document["explainer"]),
            statistics=Statistics.load(folder / STATISTICS) if found else None,
        )

    def differences(self, other: "Preparation") -> list[str]:
        """What extractors or explainer of `other` are not as here, in words; statistics are not compared."""
        found = []
        for what in PARTS:
            mine, theirs = asdict(getattr(self, what)), asdict(getattr(other, what))
            for key in mine:
                if mine[key] != theirs[key]:
                    values = "" if key == "names" else f" {mine[key]!r} instead of {theirs[key]!r}"
                    name = key if key == what else f"{what} {key}"
                    found.append(f"{name}{values}" if values else f"other {name}")
        return found

    def build(self) -> BuiltPreparation:
        """Make extractors and explainer; UserError where the installed ones are of another version."""
        if self.audio.extractor == CONVERTED:
            raise UserError(
                "trained on the features of a published data file, whose extractors are not here: textmsa evaluate "
                "scores such features; to predict clips, train on a store made by textmsa prepare"
            )
        now = Preparation.installed(
            audio=self.audio.extractor,
            video=self.video.extractor,
            explainer=self.explainer.explainer,
            options=self.explainer.options,
        )
        if differences := now.differences(self):
            raise UserError(
                f"the installed parts are not those of the preparation ({'; '.join(differences)}): install "
                "the textmsa that made it, or prepare and train again"
            )
        return BuiltPreparation(
            audio=seams.load(seams.AUDIO_EXTRACTORS, self.audio.extractor, what="audio extractor")(),
            video=seams.load(seams.VIDEO_EXTRACTORS, self.video.extractor, what="video extractor")(),
            explainer=self.build_explainer(),
        )

    def build_explainer(self, passing: dict[str, Any] | None = None) -> Explainer:
        """Make the explainer, with options that are not recorded; UserError where it does not know one of them."""
        class_ = seams.load(seams.EXPLAINERS, self.explainer.explainer, what="explainer")
        if class_.needs_statistics and self.statistics is None:
            raise UserError(f"explainer {self.explainer.explainer!r} needs statistics: finish textmsa prepare first")
        given = (self.statistics.explainer,) if class_.needs_statistics and self.statistics else ()
        try:
            built: Explainer = class_(*given, **self.explainer.options, **(passing or {}))
        except TypeError as error:
            raise UserError(
                f"explainer {self.explainer.explainer!r} cannot be built with the options "
                f"{self.explainer.options} ({error}); leave them out"
            ) from error
        return built


def _installed_features(table: dict[str, str], name: str, what: str) -> FeatureSpec:
    class_ = seams.load(table, name, what=what)
    return FeatureSpec(name, str(class_.version), tuple(class_.names))


def with_translation(clip: Clip, told: Explanation) -> Clip:
    """The clip with the explainer's translation where the corpus has none."""
    made: str | None = told.provenance.get("text_en")
    return clip if clip.transcript_en or not made else replace(clip, transcript_en=made)


def prepare_clip(path: Path, transcript: str | None, built: BuiltPreparation) -> tuple[Observation, Explanation]:
    """Observe and explain one clip exactly as `textmsa prepare` does; raises what `observe` raises."""
    observation = observe(path, transcript, audio=built.audio, video=built.video)
    return observation, built.explainer.explain(observation)


def observe(path: Path, transcript: str | None, *, audio: Extractor, video: Extractor) -> Observation:
    """What is said, heard and seen in a clip; the file is decoded once.

    A modality that the clip lacks is recorded in `missing`, with the reason.

    Raises
    ------
    UnreadableClip
        The file is absent, cannot be decoded, or neither text nor audio nor video is in it.
    ExtractorError
        An extractor raised something else than MissingModality, or gave what its contract forbids.
    """
    from textmsa.media import read_media

    media = read_media(path)
    missing: dict[str, str] = {}
    if transcript is None or not transcript.strip():
        transcript, missing["text"] = None, "no transcript"
    found: dict[str, FeatureSequence | None] = {}
    for modality, extractor in (("audio", audio), ("video", video)):
        try:
            found[modality] = _checked(extractor.extract(media), extractor.names)
        except MissingModality as reason:
            found[modality], missing[modality] = None, str(reason) or "the extractor gave no reason"
        except UserError:
            raise
        except Exception as error:
            text = f"{extractor.name}: {type(error).__name__}: {error}"
            raise ExtractorError(modality, " ".join(text.split())) from error
    if len(missing) == 3:
        raise UnreadableClip("; ".join(f"{modality}: {reason}" for modality, reason in missing.items()))
    seen = float(media.duration), found["audio"], found["video"]
    return Observation(path, transcript, *seen, missing, media.damage)


def _checked(sequence: FeatureSequence, names: tuple[str, ...]) -> FeatureSequence:
    """`sequence` as float32 over float64 seconds; ValueError where it breaks the contract of `Extractor`."""
    if tuple(sequence.names) != tuple(names):
        raise ValueError("the features it gave are not those it names")
    if not len(sequence.times_T):
        raise MissingModality("the extractor found no frame")
    values_TF = np.ascontiguousarray(sequence.values_TF, dtype=np.float32)
    times_T = np.ascontiguousarray(sequence.times_T, dtype=np.float64)
    if np.isinf(values_TF).any():
        raise ValueError("it gave infinite values")
    if not np.isfinite(times_T).all() or (np.diff(times_T) <= 0).any():
        raise ValueError("its times do not ascend")
    return FeatureSequence(values_TF, times_T, tuple(names))
