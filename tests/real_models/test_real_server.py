"""A real chat-completions server with a real, small model: llama.cpp and SmolLM2-135M.

What it says is of no use and changes with the processor; that it comes through, is held to its form and is recorded
is what is tested.
"""

import json
import logging
import socket
from pathlib import Path

import numpy as np
import pytest

from textmsa.errors import AnswerError
from textmsa.explain.answers import CONCLUSION_FORM, read_conclusion
from textmsa.explain.language_models.chat_endpoint import ChatEndpoint
from textmsa.explain.language_models.question import Question
from textmsa.explain.staged import ChatEndpointExplainer
from textmsa.runtime.cache_folder import cache_folder
from textmsa.types import FeatureSequence, Observation

pytest.importorskip("xllamacpp", reason="no package xllamacpp: make test-slow installs it")
from real_models.fetch import MODELS
from real_models.server import real_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (cache_folder() / "real-models" / MODELS["smollm2"].file).is_file(),
        reason="SmolLM2 is not in the cache: make test-slow fetches it",
    ),
]


@pytest.fixture(scope="module")
def server():
    with real_server("smollm2", context=1024) as (address, _):
        yield address


def observation(words: str) -> Observation:
    """Words and a voice that rises, without a picture."""
    times_T = np.arange(0, 2.0, 0.05)
    voice = np.stack([np.log(np.linspace(150, 250, len(times_T))), np.full(len(times_T), -100.0)], axis=1)
    audio = FeatureSequence(voice.astype(np.float32), times_T, ("log_f0", "mfcc_0"))
    return Observation(Path("none/1.mp4"), words, 2.0, audio, None, {"video": "no picture"})


def explainer(address: str, folder: Path, **more) -> ChatEndpointExplainer:
    options = {"model": "smollm2", "base_url": address, "sees": False, "retries": 1, "timeout": 300.0, **more}
    return ChatEndpointExplainer(None, cache=str(folder), **{"max_tokens": 300, **options})


def test_a_clip_is_explained_translated_and_scored_by_a_real_model(server, tmp_path):
    asking = explainer(server, tmp_path, translate="en")
    told = asking.explain(observation("Es war ein guter Film."))
    stages = told.provenance["stages"]
    assert set(stages) == {"audio", "text", "refine", "translate"} - set(told.provenance.get("failed", "").split(": "))
    if "failed" not in told.provenance:
        assert stages["refine"]["held_to_form"]
        assert told.summary
        assert told.reason
    assert told.provenance["tokens_out"] > 0
    score, about = asking.score(observation("I loved every minute of it."), (-3, 3))
    assert about["stages"]["score"].get("held_to_form") or "score" in about["failed"]
    assert score is None or -3 <= score <= 3


def test_whatever_it_would_say_it_keeps_to_the_form(server):
    """Asked for something else on purpose: without a schema nothing of it could be read."""
    question = "Tell me a long story about a river."
    model = ChatEndpoint("smollm2", server, max_tokens=400, timeout=300.0)
    held = model.ask(Question(question, form=CONCLUSION_FORM))
    assert held.held_to_form
    summary, reason = read_conclusion(held.text)
    assert summary and reason
    free = ChatEndpoint("smollm2", server, max_tokens=40, timeout=300.0, structured=False).ask(Question(question))
    with pytest.raises(AnswerError):
        read_conclusion(free.text)


def test_a_schema_that_it_refuses_is_left_out_and_said_in_one_line(server, caplog):
    model = ChatEndpoint("smollm2", server, max_tokens=8, timeout=300.0)
    with caplog.at_level(logging.WARNING, logger="textmsa"):
        answer = model.ask(Question("Say yes.", form={"type": "no such type"}))
    assert answer.text
    assert not answer.held_to_form
    (said,) = [record.getMessage() for record in caplog.records]
    assert "refuses JSON schemas" in said
    assert "\n" not in said


def test_a_context_that_is_too_small_fails_one_clip_in_one_line(server, tmp_path):
    told = explainer(server, tmp_path, max_tokens=8).explain(observation("word " * 1500))
    assert "exceeds the available context size" in told.provenance["failed"]
    assert "\n" not in told.provenance["failed"]
    assert told.summary is None
    about = explainer(server, tmp_path, max_tokens=30).score(observation("It was good."), (-3, 3))[1]
    assert about["stages"]["score"]["held_to_form"], "a question too long is not taken for a schema refused"


def test_what_was_answered_before_a_server_died_is_not_asked_again(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with real_server("smollm2", context=1024, port=port) as (address, process):
        asking = explainer(address, tmp_path, max_tokens=30, retries=0)
        first, _ = asking.score(observation("It was good."), (-3, 3))
        process.kill()
        process.wait()
        score, about = asking.score(observation("It was bad."), (-3, 3))
    assert score is None
    assert about["failed"].startswith("score: connection lost")
    with real_server("smollm2", context=1024, port=port) as (address, _):
        asking = explainer(address, tmp_path, max_tokens=30, retries=0)
        again, kept = asking.score(observation("It was good."), (-3, 3))
        _, made = asking.score(observation("It was bad."), (-3, 3))
    assert (again, kept["stages"]["score"]["cached"]) == (first, True)
    assert json.dumps(made)
    assert made["stages"]["score"].get("cached") is False
