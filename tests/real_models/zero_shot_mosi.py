"""How a real model scores MOSI's test transcripts, without training: `python tests/real_models/zero_shot_mosi.py OUT`.

Words alone are shown: the copy in ../shared/data/mosi has neither sound nor picture. Answers are kept as they come;
run again it goes on. The first `--clips` of a fixed random order are asked, so that part of the split is a fair sample.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
DATA = HERE.parents[2] / "shared" / "data" / "mosi"
RANGE = (-3.0, 3.0)


def scored(out: Path, *, model: str, clips: int, threads: int = 1) -> dict[str, Any]:
    """The metrics of `textmsa evaluate` over the clips with a score, which are also written down."""
    from server import real_server

    from textmsa import metrics
    from textmsa.explain.staged import ChatEndpointExplainer
    from textmsa.types import Observation

    labels, words = _test_split()
    order = np.random.default_rng(0).permutation(len(labels))[:clips]
    out.mkdir(parents=True, exist_ok=True)
    kept = out / "scores.jsonl"
    lines = [json.loads(line) for line in kept.read_text().splitlines()] if kept.is_file() else []
    done = {line["number"] for line in lines}
    waiting = [int(number) for number in order if int(number) not in done]
    if waiting:
        with real_server(model, threads=threads) as (address, _):
            asking = ChatEndpointExplainer(
                None,
                model=model,
                base_url=address,
                sees=False,
                max_tokens=32,
                concurrency=1,
                timeout=3600.0,
                cache=str(out / "kept"),
            )
            for number in waiting:
                missing = {"audio": "words alone", "video": "words alone"}
                seen = Observation(Path("none"), words[number], None, None, None, missing)
                score, about = asking.score(seen, RANGE)
                lines.append({"number": number, "score": score, "failed": about.get("failed")})
                with kept.open("a") as stream:
                    stream.write(json.dumps(lines[-1]) + "\n")
    chosen = [line for line in lines if line["number"] in set(map(int, order))]
    there = [line for line in chosen if line["score"] is not None]
    score_N = np.array([line["score"] for line in there])
    true_N = np.array([labels[line["number"]] for line in there])
    figures = {
        "model": model,
        "asked": len(chosen),
        "scored": len(there),
        "different scores": len(set(score_N.tolist())),
        **{name: round(float(value), 4) for name, value in metrics.evaluate(score_N, true_N, "mosi").items()},
    }
    (out / "metrics.json").write_text(json.dumps(figures, indent=1) + "\n")
    return figures


def _test_split() -> tuple[list[float], list[str]]:
    import csv

    if not DATA.is_dir():
        raise SystemExit("../shared/data/mosi is not beside this checkout: nothing to score")
    with (DATA / "label.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["mode"] == "test"]
    return [float(row["label"]) for row in rows], [row["text"].lower() for row in rows]


def main() -> None:
    """Score what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--clips", type=int, default=686)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    print(json.dumps(scored(given.out, model=given.model, clips=given.clips, threads=given.threads)))


if __name__ == "__main__":
    main()
