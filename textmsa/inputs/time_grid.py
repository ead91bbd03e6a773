"""Sequences of any length -> the common time grid (docs/architecture.md, "What a clip's score depends on").

Shapes: T values, S steps, F features. Masks are True where real.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from textmsa.types import FeatureSequence, FloatArray

if TYPE_CHECKING:
    from textmsa.features.statistics import Statistics
    from textmsa.model import TextMsaConfig

STEP_SECONDS = 0.1  # the common time grid (docs/architecture.md, "What a clip's score depends on")
LEAST_MEASURED = 0.5  # a window is real if at least this share of its columns has a value
STANDARD_LIMIT = 5.0  # standardised values are kept within this many standard deviations


@dataclass(frozen=True)
class Standardisation:
    """Frozen statistics of one modality's features over the training split."""

    mean_F: FloatArray
    std_F: FloatArray


def grid_steps(duration: float | None, length: int, max_steps: int) -> int:
    """Windows of the time grid: one per 0.1 s, between 1 and `max_steps`; one per value where there are no times."""
    wanted = length if duration is None else int(np.ceil(duration / STEP_SECONDS - 1e-6))
    return min(max(wanted, 1), max_steps)


def pool_to_grid(
    values_TF: FloatArray, times_T: npt.NDArray[np.float64] | None, duration: float | None, max_steps: int
) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """Mean of the values in each of the equal windows over the clip, and which windows are real.

    Means skip NaN column by column; a column without a value stays NaN. A window is real if at least half of its
    columns have a value. Without times, values are spread evenly by index.
    """
    length = len(values_TF)
    steps = grid_steps(duration if times_T is not None else None, length, max_steps)
    if times_T is None or duration is None:
        position_T = (np.arange(length) + 0.5) / max(length, 1)
    else:
        position_T = times_T / max(duration, 1e-9)
    window_T = np.clip(np.floor(position_T * steps), 0, steps - 1).astype(int)
    member_ST = (np.arange(steps)[:, None] == window_T).astype(np.float32)  # S = steps
    finite_TF = np.isfinite(values_TF)
    count_SF = member_ST @ finite_TF.astype(np.float32)
    total_SF = member_ST @ np.where(finite_TF, values_TF, 0).astype(np.float32)
    mean_SF = np.divide(total_SF, count_SF, out=np.full_like(total_SF, np.nan), where=count_SF > 0)
    return mean_SF, (count_SF > 0).mean(axis=1) >= LEAST_MEASURED


def first_steps(values_TF: FloatArray, max_steps: int) -> FloatArray:
    """The reference code's cut: `max_steps` rows (max_steps, F), non-finite values as 0.

    A sequence of exactly that length stays; else the rows from the first that is not all zero, or the last
    `max_steps` where fewer remain; shorter ones are padded with zeros at the end.
    """
    values = np.where(np.isfinite(values_TF), values_TF, 0).astype(np.float32)
    if len(values) > max_steps:
        seen = np.flatnonzero(values.any(axis=1))
        start = min(int(seen[0]) if len(seen) else 0, len(values) - max_steps)
        values = values[start : start + max_steps]
    return np.pad(values, ((0, max_steps - len(values)), (0, 0)))


def without_padding(sequence: FeatureSequence | None) -> FeatureSequence | None:
    """The sequence from its first to its last step that is not all zeros or NaN; None where there is no such step."""
    if sequence is None:
        return None
    filled = np.flatnonzero((np.nan_to_num(sequence.values_TF, posinf=0, neginf=0) != 0).any(axis=1))
    if not len(filled):
        return None
    real = slice(filled[0], filled[-1] + 1)
    return FeatureSequence(sequence.values_TF[real], sequence.times_T[real], sequence.names)


def steps_of(
    sequence: FeatureSequence | None, duration: float | None, standard: Standardisation | None, config: "TextMsaConfig"
) -> tuple[FloatArray, npt.NDArray[np.bool_]] | None:
    """One modality's steps for the network; None where it is missing or has no real window.

    A `duration` of None says that the features come from a published data file: they have no times, and their padding
    is still there.
    """
    if sequence is None:
        return None
    if config.frames == "first":
        steps = first_steps(sequence.values_TF, config.max_steps)
        return steps, np.ones(len(steps), dtype=bool)
    if duration is None:
        sequence = without_padding(sequence)
        if sequence is None:
            return None
    values, mask = pool_to_grid(sequence.values_TF, sequence.times_T, duration, config.max_steps)
    if not mask.any():
        return None
    if standard is not None:
        values = np.clip((values - standard.mean_F) / standard.std_F, -STANDARD_LIMIT, STANDARD_LIMIT)
    # What is not measured in a real window enters as the training mean, that is 0; padding too is 0 here.
    return np.where(np.isfinite(values) & mask[:, None], values, 0).astype(np.float32), mask


def standards_of(statistics: "Statistics") -> dict[str, Standardisation]:
    """Means and deviations of the training split from a preparation's `Statistics`."""
    modalities = {"audio": statistics.audio, "video": statistics.video}
    return {name: Standardisation(s.mean_F, s.std_F) for name, s in modalities.items() if s is not None}
