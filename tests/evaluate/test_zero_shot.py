"""A language model's own scores: parsed strictly, missing where there is none, the same metrics."""

import csv
import json
from typing import Any

import numpy as np
import pytest
from chat_server import ChatServer, words_of
from small_corpora import write_corpus

from benchmarks.generated_store import generate_store
from textmsa import metrics
from textmsa.cli import main
from textmsa.errors import AnswerError, UserError
from textmsa.evaluate.compare import compare
from textmsa.evaluate.predictions import Predictions
from textmsa.evaluate.zero_shot import zero_shot
from textmsa.explain.answers import read_score
from textmsa.prepare.command import prepare
from textmsa.types import Explanation

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


class Scorer:
    """An explainer as an outsider would write one, with a language model that is a rule."""

    name, version, needs_statistics, concurrency = "scorer", "1", False, 1

    def __init__(self, sure: bool = True) -> None:
        self.sure = sure

    @staticmethod
    def fit(observations):
        return {}

    def explain(self, observation):
        return Explanation()

    def score(self, observation, score_range):
        place = int(observation.path.stem)
        if place % 4 == 0:
            raise RuntimeError("the model\nfell over")
        if place % 4 == 1:
            return None, {"failed": "gone", "tokens_in": 2}
        return score_range[1], {"tokens_in": 3, "tokens_out": 1}


def scored(tmp_path, **options):
    """Of a generated store, whose clips' files are numbered."""
    store = generate_store(tmp_path / "store", clips=40)
    name = f"{__name__}:Scorer"
    return store, zero_shot(store.path, explainer=name, out=tmp_path / "z", explainer_options=options)


def test_what_breaks_down_on_a_clip_is_counted_and_the_others_go_on(tmp_path):
    store, result = scored(tmp_path)
    assert (result.clips, result.scored) == (8, 4)
    assert result.missing == {"RuntimeError": 2, "gone": 2}
    assert (result.tokens_in, result.tokens_out, result.cost) == (16, 4, None)
    lines = [json.loads(line) for line in (tmp_path / "z" / "answers.jsonl").read_text().splitlines()]
    assert lines[0]["failed"] == "score: RuntimeError: the model"
    # The table says what it is, and compares with another on the clips that have a score.
    table = Predictions.load(tmp_path / "z" / "predictions.csv")
    assert table.origin is not None and table.origin.command == "zero-shot"
    assert table.origin.store.path == str(store.path)
    assert table.origin.explainer is not None and table.origin.explainer.version == "1"
    comparison = compare(tmp_path / "z" / "predictions.csv", tmp_path / "z" / "predictions.csv")
    assert comparison.clips == 4
    assert "4 clips without a score in A or in B left out" in comparison.text()


def test_clips_of_a_corpus_that_cannot_be_prepared_are_counted(tmp_path, capsys):
    write_corpus(tmp_path / "corpus", 5)
    (tmp_path / "corpus" / "Raw" / "000" / "0.mp4").write_bytes(b"no film")
    options = ["--explainer", "echo", "--out", str(tmp_path / "z")]
    assert main(["zero-shot", str(tmp_path / "corpus"), *options]) == 1
    assert "1 of 1 clips scored\n  1 of the corpus skipped (see failures.csv" in capsys.readouterr().out
    document = json.loads((tmp_path / "z" / "metrics.json").read_text())
    assert (document["scored"], document["skipped"]) == (1, 1)
    assert "textmsa" in document["made"]["packages"]
    assert main(["zero-shot", str(tmp_path / "z" / "store"), *options]) == 0


def test_an_option_that_the_explainer_does_not_have_is_one_line(tmp_path):
    with pytest.raises(UserError, match="cannot be built with the options") as raised:
        scored(tmp_path, surely=True)
    assert "\n" not in str(raised.value)


def test_a_split_that_there_is_not_is_refused(tmp_path):
    with pytest.raises(UserError, match="--split 'exam'"):
        zero_shot(tmp_path, explainer=f"{__name__}:Scorer", out=tmp_path / "z", split="exam")


def test_an_explainer_without_a_language_model_is_refused(tmp_path):
    with pytest.raises(UserError, match="no language model"):
        zero_shot(tmp_path, explainer="measured", out=tmp_path / "z")
