"""What facts of voice and face share: smoothing over gaps, and places in a clip.

Shape suffix: T frames.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def smooth(values_T: Floats, width: float) -> Floats:
    """Moving average over `width` frames of what is finite; NaN where fewer than a third of them are."""
    size = max(1, min(round(width), len(values_T)))
    finite_T = np.isfinite(values_T)
    kernel = np.ones(size)
    count_T = np.convolve(finite_T, kernel, mode="same")
    total_T = np.convolve(np.where(finite_T, values_T, 0.0), kernel, mode="same")
    return np.where(count_T >= max(1, size / 3), total_T / np.maximum(count_T, 1), np.nan)


def step_of(times_T: Floats, duration: float) -> float:
    """Seconds between frames."""
    return float(np.median(np.diff(times_T))) if len(times_T) > 1 else max(duration, 0.01)


def position(time: float, duration: float) -> float:
    """A time as a share of the clip, 0 to 1."""
    return float(np.clip(time / max(duration, 1e-6), 0.0, 1.0))


def runs(on_T: Mask) -> list[tuple[int, int]]:
    """First frame, and the one after the last, of each stretch where it is true."""
    edges = np.diff(np.concatenate([[0], on_T.astype(np.int8), [0]]))
    return list(zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True))
