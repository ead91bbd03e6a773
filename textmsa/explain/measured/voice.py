"""Numbers measured of a voice.

Shape suffix: T frames.
"""

import numpy as np

from textmsa.explain.measured.series import Floats, Mask, position, step_of
from textmsa.explain.measured.voice_repair import nuclei, without_octave_jumps
from textmsa.types import FeatureSequence

DB_PER_MFCC_0 = 1 / 128**0.5  # the first MFCC is the sum of 128 mel levels over the root of 128
SPEECH_RANGE_DB = 22.0  # frames this far below the clip's loud ones are no speech
SPEECH_FLOOR_DB = -52.0  # digital or recorded silence; `QUIETEST` in textmsa.features.audio_librosa is -60
SEMITONES = 12 / np.log(2)  # per unit of log F0
SMOOTH_SECONDS = 0.35  # about two syllables; shorter rises are accents of a word
PITCH_UNIT, LOUDNESS_UNIT = 2.0, 4.0  # semitones and dB that count alike for emphasis


def voice(audio: FeatureSequence, duration: float, spoken: int) -> dict[str, float]:
    """Facts of a sound track; what cannot be measured is absent.

    Parameters
    ----------
    audio
        Its features.
    duration
        Of the clip, in seconds.
    spoken
        Syllables of an English transcript, by which the pace is told; 0 where there is none: by those that are heard.
    """
    if not {"log_f0", "mfcc_0"} <= set(audio.names) or not len(audio.times_T):
        return {}
    decibel_T = audio.column("mfcc_0").astype(np.float64) * DB_PER_MFCC_0
    if not np.isfinite(decibel_T).any():
        return {}
    speech_T = decibel_T > max(np.nanpercentile(decibel_T, 95) - SPEECH_RANGE_DB, SPEECH_FLOOR_DB)
    step = step_of(audio.times_T, duration)
    facts: dict[str, float] = {"speech_seconds": speech_T.sum() * step}
    if not speech_T.any():
        return facts
    within_T = slice(int(speech_T.argmax()), len(speech_T) - int(speech_T[::-1].argmax()))
    facts["loudness"] = decibel_T[speech_T].mean()
    facts["loudness_range"] = np.subtract(*np.percentile(decibel_T[speech_T], [90, 10]))
    facts["pauses"] = 1 - speech_T[within_T].mean()
    heard = audio.column("log_f0").astype(np.float64) * SEMITONES
    semitones_T = without_octave_jumps(np.where(speech_T, heard, np.nan))
    voiced_T = np.isfinite(semitones_T)
    facts["voiced"] = voiced_T[speech_T].mean()
    heard_syllables = nuclei(decibel_T, speech_T, step)
    facts["heard_rate"] = heard_syllables / max(facts["speech_seconds"], step)
    if spoken or (heard_syllables and voiced_T.sum() >= 3):
        facts["rate"] = (spoken or heard_syllables) / max(facts["speech_seconds"], step)
    if voiced_T.sum() >= 3:
        facts["pitch"] = np.median(semitones_T[voiced_T])
        facts["pitch_range"] = np.subtract(*np.percentile(semitones_T[voiced_T], [90, 10]))
        facts |= _emphasis(semitones_T, decibel_T, speech_T, audio.times_T, duration)
    return facts


def _emphasis(
    semitones_T: Floats, decibel_T: Floats, speech_T: Mask, times_T: Floats, duration: float
) -> dict[str, float]:
    """Where pitch and loudness rise together the most over the clip's own middle, and by how much."""
    pitch_T = semitones_T - np.nanmedian(semitones_T[speech_T])
    loud_T = decibel_T - np.median(decibel_T[speech_T])
    joint_T = np.where(speech_T, np.nan_to_num(pitch_T) / PITCH_UNIT + loud_T / LOUDNESS_UNIT, 0.0)
    size = max(1, min(round(SMOOTH_SECONDS / step_of(times_T, duration)), len(joint_T)))
    joint_T = np.convolve(joint_T, np.ones(size) / size, mode="same")  # pauses and edges count as neither
    peak = int(joint_T.argmax())
    return {"emphasis": joint_T[peak], "emphasis_at": position(times_T[peak], duration)}
