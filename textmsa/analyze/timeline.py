"""timeline.json: what was said, scored, heard and seen in a file, over time. docs/analyze.md tells its schema."""

import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from textmsa.analyze.clip_tracks import words_with_times
from textmsa.analyze.tracks import UNITS, Track
from textmsa.analyze.utterances import TENTHS, Utterance
from textmsa.runtime.atomic import write_json
from textmsa.types import Prediction

SCHEMA, SCHEMA_VERSION = "textmsa-timeline", 1
"""Raise the version when a key changes its meaning or goes; new keys do not raise it."""
FILE = "timeline.json"
SHORTEST = 0.001  # seconds; of an utterance that is said to end where it begins


@dataclass(frozen=True)
class Timeline:
    """A whole file."""

    file: str
    duration: float
    """Seconds."""
    model: dict[str, Any]
    """Which run scored: its path, training and score range."""
    words_from: dict[str, Any]
    """Where the words come from, and why there are none."""
    utterances: list[dict[str, Any]]
    """As `utterance_record` makes them, in the order of their starts."""
    tracks: dict[str, Track] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    """"audio" and/or "video" -> why the whole file lacks it."""
    damage: list[str] = field(default_factory=list)
    """What of the file could not be decoded or measured."""

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The utterances that could not be scored."""
        return [record for record in self.utterances if record["failed"] is not None]

    @property
    def scored(self) -> list[dict[str, Any]]:
        """The utterances that have a score."""
        return [record for record in self.utterances if record["failed"] is None]

    @property
    def mean(self) -> float | None:
        """The mean score over the seconds of speech: a long utterance counts for more than a short one.

        None where nothing was scored.
        """
        if not self.scored:
            return None
        spoken: list[tuple[float, float]] = [
            (max(record["end"] - record["start"], SHORTEST), record["score"]) for record in self.scored
        ]
        return sum(seconds * score for seconds, score in spoken) / sum(seconds for seconds, _ in spoken)

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        tracks = {name: {"unit": UNITS.get(name, "0 to 1"), "values": self.tracks[name]} for name in self.tracks}
        return {
            "schema": SCHEMA,
            "version": SCHEMA_VERSION,
            "file": self.file,
            "duration": round(self.duration, 3),
            "model": self.model,
            "words_from": self.words_from,
            "missing": self.missing,
            "damage": self.damage,
            "counts": {
                "utterances": len(self.utterances),
                "scored": len(self.scored),
                "failed": len(self.failed),
            },
            "mean": _rounded(self.mean),
            "utterances": self.utterances,
            "tracks": {"hertz": TENTHS, "start": 0.0, "tracks": tracks},
        }

    def save(self, folder: Path) -> None:
        """Write timeline.json at once or not at all."""
        write_json(folder / FILE, self.document())


def utterance_record(utterance: Utterance, outcome: Prediction | str) -> dict[str, Any]:
    """One utterance of timeline.json: its prediction, or why it has none."""
    spoken = utterance.spoken
    said = {
        "number": utterance.number,
        "start": round(utterance.start, 3),
        "end": round(utterance.end, 3),
        "window": [utterance.first / TENTHS, utterance.last / TENTHS],
        "text": spoken.text,
        "words": [{key: value for key, value in asdict(word).items() if value is not None} for word in spoken.words],
        "language": spoken.language,
    }
    if isinstance(outcome, str):
        return {**said, "failed": outcome, "score": None}
    explanation = asdict(outcome.explanation)
    return {
        **said,
        "failed": None,
        "score": _rounded(outcome.score),
        "polarity": outcome.polarity,
        "interval": None if outcome.interval is None else _rounded(asdict(outcome.interval)),
        "no_interval": outcome.no_interval or None,
        "contributions": _rounded(outcome.contributions),
        "base": _rounded(outcome.base),
        "base_of": outcome.base_of,
        "alone": _rounded(outcome.unimodal),
        "scored_by": list(outcome.scored_by),
        "changes": [_rounded(word) for word in words_with_times(outcome)],
        "explanation": {part: explanation[part] for part in ("text", "audio", "video", "summary", "reason")},
        "explainer_failed": outcome.explanation.provenance.get("failed"),
        "missing": outcome.missing,
        "notes": list(outcome.notes),
        "damage": outcome.damage,
    }


def _rounded(value: Any) -> Any:
    """For JSON: five digits are more than a score has."""
    if isinstance(value, dict):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, float):
        return round(value, 5) if math.isfinite(value) else None
    return value
