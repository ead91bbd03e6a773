"""Conversations of words alone for a refiner to learn from: measured clues of a clip -> a conclusion in EMER's form.

`python tests/real_models/pairs.py STORE OUT` writes OUT/train.jsonl (300) and OUT/held_out.jsonl (100), of different
clips, in the form of VideoLLaMA 3's conversations, without a clip. The conclusion is put together from what was
measured, by rules: it teaches a form and to keep to the clues, and is no person's judgement. No label has a part in it.
"""

import argparse
import json
from pathlib import Path

from textmsa.explain.measured.explainer import MeasuredExplainer
from textmsa.explain.measured.wordings import ENGLISH
from textmsa.explain.prompts import clues_text, prompt
from textmsa.store.reading import Store
from textmsa.types import Explanation, Observation

TRAIN, HELD_OUT = 300, 100
CLEAR = 0.7  # of a grade, in the mean, from which on a manner is told
GRADED = ("pitch", "pitch_range", "loudness", "rate", "pauses")
ENGLISH_WORDS = {
    "pitch": ENGLISH.pitch,
    "melody": ENGLISH.melody,
    "volume": ENGLISH.loudness,
    "pace": ENGLISH.rate,
    "pauses": ENGLISH.pauses,
}


def pair(observation: Observation, told: Explanation, grades: dict[str, int]) -> tuple[str, str]:
    """(the refiner's question on one clip, the answer in the form it asks for)."""
    parts = {"audio": told.audio, "video": None, "text": told.text, "transcript": observation.transcript}
    question = prompt("refine").fill(clues=clues_text(parts, "en"))
    known = {fact: ENGLISH_WORDS[fact][grades[fact]] for fact in ENGLISH_WORDS if fact in grades}
    voice = ", ".join(f"{words} {fact}" for fact, words in known.items()) or "no clear voice"
    manner = _manner(grades)
    reason = (
        f"In the audio, the voice has {voice}. In the text, the subtitle reads: {observation.transcript} "
        f"Therefore, the person says this in {manner} manner."
    )
    summary = f"Said in {manner} manner: {', '.join(f'{known[fact]} {fact}' for fact in list(known)[:2])}."
    return question, json.dumps({"summary": summary, "reason": reason}, ensure_ascii=False)


def _manner(grades: dict[str, int]) -> str:
    """By how lively, loud and fast the voice is among the clips."""
    sizes = [grades[fact] - 3 for fact in ("pitch_range", "loudness", "rate") if fact in grades]
    mean = sum(sizes) / max(1, len(sizes))
    return "an animated" if mean > CLEAR else "a subdued" if mean < -CLEAR else "an even"


def pairs(store: Path, count: int) -> list[tuple[str, str]]:
    """Of evenly spread clips of a store, in its order."""
    opened = Store.open(store)
    explainer = MeasuredExplainer(opened.statistics.explainer, times=False)
    made = []
    for index in (int((place + 0.5) * len(opened) / count) for place in range(count)):
        seen = opened[index].observation
        facts = explainer.facts(seen)
        grades = {fact: explainer.grade(fact, facts[fact]) for fact in GRADED if fact in facts}
        words = {"melody": "pitch_range", "volume": "loudness", "pace": "rate"}
        named = grades | {name: grades[fact] for name, fact in words.items() if fact in grades}
        made.append(pair(seen, explainer.explain(seen), named))
    return made


def write_pairs(store: Path, out: Path, *, train: int = TRAIN, held_out: int = HELD_OUT) -> None:
    """Write both files; every fourth clip is held out."""
    out.mkdir(parents=True, exist_ok=True)
    made = pairs(store, train + held_out)
    step = (train + held_out) // held_out
    apart = list(range(0, len(made), step))[:held_out]
    for name, chosen in (("held_out", apart), ("train", sorted(set(range(len(made))) - set(apart)))):
        lines = [
            {"conversations": [{"from": "human", "value": made[n][0]}, {"from": "gpt", "value": made[n][1]}]}
            for n in chosen
        ]
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        (out / f"{name}.jsonl").write_text(text, encoding="utf-8")


def main() -> None:
    """Write what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    write_pairs(given.store, given.out)


if __name__ == "__main__":
    main()
