"""Explanations by language models: stages, trust, cache, failures; against a real server with faults on demand."""

import json
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chat_server import ChatServer, words_of
from small_corpora import write_clip, write_corpus, write_table

from textmsa.errors import AnswerError, UserError
from textmsa.explain.clip_answers import spread
from textmsa.explain.language_models.chat_endpoint import ChatEndpoint
from textmsa.explain.language_models.minute_limit import MinuteLimit
from textmsa.explain.language_models.question import Question
from textmsa.explain.measured.checks import check
from textmsa.explain.measured.voice_facts import voice_facts
from textmsa.explain.staged import ChatEndpointExplainer
from textmsa.prepare.explain import explain
from textmsa.types import Explanation, FeatureSequence, Observation

TESTS = Path(__file__).parents[1]
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
        explanations = [explainer.explain(each) for each in (faceless, sound, gone)]
        score, about = explainer.score(faceless, (-3, 3))
        asked_before = len(server.requests)
        of_gone, about_gone = explainer.score(gone, (-3, 3))
        assert len(server.requests) == asked_before, "a score without the pictures would be another's"
    assert [explanation.video is not None for explanation in explanations] == [True, False, False]
    assert ["failed" in explanation.provenance for explanation in explanations] == [False, False, True]
    failed = explanations[2].provenance["failed"]
    assert failed.startswith("video: the clip cannot be read again: ")
    assert explanations[2].summary is None
    assert score == 0.5
    assert about["stages"]["score"]["frames"]
    assert (of_gone, about_gone["failed"]) == (None, failed)


def test_nothing_but_the_clip_reaches_a_question(clip):
    """By construction: an explainer gets an observation, a question has these fields and no other."""
    assert {field.name for field in fields(Question)} == {
        "prompt",
        "frames",
        "frame_times",
        "waveform_N",
        "sample_rate",
        "form",
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
    assert "failed" not in told.provenance
    assert told.summary == "content, a smile"
    assert told.provenance["stages"]["refine"]["repaired"]
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
