"""The page of a run: figures, left-out baselines and clips, nothing from elsewhere, words as words."""

import html
import json
from typing import Any

import pytest
from network_fixtures import save_tiny_encoder, small_recipe
from small_corpora import write_corpus, write_table

from textmsa.evaluate.baselines import IN_WORDS, NAMES
from textmsa.evaluate.command import evaluate
from textmsa.model import text_encoder
from textmsa.prepare.command import prepare
from textmsa.report.run import write_report
from textmsa.train.command import train

PARTS: dict[str, Any] = {"audio": "outside_parts:Loudness", "video": "outside_parts:Blind"}


def test_the_page_of_a_run_shows_what_was_measured_and_what_was_left_out(tmp_path, monkeypatch):
    rows = write_corpus(tmp_path / "corpus", 20)
    for row in rows:
        row["text"] = "" if row["mode"] == "train" else "<b>words</b>"
    write_table(tmp_path / "corpus", rows)
    prepare(tmp_path / "corpus", out=tmp_path / "store", explainer="outside_parts:Quoting", **PARTS)
    encoder = save_tiny_encoder(tmp_path / "encoder")
    located = text_encoder.encoder_location
    monkeypatch.setattr(
        text_encoder, "encoder_location", lambda name: str(encoder) if name == "minilm" else located(name)
    )
    run = tmp_path / "run"
    train(small_recipe(encoder), data=tmp_path / "store", out=run, device="cpu", seeds="1,2")
    evaluation = evaluate(run, data=tmp_path / "store")
    assert "ridge_text            left out: no training clip has a transcript" in evaluation.text()
    page = write_report(tmp_path / "report.html", run=run, store=tmp_path / "store", evaluation=evaluation).read_text()
    assert "left out: no training clip has a transcript" in page
    assert f"{evaluation.metrics['mae']:.3f}" in page
    assert evaluation.baselines.keys() and not [name for name in NAMES if "_" in name and name in page]
    assert all(f"<td>{html.escape(IN_WORDS[name])}</td>" in page for name in evaluation.baselines)
    assert "One seed's network: MAE" in page
    told, given = page.split('<script type="application/json" id="data">')
    assert "\\u003cb>words" in given and "<b>words" not in page
    assert told.count("<img src='data:image/") == 4
    assert told.count("<script") == 0
    assert "http:" not in told and "https:" not in told
    (player, *_) = players = json.loads(given.partition("</script>")[0])
    assert told.count("<div class='clip'>") == len(players) > 0
    prediction = player["prediction"]
    assert prediction["base"] + sum(prediction["contributions"].values()) == pytest.approx(
        prediction["score"], abs=1e-3
    )
    assert prediction["over_time"] and prediction["tracks"]["peaks"]
    assert f"predicted {prediction['score']:+.2f}" in told
    assert told.index("What counted") < told.index("How well") < told.index("network's experts")
