"""A language model's own scores: parsed strictly, missing where there is none, the same metrics."""

import csv
import json
from typing import Any

import numpy as np
import pytest
from chat_server import ChatServer, words_of
from small_corpora import write_corpus

from textmsa import metrics
from textmsa.errors import AnswerError, UserError
from textmsa.evaluate.zero_shot import zero_shot
from textmsa.explain.answers import read_score
from textmsa.prepare.command import prepare

PARTS: dict[str, Any] = {"audio": "outside_parts:Loudness", "video": "outside_parts:Brightness"}


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TEXTMSA_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("text", ['{"score": 1.5}', '```json\n{"score": 1.5}\n```', ' {"score": 1.5, "why": "x"} '])
def test_a_score_is_read(text):
    assert read_score(-3, 3)(text) == 1.5


@pytest.mark.parametrize(
    "text",
    [
        *("1.5", "[1.5]", "score: 1.5", "positive", '{"sentiment": 1}', '{"score": 1} {"score": 2}'),
        *('{"score": "1.5"}', '{"score": 4}', '{"score": NaN}', '{"score": true}', '{"score": null}'),
    ],
)
def test_nothing_else_is_taken_for_a_score(text):
    with pytest.raises(AnswerError):
        read_score(-3, 3)(text)


def test_unparsed_answers_are_missing_and_the_rest_has_the_usual_metrics(tmp_path):
    rows = write_corpus(tmp_path / "corpus", 20)
    prepare(tmp_path / "corpus", out=tmp_path / "store", explainer="outside_parts:Quoting", **PARTS)

    def script(words, times):
        return (
            "refusal" if "number 9\n" in words else "wrong" if "number 14\n" in words or "cannot be" in words else None
        )

    with ChatServer(script=script) as server:
        given = {"model": "m", "base_url": server.url, "hears": True}
        result = zero_shot(tmp_path / "store", explainer="chat_endpoint", explainer_options=given, out=tmp_path / "z")
        asked = len(server.requests)
        zero_shot(tmp_path / "store", explainer="chat_endpoint", explainer_options=given, out=tmp_path / "z")
        assert len(server.requests) == asked + 3  # the two without a score, one of them with its repair
    content = server.requests[0]["messages"][0]["content"]
    assert {part["type"] for part in content} == {"text", "image_url", "input_audio"}
    assert "from -3 (as negative as can be) over 0" in words_of(server.requests[0])
    assert (result.clips, result.scored, result.exit_code) == (4, 2, 1)
    assert result.missing == {"refused": 1, "wrong JSON": 1}
    labels = [float(row["label"]) for row in rows if row["mode"] == "test"]
    kept = [labels[0], labels[3]]
    expected = metrics.evaluate(np.array([0.5, 0.5]), np.array(kept), "mosi")
    assert result.metrics == pytest.approx(expected, nan_ok=True)
    assert result.middle_mae == pytest.approx(np.mean([abs(0.5 - kept[0]), *map(abs, labels[1:3]), abs(0.5 - kept[1])]))
    with (tmp_path / "z" / "predictions.csv").open() as stream:
        assert [row["score"] for row in csv.DictReader(stream)] == ["0.500000", "", "", "0.500000"]
    assert json.loads((tmp_path / "z" / "metrics.json").read_text())["scored"] == 2
    assert "2 of 4 clips scored" in result.text()


def test_an_explainer_without_a_language_model_is_refused(tmp_path):
    with pytest.raises(UserError, match="no language model"):
        zero_shot(tmp_path, explainer="measured", out=tmp_path / "z")
