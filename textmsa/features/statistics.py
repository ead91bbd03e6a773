"""Statistics of the training split: what is usual.

Features are normalised by them, explanations compare with them. They are
frozen when first written, so that adding clips changes nothing that exists.

Shape suffixes: T time steps, F features.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from textmsa.runtime.atomic import json_text, read_json, understood, write_text
from textmsa.types import FeatureSequence, FloatArray

SMALLEST_STD = 1e-4
"""Below it a feature counts as constant: with so small a divisor an unseen value would swamp all others."""


@dataclass(frozen=True)
class ModalityStatistics:
    """Mean and standard deviation of each feature over all frames of the training split, NaN left out."""

    names: tuple[str, ...]
    mean_F: FloatArray
    """0 where the feature was never measured."""
    std_F: FloatArray
    """At least `SMALLEST_STD`; 1 where a feature (nearly) never varied: an unseen value keeps its size."""
    count_F: npt.NDArray[np.int64]
    """Frames that had a value."""


@dataclass(frozen=True)
class Statistics:
    """What is usual in the training split; see `ModalityStatistics`."""

    audio: ModalityStatistics | None = None
    """None where no training clip has audio."""
    video: ModalityStatistics | None = None
    explainer: dict[str, Any] = field(default_factory=dict)
    """What the explainer's `fit` found; empty where it needs no statistics."""
    clips: int = 0
    """Training clips that were counted."""

    def to_json(self) -> str:
        """The text of statistics.json; float32 values come back exactly."""
        parts = {"audio": _to_json(self.audio), "video": _to_json(self.video)}
        return json_text({"clips": self.clips, **parts, "explainer": self.explainer})

    @property
    def sha256(self) -> str:
        """Identifies the statistics: of the text that `to_json` gives."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

    def save(self, path: Path) -> None:
        """Write statistics.json at once or not at all."""
        write_text(path, self.to_json())

    @staticmethod
    def load(path: Path) -> "Statistics":
        """Read statistics.json; raises UserError where it is absent, damaged or of another format."""
        document = read_json(path)
        with understood(path):
            parts = {modality: _from_json(document[modality]) for modality in ("audio", "video")}
            return Statistics(**parts, explainer=dict(document["explainer"]), clips=int(document["clips"]))


def modality_statistics(sequences: Iterable[FeatureSequence | None]) -> ModalityStatistics | None:
    """Statistics over all frames of `sequences`, clip by clip in their order; None where all are absent.

    Means and squared deviations are merged in float64 (Chan, Golub and LeVeque 1979), so that values far from
    zero lose nothing.
    """
    names: tuple[str, ...] | None = None
    for sequence in sequences:
        if sequence is None:
            continue
        if names is None:
            names = sequence.names
            count_F, mean_F, squares_F = np.zeros((3, len(names)))
        values_TF = sequence.values_TF.astype(np.float64)
        real_TF = ~np.isnan(values_TF)
        new_F = real_TF.sum(axis=0).astype(np.float64)
        new_mean_F = np.where(real_TF, values_TF, 0).sum(axis=0) / np.maximum(new_F, 1)
        new_squares_F = (np.where(real_TF, values_TF - new_mean_F, 0) ** 2).sum(axis=0)
        total_F = np.maximum(count_F + new_F, 1)
        step_F = new_mean_F - mean_F
        squares_F += new_squares_F + step_F**2 * count_F * new_F / total_F
        mean_F += step_F * new_F / total_F
        count_F += new_F
    if names is None:
        return None
    std_F = np.sqrt(squares_F / np.maximum(count_F, 1))
    std_F = np.where(std_F < SMALLEST_STD, 1.0, std_F)
    return ModalityStatistics(names, mean_F.astype(np.float32), std_F.astype(np.float32), count_F.astype(np.int64))


def _to_json(statistics: ModalityStatistics | None) -> dict[str, Any] | None:
    if statistics is None:
        return None
    return {
        "names": list(statistics.names),
        "mean": statistics.mean_F.tolist(),
        "std": statistics.std_F.tolist(),
        "count": statistics.count_F.tolist(),
    }


def _from_json(document: dict[str, Any] | None) -> ModalityStatistics | None:
    if document is None:
        return None
    names = tuple(document["names"])
    mean_F, std_F = np.array(document["mean"], np.float32), np.array(document["std"], np.float32)
    count_F = np.array(document["count"], np.int64)
    if not mean_F.shape == std_F.shape == count_F.shape == (len(names),):
        raise ValueError(f"not one mean, std and count for each of {len(names)} names")
    return ModalityStatistics(names, mean_F, std_F, count_F)
