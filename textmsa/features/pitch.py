"""Pitch of a voice: YIN's difference function and the best path through its candidates.

After de Cheveigné and Kawahara, "YIN, a fundamental frequency estimator for speech and music" (JASA 2002), with the
choice between candidates, and between voiced and unvoiced, made by dynamic programming over the whole clip.

Shape suffixes: N samples, T frames, L lags, W window, K candidates.
"""

import numpy as np
import numpy.typing as npt

from textmsa.types import FloatArray

LOWEST, HIGHEST = 60.0, 600.0  # Hz: low men's voices to shouting children's
WINDOW_SECONDS = 0.046  # integrates nearly three periods of the lowest pitch
CANDIDATES = 5
VOICING_THRESHOLD = 0.38  # YIN aperiodicity above which unvoiced is cheaper; see docs/features.md
OCTAVE_COST = 0.9  # of a jump by an octave between neighbouring frames
SWITCH_COST = 0.12  # of going from voiced to unvoiced or back
HIGH_LAG_COST = 0.03  # per octave of longer period: prefers the higher of two equally good pitches
QUIET_DB = -40.0  # frames this far below the clip's loud ones are unvoiced


def track_pitch(waveform_N: FloatArray, *, sample_rate: int, hop: int) -> FloatArray:
    """F0 in Hz (T,) at samples 0, hop, 2 hop, ...; NaN where nothing is voiced. T = 1 + N // hop."""
    periodicity_TL, level_T = _aperiodicity(waveform_N, sample_rate=sample_rate, hop=hop)
    lags_TK, cost_TK = _candidates(periodicity_TL, first_lag=int(sample_rate / HIGHEST))
    loud = np.percentile(level_T, 95)
    quiet_T = (level_T < loud + QUIET_DB) | (level_T < -90.0)
    cost_TK[quiet_T] = np.inf
    octaves_TK = np.log2(lags_TK)
    cost_TK = cost_TK + HIGH_LAG_COST * (octaves_TK - np.log2(sample_rate / HIGHEST))
    chosen_T = _best_path(octaves_TK, cost_TK)
    voiced_T = chosen_T < CANDIDATES
    lag_T = lags_TK[np.arange(len(chosen_T)), np.minimum(chosen_T, CANDIDATES - 1)]
    return np.where(voiced_T, sample_rate / lag_T, np.nan).astype(np.float32)


def _aperiodicity(waveform_N: FloatArray, *, sample_rate: int, hop: int) -> tuple[FloatArray, npt.NDArray[np.float64]]:
    """YIN's cumulative mean normalised difference (T, L) for lags up to the lowest pitch; frame level (T,) in dB."""
    window, last_lag = int(WINDOW_SECONDS * sample_rate), int(np.ceil(sample_rate / LOWEST)) + 1
    length = window + last_lag
    steps = 1 + len(waveform_N) // hop
    padded_N = np.zeros((steps - 1) * hop + length, dtype=np.float64)
    before = length // 2
    part = waveform_N[: len(padded_N) - before]
    padded_N[before : before + len(part)] = part
    frames_TW = np.lib.stride_tricks.sliding_window_view(padded_N, length)[::hop]
    size = 1 << int(np.ceil(np.log2(length + window)))
    spectrum = np.fft.rfft(frames_TW, size) * np.conj(np.fft.rfft(frames_TW[:, :window], size))
    product_TL = np.fft.irfft(spectrum, size)[:, : last_lag + 1]
    energy = np.concatenate([np.zeros((steps, 1)), np.cumsum(frames_TW**2, axis=1)], axis=1)
    shifted_TL = energy[:, window : window + last_lag + 1] - energy[:, : last_lag + 1]
    difference_TL = np.maximum(shifted_TL[:, :1] + shifted_TL - 2 * product_TL, 0.0)
    running = np.cumsum(difference_TL[:, 1:], axis=1) / np.arange(1, last_lag + 1)
    normalised_TL = np.ones_like(difference_TL)
    np.divide(difference_TL[:, 1:], running, out=normalised_TL[:, 1:], where=running > 1e-12)
    level_T = 10 * np.log10(shifted_TL[:, 0] / window + 1e-12)
    return normalised_TL.astype(np.float32), level_T


def _candidates(periodicity_TL: FloatArray, *, first_lag: int) -> tuple[FloatArray, FloatArray]:
    """The deepest dips: their lags (T, K), refined between samples, and depths (T, K), infinite where too few."""
    middle = periodicity_TL[:, first_lag:-1]
    left, right = periodicity_TL[:, first_lag - 1 : -2], periodicity_TL[:, first_lag + 1 :]
    depth = np.where((middle < left) & (middle <= right), middle, np.inf)
    order_TK = np.argpartition(depth, CANDIDATES, axis=1)[:, :CANDIDATES]
    at = np.take_along_axis
    a, b, c = at(left, order_TK, 1), at(middle, order_TK, 1), at(right, order_TK, 1)
    curvature = a - 2 * b + c
    shift = np.divide(0.5 * (a - c), curvature, out=np.zeros_like(b), where=curvature > 1e-9)
    lags_TK = order_TK + first_lag + np.clip(shift, -0.5, 0.5)
    return lags_TK.astype(np.float32), at(depth, order_TK, 1)


def _best_path(octaves_TK: FloatArray, cost_TK: FloatArray) -> npt.NDArray[np.int64]:
    """The cheapest sequence of candidates (T,); K stands for unvoiced."""
    steps, count = cost_TK.shape
    local = np.concatenate([cost_TK, np.full((steps, 1), VOICING_THRESHOLD)], axis=1)
    total, back = local[0].copy(), np.zeros((steps, count + 1), dtype=np.int64)
    move = np.full((count + 1, count + 1), SWITCH_COST)
    move[count, count] = 0.0
    columns = np.arange(count + 1)
    for step in range(1, steps):
        move[:count, :count] = OCTAVE_COST * np.abs(octaves_TK[step - 1][:, None] - octaves_TK[step][None, :])
        reached = total[:, None] + move
        back[step] = reached.argmin(axis=0)
        total = reached[back[step], columns] + local[step]
    path = np.empty(steps, dtype=np.int64)
    path[-1] = total.argmin()
    for step in range(steps - 1, 0, -1):
        path[step - 1] = back[step, path[step]]
    return path
