"""One planned clip -> one mp4 file with voice and face.

Shape suffixes: N samples, T frames.
"""

from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from textmsa.demo_corpus.face import SIZE, Looks, Portrait, Puppet, dress
from textmsa.demo_corpus.plan import DECIBEL_PER_A, ClipPlan, Speaker, manner
from textmsa.demo_corpus.voice import SAMPLE_RATE, speak
from textmsa.types import FloatArray

FPS = 25
LEVEL = 0.11  # root mean square of plain speech
ROOM_NOISE = 0.0006
EMPHASIS_SECONDS = 0.7  # length of the raised stretch
EMPHASIS_SEMITONES, EMPHASIS_DECIBEL = 4.0, 7.0
RISE, HOLD = 0.55, 0.15  # seconds of a facial expression's onset (and offset), and of its apex
REST_SHARE = 0.3  # of the expression that the face keeps outside its apex
NOD = 0.55  # the head's nod at the face's apex, whatever the expression
BYTES_PER_SECOND = 60_000  # to which files are filled up: more than any clip needs


def render(plan: ClipPlan, speaker: Speaker, portrait: Portrait, path: Path) -> None:
    """Write one clip; the file appears when it is complete."""
    voice_N, speech_N = voice(plan, speaker)
    part = path.with_name(path.name + ".part")
    _encode(part, _frames(plan, speaker, portrait, speech_N), voice_N)
    _fill(part, plan.duration)
    part.replace(path)


def voice(plan: ClipPlan, speaker: Speaker) -> tuple[FloatArray, FloatArray]:
    """The sound of the clip (N,), and its speech alone before room noise (N,), for the jaw."""
    samples = speak(plan.text, manner(speaker, plan.a))
    samples = samples * (LEVEL * 10 ** (DECIBEL_PER_A * plan.a / 20) / np.sqrt(np.mean(samples**2)))
    total = round(plan.duration * SAMPLE_RATE)
    samples = samples[:total]
    start = round((total - len(samples)) * plan.lead)
    speech_N = np.zeros(total, dtype=np.float32)
    speech_N[start : start + len(samples)] = samples
    speech_N = emphasise(speech_N, plan.voice_apex)
    noise = np.random.default_rng(plan.seed).normal(0, ROOM_NOISE, total)
    return np.clip(speech_N + noise, -1, 1).astype(np.float32), speech_N


def emphasise(speech_N: FloatArray, apex: float) -> FloatArray:
    """Raise pitch and volume around `apex` seconds."""
    import librosa

    half = round(EMPHASIS_SECONDS * SAMPLE_RATE / 2)
    centre = round(apex * SAMPLE_RATE)
    low, high = max(0, centre - half), min(len(speech_N), centre + half)
    stretch = speech_N[low:high]
    raised = librosa.effects.pitch_shift(
        stretch, sr=SAMPLE_RATE, n_steps=EMPHASIS_SEMITONES, n_fft=1024, hop_length=256
    )
    window = np.hanning(2 * half)[low - (centre - half) : high - (centre - half)]
    blend = np.clip(3 * window, 0, 1)  # quickly into the raised voice and out of it
    louder = 10 ** (EMPHASIS_DECIBEL * window / 20)
    result = speech_N.copy()
    result[low:high] = ((1 - blend) * stretch + blend * raised) * louder
    return result


def expression(plan: ClipPlan, seconds_T: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How far the face's expression is unfolded at each time, 0 to 1: onset, apex, offset."""
    away = np.maximum(np.abs(seconds_T - plan.face_apex) - HOLD / 2, 0) / RISE
    return np.where(away < 1, 0.5 * (1 + np.cos(np.pi * np.minimum(away, 1))), 0)


def _frames(plan: ClipPlan, speaker: Speaker, portrait: Portrait, speech_N: FloatArray) -> list[npt.NDArray[np.uint8]]:
    puppet = _puppet(_Cast(portrait, speaker.looks))
    rng = np.random.default_rng([plan.seed, 1])
    seconds_T = np.arange(round(plan.duration * FPS)) / FPS
    unfolded_T = expression(plan, seconds_T)
    strength_T = plan.v / 3 * (REST_SHARE + (1 - REST_SHARE) * unfolded_T)
    jaw_T = _jaw(speech_N, len(seconds_T))
    blink_T = _blinks(seconds_T, rng)
    sway_T = 0.25 * np.sin(2 * np.pi * (seconds_T / rng.uniform(3, 5) + rng.random()))
    return [
        puppet.frame(strength, 0.8 * strength, jaw, blink, NOD * unfolded, sway)
        for strength, jaw, blink, unfolded, sway in zip(strength_T, jaw_T, blink_T, unfolded_T, sway_T, strict=True)
    ]


class _Cast:
    """A portrait and the looks to give it, as a key for the cache: looks tell speakers apart."""

    def __init__(self, portrait: Portrait, looks: Looks) -> None:
        self.portrait, self.looks = portrait, looks

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Cast) and other.looks == self.looks

    def __hash__(self) -> int:
        return hash(self.looks)


@lru_cache(maxsize=4)
def _puppet(cast: _Cast) -> Puppet:
    return Puppet(dress(cast.portrait, cast.looks))


def _jaw(speech_N: FloatArray, frames: int) -> npt.NDArray[np.float64]:
    """Opening of the jaw by frame: the speech's envelope, relative to its own loudest, so that it says nothing of a."""
    edges = np.linspace(0, len(speech_N), frames + 1).astype(int)
    level_T = np.array([np.sqrt(np.mean(speech_N[a:b] ** 2)) for a, b in pairwise(edges)])
    scale = np.percentile(level_T[level_T > 1e-4], 80) if (level_T > 1e-4).any() else 1.0
    opened = np.clip(level_T / scale, 0, 1) * 0.5
    return np.convolve(np.pad(opened, 1, mode="edge"), [0.25, 0.5, 0.25], mode="valid")


def _blinks(seconds_T: npt.NDArray[np.float64], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    shut = np.zeros(len(seconds_T))
    at = rng.uniform(0.3, 1.5)
    while at < seconds_T[-1]:
        shut = np.maximum(shut, np.clip(1.4 - np.abs(seconds_T - at) / 0.08, 0, 1))
        at += rng.uniform(1.4, 3.0)
    return shut


def _encode(path: Path, frames: list[npt.NDArray[np.uint8]], voice_N: FloatArray) -> None:
    import av
    from av.video.reformatter import VideoReformatter

    converter = VideoReformatter()  # one for all, in one thread: PyAV else makes one a frame, with a thread a core
    with av.open(str(path), "w", format="mp4") as container:
        picture = container.add_stream("libx264", rate=FPS, options={"crf": "25", "preset": "veryfast", "threads": "1"})
        picture.width = picture.height = SIZE
        picture.pix_fmt = "yuv420p"
        sound = container.add_stream("aac", rate=SAMPLE_RATE, layout="mono", bit_rate=64_000)
        for frame in frames:
            drawn = av.VideoFrame.from_ndarray(frame, format="rgb24")
            container.mux(picture.encode(converter.reformat(drawn, format="yuv420p", threads=1)))
        container.mux(picture.encode())
        samples = av.AudioFrame.from_ndarray(voice_N[None].astype(np.float32), format="fltp", layout="mono")
        samples.sample_rate = SAMPLE_RATE
        container.mux(sound.encode(samples))
        container.mux(sound.encode())


def _fill(path: Path, duration: float) -> None:
    """Fill the file up with an empty `free` box to a size that depends on the duration only."""
    size = path.stat().st_size
    wanted = round(duration * BYTES_PER_SECOND)
    assert size + 8 <= wanted, f"{path} has {size} bytes, more than the {wanted} it is to be filled up to"
    with path.open("ab") as file:
        file.write((wanted - size).to_bytes(4, "big") + b"free" + bytes(wanted - size - 8))
