"""A run with its built parts: what is loaded when, and what people are shown."""

import json
import logging
import shutil
from dataclasses import replace

import outside_parts
import pytest

import textmsa
from textmsa.errors import UserError
from textmsa.predict import Predictor, PredictResult, predict, predict_clip
from textmsa.prediction_text import as_text
from textmsa.scoring import polarity


def clip_of(tiny_run, number: int = 0):
    return sorted(tiny_run.corpus.rglob("*.mp4"))[number]


def test_a_predictor_builds_its_parts_once_and_scores_as_each_clip_alone(tiny_run, monkeypatch):
    built = []
    for class_ in (outside_parts.Loudness, outside_parts.Brightness, outside_parts.Quoting):
        monkeypatch.setattr(class_, "__init__", lambda self, name=class_.__name__: built.append(name))
    predictor = textmsa.load(tiny_run.path)
    assert isinstance(predictor, Predictor)
    together = [predictor.predict(clip_of(tiny_run, i), text=f"sentence {i}") for i in range(3)]
    assert sorted(built) == ["Brightness", "Loudness", "Quoting"]
    alone = [predict_clip(predictor.run, clip_of(tiny_run, i), f"sentence {i}") for i in range(3)]
    assert [p.score for p in together] == pytest.approx([p.score for p in alone], abs=1e-6)
    assert [p.seconds["load"] > 0 for p in together] == [True, False, False]


def test_a_path_may_be_text(tiny_run):
    predictor = textmsa.load(str(tiny_run.path))
    assert isinstance(predictor, Predictor)
    assert predictor.predict(str(clip_of(tiny_run))).missing == {"text": "no transcript"}
    assert textmsa.Run.open(str(tiny_run.path)).info == predictor.run.info


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
    assert isinstance(predictor, Predictor)
    parts = replace(predictor.parts, explainer=outside_parts.Mute())  # type: ignore[arg-type]
    prediction = textmsa.Predictor(predictor.run, parts=parts).predict(clip_of(tiny_run, 2), text="Fine.")
    assert prediction.explanation.provenance["failed"] == "RuntimeError: no words"
    assert "RuntimeError: no words" in as_text(prediction)


class Translating(outside_parts.Quoting):
    """Translates, and gives a reason."""

    def explain(self, observation):
        return textmsa.Explanation(reason="Because.", provenance={"text_en": "Good."})


@pytest.mark.parametrize(
    ("text_input", "without", "words"),
    [("translated", "no translation (text_en)", "Good."), ("reason", "the explanation has no reason", "Because.")],
)
def test_the_text_that_the_network_read_is_shown_not_the_transcript(tiny_run, text_input, without, words):
    predictor = textmsa.load(tiny_run.path)
    assert isinstance(predictor, Predictor)
    predictor.run.model.config.text_input = text_input
    bare = predictor.predict(clip_of(tiny_run), text="Gut.")
    assert (bare.missing, bare.text_read) == ({"text": without}, None)
    assert f"missing: {without}" in as_text(bare)
    parts = replace(predictor.parts, explainer=Translating())  # type: ignore[arg-type]
    whole = textmsa.Predictor(predictor.run, parts=parts).predict(clip_of(tiny_run), text="Gut.")
    assert (whole.missing, whole.transcript, whole.text_read) == ({}, "Gut.", words)
    assert f"  {words}" in as_text(whole)
    assert "Gut." not in as_text(whole)


def test_of_a_residual_text_the_transcript_is_shown_and_the_summary_once(tiny_run):
    prediction = textmsa.load(tiny_run.path).predict(clip_of(tiny_run), text="Fine.")
    assert prediction.text_read == "Fine."
    explained = replace(prediction, explanation=textmsa.Explanation(summary="Calm."), text_read="Fine. | Calm.")
    assert as_text(explained).count("Calm.") == 1


class Faint(outside_parts.Brightness):
    """Hears and sees, and can measure nothing."""

    def extract(self, media):
        sequence = super().extract(media)
        sequence.values_TF[:] = float("nan")
        return sequence


def test_a_modality_of_which_nothing_could_be_measured_is_missing(tiny_run):
    predictor = textmsa.load(tiny_run.path)
    assert isinstance(predictor, Predictor)
    parts = replace(predictor.parts, video=Faint())  # type: ignore[arg-type]
    prediction = textmsa.Predictor(predictor.run, parts=parts).predict(clip_of(tiny_run), text="Fine.")
    assert prediction.missing == {"video": "too little of it could be measured"}
    assert prediction.gates["video"] == 0


def test_only_the_command_compares_int8_with_fp32(tiny_run, monkeypatch, caplog):
    compared: list[list[int]] = []
    drift = textmsa.Run.drift

    def counted(run, samples, indices, scores):
        compared.append(indices)
        return drift(run, samples, indices, scores)

    monkeypatch.setattr(textmsa.Run, "drift", counted)
    textmsa.load(tiny_run.path, precision="int8").predict(clip_of(tiny_run), text="Fine.")
    assert compared == []
    with caplog.at_level(logging.INFO, "textmsa"):
        predict(tiny_run.path, clip_of(tiny_run), text="Fine.", precision="int8")
    assert compared == [[0]]
    assert "int8 against fp32 on 1 clip(s)" in caplog.text


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


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("kept", [None, 0.0, 0.5])
def test_a_damaged_network_is_one_line(tiny_run, tmp_path, name, kept):
    shutil.copytree(tiny_run.path, tmp_path / "run")
    damaged = tmp_path / "run" / "model" / name
    content = damaged.read_bytes()
    damaged.unlink()
    if kept is not None:
        damaged.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(UserError, match=r"model: damaged .*train again into another") as error:
        textmsa.load(tmp_path / "run")
    assert "\n" not in str(error.value)


def test_what_python_may_get_wrong_is_one_line(tiny_run, tmp_path):
    with pytest.raises(UserError, match=r"precision 'fp16': give one of fp32, int8"):
        textmsa.load(tiny_run.path, precision="fp16")  # type: ignore[arg-type]
    predictor = textmsa.Predictor(str(tiny_run.path))
    with pytest.raises(UserError, match="is a folder; give one video or audio file"):
        predictor.predict(tmp_path)
    with pytest.raises(UserError, match="text 5: give what is said as text"):
        predictor.predict(clip_of(tiny_run), text=5)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no clip to score"):
        predictor.run.score(textmsa.Store.open(tiny_run.store), [])


def test_seeds_may_be_numbers(tiny_run, tmp_path):
    trained = textmsa.train.train(tiny_run.recipe, data=tiny_run.store, out=tmp_path / "run", seeds=[3, 4])
    assert trained.info.seeds == [3, 4]
    with pytest.raises(UserError, match="a seed comes twice"):
        textmsa.train.train(tiny_run.recipe, data=tiny_run.store, out=tmp_path / "other", seeds=[1, 1])


def test_what_counted_sums_to_the_score_and_is_shown(tiny_run):
    prediction = textmsa.load(tiny_run.path).predict(clip_of(tiny_run), text="Fine.", contributions="all")
    assert prediction.base is not None
    assert prediction.base + sum(prediction.contributions.values()) == pytest.approx(prediction.score, abs=1e-5)
    assert [part.words for part in prediction.words] == ["Fine."]
    assert prediction.over_time and set(prediction.over_time[0].change) <= {"audio", "video"}
    shown = as_text(prediction)
    assert "from +" in shown or "from -" in shown
    assert "the mean label of the training clips" in shown
    assert 'the score less the score without it\n  without "Fine."' in shown
    assert "inner figures     gates text" in shown
    document = json.loads(PredictResult(prediction, json=True).text())
    assert document["words"][0]["change"] == pytest.approx(prediction.words[0].change)
    bare = textmsa.load(tiny_run.path).predict(clip_of(tiny_run))
    assert (bare.contributions["text"], bare.words, bare.over_time) == (0, [], [])


def test_an_interval_is_shown_or_why_there_is_none(tiny_run, tmp_path):
    from textmsa.intervals import Calibration
    from textmsa.runtime.atomic import file_sha256

    prediction = textmsa.load(tiny_run.path).predict(clip_of(tiny_run), text="Fine.")
    assert prediction.interval is None
    assert "interval          none: this run is not calibrated; textmsa calibrate" in as_text(prediction)
    run = shutil.copytree(tiny_run.path, tmp_path / "run")
    half, digest = 0.5, file_sha256(run / "run.json")
    source = "96 clips of 12 videos of corpus, set aside in training"
    facts = ("clip", "nothing", (-3.0, 3.0), source, "calibration", "content", digest, ["a"], "")
    Calibration({"0.9": half}, 96, 12, *facts).save(run)  # type: ignore[arg-type]
    sure = textmsa.load(run).predict(clip_of(tiny_run), text="Fine.")
    assert sure.interval is not None
    assert (sure.interval.low, sure.interval.high) == pytest.approx((sure.score - half, sure.score + half), abs=1e-6)
    assert (
        f"90% interval      {sure.interval.low:+.2f} to {sure.interval.high:+.2f} (calibrated on {source})"
        in as_text(sure)
    )
