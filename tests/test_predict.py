"""A run with its built parts: what is loaded when, and what people are shown."""

import json
from dataclasses import replace

import outside_parts
import pytest

import textmsa
from textmsa.errors import UserError
from textmsa.predict import PredictResult, as_text, polarity, predict, predict_clip


def clip_of(tiny_run, number: int = 0):
    return sorted(tiny_run.corpus.rglob("*.mp4"))[number]


def test_a_predictor_builds_its_parts_once_and_scores_as_each_clip_alone(tiny_run, monkeypatch):
    built = []
    for class_ in (outside_parts.Loudness, outside_parts.Brightness, outside_parts.Quoting):
        monkeypatch.setattr(class_, "__init__", lambda self, name=class_.__name__: built.append(name))
    predictor = textmsa.load(tiny_run.path)
    together = [predictor.predict(clip_of(tiny_run, i), text=f"sentence {i}") for i in range(3)]
    assert sorted(built) == ["Brightness", "Loudness", "Quoting"]
    alone = [predict_clip(predictor.run, clip_of(tiny_run, i), f"sentence {i}") for i in range(3)]
    assert [p.score for p in together] == pytest.approx([p.score for p in alone], abs=1e-6)
    assert [p.seconds["load"] > 0 for p in together] == [True, False, False]


def test_a_path_may_be_text(tiny_run):
    predictor = textmsa.load(str(tiny_run.path))
    assert predictor.predict(str(clip_of(tiny_run))).missing == {"text": "no transcript"}


def test_the_command_gives_text_or_json_and_prints_nothing(tiny_run, capsys):
    result = predict(tiny_run.path, clip_of(tiny_run), text="Fine.", json=True)
    assert json.loads(result.text())["transcript"] == "Fine."
    assert PredictResult(result.prediction).text().splitlines()[0].endswith(result.prediction.polarity)
    assert capsys.readouterr().out == ""


def test_an_explainers_failure_is_shown_with_its_reason(tiny_run):
    prediction = predict_clip(textmsa.Run.open(tiny_run.path), clip_of(tiny_run), "Fine.")
    failed = {"failed": "audio: HTTP 500"}
    shown = as_text(replace(prediction, explanation=textmsa.Explanation(provenance=failed)))
    assert "not explained: the explainer failed" in shown
    assert "explainer failed  audio: HTTP 500" in shown


def test_an_explainer_that_raises_is_told_of_and_the_clip_is_scored(tiny_run):
    predictor = textmsa.load(tiny_run.path)
    parts = replace(predictor.parts, explainer=outside_parts.Mute())
    prediction = textmsa.Predictor(predictor.run, parts=parts).predict(clip_of(tiny_run, 2), text="Fine.")
    assert prediction.explanation.provenance["failed"] == "RuntimeError: no words"
    assert "RuntimeError: no words" in as_text(prediction)


@pytest.mark.parametrize("content", [None, b"", b"no film at all"])
def test_a_file_that_cannot_be_used_is_one_line(tiny_run, tmp_path, content):
    if content is not None:
        (tmp_path / "x.mp4").write_bytes(content)
    with pytest.raises(UserError, match=r"x\.mp4: .*give a video or audio file") as error:
        textmsa.load(tiny_run.path).predict(tmp_path / "x.mp4")
    assert "\n" not in str(error.value)


def test_other_extractors_than_the_runs_are_refused_when_it_is_loaded(tiny_run, monkeypatch):
    monkeypatch.setattr(outside_parts.Loudness, "version", "2")
    with pytest.raises(UserError, match="audio version '2' instead of '1'"):
        textmsa.load(tiny_run.path)


def test_polarity_has_a_neutral_middle():
    assert [polarity(score, (-3, 3)) for score in (-1, -0.1, 0.1, 0.2)] == [
        "negative",
        "neutral",
        "neutral",
        "positive",
    ]
