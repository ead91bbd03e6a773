"""Let a real model explain clips of a store from measured facts and words, with and without structured output.

`python tests/real_models/answer_clips.py STORE OUT --model smollm2 --clips 100` writes OUT/structured.jsonl and
OUT/free.jsonl, a line a clip as its answers come; run again it goes on. There is no picture in it: neither model sees.
"""

import argparse
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
MOST_TOKENS = 200
"""Of an answer: four times what is asked for. A small model that goes round in circles never ends by itself."""
VOICE = ("pitch", "pitch_range", "loudness", "rate", "pauses")


def answer_clips(store: Path, out: Path, *, model: str, clips: int, threads: int, modes: list[str]) -> None:
    """The explanations of evenly spread clips of a store, by a server of its own."""
    from server import real_server

    from textmsa.explain.staged import ChatEndpointExplainer
    from textmsa.store.reading import Store

    opened = Store.open(store)
    statistics = opened.statistics.explainer
    chosen = [int((place + 0.5) * len(opened) / clips) for place in range(clips)]
    out.mkdir(parents=True, exist_ok=True)
    with real_server(model, threads=threads) as (address, _):
        explainers = {
            mode: ChatEndpointExplainer(
                statistics,
                model=model,
                base_url=address,
                sees=False,
                max_tokens=MOST_TOKENS,
                concurrency=1,
                timeout=600.0,
                structured=mode == "structured",
                cache=str(out / "answers"),
            )
            for mode in modes
        }
        for explainer in explainers.values():  # of which an answer is kept, whatever port the server has
            for asked in (explainer.asking.model, explainer.asking.refiner):
                identity = {"backend": "chat_endpoint", "model": model, "base_url": "llama.cpp", **asked.sampling}
                asked.identity = lambda identity=identity: identity
        done = {mode: _ids(out / f"{mode}.jsonl") for mode in modes}
        for index in chosen:
            sample = opened[index]
            observation = sample.observation
            name = f"{observation.path.parent.name}$_${observation.path.stem}"
            for mode, explainer in explainers.items():
                if name in done[mode]:
                    continue
                told = explainer.explain(observation)
                grades = explainer._grades(explainer.facts(observation))
                line = {
                    "id": name,
                    "transcript": observation.transcript,
                    "grades": {fact: grades[fact] for fact in grades if fact in VOICE},
                    **{part: getattr(told, part) for part in ("audio", "text", "summary", "reason")},
                    "provenance": told.provenance,
                }
                with (out / f"{mode}.jsonl").open("a") as lines:
                    lines.write(json.dumps(line, ensure_ascii=False) + "\n")


def _ids(path: Path) -> set[str]:
    return {json.loads(line)["id"] for line in path.read_text().splitlines()} if path.is_file() else set()


def main() -> None:
    """Answer what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--modes", nargs="+", default=["structured", "free"])
    given = parser.parse_args()
    answer_clips(given.store, given.out, model=given.model, clips=given.clips, threads=given.threads, modes=given.modes)


if __name__ == "__main__":
    main()
