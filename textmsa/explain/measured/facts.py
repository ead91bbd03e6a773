"""Numbers measured of one clip: what the voice, the face and the words are like, and when they stand out.

A fact that cannot be measured (no sound, nothing voiced, no face, no transcript) is absent, never a zero.

Shape suffixes: T frames.
"""

import re

import numpy as np
import numpy.typing as npt

from textmsa.types import FeatureSequence, FloatArray, Observation

DB_PER_MFCC_0 = 1 / 128**0.5  # the first MFCC is the sum of 128 mel levels over the root of 128
SPEECH_RANGE_DB = 22.0  # frames this far below the clip's loud ones are no speech
SPEECH_FLOOR_DB = -52.0  # digital or recorded silence; `QUIETEST` in textmsa.features.audio_librosa is -60
SEMITONES = 12 / np.log(2)  # per unit of log F0
SMOOTH_SECONDS = 0.35  # about two syllables; shorter rises are accents of a word
NOD_SECONDS = 0.25
PITCH_UNIT, LOUDNESS_UNIT = 2.0, 4.0  # semitones and dB that count alike for emphasis
ACTION_UNITS = {
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
    "mouth_down": ("mouthFrownLeft", "mouthFrownRight"),
    "brow_raise": ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    "brow_lower": ("browDownLeft", "browDownRight"),
    "jaw": ("jawOpen",),
    "squint": ("eyeSquintLeft", "eyeSquintRight"),
    "blink": ("eyeBlinkLeft", "eyeBlinkRight"),
}
EXPRESSIVE = ("smile", "mouth_down", "brow_raise", "brow_lower")  # jaw and lids move with speech and blinks
BLINK_SHUT = 0.45
NEGATION = re.compile(
    r"\b(?:not|no|never|none|nothing|nobody|neither|nor|cannot|without|\w+n['’]t"
    r"|(?:ai|ca|do|does|did|is|was|were|are|has|have|had|would|could|should|wo) n['’]t)(?!\w)",
    re.IGNORECASE,
)


def measure(observation: Observation) -> dict[str, float]:
    """All facts of a clip: name -> finite value. Times are in seconds, `_at` is a share of the duration."""
    facts = {**_words(observation.transcript)}
    duration = observation.duration  # features without times measure nothing
    if observation.audio is not None and duration is not None:
        facts |= _voice(observation.audio, duration, syllables(observation.transcript or ""))
    if observation.video is not None and duration is not None:
        facts |= _face(observation.video, duration)
    if "emphasis_at" in facts and "apex_at" in facts:
        facts["apart"] = abs(facts["emphasis_at"] - facts["apex_at"])
    return {name: float(value) for name, value in facts.items() if np.isfinite(value)}


def syllables(transcript: str) -> int:
    """Groups of vowels, less a silent final e: within a tenth of the truth for English sentences."""
    words = re.findall(r"[a-z']+", transcript.lower())
    return sum(max(1, len(re.findall(r"[aeiouy]+", re.sub(r"(?<=[a-z]{2})e\b", "", word)))) for word in words)


def _words(transcript: str | None) -> dict[str, float]:
    if not transcript or not transcript.strip():
        return {}
    return {
        "words": len(re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", transcript)),
        "exclamations": transcript.count("!"),
        "questions": transcript.count("?"),
        "negations": len(NEGATION.findall(transcript)),
    }


def _voice(audio: FeatureSequence, duration: float, spoken: int) -> dict[str, float]:
    if not {"log_f0", "mfcc_0"} <= set(audio.names) or not len(audio.times_T):
        return {}
    semitones_T = audio.column("log_f0").astype(np.float64) * SEMITONES
    decibel_T = audio.column("mfcc_0").astype(np.float64) * DB_PER_MFCC_0
    if not np.isfinite(decibel_T).any():
        return {}
    speech_T = decibel_T > max(np.nanpercentile(decibel_T, 95) - SPEECH_RANGE_DB, SPEECH_FLOOR_DB)
    step = _step(audio.times_T, duration)
    facts: dict[str, float] = {"speech_seconds": speech_T.sum() * step}
    if not speech_T.any():
        return facts
    within_T = slice(int(speech_T.argmax()), len(speech_T) - int(speech_T[::-1].argmax()))
    facts["loudness"] = decibel_T[speech_T].mean()
    facts["loudness_range"] = np.subtract(*np.percentile(decibel_T[speech_T], [90, 10]))
    facts["pauses"] = 1 - speech_T[within_T].mean()
    if spoken:
        facts["rate"] = spoken / max(facts["speech_seconds"], step)
    voiced_T = np.isfinite(semitones_T) & speech_T
    if voiced_T.sum() >= 3:
        facts["pitch"] = np.median(semitones_T[voiced_T])
        facts["pitch_range"] = np.subtract(*np.percentile(semitones_T[voiced_T], [90, 10]))
        facts |= _emphasis(semitones_T, decibel_T, speech_T, audio.times_T, duration)
    return facts


def _emphasis(
    semitones_T: npt.NDArray[np.float64],
    decibel_T: npt.NDArray[np.float64],
    speech_T: npt.NDArray[np.bool_],
    times_T: npt.NDArray[np.float64],
    duration: float,
) -> dict[str, float]:
    """Where pitch and loudness rise together the most over the clip's own middle, and by how much."""
    pitch_T = semitones_T - np.nanmedian(semitones_T[speech_T])
    loud_T = decibel_T - np.median(decibel_T[speech_T])
    joint_T = np.where(speech_T, np.nan_to_num(pitch_T) / PITCH_UNIT + loud_T / LOUDNESS_UNIT, 0.0)
    size = max(1, min(round(SMOOTH_SECONDS / _step(times_T, duration)), len(joint_T)))
    joint_T = np.convolve(joint_T, np.ones(size) / size, mode="same")  # pauses and edges count as neither
    peak = int(joint_T.argmax())
    return {"emphasis": joint_T[peak], "emphasis_at": _position(times_T[peak], duration)}


def _face(video: FeatureSequence, duration: float) -> dict[str, float]:
    units = {
        unit: video.values_TF[:, [video.names.index(name) for name in columns]].mean(axis=1)
        for unit, columns in ACTION_UNITS.items()
        if set(columns) <= set(video.names)
    }
    if not units:
        return {}
    seen_T = np.isfinite(np.stack(list(units.values()))).all(axis=0)
    facts: dict[str, float] = {"face_seen": seen_T.mean() if len(seen_T) else 0.0}
    if not seen_T.any():
        return facts
    for unit, values_T in units.items():
        facts[unit] = _upper_half(values_T[seen_T])
    if "blink" in units:
        shut_T = units["blink"][seen_T] > BLINK_SHUT
        facts["blink"] = (np.diff(shut_T.astype(int)) == 1).sum() / max(duration * facts["face_seen"], 0.1)
    if seen_T.sum() >= 3 and set(EXPRESSIVE) <= set(units):
        facts |= _apex(units, video.times_T, duration)
    if seen_T.sum() >= 5 and "translation_y" in video.names:
        facts |= _nod(video.column("translation_y").astype(np.float64), video.times_T, duration)
    return facts


def _upper_half(values: FloatArray) -> float:
    """Mean of the larger half: what is shown for a part of the clip counts, a single frame does not."""
    ordered = np.sort(values)
    return float(ordered[len(ordered) // 2 :].mean())


def _apex(units: dict[str, FloatArray], times_T: npt.NDArray[np.float64], duration: float) -> dict[str, float]:
    """Where the face differs the most from its own middle, and by how much; nothing where it is seen too rarely."""
    width = SMOOTH_SECONDS / _step(times_T, duration)
    smooth_UT = np.stack([_smooth(units[unit].astype(np.float64), width) for unit in EXPRESSIVE])
    if not np.isfinite(smooth_UT).all(axis=0).any():  # single frames far apart
        return {}
    total_T = np.abs(smooth_UT - np.nanmedian(smooth_UT, axis=1, keepdims=True)).sum(axis=0)
    peak = int(np.nanargmax(total_T))
    return {"expression": total_T[peak], "apex_at": _position(times_T[peak], duration)}


def _nod(height_T: npt.NDArray[np.float64], times_T: npt.NDArray[np.float64], duration: float) -> dict[str, float]:
    """The head's largest move up or down (cm), off its slow drift; where it is, is taken for the face's apex.

    A nod marks emphasis whatever the expression. It was chosen over blendshapes alone on the demo corpus, whose faces
    nod at the apex (docs/features.md); real clips were not checked. Nothing where the head is seen too rarely.
    """
    seen_T = np.isfinite(height_T)
    if seen_T.sum() < 2:  # no drift to take off
        return {}
    drift_T = np.polyval(np.polyfit(times_T[seen_T], height_T[seen_T], 1), times_T)
    smooth_T = _smooth(height_T - drift_T, NOD_SECONDS / _step(times_T, duration))
    if not np.isfinite(smooth_T).any():
        return {}
    move_T = np.abs(smooth_T - np.nanmedian(smooth_T))
    peak = int(np.nanargmax(move_T))
    return {"nod": move_T[peak], "apex_at": _position(times_T[peak], duration)}


def _smooth(values_T: npt.NDArray[np.float64], width: float) -> npt.NDArray[np.float64]:
    """Moving average over `width` frames of what is finite; NaN where fewer than a third of them are."""
    size = max(1, min(round(width), len(values_T)))
    finite_T = np.isfinite(values_T)
    kernel = np.ones(size)
    count_T = np.convolve(finite_T, kernel, mode="same")
    total_T = np.convolve(np.where(finite_T, values_T, 0.0), kernel, mode="same")
    return np.where(count_T >= max(1, size / 3), total_T / np.maximum(count_T, 1), np.nan)


def _step(times_T: npt.NDArray[np.float64], duration: float) -> float:
    """Seconds between frames."""
    return float(np.median(np.diff(times_T))) if len(times_T) > 1 else max(duration, 0.01)


def _position(time: float, duration: float) -> float:
    return float(np.clip(time / max(duration, 1e-6), 0.0, 1.0))
