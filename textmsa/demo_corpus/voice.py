"""A voice: eSpeak NG, called in-process through its shared library.

Shape suffix: N samples.
"""

import ctypes
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from textmsa.errors import UserError
from textmsa.types import FloatArray

SAMPLE_RATE = 22_050  # of eSpeak NG
VARIANTS = ("f1", "f2", "f3", "f4", "m1", "m2", "m3", "m7")
"""Voices of eSpeak NG that speak plainly."""
SYNCHRONOUS = 2  # espeak_AUDIO_OUTPUT: samples go to the callback, the call returns when all are there
RATE, VOLUME, PITCH, RANGE = 1, 2, 3, 4  # espeak_PARAMETER
UTF8 = 1
POSITION_CHARACTER = 1

Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


@dataclass(frozen=True)
class Manner:
    """How a sentence is said."""

    variant: str
    """One of `VARIANTS`."""
    pitch: float
    """0 to 100; 50 is the variant's own."""
    range: float
    """0 (monotone) to 100."""
    rate: float
    """Words a minute."""


def speak(text: str, manner: Manner) -> FloatArray:
    """The samples (N,) of a sentence at `SAMPLE_RATE`, in [-1, 1], without silence at either end."""
    engine = _engine()
    if engine.library.espeak_SetVoiceByName(f"en-us+{manner.variant}".encode()):
        raise UserError(f"eSpeak NG has no voice en-us+{manner.variant}: reinstall espeakng-loader")
    for parameter, value in ((RATE, manner.rate), (VOLUME, 100), (PITCH, manner.pitch), (RANGE, manner.range)):
        engine.library.espeak_SetParameter(parameter, round(value), 0)
    engine.chunks.clear()
    said = text.encode()
    failed = engine.library.espeak_Synth(said, len(said) + 1, 0, POSITION_CHARACTER, 0, UTF8, None, None)
    if failed or not engine.chunks:
        raise UserError(f"eSpeak NG could not say {text!r} (code {failed}): reinstall espeakng-loader")
    return _trimmed(np.concatenate(engine.chunks).astype(np.float32) / np.float32(32768))


def _trimmed(samples_N: FloatArray) -> FloatArray:
    loud = np.flatnonzero(np.abs(samples_N) > 0.01)
    return samples_N[loud[0] : loud[-1] + 1] if len(loud) else samples_N


@dataclass(frozen=True)
class _Engine:
    library: Any
    chunks: list[Any]
    """What the callback has received, int16."""
    callback: Any
    """Held, or it would be collected while the library still calls it."""


@lru_cache(maxsize=1)
def _engine() -> _Engine:
    """The library, loaded and set up once per process."""
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    library.espeak_Synth.argtypes = [
        *(ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int),
        *(ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p),
    ]
    library.espeak_SetSynthCallback.argtypes = [Callback]
    chunks: list[Any] = []

    def receive(samples: Any, count: int, _events: Any) -> int:
        if samples and count > 0:
            chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    callback = Callback(receive)
    rate = library.espeak_Initialize(SYNCHRONOUS, 0, espeakng_loader.get_data_path().encode(), 0)
    if rate != SAMPLE_RATE:
        raise UserError(f"eSpeak NG did not start (code {rate}): reinstall espeakng-loader")
    library.espeak_SetSynthCallback(callback)
    return _Engine(library, chunks, callback)
