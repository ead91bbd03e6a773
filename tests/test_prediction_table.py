"""Predictions as rows and as a pandas table."""

import math

import pytest

import textmsa
from textmsa.clip_predictor import ClipOutcome
from textmsa.prediction_table import COLUMNS, rows_of, to_pandas


@pytest.fixture(scope="module")
def outcomes(tiny_run) -> list[ClipOutcome]:
    clips = sorted(tiny_run.corpus.rglob("*.mp4"))
    given = [(clips[0], "Fine."), (tiny_run.path / "gone.mp4", "Fine."), (clips[1], None)]
    return list(textmsa.load(tiny_run.path).predict_many(given))


def test_a_row_holds_all_of_a_prediction(outcomes):
    row, prediction = rows_of(outcomes)[0], outcomes[0].prediction
    assert prediction is not None and tuple(row) == COLUMNS
    assert row["score"] == prediction.score and row["text"] == "Fine."
    parts = [row[f"contribution_{name}"] for name in ("text", "audio", "video")]
    assert row["base"] + sum(parts) == pytest.approx(row["score"], abs=1e-5)
    assert row["explanation_audio"] == prediction.explanation.audio
    assert (row["low"], row["failed"], row["start"]) == (None, None, None)


def test_a_table_has_numbers_and_texts_and_what_failed(outcomes):
    table = to_pandas(outcomes)
    assert tuple(table.columns) == COLUMNS and len(table) == 3
    assert str(table["score"].dtype) == str(table["low"].dtype) == "float64"
    assert math.isnan(table["score"][1]) and "no such file" in table["failed"][1]
    assert table["missing_text"][2] == "no transcript" and table["path"][0].endswith(".mp4")
    assert table[["score", "contribution_text"]].mean().notna().all()
    prediction = outcomes[0].prediction
    assert prediction is not None
    assert to_pandas(prediction)["score"].tolist() == to_pandas([prediction])["score"].tolist() == [prediction.score]
    empty = to_pandas([])
    assert tuple(empty.columns) == COLUMNS and empty["score"].dtype == "float64"
