"""Explanations by language models: stages, trust, cache, failures; against a real server with faults on demand."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chat_server import ChatServer, words_of
from small_corpora import write_clip, write_corpus, write_table

from textmsa.errors import AnswerError, UserError
from textmsa.explain import can_score, check_clips, concurrency_of
from textmsa.explain.clip_answers import spread
from textmsa.explain.emer import emer_parts, read_emer_table
from textmsa.explain.language_models.chat_endpoint import ChatEndpoint
from textmsa.explain.language_models.minute_limit import MinuteLimit
from textmsa.explain.language_models.question import Question
from textmsa.explain.measured.checks import check
from textmsa.explain.measured.voice_facts import voice_facts
from textmsa.explain.precomputed import PrecomputedExplainer
from textmsa.explain.staged import ChatEndpointExplainer
from textmsa.prepare.command import prepare
from textmsa.prepare.explain import explain
from textmsa.store.reading import Store
from textmsa.types import Explanation, FeatureSequence, Observation

TESTS = Path(__file__).parent
PARTS: dict[str, Any] = {"audio": "outside_parts:Loudness", "video": "outside_parts:Brightness"}


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TEXTMSA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(TESTS))
    for name in ("TEXTMSA_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def options(server, **more):
    return {"model": "m", "base_url": server.url, "timeout": 1.0, "retries": 6, **more}


def observation(path: Path, transcript: str | None = "It was good", seconds: float = 2.0) -> Observation:
    """A voice of 200 Hz and a face, with the clip's file beside."""
    times_T = np.arange(0, seconds, 0.05)
    rng = np.random.default_rng(0)
    voice = np.stack([np.log(200 + 20 * rng.random(len(times_T))), -100 + 50 * rng.random(len(times_T))], axis=1)
    audio = FeatureSequence(voice.astype(np.float32), times_T, ("log_f0", "mfcc_0"))
    face = FeatureSequence(np.full((4, 2), 0.5, np.float32), np.arange(4.0), ("mouthSmileLeft", "mouthSmileRight"))
    missing = {} if transcript else {"text": "no transcript"}
    return Observation(path, transcript, seconds, audio, face, missing)


@pytest.fixture
def clip(tmp_path) -> Path:
    path = tmp_path / "one" / "1.mp4"
    write_clip(path, seed=1)
    return path


def asked(server) -> list[str]:
    return [words_of(request) for request in server.requests]


def test_a_clip_is_described_by_modality_and_then_refined(clip):
    with ChatServer() as server:
        told = ChatEndpointExplainer(None, **options(server)).explain(observation(clip))
    clues = told.video or "", told.audio or "", told.text or ""
    for clue, start in zip(clues, ("In the video,", "In the audio,", "In the text,"), strict=True):
        assert clue.startswith(start)
    assert (told.summary, told.reason) == ("content, a smile", "In the video, a smile. Therefore, content.")
    face, voice, words, conclusion = asked(server)
    assert "It was good" not in face + voice
    assert "200 Hz" not in face + words
    assert "It was good" in words
    for part in (*clues, "It was good"):
        assert part in conclusion
    made = told.provenance
    assert made["explainer"] == "chat_endpoint"
    assert made["model"]["model"] == "m"
    assert made["audio_from"] == "measured facts"
    assert set(made["stages"]) == {"video", "audio", "text", "refine"}
    assert made["stages"]["video"]["prompt"] == "describe_video.en"
    assert made["stages"]["video"]["frames"]
    assert (made["tokens_in"], made["tokens_out"]) == (400, 40)
    assert "failed" not in made
    json.dumps(made)


def test_frames_and_sound_arrive_as_pictures_with_their_times_and_as_a_wave_file(clip):
    import base64
    import io
    import wave

    from PIL import Image

    with ChatServer() as server:
        ChatEndpointExplainer(None, **options(server, hears=True, fps=5, max_frames=2)).explain(observation(clip))
    by_kind = [[part["type"] for part in r["messages"][0]["content"]] for r in server.requests[:2]]
    assert by_kind == [["text", "image_url", "text", "image_url", "text"], ["input_audio", "text"]]
    content = server.requests[0]["messages"][0]["content"]
    assert content[0]["text"].endswith(" s:")
    head, _, data = content[1]["image_url"]["url"].partition(",")
    assert head == "data:image/jpeg;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (32, 32)
    with wave.open(
        io.BytesIO(base64.b64decode(server.requests[1]["messages"][0]["content"][0]["input_audio"]["data"]))
    ) as file:
        assert (file.getnchannels(), file.getframerate()) == (1, 16000)
        assert file.getnframes() == pytest.approx(0.6 * 16000, rel=0.1)


def test_pictures_are_described_although_no_face_was_found_in_them_and_sound_alone_is_not(clip, tmp_path):
    faceless = replace(observation(clip), video=None, missing={"video": "no face in any of 6 frames"})
    write_clip(tmp_path / "sound.mp4", seed=1, picture=False)
    sound = replace(faceless, path=tmp_path / "sound.mp4", missing={"video": "no video"})
    gone = replace(faceless, path=tmp_path / "gone.mp4")
    with ChatServer() as server:
        explainer = ChatEndpointExplainer(None, **options(server))
        seen = [explainer.explain(each).video is not None for each in (faceless, sound, gone)]
        score, made = explainer.score(faceless, (-3, 3))
    assert seen == [True, False, False]
    assert score == 0.5
    assert made["stages"]["score"]["frames"]


def test_nothing_but_the_clip_reaches_a_question(clip):
    """By construction: an explainer gets an observation, a question has these fields and no other."""
    assert {field.name for field in fields(Question)} == {
        "prompt",
        "frames",
        "frame_times",
        "waveform_N",
        "sample_rate",
    }
    assert not {"label", "clip", "split", "id"} & {field.name for field in fields(Observation)}


def test_labels_and_names_never_reach_the_server(tmp_path):
    rows = write_corpus(tmp_path / "corpus", 5)
    marked = [row | {"label": "2.718281", "label_T": "1.414213", "label_V": "-1.732050"} for row in rows]
    write_table(tmp_path / "corpus", marked)
    with ChatServer() as server:
        explain(
            tmp_path / "corpus",
            explainer="chat_endpoint",
            explainer_options=options(server),
            translate="en",
            out=tmp_path / "e.jsonl",
            **PARTS,
        )
        sent = json.dumps(server.requests)
    assert len(server.requests) >= 15
    for secret in ("2.718281", "1.414213", "1.73205", "train", "valid", "label", "000", str(tmp_path)):
        assert secret not in "".join(asked(server))
    assert "2.718281" not in sent


@pytest.mark.parametrize("language", ["en", "zh"])
def test_prompts_fill_in_both_languages(clip, language):
    with ChatServer() as server:
        told = ChatEndpointExplainer(None, **options(server, language=language, hears=False)).explain(observation(clip))
    assert not [words for words in asked(server) if "$" in words]
    assert told.provenance["stages"]["refine"]["prompt"] == f"refine.{language}"


def test_a_transcript_cannot_be_taken_for_a_placeholder(clip):
    with ChatServer() as server:
        ChatEndpointExplainer(None, **options(server)).explain(observation(clip, "it cost $facts and ${clues}"))
    assert "it cost $facts and ${clues}" in asked(server)[2]


@pytest.mark.parametrize("fault", ["wrong", "empty", "length"])
def test_an_unusable_answer_is_repaired_once(clip, fault):
    def script(words, times):
        return fault if '"summary"' in words and "cannot be used" not in words else None

    with ChatServer(script=script) as server:
        told = ChatEndpointExplainer(None, **options(server)).explain(observation(clip))
    assert told.summary == "whatever you say" or told.provenance["failed"].startswith("refine: wrong JSON")
    assert [m["role"] for m in server.requests[-1]["messages"]] == ["user", "assistant", "user"]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("refusal", "video: refused"),
        ("empty", "video: empty (after one repair)"),
        ("length", "video: cut: the limit of tokens was reached before its end (after one repair)"),
        ("wrong", "video: not a sentence"),
        ("429", "video: HTTP 429 after 3 tries"),
        ("500", "video: HTTP 500"),
        ("slow", "video: no answer in time after 3 tries"),
        ("cut", "video: connection lost after 3 tries"),
        ("garbage", "video: the server's answer cannot be read"),
    ],
)
def test_what_cannot_be_answered_is_recorded_as_failed_with_the_reason(clip, fault, reason):
    def script(words, times):
        return fault if "video" in words or "cannot be used" in words else None

    with ChatServer(script=script) as server:
        told = ChatEndpointExplainer(None, **options(server, retries=2, timeout=0.7)).explain(observation(clip))
    assert told.provenance["failed"].startswith(reason)
    assert told.video is None
    assert told.summary is None  # a conclusion without the face would hide that it failed
    assert told.audio is not None
    assert told.text is not None


@pytest.mark.parametrize(
    ("fault", "message"),
    [("401", "wants another key"), ("404", "does not know model 'm'"), ("quota", "the account is used up")],
)
def test_what_no_clip_could_get_over_stops_everything_with_one_line(tmp_path, fault, message):
    write_corpus(tmp_path / "corpus", 5)
    with ChatServer(script=lambda words, times: fault) as server, pytest.raises(UserError, match=message) as error:
        explain(
            tmp_path / "corpus",
            explainer="chat_endpoint",
            explainer_options=options(server, retries=0),
            out=tmp_path / "e.jsonl",
            **PARTS,
        )
    assert "\n" not in str(error.value)
    assert not (tmp_path / "e.jsonl").exists()


def test_answers_are_kept_by_content_and_prompt(clip, tmp_path):
    with ChatServer() as server:
        explainer = ChatEndpointExplainer(None, **options(server))
        first = explainer.explain(observation(clip))
        copy = tmp_path / "elsewhere" / "renamed.mp4"
        copy.parent.mkdir()
        copy.write_bytes(clip.read_bytes())
        again = ChatEndpointExplainer(None, **options(server, concurrency=2)).explain(observation(copy))
        assert (again.video, again.summary) == (first.video, first.summary)
        assert len(server.requests) == 4
        assert all(stage["cached"] for stage in again.provenance["stages"].values())
        ChatEndpointExplainer(None, **options(server, temperature=0.5)).explain(observation(clip))
        assert len(server.requests) == 8
        explainer.explain(observation(clip, "It was bad"))
        assert len(server.requests) == 10  # the words' clue and the conclusion


def test_a_kept_answer_that_todays_limits_refuse_is_asked_for_again(clip, monkeypatch):
    with ChatServer() as server:
        explainer = ChatEndpointExplainer(None, **options(server))
        first = explainer.explain(observation(clip))
        key, document = explainer.asking.cache._database.execute("SELECT * FROM answers LIMIT 1").fetchone()
        kept = json.loads(document)
        assert kept["text"] == first.video
        for text in ("a word too many " * 100, "", "I'm sorry, I can't help with that."):  # as other limits allowed
            changed = json.dumps(kept | {"text": text})
            explainer.asking.cache._database.execute("UPDATE answers SET document = ? WHERE key = ?", (changed, key))
            before = len(server.requests)
            again = explainer.explain(observation(clip))
            assert len(server.requests) == before + 1
            assert replace(again, provenance={}) == replace(first, provenance={})
            cached = {stage: record["cached"] for stage, record in again.provenance["stages"].items()}
            assert cached == {"video": False, "audio": True, "text": True, "refine": True}
        explainer.explain(observation(clip))
        assert len(server.requests) == before + 1  # replaced, once


def test_an_error_without_words_is_told_by_its_kind(clip, monkeypatch):
    def say_nothing(*_):
        raise AnswerError

    with ChatServer() as server:
        explainer = ChatEndpointExplainer(None, **options(server))
        monkeypatch.setattr(explainer.asking.model, "ask", say_nothing)
        told = explainer.explain(observation(clip))
    assert told.provenance["failed"] == "video: AnswerError; audio: AnswerError; text: AnswerError"


def test_a_refiner_of_its_own_concludes(clip):
    with ChatServer() as describing, ChatServer() as refining:
        more = {"refiner": "chat_endpoint", "refiner_model": "wise", "refiner_base_url": refining.url}
        told = ChatEndpointExplainer(None, **options(describing, **more)).explain(observation(clip))
    assert [r["model"] for r in describing.requests] == ["m", "m"]
    assert [r["model"] for r in refining.requests] == ["wise", "wise"]
    assert told.provenance["refiner"]["model"] == "wise"


def test_the_key_comes_from_the_environment_and_is_kept_nowhere(clip, tmp_path, monkeypatch):
    monkeypatch.setenv("TEXTMSA_API_KEY", "sk-very-secret")
    with ChatServer() as server:
        told = ChatEndpointExplainer(None, **options(server)).explain(observation(clip))
    assert server.keys == {"Bearer sk-very-secret"}
    assert "sk-very-secret" not in json.dumps(told.provenance)
    assert b"sk-very-secret" not in (tmp_path / "cache" / "answers.sqlite").read_bytes()
    address = ChatEndpoint("m", "http://me:secret@127.0.0.1:9/v1").identity()["base_url"]
    assert address == "http://127.0.0.1:9/v1"


def test_costs_are_summed(clip):
    with ChatServer() as server:
        told = ChatEndpointExplainer(None, **options(server, price_in=1.0, price_out=10.0)).explain(observation(clip))
    assert told.provenance["cost"] == pytest.approx(4 * (100 * 1 + 10 * 10) / 1e6)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"model": "m"}, "needs the option 'base_url'"),
        ({"model": "m", "base_url": "localhost"}, "give http"),
        ({"model": "m", "base_url": "http://x/v1", "wrong": 1}, "no option 'wrong': it has model, base_url"),
        ({"model": "m", "base_url": "http://x/v1", "language": "fr"}, "give one of en, zh"),
        ({"model": "m", "base_url": "http://x/v1", "fps": 0}, "more than 0"),
        ({"model": "m", "base_url": "http://x/v1", "concurrency": 0}, "more than 0"),
        ({"model": "m", "base_url": "http://x/v1", "requests_per_minute": 0}, "1 or more"),
        ({"model": "m", "base_url": "http://x/v1", "refiner_model": "m"}, "name the refiner"),
    ],
)
def test_wrong_options_are_one_line(given, message):
    with pytest.raises(UserError, match=message) as error:
        ChatEndpointExplainer(None, **given)
    assert "\n" not in str(error.value)


def test_a_minute_sees_no_more_than_its_limit():
    limit = MinuteLimit(4, None, minute=0.3)
    started = time.monotonic()
    for _ in range(9):
        limit.wait()
    assert time.monotonic() - started >= 0.6
    limit = MinuteLimit(None, 100, minute=0.3)
    started = time.monotonic()
    for _ in range(3):
        limit.wait()
        limit.count(100)
    assert time.monotonic() - started >= 0.6


def test_claims_are_held_against_measurements():
    told = Explanation(
        audio="In the audio, a loud, fast voice, not flat, with a high pitch.", video="In the video, she is smiling."
    )
    found = {
        c["fact"]: c["verdict"]
        for c in check(told, {"loudness": 0, "rate": 6, "pitch": 3, "smile": 1, "pitch_range": 3})
    }
    assert found == {"loudness": "contradicts", "rate": "agrees", "pitch": "unclear", "smile": "contradicts"}
    assert check(told, {}) == []
    chinese = Explanation(audio="音频中，声音响亮，语速没有很快。")
    assert [(c["fact"], c["verdict"]) for c in check(chinese, {"loudness": 5, "rate": 0})] == [("loudness", "agrees")]


def test_measured_voice_is_told_with_its_place_among_the_clips():
    told = voice_facts({"loudness": -20.0, "pitch": 12 / np.log(2) * np.log(200), "rate": 4.0}, {"rate": 6}, 2.0)
    assert told == "- pitch 200 Hz\n- volume -20 dB\n- pace 4.0 syllables a second (very fast among the clips)"
    assert voice_facts({"speech_seconds": 0.0}, {}, 2.0) == "- no audible voice"
    assert voice_facts({}, {}, None) == ""


def test_frames_are_spread_over_the_clip():
    assert spread(3, 16) == [0, 1, 2]
    assert spread(10, 2) == [2, 7]
    assert spread(100, 4) == [12, 37, 62, 87]


def test_explanations_are_read_back(tmp_path):
    write_corpus(tmp_path / "corpus", 5)
    with ChatServer() as server:
        explain(
            tmp_path / "corpus",
            explainer="chat_endpoint",
            explainer_options=options(server),
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
    told = PrecomputedExplainer(str(table)).explain(observation(clip))
    assert (told.audio, told.reason) == ("In the audio, his voice is low.", english)
    told = PrecomputedExplainer(str(table), language="zh").explain(observation(clip))
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


def test_one_clip_can_be_explained_with_and_without_others_to_compare_with(clip, tmp_path):
    with ChatServer() as server:
        result = explain(clip, explainer="chat_endpoint", explainer_options=options(server), text="Fine", **PARTS)
        assert (result.explained, result.exit_code) == (1, 0)
        document = json.loads(result.text())
        assert document["id"] == "1.mp4"
        assert "checks" not in document["provenance"]
        write_corpus(tmp_path / "corpus", 5)
        explain(
            tmp_path / "corpus",
            explainer="chat_endpoint",
            explainer_options=options(server),
            out=tmp_path / "e.jsonl",
            **PARTS,
        )
        explain(
            clip,
            explainer="chat_endpoint",
            explainer_options=options(server),
            like=tmp_path / "e.store",
            out=tmp_path / "one.jsonl",
        )
    assert json.loads((tmp_path / "one.jsonl").read_text())["provenance"]["checks"] == []


@pytest.mark.slow
def test_five_hundred_clips_with_faults_and_two_kills(tmp_path):
    """20 % faults, 16 at a time, killed twice: one record a clip, nothing paid twice but what was on its way."""
    clips, at_once = 500, 16
    write_corpus(tmp_path / "corpus", clips)
    # A good answer that a busy machine brings too late would count as paid twice: hence the long wait.
    with ChatServer(rate=0.2, seconds=0.05, slow=5.0) as server:
        given = options(server, concurrency=at_once, retries=6, timeout=4.0)
        command = [
            sys.executable,
            "-m",
            "textmsa",
            "explain",
            str(tmp_path / "corpus"),
            "--out",
            str(tmp_path / "e.jsonl"),
        ]
        command += ["--explainer", "chat_endpoint", "--audio", PARTS["audio"], "--video", PARTS["video"]]
        command += [word for key, value in given.items() for word in (f"--explainer-options.{key}", str(value))]
        for wanted in (300, 900):
            process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
            while sum(server.answered.values()) < wanted:
                assert process.poll() is None
                time.sleep(0.02)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            assert not (tmp_path / "e.jsonl").exists()
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        paid_twice = sum(count - 1 for count in server.answered.values() if count > 1)
        asked_before = len(server.requests)
        records = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
        failed = [record for record in records if "failed" in record["provenance"]]
        again = subprocess.run(command, check=False, capture_output=True, text=True)
        assert sum(count - 1 for count in server.answered.values() if count > 1) == paid_twice
        asked_again = len(server.requests) - asked_before
        most_together = server.most_together
        kinds = dict(server.given)
    print(
        f"{kinds}; paid twice {paid_twice}; failed {len(failed)}; asked again {asked_again}; together {most_together}"
    )
    assert len(records) == len({record["id"] for record in records}) == clips
    assert set(kinds) == {"none", "429", "500", "slow", "cut", "garbage", "refusal", "wrong", "empty", "length"}
    assert paid_twice <= 2 * at_once
    assert most_together <= at_once + sum(kinds[k] for k in ("slow",))  # a slow answer outlives its question
    assert done.returncode == (1 if failed else 0), done.stderr
    assert failed
    assert all(record["provenance"]["failed"] for record in failed)
    table = (tmp_path / "e.store" / "failures.csv").read_text()
    assert again.returncode in (0, 1)
    assert asked_again <= 12 * len(failed) * 2
    for record in records:
        parts = [record[name] for name in ("video", "text", "summary", "reason")]
        assert all(parts) or "failed" in record["provenance"]
    assert table.count("explanation") == sum(
        "failed" in json.loads(line)["provenance"] for line in (tmp_path / "e.jsonl").read_text().splitlines()
    )
