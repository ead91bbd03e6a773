"""What a store holds and how it was made: manifest.json, written last."""

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import get_origin

from textmsa.runtime.atomic import read_json, understood, write_json
from textmsa.types import ExplainerSpec, FeatureSpec

MANIFEST = "manifest.json"
DATA_FILE = "clips.arrow"


@dataclass(frozen=True)
class Manifest:
    """What a store holds and how it was made."""

    corpus: str
    corpus_folder: str
    """Absolute; the clips' paths are kept relative to it."""
    score_range: tuple[float, float]
    score_range_source: str
    counts: dict[str, int]
    """Split -> clips."""
    missing: dict[str, dict[str, int]]
    """Modality -> reason -> clips."""
    skipped: int
    """Clips of the corpus that are not in the store (failures.csv names them)."""
    audio: FeatureSpec | None
    video: FeatureSpec | None
    explainer: ExplainerSpec | None
    statistics_sha256: str
    packages: dict[str, str]
    """Package -> version."""
    created: str
    """ISO 8601, UTC."""
    data: str = "data-0001"
    """The folder with the Arrow data."""
    unlabelled: dict[str, int] = field(default_factory=dict)
    """Split -> clips without a label, where there are some: they are predicted, never trained on or scored."""

    def save(self, folder: Path) -> None:
        """Write manifest.json at once or not at all."""
        document = asdict(self)
        if not self.unlabelled:
            del document["unlabelled"]  # so that versions from before there was this field read it
        write_json(folder / MANIFEST, document)

    @staticmethod
    def load(path: Path) -> "Manifest":
        """Read manifest.json; raises UserError where it is damaged or of another format."""
        document = read_json(path)
        with understood(path):
            low, high = document["score_range"]
            document["score_range"] = (float(low), float(high))
            for modality in ("audio", "video"):
                document[modality] = FeatureSpec.from_json(document[modality])
            if document["explainer"] is not None:
                document["explainer"] = ExplainerSpec(**document["explainer"])
            manifest = Manifest(**document)
            _check_kinds(manifest)
            return manifest


def _check_kinds(manifest: Manifest) -> None:
    """TypeError where a value is of another kind than its field."""
    for each in fields(manifest):
        kind = get_origin(each.type) or each.type
        value = getattr(manifest, each.name)
        if isinstance(kind, type) and kind in (str, int, dict) and not isinstance(value, kind):
            raise TypeError(f"{each.name} is no {kind.__name__}")
