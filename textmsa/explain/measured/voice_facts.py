"""What was measured of a voice, told to a language model that cannot hear it."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from textmsa.explain.measured.facts import SEMITONES
from textmsa.explain.measured.wordings import ENGLISH

PHRASES: tuple[tuple[str, Sequence[str], Callable[[float], str]], ...] = (
    ("pitch", ENGLISH.pitch, lambda v: f"pitch {np.exp(v / SEMITONES):.0f} Hz"),
    ("pitch_range", ENGLISH.melody, lambda v: f"pitch range {v:.1f} semitones; melody"),
    ("loudness", ENGLISH.loudness, lambda v: f"volume {v:.0f} dB"),
    ("rate", ENGLISH.rate, lambda v: f"pace {v:.1f} syllables a second"),
    ("pauses", ENGLISH.pauses, lambda v: f"pauses for {v:.0%} of the time"),
)
"""Fact, the words of its grades, and how its number is said."""


def voice_facts(facts: dict[str, float], grades: dict[str, int], duration: float | None) -> str:
    """What was measured of a voice, a line each; "" where that is nothing.

    Parameters
    ----------
    facts
        What `measure` gives.
    grades
        Fact -> 0 to 6 among other clips, where there are any to compare with.
    duration
        Of the clip, in seconds.
    """
    return "\n".join(f"- {text}" for text in _lines(facts, grades, duration))


def _lines(facts: dict[str, float], grades: dict[str, int], duration: float | None) -> Iterator[str]:
    if "loudness" not in facts:
        if "speech_seconds" in facts:
            yield "no audible voice"
        return
    for name, words, say in PHRASES:
        if name in facts:
            grade = f" ({words[grades[name]]} among the clips)" if name in grades else ""
            yield say(facts[name]) + grade
    if "emphasis_at" in facts and duration:
        yield f"strongest emphasis at {facts['emphasis_at'] * duration:.1f} s of {duration:.1f} s"
