"""`textmsa explain-report`: the figures are those of the file; the page holds text, never markup of a clip."""

import json
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer
from network_fixtures import save_tiny_encoder, small_recipe
from small_corpora import rows_of, write_clip, write_table

from textmsa.cli import main
from textmsa.errors import UserError
from textmsa.evaluate.ablate import ablate
from textmsa.prepare.explain import explain
from textmsa.report.explanations import ExplainedClip, count_words, explain_report, kind
from textmsa.report.html_page import write_page
from textmsa.types import Explanation

TESTS = Path(__file__).parents[1]
PARTS: dict[str, Any] = {"audio": "outside_parts:Loudness", "video": "outside_parts:Brightness"}
MARKUP = "<script>alert('!')</script>"


@pytest.fixture(scope="module")
def explained(tmp_path_factory):
    """Ten clips explained by a server that refuses two questions."""
    folder = tmp_path_factory.mktemp("explained")
    patch = pytest.MonkeyPatch()
    patch.setenv("TEXTMSA_CACHE", str(folder / "cache"))
    patch.setenv("PYTHONPATH", str(TESTS))
    rows = rows_of(10)
    rows[0]["text"] = MARKUP
    rows[1]["text"] = " ".join(["long"] * 90)
    write_table(folder / "corpus", rows)
    for seed, row in enumerate(rows):
        write_clip(folder / "corpus" / "Raw" / row["video_id"] / f"{row['clip_id']}.mp4", seed=seed)
    refusals = iter(["refusal"] * 2)

    def script(words, times):
        return next(refusals, None) if "Describe" in words else None

    with ChatServer(script=script) as server:
        options = {"model": "m", "base_url": server.url, "price_in": 1.0, "price_out": 2.0, "concurrency": 1}
        explain(
            folder / "corpus",
            explainer="chat_endpoint",
            out=folder / "e.jsonl",
            explainer_options=options,
            workers=1,
            **PARTS,
        )
    yield folder / "e.jsonl"
    patch.undo()


def records(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_the_figures_are_those_of_the_file(explained, tmp_path):
    found = explain_report(explained, out=tmp_path / "page.html")
    lines = records(explained)
    failed = [line for line in lines if "failed" in line["provenance"]]
    assert 0 < len(failed) == found.failed < found.clips == len(lines) == 10
    for part in ("audio", "video", "text", "summary", "reason"):
        assert found.coverage[part] == sum(line[part] is not None for line in lines)
    assert {stage for stage, _ in found.failures} == {"video", "text"}
    assert {name for ids in found.failures.values() for name in ids} == {line["id"] for line in failed}
    stages = [stage for line in lines for stage in line["provenance"]["stages"].values() if "tokens_in" in stage]
    assert found.cost["questions"] == len(stages)
    assert found.cost["tokens in"] == sum(stage["tokens_in"] for stage in stages)
    assert found.cost["cost"] == pytest.approx(sum(stage["cost"] for stage in stages))
    assert f"10 clips, {len(failed)} of them failed" in found.text()
    assert "are cut at 50 word pieces" in found.text()


def test_texts_longer_than_the_network_reads_are_counted(explained, tmp_path):
    found = explain_report(explained, out=tmp_path / "page.html")
    assert found.cut("residual") == sum(count > 50 for count in found.pieces["residual"]) >= 1
    assert max(found.pieces["residual"]) > 90
    assert explain_report(explained, out=tmp_path / "page.html", max_text_length=200).cut("residual") == 0


def test_the_page_needs_nothing_else_and_shows_words_as_words(explained, tmp_path):
    page = explain_report(explained, out=tmp_path / "page.html").page.read_text()
    told, given = page.split('<script type="application/json" id="data">')
    given, _, scripts = given.partition("</script>")
    assert told.count("<script") == 0 and scripts.count("<script") == 1  # our own
    players = json.loads(given)
    assert [one["place"] for one in players] == [f"clip-{number}" for number in range(len(players))]
    assert {one["explained"]["transcript"] for one in players} >= {MARKUP}
    assert all(one["address"].startswith("data:video/mp4;base64,") for one in players)
    assert all(one["explained"]["tracks"]["peaks"] for one in players)
    assert "http://" not in told.replace("http://127.0.0.1", "")
    assert "failed:" in told and "open-help" in told


def test_a_page_that_plays_nothing_offers_no_keys(tmp_path):
    page = write_page(tmp_path / "page.html", "nothing", ["<p>nothing</p>"]).read_text()
    assert "open-help" not in page.partition("<script")[0]


def test_what_contradicts_measurements_is_shown_first(tmp_path):
    check = {"modality": "audio", "claim": "loud", "fact": "loudness", "grade": 0, "verdict": "contradicts"}
    lines = [
        {"id": "a$_$1", "audio": "A quiet voice.", "provenance": {"explainer": "x"}},
        {"id": "a$_$2", "audio": "A loud voice.", "provenance": {"checks": [check]}},
    ]
    (tmp_path / "e.jsonl").write_text("\n".join(map(json.dumps, lines)))
    found = explain_report(tmp_path / "e.jsonl")
    assert found.contradicted == [("a$_$2", check)]
    assert found.verdicts["loudness"]["contradicts"] == 1
    page = found.page.read_text()
    assert page.index("<h3>a$_$2</h3>") < page.index("<h3>a$_$1</h3>")


def test_what_should_not_be_there_is_counted_and_shown_as_words(tmp_path):
    flag = {"part": "audio", "kind": "echo of the transcript", "words": "i love <b>rivers"}
    line = {"id": "a$_$1", "audio": "I love <b>rivers.", "provenance": {"explainer": "x", "flags": [flag]}}
    (tmp_path / "e.jsonl").write_text(json.dumps(line))
    found = explain_report(tmp_path / "e.jsonl")
    assert found.flagged == [("a$_$1", flag)]
    assert "flagged 1 clips: echo of the transcript 1" in found.text()
    assert "i love &lt;b&gt;rivers" in found.page.read_text()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no explanation"),
        (b'{"id": "a"}\n{', "none of audio"),
        (b"{\n", "line 1: not JSON"),
        (b"\xff", "UTF-8"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path, capsys, content, message):
    (tmp_path / "e.jsonl").write_bytes(content)
    assert main(["explain-report", str(tmp_path / "e.jsonl")]) == 2
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1
    assert not (tmp_path / "e.html").exists()


def test_a_store_of_other_clips_is_refused(explained, tmp_path):
    (tmp_path / "e.jsonl").write_text('{"id": "other$_$1", "audio": "A voice."}\n')
    with pytest.raises(UserError, match="has none of the clips"):
        explain_report(tmp_path / "e.jsonl", data=explained.with_name("e.store"))


def test_reasons_of_one_kind_count_together():
    assert kind("HTTP 429 after 3 tries: 'x'") == kind("HTTP 500 after 7 tries: 'y'")
    told = ExplainedClip("a", Explanation(provenance={"failed": "audio: refused; video: empty: after one repair"}))
    assert told.failed == {"audio": "refused", "video": "empty: after one repair"}
    assert ExplainedClip("a", Explanation(provenance={"failed": "gone"})).failed == {"explainer": "gone"}
    assert count_words("She's well-known, 她笑了。") == 5


def test_the_ablations_controls_run_on_such_explanations(explained, tmp_path):
    recipe = small_recipe(save_tiny_encoder(tmp_path / "encoder"))
    rows = ("explained_transcript", "explained_visual", "explained_audio", "explained_shuffled", "no_explanation")
    found = ablate(
        recipe, data=explained.with_name("e.store"), out=tmp_path / "out", rows=",".join(rows), seeds="1", device="cpu"
    )
    assert [row.name for row in found.rows] == ["full", *rows]
    assert len({round(row.mae[0], 6) for row in found.rows}) > 3  # what is told changes what is scored
