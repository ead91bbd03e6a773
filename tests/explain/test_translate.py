"""`--translate en`: transcripts that have no English get it from the explainer's language model, with provenance."""

import json
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, words_of
from network_fixtures import save_tiny_encoder, small_recipe
from small_corpora import COLUMNS, rows_of, write_clip, write_table

from textmsa.cli import main
from textmsa.config import Recipe
from textmsa.errors import UserError
from textmsa.prepare.command import prepare
from textmsa.prepare.explain import explain
from textmsa.store.reading import Store
from textmsa.train.command import train

TESTS = Path(__file__).parents[1]
PARTS: dict[str, Any] = {"audio": "outside_parts:Loudness", "video": "outside_parts:Brightness", "workers": 1}


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TEXTMSA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(TESTS))


@pytest.fixture
def corpus(tmp_path) -> Path:
    """Five clips: one with a translation, one without a transcript."""
    rows = [row | {"text": f"第{place}句话", "text_en": ""} for place, row in enumerate(rows_of(5))]
    rows[0]["text_en"], rows[1]["text"] = "The corpus' own words.", ""
    write_table(tmp_path / "corpus", rows, [*COLUMNS, "text_en"])
    for seed, row in enumerate(rows):
        write_clip(tmp_path / "corpus" / "Raw" / row["video_id"] / f"{row['clip_id']}.mp4", seed=seed)
    return tmp_path / "corpus"


def options(server, **more):
    return {"model": "m", "base_url": server.url, "timeout": 2.0, "concurrency": 2, **more}


def english(store: Path) -> list[str | None]:
    return [sample.clip.transcript_en for sample in Store.open(store)]


def translations(server) -> list[str]:
    return [words_of(request) for request in server.requests if words_of(request).startswith("Translate")]


def test_what_has_no_english_is_translated_once_and_for_all(corpus, tmp_path):
    with ChatServer() as server:
        given = {"explainer": "chat_endpoint", "explainer_options": options(server), "translate": "en", **PARTS}
        explain(corpus, out=tmp_path / "e.jsonl", **given)
        assert english(tmp_path / "e.store") == ["The corpus' own words.", None, *["It was a joy."] * 3]
        assert len(translations(server)) == 3
        asked = len(server.requests)
        again = explain(corpus, out=tmp_path / "e.jsonl", **given)
        assert len(server.requests) == asked
        assert again.prepared is not None
        assert not again.prepared.changed
    lines = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
    made = lines[2]["provenance"]
    assert made["text_en"] == "It was a joy."
    assert made["stages"]["translate"]["prompt"] == "translate.en"
    assert "text_en" not in lines[0]["provenance"]
    # A store made from the file has them too.
    prepare(corpus, out=tmp_path / "read", explainer="precomputed", explanations=tmp_path / "e.jsonl", **PARTS)
    assert english(tmp_path / "read") == english(tmp_path / "e.store")


def test_a_network_trains_on_the_translations(corpus, tmp_path):
    with ChatServer() as server:
        given = {"explainer": "chat_endpoint", "explainer_options": options(server)}
        prepare(corpus, out=tmp_path / "with", translate="en", **given, **PARTS)
        prepare(corpus, out=tmp_path / "without", **given, **PARTS)
    base = small_recipe(save_tiny_encoder(tmp_path / "encoder"))
    recipe = Recipe(model=base.model, inputs=type(base.inputs)(text_input="translated"), training=base.training)
    found = {
        name: train(recipe, data=tmp_path / name, out=tmp_path / f"run-{name}", device="cpu").info.valid["mae"]
        for name in ("with", "without")
    }
    assert found["with"] != found["without"]


def test_a_translation_that_fails_is_a_failure_and_no_text(corpus, tmp_path):
    script = {True: "refusal", False: None}
    with ChatServer(script=lambda words, times: script[words.startswith("Translate")]) as server:
        given = {"explainer": "chat_endpoint", "explainer_options": options(server), "translate": "en", **PARTS}
        done = prepare(corpus, out=tmp_path / "store", **given)
    assert done.unexplained == 3
    assert english(tmp_path / "store") == ["The corpus' own words.", *[None] * 4]
    sample = list(Store.open(tmp_path / "store"))[2]
    assert sample.explanation.summary
    assert sample.explanation.provenance["failed"].startswith("translate: refused")


def test_without_a_language_model_or_a_prompt_there_is_no_translation(corpus, tmp_path, capsys):
    with pytest.raises(UserError, match="'measured' has no language model"):
        prepare(corpus, out=tmp_path / "store", translate="en", **PARTS)
    arguments = ["explain", str(corpus), "--out", str(tmp_path / "e.jsonl"), "--explainer", "chat_endpoint"]
    arguments += ["--explainer-options.model", "m", "--explainer-options.base_url", "http://127.0.0.1:9/v1"]
    assert main([*arguments, "--translate", "fr", "--audio", PARTS["audio"], "--video", PARTS["video"]]) == 2
    assert "explainer option translate 'fr': give en" in capsys.readouterr().err
