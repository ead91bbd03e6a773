"""A voice's pitch without octave jumps, and its syllables by their sound: for any language, without a transcript.

Shape suffix: T frames.
"""

import numpy as np
import numpy.typing as npt

OCTAVE = 12.0  # semitones
JUMP = 6.0  # semitones between neighbouring frames that no voice leaps: a half octave in 23 ms
NEAR_OCTAVE = 2.5  # semitones: how nearly an octave such a jump is
SHORT_FRAMES, GAP_FRAMES = 12, 6  # of 23 ms: a longer piece, or one after a pause, is the voice's own doing
DIP_DB = 1.0  # of the mean mel level: a nucleus stands so far above the dips around it, after de Jong and Wempe (2009)
NUCLEUS_SECONDS = 0.12  # the level is smoothed over so much; both chosen on RAVDESS (docs/explanations.md)


def without_octave_jumps(semitones_T: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The track with pieces that lie an octave off put back; NaN stays NaN.

    A piece is a run of voiced frames without a jump. A short one is shifted by an octave where it is that far from both
    of the longer pieces that it lies between without a pause. Wide ranges that a voice glides through are left alone.
    """
    mended_T = semitones_T.copy()
    pieces = _pieces(semitones_T)
    for here, piece in enumerate(pieces):
        length = piece.stop - piece.start
        if length > SHORT_FRAMES:
            continue
        offs = []
        for there, edge, own in ((here - 1, -1, piece.start), (here + 1, 0, piece.stop - 1)):
            if 0 <= there < len(pieces):
                other = pieces[there]
                frame = other.stop - 1 if edge else other.start
                if abs(frame - own) <= GAP_FRAMES and other.stop - other.start > length:
                    offs.append(mended_T[own] - mended_T[frame])
        if len(offs) == 2 and all(abs(abs(off) - OCTAVE) < NEAR_OCTAVE and off * offs[0] > 0 for off in offs):
            mended_T[piece] -= np.sign(offs[0]) * OCTAVE
    return mended_T


def _pieces(semitones_T: npt.NDArray[np.float64]) -> list[slice]:
    voiced_T = np.isfinite(semitones_T)
    step_T = np.abs(np.diff(np.where(voiced_T, semitones_T, 0.0)))
    joined_T = voiced_T[:-1] & voiced_T[1:] & (step_T < JUMP)
    starts = np.flatnonzero(voiced_T & ~np.concatenate([[False], joined_T]))
    ends = np.flatnonzero(voiced_T & ~np.concatenate([joined_T, [False]])) + 1
    return [slice(int(start), int(end)) for start, end in zip(starts, ends, strict=True)]


def nuclei(decibel_T: npt.NDArray[np.float64], speech_T: npt.NDArray[np.bool_], step: float) -> int:
    """How many syllables are heard: peaks of the level that stand at least `DIP_DB` above the dips beside them.

    Parameters
    ----------
    decibel_T
        Level of the sound, dB; NaN counts as silence.
    speech_T
        Whether it is loud enough for speech; peaks elsewhere are not counted.
    step
        Seconds between frames.
    """
    from scipy.signal import find_peaks

    finite_T = np.isfinite(decibel_T)
    if len(decibel_T) < 3 or not finite_T.any():
        return 0
    size = int(np.clip(round(NUCLEUS_SECONDS / step), 1, len(decibel_T)))
    window = np.hanning(size + 2)[1:-1]
    level_T = np.where(finite_T, decibel_T, decibel_T[finite_T].min())
    smooth_T = np.convolve(np.pad(level_T, size, mode="edge"), window / window.sum(), mode="same")[size:-size]
    ended = np.concatenate([[smooth_T.min() - 2 * DIP_DB], smooth_T, [smooth_T.min() - 2 * DIP_DB]])
    peaks = find_peaks(ended, prominence=DIP_DB)[0] - 1
    return int(speech_T[peaks].sum())
