"""What is heard and seen ten times a second: loudness, pitch, whether a face is there and what it does.

Shape suffixes: G tenths of a second, N audio samples, T frames.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from textmsa.analyze.utterances import TENTHS
from textmsa.features.pitch import track_pitch
from textmsa.media import Media
from textmsa.types import FeatureSequence

HOP = 512  # samples, of the pitch of stretches without an utterance, as in textmsa.features.audio_librosa
SILENCE = 1e-5  # root mean square that counts as none, -100 dB
FACES = {
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
    "mouth_down": ("mouthFrownLeft", "mouthFrownRight"),
    "brow_raise": ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    "brow_lower": ("browDownLeft", "browDownRight"),
    "jaw_open": ("jawOpen",),
    "squint": ("eyeSquintLeft", "eyeSquintRight"),
    "blink": ("eyeBlinkLeft", "eyeBlinkRight"),
}
"""Track -> the blendshapes whose mean it is."""
EXPRESSION = "expression_"  # begins the columns of an extractor that reads expressions
UNITS = {"energy": "dB of full scale", "pitch": "Hz", "face": "0 or 1"}
"""Of the tracks; of all others 0 to 1."""
Track = list[float | None]
Floats = npt.NDArray[np.float64]


def tracks_of(media: Media, audio: FeatureSequence | None, video: FeatureSequence | None) -> dict[str, Track]:
    """Track -> a value for each tenth of a second of a stretch, None where nothing could be measured.

    Parameters
    ----------
    media
        The stretch.
    audio, video
        Its features, where they were extracted. Pitch is taken from `log_f0` where there is one, else measured.
    """
    steps = max(1, round(media.duration * TENTHS + 0.49))
    tracks: dict[str, Track] = {}
    if media.waveform_N is not None:
        tracks["energy"] = _plain(_energy(media, steps), 1)
        tracks["pitch"] = _plain(_pitch(media, audio, steps), 1)
    if media.frames is not None:
        tracks["face"] = [0.0] * steps if video is None else _seen(video, steps)  # extractors refuse a clip without
    if video is not None:
        for name, columns in _columns(video.names).items():
            values_T = np.asarray(np.mean([video.column(column) for column in columns], axis=0), dtype=np.float32)
            tracks[name] = _plain(_means(values_T, video.times_T, steps), 3)
    return tracks


def joined(stretches: Iterable[tuple[int, dict[str, Track]]], steps: int) -> dict[str, Track]:
    """The tracks of a whole file of `steps` tenths from those of (first tenth, tracks) of its stretches.

    Where stretches overlap, what was measured first counts.
    """
    whole: dict[str, npt.NDArray[np.float32]] = {}
    for first, tracks in stretches:
        for name, values in tracks.items():
            track_G = whole.setdefault(name, np.full(steps, np.nan, dtype=np.float32))
            there_G = track_G[first : first + len(values)]
            given_G = np.array([np.nan if value is None else value for value in values[: len(there_G)]], np.float32)
            np.copyto(there_G, given_G, where=np.isnan(there_G))
    order = sorted(whole, key=lambda name: (list(UNITS) + list(FACES)).index(name) if name in UNITS | FACES else 99)
    return {name: _plain(whole[name].astype(np.float64), 3) for name in order}


def _columns(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Track -> the columns of an extractor whose mean it is, for those that it has."""
    found = {track: columns for track, columns in FACES.items() if set(columns) <= set(names)}
    return found | {name: (name,) for name in names if name.startswith(EXPRESSION)}


def _seen(video: FeatureSequence, steps: int) -> Track:
    found_T = np.isfinite(video.values_TF).any(axis=1).astype(np.float32)
    seen_T = video.column("face_present") if "face_present" in video.names else found_T
    mean_G = _means(np.asarray(seen_T, dtype=np.float32), video.times_T, steps)
    return _plain(np.where(np.isnan(mean_G), np.nan, mean_G >= 0.5), 0)


def _energy(media: Media, steps: int) -> Floats:
    """Root mean square in dB (G,)."""
    assert media.waveform_N is not None
    size = media.sample_rate / TENTHS
    energy_G = np.full(steps, np.nan)
    offset = media.audio_start * media.sample_rate
    for step in range(steps):
        part_N = media.waveform_N[max(0, round(step * size - offset)) : max(0, round((step + 1) * size - offset))]
        if len(part_N):
            energy_G[step] = 20 * np.log10(max(float(np.sqrt(np.mean(part_N.astype(np.float64) ** 2))), SILENCE))
    return energy_G


def _pitch(media: Media, audio: FeatureSequence | None, steps: int) -> Floats:
    """The median of what is voiced, in Hz (G,)."""
    assert media.waveform_N is not None
    if audio is not None and "log_f0" in audio.names:
        hertz_T, times_T = np.exp(audio.column("log_f0").astype(np.float64)), audio.times_T
    else:
        hertz_T = track_pitch(media.waveform_N, sample_rate=media.sample_rate, hop=HOP).astype(np.float64)
        times_T = media.audio_start + np.arange(len(hertz_T)) * HOP / media.sample_rate
    bins_T = np.floor(times_T * TENTHS + 1e-6).astype(int)
    pitch_G = np.full(steps, np.nan)
    for step in np.unique(bins_T[np.isfinite(hertz_T)]):
        if 0 <= step < steps:
            pitch_G[step] = np.nanmedian(hertz_T[bins_T == step])
    return pitch_G


def _means(values_T: npt.NDArray[np.float32], times_T: Floats, steps: int) -> Floats:
    """The mean of what is finite in each tenth (G,); a picture belongs to the tenth that it is nearest to."""
    bins_T = np.floor(times_T * TENTHS + 0.5 - 1e-6).astype(int)
    good_T = np.isfinite(values_T) & (bins_T >= 0) & (bins_T < steps)
    count_G = np.bincount(bins_T[good_T], minlength=steps).astype(np.float64)
    total_G = np.bincount(bins_T[good_T], weights=values_T[good_T].astype(np.float64), minlength=steps)
    return np.where(count_G > 0, total_G / np.maximum(count_G, 1), np.nan)


def _plain(values_G: Floats, digits: int) -> Track:
    """For JSON: rounded, None for what is not finite."""
    return [round(float(value), digits) if np.isfinite(value) else None for value in values_G]
