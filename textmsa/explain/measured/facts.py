"""Numbers measured of one clip: what the voice, the face and the words are like, and when they stand out.

A fact that cannot be measured (no sound, nothing voiced, no face, no transcript) is absent, never a zero.
"""

import re

import numpy as np

from textmsa.explain.measured.face import ACTION_UNITS, face
from textmsa.explain.measured.voice import SEMITONES, voice
from textmsa.types import Observation

__all__ = ["ACTION_UNITS", "SEMITONES", "measure", "syllables"]

WORD = re.compile(r"[\u4e00-\u9fff]|(?:(?![\u4e00-\u9fff])[^\W_])+(?:['’-][^\W_]+)*")  # of Chinese, characters
NEGATION = re.compile(
    r"\b(?:not|no|never|none|nothing|nobody|neither|nor|cannot|without|\w+n['’]t"
    r"|(?:ai|ca|do|does|did|is|was|were|are|has|have|had|would|could|should|wo) n['’]t)(?!\w)|[不没别未]",
    re.IGNORECASE,
)
FOREIGN_WORDS = re.compile(
    r"\b(?:der|das|und|ist|nicht|ein|eine|ich|sie|mit|le|les|et|est|des|du|pas|je|el|los|las|que|una|es|por|muy|il|che"
    r"|di|sono|het|een|van|niet|nao|uma|jest|nie|ve|bir|yang)\b"
)  # common in other languages that are written in the same letters


def measure(observation: Observation) -> dict[str, float]:
    """All facts of a clip: name -> finite value. Times are in seconds, `_at` is a share of the duration."""
    facts = {**_words(observation.transcript)}
    duration = observation.duration  # features without times measure nothing
    if observation.audio is not None and duration is not None:
        facts |= voice(observation.audio, duration, syllables(observation.transcript or ""))
    if observation.video is not None and duration is not None:
        facts |= face(observation.video, duration)
    if "emphasis_at" in facts and "apex_at" in facts:
        facts["apart"] = abs(facts["emphasis_at"] - facts["apex_at"])
    return {name: float(value) for name, value in facts.items() if np.isfinite(value)}


def syllables(transcript: str) -> int:
    """Groups of vowels, less a silent final e: within a tenth of the truth for English sentences.

    0 for a transcript that is not English: not in its letters, or with one of the commonest words of others.
    """
    letters = [letter for letter in transcript if letter.isalpha()]
    words = re.findall(r"[a-z']+", transcript.lower())
    if not all(letter.isascii() for letter in letters) or FOREIGN_WORDS.search(transcript.lower()):
        return 0
    return sum(max(1, len(re.findall(r"[aeiouy]+", re.sub(r"(?<=[a-z]{2})e\b", "", word)))) for word in words)


def _words(transcript: str | None) -> dict[str, float]:
    if not transcript or not transcript.strip():
        return {}
    return {
        "words": len(WORD.findall(transcript)),
        "exclamations": transcript.count("!") + transcript.count("！"),
        "questions": transcript.count("?") + transcript.count("？"),
        "negations": len(NEGATION.findall(transcript)),
    }
