"""What a player shows beside a clip: sound, pitch, face and words on one clock.

Shape suffixes: N samples of sound, T values of an extractor, B bins of a tenth of a second.
"""

import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from textmsa.errors import UnreadableClip
from textmsa.media import stream_sound
from textmsa.occlusion import WORD
from textmsa.types import FeatureSequence, Observation, Prediction, Transcript

HZ = 10  # values of a track in a second
PEAKS_PER_SECOND = 50
SOUND_RATE = 8000  # Hz: enough to see where somebody speaks
QUIETEST = 1e-4  # of full scale: -80 dB stands for silence
MOST_COLUMNS = 6  # shown of an extractor whose columns have no names that we know
FACE_TRACKS = {
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
    "mouth corners down": ("mouthFrownLeft", "mouthFrownRight"),
    "brows raised": ("browInnerUp",),
    "brows lowered": ("browDownLeft", "browDownRight"),
    "eyes closed": ("eyeBlinkLeft", "eyeBlinkRight"),
    "mouth open": ("jawOpen",),
}
"""Name for people -> the blendshapes whose mean it is."""
Floats = npt.NDArray[np.float64]


def tracks_of(path: Path, observation: Observation, prediction: Prediction | None) -> dict[str, Any]:
    """Everything that is drawn over time, as JSON has it; what could not be measured is null.

    Parameters
    ----------
    path
        The clip's file, whose sound is read once more for its outline.
    observation
        What was measured of it.
    prediction
        Its score with the changes by words, where these were asked for; None of a clip that was not scored.
    """
    duration = observation.duration or 0.0
    bins = max(1, math.ceil(duration * HZ - 1e-6))
    peaks, series = _sound(path, bins)
    series += _of_voice(observation.audio, bins) + _of_face(observation.video, bins)
    return {
        "hz": HZ,
        "duration": duration,
        "peaks_per_second": PEAKS_PER_SECOND,
        "peaks": peaks,
        "series": series,
        "face": _face_presence(observation.video, bins),
        "words": [] if prediction is None else words_with_times(prediction),
    }


def words_with_times(prediction: Prediction) -> list[dict[str, Any]]:
    """The words of a text in their order, each with the change it made and, where known, its seconds.

    Times are known of words that were recognised; those of a line of subtitles share its time equally.
    """
    spoken = prediction.spoken
    if not prediction.words:
        return [] if spoken is None else [_word(word.text, word.start, word.end, None) for word in spoken.words]
    times = _token_times(spoken)
    counts = [len(WORD.findall(part.words)) for part in prediction.words]
    if sum(counts) != len(times):
        return [_word(part.words, None, None, part.change) for part in prediction.words]
    found, first = [], 0
    for part, count in zip(prediction.words, counts, strict=True):
        place = times[first : first + count]
        first += count
        found.append(_word(part.words, place[0][0], place[-1][1], part.change))
    return found


def _word(text: str, start: float | None, end: float | None, change: float | None) -> dict[str, Any]:
    return {"text": text, "start": start, "end": end, "change": change}


def _token_times(spoken: Transcript | None) -> list[tuple[float, float]]:
    times: list[tuple[float, float]] = []
    for word in spoken.words if spoken is not None else ():
        count = len(WORD.findall(word.text))
        edges = np.linspace(word.start, word.end, count + 1).tolist()
        times += list(pairwise(edges))
    return times


def _sound(path: Path, bins: int) -> tuple[list[float], list[dict[str, Any]]]:
    """The largest amplitude in each fiftieth of a second, and the level (dB of full scale) by bins."""
    try:
        pieces = list(stream_sound(path, sample_rate=SOUND_RATE))
    except UnreadableClip:
        return [], []
    start = pieces[0][0] if pieces else 0.0
    sound_N = np.concatenate([np.zeros(round(start * SOUND_RATE)), *[piece for _, piece in pieces]])
    sound_N = sound_N[: round(bins / HZ * SOUND_RATE)]
    step = SOUND_RATE // PEAKS_PER_SECOND
    peaks = np.abs(_folded(sound_N, step)).max(axis=1) if len(sound_N) else np.zeros(0)
    rms_B = np.sqrt((_folded(sound_N, SOUND_RATE // HZ) ** 2).mean(axis=1)) if len(sound_N) else np.zeros(0)
    level_B = 20 * np.log10(np.maximum(rms_B, QUIETEST))
    level = [*_listed(level_B), *[None] * bins][:bins]
    return [round(float(peak), 3) for peak in peaks], [_series("loudness", "voice", "dB", level)]


def _folded(sound_N: Floats, step: int) -> Floats:
    """As rows of `step` samples, the last filled up with silence."""
    return np.pad(sound_N, (0, -len(sound_N) % step)).reshape(-1, step)


def _of_voice(audio: FeatureSequence | None, bins: int) -> list[dict[str, Any]]:
    if audio is None:
        return []
    if "log_f0" in audio.names:
        pitch_T = np.exp(audio.column("log_f0").astype(np.float64))
        return [_series("pitch", "voice", "Hz", _listed(_binned(pitch_T, audio.times_T, bins)))]
    return _plain(audio, "voice", bins)


def _of_face(video: FeatureSequence | None, bins: int) -> list[dict[str, Any]]:
    if video is None:
        return []
    found = []
    for name, columns in FACE_TRACKS.items():
        if set(columns) <= set(video.names):
            value_T = np.stack([video.column(column).astype(np.float64) for column in columns]).mean(axis=0)
            found.append(_series(name, "face", "0 to 1", _listed(_binned(value_T, video.times_T, bins))))
    return found or _plain(video, "face", bins)


def _plain(features: FeatureSequence, of: str, bins: int) -> list[dict[str, Any]]:
    """The first columns, by the names that their extractor gives them."""
    columns = [(name, features.column(name).astype(np.float64)) for name in features.names[:MOST_COLUMNS]]
    return [_series(name, of, "", _listed(_binned(values, features.times_T, bins))) for name, values in columns]


def _series(name: str, of: str, unit: str, values: list[float | None]) -> dict[str, Any]:
    return {"name": name, "of": of, "unit": unit, "values": values}


def _face_presence(video: FeatureSequence | None, bins: int) -> list[bool]:
    """Whether a face, or whatever the extractor looks for, was measured in each bin."""
    if video is None or not len(video.times_T):
        return [False] * bins
    seen_T = np.asarray(np.isfinite(video.values_TF).any(axis=1), dtype=np.float64)
    share_B = _binned(seen_T, video.times_T, bins)
    return [bool(share >= 0.5) for share in share_B]


def _binned(value_T: Floats, times_T: Floats, bins: int) -> Floats:
    """The mean (B,) of the values that are numbers in each bin; NaN where there is none.

    In a bin that no value's time falls into, as where an extractor looks at fewer frames than there are bins, the
    nearest value stands, up to one step of the extractor away.
    """
    if not len(times_T):
        return np.full(bins, np.nan)
    real_T = np.isfinite(value_T)
    place_T = np.clip((times_T * HZ + 1e-6).astype(int), 0, bins - 1)
    total_B = np.bincount(place_T[real_T], weights=value_T[real_T], minlength=bins)
    count_B = np.bincount(place_T[real_T], minlength=bins)
    mean_B = np.where(count_B > 0, total_B / np.maximum(count_B, 1), np.nan)
    step = float(np.median(np.diff(times_T))) if len(times_T) > 1 else 1 / HZ
    middle_B = (np.arange(bins) + 0.5) / HZ
    nearest_B = np.abs(times_T[None, :] - middle_B[:, None]).argmin(axis=1)
    near_B = np.abs(times_T[nearest_B] - middle_B) <= step
    empty_B = np.bincount(place_T, minlength=bins) == 0
    return np.where(empty_B & near_B, value_T[nearest_B], mean_B)


def _listed(values: Floats) -> list[float | None]:
    return [round(float(value), 4) if np.isfinite(value) else None for value in values]
