"""What a run's intervals cover of a split, and what text, audio and video add to its scores.

Shapes: N clips, M = 3 modalities.
"""

from dataclasses import dataclass

import numpy as np

from textmsa.contributions import contributions
from textmsa.evaluate.labelled import Labelled
from textmsa.evaluate.paired import Floats
from textmsa.intervals import calibration_of, scale_of
from textmsa.run import Precision, Run
from textmsa.scoring import Scores, mean_of
from textmsa.store.reading import Store
from textmsa.types import MODALITIES

COUNTED = "contribution_"
ROUNDING = 1e-9  # labels at the end of the range lie within


@dataclass(frozen=True)
class Coverage:
    """Of intervals of one level."""

    level: float
    coverage: float
    """Share of the clips whose label lies within."""
    width: float
    """Mean, within the corpus' range."""
    clips: int
    calibrated_on: str
    """In words."""

    def text(self) -> str:
        """A line for people."""
        return (
            f"{self.level:.0%} intervals cover {self.coverage:.1%} of {self.clips} clips, mean width {self.width:.2f} "
            f"(calibrated on {self.calibrated_on})"
        )


@dataclass(frozen=True)
class Counted:
    """The sizes of the contributions."""

    base: float
    base_of: str
    mean_size: dict[str, float]
    """Modality -> mean absolute contribution."""

    def text(self) -> str:
        """A line for people."""
        sizes = ", ".join(f"{name} {size:.3f}" for name, size in self.mean_size.items())
        return f"what counted: {sizes} (mean size of contributions, from {self.base:+.3f}, {self.base_of})"


def coverage_of(run: Run, store: Store, clips: Labelled, members: list[Scores]) -> tuple[list[Coverage], str]:
    """The coverage of each level's intervals, and what is to be known of them.

    Nothing is told of clips that were learnt from or calibrated on; nothing is said of a run without calibration, but
    where that is older than the training.
    """
    found, why = calibration_of(run)
    if found is None:
        return [], "" if "not calibrated" in why else f"intervals: {why}"
    if clips.split == "train":
        return [], ""
    if found.content_sha256 == store.content_sha256 and set(found.ids) & set(clips.ids):
        return [], "intervals: calibrated on these clips, of which no coverage can be told; evaluate on others"
    score_N, scale_N = mean_of(members).score_N, scale_of(members, found.scaled_by, found.score_range)
    rows = []
    for level in found.quantiles:
        low_N, high_N = found.bounds(score_N, scale_N, level)
        inside_N = (low_N - ROUNDING <= clips.label_N) & (clips.label_N <= high_N + ROUNDING)
        width = float((high_N - low_N).mean())
        rows.append(Coverage(float(level), float(inside_N.mean()), width, len(clips.ids), found.source))
    return rows, ""


def counted_in(run: Run, store: Store, clips: Labelled, precision: Precision) -> tuple[Counted, dict[str, Floats]]:
    """The sizes of the contributions to the scores of these clips, and each one's (N,) by column."""
    found = contributions(run, store, clips.indices, precision=precision)
    columns = {f"{COUNTED}{name}": found.contribution_NM[:, place] for place, name in enumerate(MODALITIES)}
    sizes = {name: float(np.abs(values_N).mean()) for name, values_N in zip(MODALITIES, columns.values(), strict=True)}
    return Counted(found.base.score, found.base.source, sizes), columns
