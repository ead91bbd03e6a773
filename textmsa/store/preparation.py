"""What is done to a clip before the network sees it, by name and version, with the statistics that go with it.

A store and a run folder each carry one, in `preparation.json` and `statistics.json`.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from textmsa.features.statistics import Statistics
from textmsa.runtime.atomic import read_json, understood, write_json
from textmsa.types import ExplainerSpec, FeatureSpec, RecogniserSpec

PREPARATION = "preparation.json"
STATISTICS = "statistics.json"
PARTS = ("audio", "video", "explainer")
CONVERTED = "converted"
"""Extractor and explainer of features and explanations that came in a published data file."""


@dataclass(frozen=True)
class Preparation:
    """Extractors and explainer by name and version, with the statistics that go with them."""

    audio: FeatureSpec
    video: FeatureSpec
    explainer: ExplainerSpec
    statistics: Statistics | None = None
    """None until the training split has been measured."""

    like: str | None = None
    """SHA-256 of the statistics where they are those of another store or run (`prepare --like`)."""
    recogniser: RecogniserSpec | None = None
    """Who listened to clips without a transcript, where somebody did; a network may be fed by another."""

    def document(self) -> dict[str, Any]:
        """What preparation.json says."""
        parts = {name: asdict(getattr(self, name)) for name in PARTS}
        more = {"like": self.like, "recogniser": asdict(self.recogniser) if self.recogniser else None}
        return parts | {name: value for name, value in more.items() if value is not None}

    def save(self, folder: Path) -> None:
        """Write preparation.json and, where there are statistics, statistics.json into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        if self.statistics is not None:
            self.statistics.save(folder / STATISTICS)
        write_json(folder / PREPARATION, self.document())

    @staticmethod
    def load(folder: Path) -> "Preparation":
        """The preparation that a store or a run folder carries; UserError where it is absent or damaged."""
        document = read_json(folder / PREPARATION)
        statistics = Statistics.load(folder / STATISTICS) if (folder / STATISTICS).is_file() else None
        with understood(folder / PREPARATION):
            audio, video = (FeatureSpec.from_json(document[modality]) for modality in ("audio", "video"))
            if audio is None or video is None:
                raise ValueError("audio or video is null")
            explainer = ExplainerSpec(**document["explainer"])
            heard = document.get("recogniser")
            recogniser = None if heard is None else RecogniserSpec(**heard)
            return Preparation(audio, video, explainer, statistics, document.get("like"), recogniser)

    def differences(self, other: "Preparation") -> list[str]:
        """What extractors or explainer of `other` are not as here, in words; statistics are not compared."""
        differences = []
        for what in PARTS:
            mine, theirs = asdict(getattr(self, what)), asdict(getattr(other, what))
            for key in mine:
                if mine[key] != theirs[key]:
                    values = "" if key == "names" else f" {mine[key]!r} instead of {theirs[key]!r}"
                    name = key if key == what else f"{what} {key}"
                    differences.append(f"{name}{values}" if values else f"other {name}")
        return differences
