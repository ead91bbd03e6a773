"""SmolLM2 learns the refiner's form by `textmsa finetune-explainer` (LoRA) on 300 pairs; base and taught are compared.

`python tests/real_models/teach.py STORE OUT` writes the pairs, the adapter, and OUT/taught.json: the loss on held-out
pairs and the share of held-out answers that keep to the form, of the base and of the taught model. Run again it goes
on: the training at its last checkpoint, the answers at the last one that was kept.
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any

from textmsa.errors import AnswerError
from textmsa.explain.answers import read_conclusion
from textmsa.explain.language_models.causal_lm import CausalLm
from textmsa.explain.language_models.question import Question
from textmsa.runtime.threads import in_threads
from textmsa.train.explainer import FinetuneRecipe, finetune_explainer

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
BATCH, MOST_TOKENS = 4, 256
FORM = re.compile(r"In the audio, .+In the text, the subtitle reads: .+Therefore, .+", re.DOTALL)
"""The paragraph that the refiner is asked for, of a clip of which nobody saw the face."""


def keeps_form(text: str) -> bool:
    """Whether an answer is the JSON object that was asked for, its reason in EMER's order of parts."""
    try:
        return FORM.fullmatch(read_conclusion(text)[1]) is not None
    except AnswerError:
        return False


def loss(model: CausalLm, lines: list[dict[str, Any]]) -> float:
    """Mean cross-entropy of the answers' tokens, in nats."""
    import torch

    summed, tokens = 0.0, 0
    for line in lines:
        asked, answer = (turn["value"] for turn in line["conversations"])
        item = model.inputs(Question(asked), (), answer)
        batch = model.collate([item], padding="right")
        with torch.inference_mode():
            learnt = int((batch["labels"] != -100).sum())
            summed += float(model.net(**batch).loss) * learnt
        tokens += learnt
    return summed / tokens


def said(model: CausalLm, lines: list[dict[str, Any]], kept: Path) -> list[str]:
    """The answers to the held-out questions; those that are there are not asked for again."""
    answers: dict[str, str] = json.loads(kept.read_text()) if kept.is_file() else {}
    waiting = [
        (n, Question(line["conversations"][0]["value"])) for n, line in enumerate(lines) if str(n) not in answers
    ]
    for number, answer in in_threads(model.ask, waiting, threads=BATCH):
        if isinstance(answer, Exception):
            raise answer
        answers[str(number)] = answer.text
        kept.write_text(json.dumps(answers, ensure_ascii=False, indent=1))
    return [answers[str(number)] for number in range(len(lines))]


def teach(
    store: Path, out: Path, *, train: int, held_out: int, epochs: int, answers: int | None = None
) -> dict[str, Any]:
    """The figures, which are also written down; the loss is of all held-out pairs, the form of the first `answers`."""
    from fetch import fetch
    from pairs import write_pairs

    if not (out / "train.jsonl").is_file():
        write_pairs(store, out, train=train, held_out=held_out)
    lines = [json.loads(line) for line in (out / "held_out.jsonl").read_text(encoding="utf-8").splitlines()]
    model = str(fetch("smollm2"))
    figures: dict[str, Any] = {}
    recipe = FinetuneRecipe(model=model, explainer="causal_lm", epochs=epochs, rank=16, alpha=32, learning_rate=5e-4)
    for name, adapter in (("base", None), ("taught", out / "adapter")):
        if adapter is not None:
            finetune_explainer(data=out / "train.jsonl", clips=out, out=adapter, recipe=recipe, device="cpu")
        asked = CausalLm(
            model,
            adapter=None if adapter is None else str(adapter),
            device="cpu",
            batch=BATCH,
            max_tokens=MOST_TOKENS,
        )
        texts = said(asked, lines[:answers], out / f"{name}.json")
        figures[name] = {
            "held_out_loss": round(loss(asked, lines), 4),
            "keeps_form": sum(map(keeps_form, texts)),
            "valid": sum(_valid(text) for text in texts),
            "of": len(texts),
        }
    (out / "taught.json").write_text(json.dumps(figures, indent=1) + "\n")
    return figures


def _valid(text: str) -> bool:
    try:
        return bool(read_conclusion(text))
    except AnswerError:
        return False


def main() -> None:
    """Teach and compare as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--train", type=int, default=300)
    parser.add_argument("--held-out", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--answers", type=int, help="held-out questions that are answered; all when not given")
    given = parser.parse_args()
    figures = teach(
        given.store,
        given.out,
        train=given.train,
        held_out=given.held_out,
        epochs=given.epochs,
        answers=given.answers,
    )
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
