"""What a store holds and how it was made: manifest.json, written last."""

from dataclasses import asdict, dataclass
from pathlib import Path

from textmsa.runtime.atomic import read_json, write_json
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

    def save(self, folder: Path) -> None:
        """Write manifest.json at once or not at all."""
        write_json(folder / MANIFEST, asdict(self))

    @staticmethod
    def load(path: Path) -> "Manifest":
        """Read manifest.json; raises UserError for a newer format."""
        document = read_json(path)
        document["score_range"] = tuple(document["score_range"])
        for modality in ("audio", "video"):
            document[modality] = FeatureSpec.from_json(document[modality])
        if document["explainer"] is not None:
            document["explainer"] = ExplainerSpec(**document["explainer"])
        return Manifest(**document)
