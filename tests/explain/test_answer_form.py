"""Answers held to a JSON schema: asked for where a server has it, learnt once where not, read strictly always."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
from chat_server import ChatServer, words_of

from textmsa.errors import AnswerError
from textmsa.explain.answers import CONCLUSION_FORM, read_conclusion, read_score, score_form
from textmsa.explain.language_models.answer_form import without_bounds
from textmsa.explain.language_models.chat_endpoint import ChatEndpoint
from textmsa.explain.language_models.question import Question
from textmsa.explain.staged import ChatEndpointExplainer
from textmsa.types import FeatureSequence, Observation


def observation(words: str = "It was good") -> Observation:
    """Words and a voice of 200 Hz, without a picture."""
    times_T = np.arange(0, 2.0, 0.05)
    voice = np.stack([np.full(len(times_T), np.log(200.0)), np.full(len(times_T), -100.0)], axis=1)
    audio = FeatureSequence(voice.astype(np.float32), times_T, ("log_f0", "mfcc_0"))
    return Observation(Path("none/1.mp4"), words, 2.0, audio, None, {"video": "no picture"})


def explainer(server, folder, **more) -> ChatEndpointExplainer:
    options = {"model": "m", "base_url": server.url, "timeout": 5.0, "retries": 0, "sees": False, **more}
    return ChatEndpointExplainer(None, cache=str(folder), **options)


def forms(server) -> list[dict | None]:
    """Of the requests for JSON, in their order, the schema that came with each."""
    asked = [r for r in server.requests if '"summary"' in words_of(r) or '"score"' in words_of(r)]
    return [r["response_format"]["json_schema"]["schema"] if "response_format" in r else None for r in asked]


def test_what_is_to_be_json_is_held_to_its_schema_and_sentences_are_not(tmp_path):
    with ChatServer() as server:
        told = explainer(server, tmp_path).explain(observation())
        score, about = explainer(server, tmp_path).score(observation(), (-3, 3))
    assert forms(server) == [CONCLUSION_FORM, score_form(-3, 3)]
    assert sum("response_format" in request for request in server.requests) == 2
    assert told.summary == "content, a smile"
    assert told.provenance["stages"]["refine"]["held_to_form"] is True
    assert "held_to_form" not in told.provenance["stages"]["text"]
    assert (score, about["stages"]["score"]["held_to_form"]) == (0.5, True)


@pytest.mark.parametrize(
    ("schemas", "refused", "taken"),
    [("without bounds", 1, without_bounds(CONCLUSION_FORM)), ("none", 2, None)],
)
def test_what_a_server_refuses_is_learnt_once_and_said_once(tmp_path, caplog, schemas, refused, taken):
    with ChatServer(schemas=schemas) as server, caplog.at_level(logging.WARNING, logger="textmsa"):
        asking = explainer(server, tmp_path)
        told = [asking.explain(observation(f"It was good {n} times")) for n in range(3)]
    assert [each.summary for each in told] == ["content, a smile"] * 3
    assert server.given["schema"] == refused
    assert forms(server)[refused:] == [taken] * 3
    assert [("held_to_form" in each.provenance["stages"]["refine"]) for each in told] == [taken is not None] * 3
    (said,) = [record.getMessage() for record in caplog.records]
    assert "\n" not in said
    assert "response_format is not supported" in said


def test_a_server_that_refuses_the_question_itself_is_not_thought_to_lack_schemas():
    """As one whose context is too small: without a schema it refuses too."""
    too_long = ChatServer(script=lambda words, times: "400" if "long" in words else None)
    with too_long as server:
        model = ChatEndpoint("m", server.url, retries=0)
        with pytest.raises(AnswerError, match="HTTP 400"):
            model.ask(Question("long", form=CONCLUSION_FORM))
        assert model.ask(Question("short", form=CONCLUSION_FORM)).held_to_form
    assert [("response_format" in request) for request in server.requests] == [True, True, False, True]


def test_it_can_be_left_out_and_then_answers_are_others(tmp_path):
    with ChatServer() as server:
        explainer(server, tmp_path).explain(observation())
        assert len(server.requests) == 3
        explainer(server, tmp_path, structured=False).explain(observation())
    assert [("response_format" in request) for request in server.requests] == [False, False, True, False]


def test_the_schemas_say_what_is_read():
    longest = {name: "a" * part["maxLength"] for name, part in CONCLUSION_FORM["properties"].items()}
    assert read_conclusion(json.dumps(longest)) == (longest["summary"], longest["reason"])
    for lacking in CONCLUSION_FORM["required"]:
        with pytest.raises(AnswerError):
            read_conclusion(json.dumps({name: "a" for name in longest if name != lacking}))
    bounds = score_form(-1, 1)["properties"]["score"]
    for end in (bounds["minimum"], bounds["maximum"]):
        assert read_score(-1, 1)(json.dumps({"score": end})) == end
        with pytest.raises(AnswerError):
            read_score(-1, 1)(json.dumps({"score": 1.1 * end}))
