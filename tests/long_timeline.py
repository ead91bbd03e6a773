"""A timeline of ten minutes, made without scoring anything, and a film of that length."""

import math
import random
from pathlib import Path
from typing import Any

from media_fixtures import grey, write_clip

from textmsa.analyze.timeline import Timeline
from textmsa.analyze.tracks import Track

SECONDS = 600
SENTENCE = "I really loved the first part but then it became slow and sad although the ending was wonderful"
FACES = ("smile", "mouth_down", "brow_raise", "brow_lower", "jaw_open", "squint", "blink")
EXPRESSIONS = ("anger", "happiness", "sadness", "surprise", "fear", "neutral", "disgust")


def film(path: Path) -> Path:
    """Two pictures a second, whose brightness goes up and down."""
    times = [i / 2 for i in range(SECONDS * 2)]
    return write_clip(path, times=times, pictures=[grey(i // 10 % 50) for i in range(len(times))])


def long_timeline(file: str, texts: dict[int, str] | None = None) -> Timeline:
    """Utterances of a few seconds, every twentieth of them not scored; `texts` are said by those numbers."""
    chance = random.Random(1)
    utterances: list[dict[str, Any]] = []
    start = 1.0
    while start < SECONDS - 8:
        number, length = len(utterances), chance.uniform(2, 6)
        said = (texts or {}).get(number, "").split() or [
            chance.choice(SENTENCE.split()) for _ in range(int(length * 2.5))
        ]
        utterances.append(_utterance(number, start, length, said, chance))
        start += length + chance.uniform(0.2, 2)
    tracks: dict[str, Track] = {"energy": _wave(-30, 10, 13, chance), "pitch": _wave(180, 60, 29, chance)}
    tracks["face"] = [float(not 300 < i < 340) for i in range(SECONDS * 10)]
    names = [*FACES, *(f"expression_{name}" for name in EXPRESSIONS)]
    tracks |= {name: _wave(0.4, 0.3, 17 + 7 * place, chance) for place, name in enumerate(names)}
    model = {"path": "run", "corpus": "demo", "score_range": [-3, 3]}
    words_from = {"source": "subtitles", "made_with": "film.srt", "reason": None}
    return Timeline(file, float(SECONDS), model, words_from, utterances, tracks)


def _wave(middle: float, height: float, length: float, chance: random.Random) -> Track:
    return [round(middle + height * math.sin(i / length) + chance.gauss(0, height / 5), 3) for i in range(SECONDS * 10)]


def _utterance(number: int, start: float, length: float, said: list[str], chance: random.Random) -> dict[str, Any]:
    step = length / len(said)
    words: list[dict[str, Any]] = [
        {"text": word, "start": round(start + i * step, 3), "end": round(start + (i + 0.9) * step, 3)}
        for i, word in enumerate(said)
    ]
    record = {
        "number": number,
        "start": round(start, 3),
        "end": round(start + length, 3),
        "window": [start, start + length],
        "text": " ".join(said),
        "words": words,
        "language": None,
    }
    if number % 20 == 19:
        return record | {"failed": "the lens fell off", "score": None}
    score = max(-2.9, min(2.9, 1.5 * math.sin(start / 40) + chance.gauss(0, 0.6)))
    voice, face = chance.gauss(0, 0.3), chance.gauss(0, 0.3)
    explanation = {"audio": "The voice is loud.", "video": "The face smiles.", "summary": "Lively."}
    return record | {
        "failed": None,
        "score": score,
        "polarity": "positive" if score > 0.1 else "negative" if score < -0.1 else "neutral",
        "interval": {"level": 0.9, "low": max(-3, score - 0.9), "high": min(3, score + 0.9), "clips": 9, "source": "9"},
        "no_interval": None,
        "contributions": {"text": score - voice - face, "audio": voice, "video": face},
        "base": 0.0,
        "base_of": "the mean label of the training clips",
        "alone": {},
        "scored_by": ["text", "audio", "video"],
        "changes": [word | {"change": chance.gauss(0, 0.15)} for word in words],
        "explanation": explanation | {"text": None, "reason": None},
        "explainer_failed": None,
        "missing": {},
        "notes": [],
        "damage": None,
    }
