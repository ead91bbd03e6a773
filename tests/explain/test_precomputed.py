"""Files of explanations: ours and EMER-fine's are read back, and fit each clip once."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer
from small_corpora import write_corpus

from textmsa.errors import UserError
from textmsa.explain import can_score, check_clips, concurrency_of
from textmsa.explain.emer import emer_parts, read_emer_table
from textmsa.explain.precomputed import PrecomputedExplainer
from textmsa.explain.staged import ChatEndpointExplainer
from textmsa.prepare.command import prepare
from textmsa.prepare.explain import explain
from textmsa.store.reading import Store
from textmsa.types import Observation

PARTS: dict[str, Any] = {"audio": "outside_parts:Loudness", "video": "outside_parts:Brightness"}


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TEXTMSA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))


def test_explanations_are_read_back(tmp_path):
    write_corpus(tmp_path / "corpus", 5)
    with ChatServer() as server:
        explain(
            tmp_path / "corpus",
            explainer="chat_endpoint",
            explainer_options={"model": "m", "base_url": server.url},
            out=tmp_path / "e.jsonl",
            **PARTS,
        )
    prepare(
        tmp_path / "corpus", out=tmp_path / "store", explainer="precomputed", explanations=tmp_path / "e.jsonl", **PARTS
    )
    given = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
    assert len(given) == 5
    for sample, document in zip(Store.open(tmp_path / "store"), given, strict=True):
        assert sample.clip.id == document["id"]
        assert sample.explanation.video == document["video"]
        assert sample.explanation.provenance == document["provenance"]


def test_clips_without_an_explanation_are_failures(tmp_path):
    write_corpus(tmp_path / "corpus", 5)
    (tmp_path / "e.jsonl").write_text(json.dumps({"id": "000$_$1", "audio": "In the audio, joy."}) + "\n")
    result = prepare(
        tmp_path / "corpus", out=tmp_path / "store", explainer="precomputed", explanations=tmp_path / "e.jsonl", **PARTS
    )
    assert result.unexplained == 4
    assert "e.jsonl has no explanation of this clip" in (tmp_path / "store" / "failures.csv").read_text()
    (tmp_path / "e.jsonl").write_text(json.dumps({"id": "000$_$1", "audio": "In the audio, rage."}) + "\n")
    with pytest.raises(UserError, match="was begun otherwise"):
        prepare(
            tmp_path / "corpus",
            out=tmp_path / "store",
            explainer="precomputed",
            explanations=tmp_path / "e.jsonl",
            **PARTS,
        )


def test_emer_fine_is_read_in_its_paragraphs(tmp_path):
    english = (
        "In the video, a man frowns. He looks away. In the audio, his voice is low. In the text, the subtitle reads: "
        '"No." It is a refusal. Therefore, he is upset.'
    )
    parts = emer_parts(english)
    assert parts["video"] == "In the video, a man frowns. He looks away."
    assert parts["audio"] == "In the audio, his voice is low."
    assert parts["text"] == 'In the text, the subtitle reads: "No." It is a refusal.'
    assert parts["summary"] == "Therefore, he is upset."
    assert parts["reason"] == english
    table = tmp_path / "emer.csv"
    chinese = "视频中，他皱眉。音频中，声音低沉。因此，他不高兴。"
    quoted = english.replace('"', '""')
    table.write_text(f'name,chinese,english\nsample_1.mp4,{chinese},"{quoted}"\n')
    clip = tmp_path / "x" / "sample_1.mp4"
    told = PrecomputedExplainer(str(table)).explain(Observation(clip, None, None, None, None))
    assert (told.audio, told.reason) == ("In the audio, his voice is low.", english)
    told = PrecomputedExplainer(str(table), language="zh").explain(Observation(clip, None, None, None, None))
    assert (told.video, told.audio, told.summary) == ("视频中，他皱眉。", "音频中，声音低沉。", "因此，他不高兴。")


def write_bare(path: Path, *stems: str) -> PrecomputedExplainer:
    path.write_text("".join(json.dumps({"id": stem, "audio": "In the audio, joy."}) + "\n" for stem in stems))
    return PrecomputedExplainer(str(path))


def test_one_explanation_by_name_alone_is_not_told_of_two_clips(tmp_path):
    explainer = write_bare(tmp_path / "e.jsonl", "1", "2", "a$_$3", "3")
    clips = [Path("Raw/a/1.mp4"), Path("Raw/b/2.mp4"), Path("Raw/a/3.mp4"), Path("Raw/b/3.mp4"), Path("Raw/b/4.mp4")]
    check_clips(explainer, [*clips, clips[0]])  # the same clip again; one of the two 3 has its own
    with pytest.raises(
        UserError, match=r"explanation of '2' fits two clips, b/2.mp4 and a/2.mkv; give ids as"
    ) as error:
        check_clips(explainer, [*clips, Path("Raw/a/2.mkv")])
    assert "\n" not in str(error.value)


@pytest.fixture
def two_videos(tmp_path, monkeypatch) -> Path:
    """A corpus whose two videos each have a clip 0 to 4; what outside parts do to it is noted in calls.txt."""
    (tmp_path / "calls.txt").touch()
    monkeypatch.setenv("OUTSIDE_LOG", str(tmp_path / "calls.txt"))
    write_corpus(tmp_path / "corpus", 10)
    return tmp_path / "corpus"


def test_a_file_that_fits_two_clips_is_refused_before_anything_is_measured(two_videos, tmp_path):
    write_bare(tmp_path / "e.jsonl", "1")
    with pytest.raises(UserError, match=r"explanation of '1' fits two clips, 000/1.mp4 and 001/1.mp4"):
        prepare(two_videos, out=tmp_path / "s", explainer="precomputed", explanations=tmp_path / "e.jsonl", **PARTS)
    assert (tmp_path / "calls.txt").read_text() == ""


def test_an_explainer_of_statistics_looks_at_all_clips_before_it_explains_one(two_videos, tmp_path):
    with pytest.raises(UserError, match="10 clips are too many"):
        prepare(two_videos, out=tmp_path / "s", explainer="outside_parts:Choosy", **PARTS)
    assert "explain" not in (tmp_path / "calls.txt").read_text()


def test_a_file_that_has_changed_says_what_can_be_done_in_every_command(tmp_path):
    write_bare(tmp_path / "e.jsonl", "1")
    with pytest.raises(UserError, match=r"restore the file, or prepare \(and train\) again in another folder"):
        PrecomputedExplainer(str(tmp_path / "e.jsonl"), sha256="0" * 64)


def test_what_an_explainer_may_have_besides(tmp_path):
    plain = write_bare(tmp_path / "e.jsonl", "1")
    assert concurrency_of(plain) == 1
    assert not can_score(PrecomputedExplainer)
    assert can_score(ChatEndpointExplainer)
    assert concurrency_of(ChatEndpointExplainer(None, model="m", base_url="http://x/v1", concurrency=3)) == 3
    check_clips(ChatEndpointExplainer(None, model="m", base_url="http://x/v1"), [Path("a/1.mp4"), Path("b/1.mp4")])


def test_emer_tables_are_read_in_one_place(tmp_path):
    table = tmp_path / "emer.csv"
    strange = "In the video, a\u2028line of its own.\nAnd another."
    with table.open("w", newline="", encoding="utf-8-sig") as stream:
        writer = csv.writer(stream)
        writer.writerows([["name", "english", "mode"], ["x/a.b.mp4", strange, ""], ["c", "", ""], ["d", "He.", "test"]])
    found = read_emer_table(table, "en")
    assert [(d.row, d.name, d.stem, d.training) for d in found] == [(2, "a.b.mp4", "a.b", True), (4, "d", "d", False)]
    assert found[0].text == strange
    for language, message in (
        ("zh", "needs the columns name, chinese; it has name, english, mode"),
        ("fr", "not 'fr'"),
    ):
        with pytest.raises(UserError, match=message):
            read_emer_table(table, language)
    with pytest.raises(UserError, match="not UTF-8 text"):
        read_emer_table(table, "en", data=b"name,english\n\xff,b\n")
    with pytest.raises(UserError, match="not a table"):
        read_emer_table(table, "en", data=b"name,english\na," + b"b" * 200_000)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("e.jsonl", "{", "line 1: not JSON"),
        ("e.jsonl", "[]", "needs an 'id'"),
        ("e.jsonl", '{"id": "a"}', "none of audio"),
        ("e.jsonl", '{"id": "a", "audio": 1}', "must be text"),
        ("e.jsonl", '{"id": "a", "audio": "b"}\n{"id": "a", "audio": "b"}', "second explanation of 'a'"),
        ("e.jsonl", "\n", "holds no explanation"),
        ("e.csv", "name,english2\na,b\n", "needs the columns name, english; it has name, english2"),
    ],
)
def test_bad_files_of_explanations_are_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=message) as error:
        PrecomputedExplainer(str(tmp_path / name))
    assert "\n" not in str(error.value)
