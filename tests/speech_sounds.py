"""Sounds in which nobody speaks, made by rule, and files of them: what a recogniser must not hear words in."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

RATE = 16_000


def silence(seconds: float = 4.0) -> npt.NDArray[np.float32]:
    return np.zeros(round(seconds * RATE), np.float32)


def noise(seconds: float = 6.0) -> npt.NDArray[np.float32]:
    return (0.1 * np.random.default_rng(0).standard_normal(round(seconds * RATE))).astype(np.float32)


def beep(seconds: float = 6.0) -> npt.NDArray[np.float32]:
    return (0.3 * np.sin(2 * np.pi * 440 * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)


def music(seconds: float = 12.0) -> npt.NDArray[np.float32]:
    """Chords of plucked strings with a drum, two a second."""
    heard_N = np.zeros(round(seconds * RATE), np.float32)
    time_N = np.arange(RATE // 2) / RATE
    draw = np.random.default_rng(1)
    for beat in range(int(2 * seconds)):
        root = 110 * 2 ** ((0, 5, 7, 3)[beat // 4 % 4] / 12)
        chord_N = sum(np.sin(2 * np.pi * root * step * h * time_N) / h for step in (1, 1.26, 1.5) for h in (1, 2, 3))
        drum_N = draw.standard_normal(len(time_N)) * np.exp(-40 * time_N) * (beat % 2)
        place = beat * RATE // 2
        heard_N[place : place + RATE // 2] = 0.12 * chord_N * np.exp(-4 * time_N) + 0.1 * drum_N
    return heard_N


SOUNDS = {"silence": silence, "noise": noise, "beep": beep, "music": music}


def write_sound(path: Path, samples_N: npt.NDArray[np.float32], rate: int = RATE) -> Path:
    soundfile.write(path, samples_N, rate)
    return path
