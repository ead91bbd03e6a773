"""A model of words alone learns conversations without a clip; a table of described clips has nothing for it."""

import json

import pytest
import tiny_checkpoints as tiny

from textmsa.errors import UserError
from textmsa.explain.language_models.causal_lm import CausalLm
from textmsa.explain.language_models.question import Question
from textmsa.train.described_clips import DescribedClips
from textmsa.train.explainer import FinetuneRecipe, finetune_explainer


def write_conversations(path, *, clip: str | None = None):
    turns = [{"from": "human", "value": "How does it sound?"}, {"from": "gpt", "value": "Glad."}]
    line = {"conversations": turns} | ({} if clip is None else {"video": clip})
    path.write_text(f"{json.dumps(line)}\n" * 2)
    return path


def test_words_are_learnt_without_a_clip(tmp_path):
    model = tiny.causal_lm(tmp_path / "model")
    recipe = FinetuneRecipe(model=str(model), explainer="causal_lm", rank=4, alpha=8, epochs=2, learning_rate=1e-2)
    data, out = write_conversations(tmp_path / "said.jsonl"), tmp_path / "out"
    result = finetune_explainer(data=data, clips=tmp_path, out=out, recipe=recipe, device="cpu")
    assert (result.examples, result.left_out) == (2, {})
    assert result.losses[-1] < result.losses[0]
    taught = CausalLm(str(model), adapter=str(out), device="cpu", max_tokens=3)
    assert taught.ask(Question("How does it sound?")).tokens_out > 0
    assert finetune_explainer(data=data, clips=tmp_path, out=out, recipe=recipe, device="cpu").finished_before


def test_a_named_clip_is_not_decoded(tmp_path):
    described = DescribedClips(write_conversations(tmp_path / "said.jsonl", clip="gone.mp4"), tmp_path)
    assert [example.shows for example in described.read(sees=False, hears=False)] == [(), ()]


def test_what_has_nothing_for_it_is_one_line(tmp_path):
    (tmp_path / "emer.csv").write_text("name,english\n1.mp4,In the video a smile.\n")
    with pytest.raises(UserError, match=r"words alone learns conversations; give a \.jsonl"):
        DescribedClips(tmp_path / "emer.csv", tmp_path).read(sees=False, hears=False)
    with pytest.raises(UserError, match="needs video and conversations"):
        DescribedClips(write_conversations(tmp_path / "said.jsonl"), tmp_path).read(sees=True, hears=False)
