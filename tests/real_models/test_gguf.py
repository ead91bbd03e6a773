"""SmolLM2 out of its GGUF file in this process: it answers alone as in a batch, and learns by finetune-explainer."""

import json
from pathlib import Path

import pytest

from textmsa.errors import UserError
from textmsa.explain.language_models.causal_lm import CausalLm
from textmsa.explain.language_models.question import Answer, Question
from textmsa.runtime.cache_folder import cache_folder
from textmsa.runtime.threads import in_threads
from textmsa.train.explainer import FinetuneRecipe, finetune_explainer

pytest.importorskip("gguf", reason="no package gguf: make test-slow installs it")
from real_models.fetch import MODELS

MODEL = cache_folder() / "real-models" / MODELS["smollm2"].file
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not MODEL.is_file(), reason="SmolLM2 is not in the cache: make test-slow fetches it"),
]
QUESTIONS = ("What is the capital of France?", "Say one word.", "Name a colour, a fruit and a town in one sentence.")


def answers(model: CausalLm, questions=QUESTIONS) -> list[str]:
    outcomes = dict(in_threads(model.ask, [(text, Question(text)) for text in questions], threads=model.concurrency))
    assert all(isinstance(outcome, Answer) for outcome in outcomes.values()), outcomes
    return [outcomes[text].text for text in questions]  # type: ignore[union-attr]


def test_it_answers_in_a_batch_as_alone():
    alone = CausalLm(str(MODEL), device="cpu", max_tokens=12)
    said = answers(alone)
    assert "Paris" in said[0], "real weights, rightly read, with the checkpoint's own template"
    assert alone.identity()["model"] == MODEL.name
    assert alone.identity()["dtype"] == "float32"
    alone.concurrency = 3
    assert answers(alone) == said


def test_it_learns_goes_on_and_is_merged(tmp_path):
    """A sentence that nobody says by himself is learnt; the merged network says what the adapter says."""
    taught = "The moon is a wheel of cheese."
    lines = [
        {"conversations": [{"from": "human", "value": text}, {"from": "gpt", "value": taught}]} for text in QUESTIONS
    ]
    (tmp_path / "said.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    out = tmp_path / "adapter"
    recipe = FinetuneRecipe(
        model=str(MODEL), explainer="causal_lm", rank=8, alpha=16, dropout=0.0, epochs=12, learning_rate=2e-3,
        gradient_accumulation=3, warmup_fraction=0.0,
    )  # fmt: skip
    whole = finetune_explainer(data=tmp_path / "said.jsonl", clips=tmp_path, out=out, recipe=recipe, device="cpu")
    assert whole.losses[-1] < 0.2 * whole.losses[0]
    model = CausalLm(str(MODEL), adapter=str(out), device="cpu", max_tokens=12)
    said = answers(model)
    assert said == [taught] * 3
    merged = model.net.merge_and_unload()  # type: ignore[operator]
    merged.save_pretrained(tmp_path / "merged")
    model.tokenizer.save_pretrained(tmp_path / "merged")
    assert answers(CausalLm(str(tmp_path / "merged"), device="cpu", max_tokens=12)) == said


def test_what_is_lacking_is_one_line(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="no such file"):
        CausalLm(str(tmp_path / "gone.gguf"), device="cpu")
    (tmp_path / "broken.gguf").write_bytes(b"GGUF" + bytes(40))
    with pytest.raises(UserError, match="broken") as error:
        CausalLm(str(tmp_path / "broken.gguf"), device="cpu")
    assert "\n" not in str(error.value)
    table = tmp_path / "emer.csv"
    table.write_text("name,english\n1.mp4,In the video a smile.\n")
    with pytest.raises(UserError, match="words alone learns conversations"):
        finetune_explainer(
            data=table,
            clips=Path(tmp_path),
            out=tmp_path / "out",
            recipe=FinetuneRecipe(model=str(MODEL), explainer="causal_lm"),
            device="cpu",
        )
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None)
    with pytest.raises(UserError, match="pip install gguf"):
        CausalLm(str(MODEL), device="cpu")
