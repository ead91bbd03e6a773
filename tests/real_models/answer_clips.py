"""Let a real model explain clips of a store from measured facts and words, with and without structured output.

`python tests/real_models/answer_clips.py STORE OUT --model smollm2 --clips 100` writes OUT/structured.jsonl and
OUT/free.jsonl, a line a clip as its answers come; run again it goes on. No picture is shown: neither model sees.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
MODES = ("structured", "free")
MOST_TOKENS = 384
"""Of an answer: room for all that the form allows, and an end for a model that goes round in circles."""
VOICE = ("pitch", "pitch_range", "loudness", "rate", "pauses")


def answer_clips(
    store: Path, out: Path, *, model: str, clips: int, threads: int = 1, modes: Sequence[str] = MODES
) -> None:
    """Append the explanations of evenly spread clips of a store, by a server of its own; those that are there stay."""
    from server import real_server

    from textmsa.explain.measured.voice_facts import voice_facts
    from textmsa.store.reading import Store

    opened = Store.open(store)
    chosen = [int((place + 0.5) * len(opened) / clips) for place in range(clips)]
    out.mkdir(parents=True, exist_ok=True)
    done = {mode: {line["id"] for line in answers(out / f"{mode}.jsonl")} for mode in modes}
    if all(len(done[mode]) >= clips for mode in modes):
        return
    with real_server(model, threads=threads) as (address, _):
        explainers = {mode: _explainer(opened.statistics.explainer, model, address, mode, out) for mode in modes}
        for index in chosen:
            seen = opened[index].observation
            name = f"{seen.path.parent.name}/{seen.path.stem}"
            for mode, explainer in explainers.items():
                if name in done[mode]:
                    continue
                told, facts = explainer.explain(seen), explainer.facts(seen)
                measured = explainer.measured
                assert measured is not None
                grades = {fact: measured.grade(fact, facts[fact]) for fact in VOICE if fact in facts}
                line = {
                    "id": name,
                    "transcript": seen.transcript,
                    "facts": voice_facts(facts, grades, seen.duration),
                    "grades": grades,
                    **{part: getattr(told, part) for part in ("audio", "text", "summary", "reason")},
                    "provenance": told.provenance,
                }
                with (out / f"{mode}.jsonl").open("a", encoding="utf-8") as lines:
                    lines.write(json.dumps(line, ensure_ascii=False) + "\n")


def _explainer(statistics: dict[str, Any], model: str, address: str, mode: str, out: Path) -> Any:
    """The explainer, whose answers are kept whatever port the server has."""
    from textmsa.explain.staged import ChatEndpointExplainer

    explainer: Any = ChatEndpointExplainer(
        statistics,
        model=model,
        base_url=address,
        sees=False,
        max_tokens=MOST_TOKENS,
        concurrency=1,
        timeout=3600.0,
        structured=mode == "structured",
        cache=str(out / "kept"),
    )
    identity = explainer.model.identity() | {"base_url": "llama.cpp"}
    explainer.model.identity = lambda: identity
    return explainer


def answers(path: Path) -> list[dict[str, Any]]:
    """The lines that were written so far."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def row(model: str, mode: str, lines: list[dict[str, Any]]) -> list[str]:
    """One row of the table: of the clips that came to it, valid conclusions, those at once, failures, time, tokens."""
    stages = [line["provenance"]["stages"] for line in lines]
    failed = [line["provenance"].get("failed", "") for line in lines]
    asked = [number for number, stage in enumerate(stages) if "refine" in stage]
    valid = [number for number in asked if lines[number]["summary"] is not None]
    at_once = [number for number in valid if not stages[number]["refine"].get("repaired")]
    kinds = Counter(": ".join(part.split(": ")[:2]) for text in failed if text for part in text.split("; "))
    made = [line["provenance"] for line in lines]
    return [
        model,
        mode,
        str(len(lines)),
        f"{len(valid)} of {len(asked)}",
        str(len(at_once)),
        ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()) or "none",
        f"{sum(about['seconds'] for about in made) / max(1, len(made)):.1f}",
        f"{sum(about['tokens_in'] for about in made) / max(1, len(made)):.0f}",
        f"{sum(about['tokens_out'] for about in made) / max(1, len(made)):.0f}",
    ]


HEAD = (
    *("model", "form", "clips", "valid conclusions", "at once", "failures"),
    *("seconds a clip", "tokens in", "tokens out"),
)


def main() -> None:
    """Answer what the command line names, and print the table's rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    answer_clips(given.store, given.out, model=given.model, clips=given.clips, threads=given.threads)
    for mode in MODES:
        print(" | ".join(row(given.model, mode, answers(given.out / f"{mode}.jsonl"))))


if __name__ == "__main__":
    main()
