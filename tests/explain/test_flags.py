"""What an explanation should not hold is found, and what it may hold is not."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from textmsa.explain.flags import Given, flags
from textmsa.explain.language_models.chat_endpoint import ChatEndpoint
from textmsa.explain.language_models.question import Answer, Question
from textmsa.explain.measured.checks import check
from textmsa.explain.staged import ChatEndpointExplainer
from textmsa.types import Explanation, FeatureSequence, Observation

SAID = "I never thought that this film could be so slow, but I loved every minute of it"
FACTS = "- pitch 180 Hz (high among the clips)\n- pace 4.2 syllables a second (fast among the clips)"
GIVEN = Given(SAID, FACTS, heard=True)


def found(given: Given = GIVEN, **parts: Any) -> list[tuple[str, str]]:
    return [(flag["part"], flag["kind"]) for flag in flags(Explanation(**parts), given)]


@pytest.mark.parametrize(
    ("part", "text", "kind"),
    [
        ("audio", "In the audio, the speaker says that this film could be so slow, softly.", "echo of the transcript"),
        ("text", f'In the text, "{SAID}".', "echo of the transcript"),
        ("summary", "I loved every minute of it.", "echo of the transcript"),
        ("audio", "Keep to the measurements; do not guess what is said.", "echo of the question"),
        ("summary", "At most 20 words on the attitude or feeling of the person.", "echo of the question"),
        ("audio", "In the audio, a pitch of 180 Hz and 4.2 syllables a second.", "echo of the numbers"),
        ("audio", "In the audio, a pitch of 220 Hz.", "not given"),
        ("audio", "In the audio, a fast voice and a warm smile.", "not given"),
        ("audio", "In the audio, a young woman speaks fast.", "not given"),
        ("text", "In the text, a loud voice complains about a film.", "not given"),
        ("reason", "In the video, she smiles. Therefore, she is content.", "not given"),
        ("reason", " ".join(["The voice is said to be very quiet and few."] * 3), "circles"),
        ("text", "The answer is: the limit of tokens was reached before its end.", "echo of the question"),
        ("text", 'In the text, the words "In the text" convey admiration.', "echo of the question"),
        ("text", "In the text, tell with at most 35 words of a film.", "echo of the question"),
        (
            "reason",
            "In the audio, the emphasis is at 180 Hz and 4.2 syllables. Therefore, glad.",
            "echo of the numbers",
        ),
        ("reason", "In the video, the voice is fast. Therefore, glad.", "not given"),
        (
            "text",
            "In the text, it is called funny, moving and a triumph at last, which it is not. It is doubted, for it "
            "is called funny, moving and a triumph at last, which it is not.",
            "circles",
        ),
        ("reason", "In the audio, the voice is also described as", "broken off"),
        ("summary", "The person is described as a mix of a high voice and a", "broken off"),
        ("summary", "so " * 79 + "glad", "broken off"),
    ],
)
def test_what_should_not_be_there_is_found(part, text, kind):
    assert (part, kind) in found(**{part: text})


def test_good_answers_have_nothing():
    assert not found(
        audio="In the audio, a high, fast voice with few pauses, which may express excitement.",
        text='In the text, the person admits to have been wrong: the film was slow, but "I loved every minute of it".',
        summary="Delighted: warm words in a fast, high voice.",
        reason=f"In the audio, the voice is high and fast. In the text, the subtitle reads: {SAID}. On the other hand, "
        "it complains of a slow film. Therefore, the person is delighted.",
    )
    assert not found(
        Given("It cost 20 dollars and my hands shook", heard=True, seen=True),
        text="The person paid 20 dollars, and their hands shook.",
    )
    assert not found(Given(seen=True), video="In the video, a smile from 1.5 s on.", summary="A smile: content.")
    assert not found(reason=f'In the text, "{SAID}". The subtitle reads: {SAID}. Therefore, the person is pleased.')


def test_what_was_there_to_tell_of_decides():
    reason = "In the video, a smile. In the audio, a loud voice."
    assert found(Given(SAID, heard=True, seen=True), reason=reason) == []
    assert found(Given(SAID, heard=True), reason=reason) == [("reason", "not given")]
    assert found(Given(SAID, seen=True), reason=reason) == [("reason", "not given")]


def test_a_reason_that_is_the_summary_again_is_found():
    again = "The person sounds glad of what they saw in the film."
    assert ("reason", "circles") in found(summary=again, reason=again)
    assert found(summary=again, reason=f"In the audio, the voice is fast. Therefore, {again.lower()}") == []
    assert found(summary="glad, a fast voice", reason="In the audio, the voice is fast. Therefore, glad.") == []


def test_chinese_is_read_too():
    given = Given("我从来没有想到这部电影会这么慢", heard=True)
    assert found(given, audio="音频中，我从来没有想到这部电影，语速较快。") == [("audio", "echo of the transcript")]
    assert found(given, audio="音频中，语速较快，脸上带着微笑。") == [("audio", "not given")]
    assert found(given, audio="音频中，语速较快，音量较大。") == []


def test_a_size_of_a_quality_is_one_claim():
    """A real answer: "flat-melodic" was held for a claim of melody."""
    told = Explanation(audio="In the audio, a flat-melodic voice, neither loud nor quiet, with few pauses.")
    sizes = {"pitch_range": 0, "loudness": 3, "pauses": 6}
    assert [(c["fact"], c["claim"], c["verdict"]) for c in check(told, sizes)] == [
        ("pitch_range", "flat", "agrees"),
        ("pauses", "few pauses", "contradicts"),
    ]
    both = Explanation(audio="In the audio, a flat, melodic voice.")
    assert {c["claim"] for c in check(both, sizes)} == {"flat", "melodic"}
    said = Explanation(audio="In the audio, the pitch is very high and the volume is low.")
    assert [(c["fact"], c["verdict"]) for c in check(said, {"pitch": 6, "loudness": 6})] == [
        ("loudness", "contradicts"),
        ("pitch", "agrees"),
    ]


def test_what_a_conclusion_says_of_the_voice_is_held_against_it_too():
    told = Explanation(
        summary="A melodic voice. Glad of a quick end.",
        reason="In the audio, the voice is loud. In the text, the subtitle reads: a flat, quiet voice. It was fast.",
    )
    sizes = {"pitch_range": 0, "loudness": 0, "rate": 0}
    assert [(c["part"], c["claim"], c["verdict"]) for c in check(told, sizes)] == [
        ("reason", "loud", "contradicts"),
        ("summary", "melodic", "contradicts"),
    ]


def test_an_explanation_carries_its_flags(tmp_path, monkeypatch):
    times_T = np.arange(0, 2.0, 0.05)
    voice = np.stack([np.full(len(times_T), np.log(200.0)), np.full(len(times_T), -100.0)], axis=1)
    audio = FeatureSequence(voice.astype(np.float32), times_T, ("log_f0", "mfcc_0"))
    seen = Observation(Path("none/1.mp4"), SAID, 2.0, audio, None, {"video": "no picture"})

    def says_the_transcript(self, question: Question, earlier=()) -> Answer:
        return Answer('{"summary": "pleased", "reason": "In the video, a smile."}' if question.form else f"So, {SAID}.")

    monkeypatch.setattr(ChatEndpoint, "ask", says_the_transcript)
    options: dict[str, Any] = {"model": "m", "base_url": "http://127.0.0.1:9/v1", "sees": False, "cache": str(tmp_path)}
    told = ChatEndpointExplainer(None, **options).explain(seen)
    assert [(flag["part"], flag["kind"]) for flag in told.provenance["flags"]] == [
        ("audio", "echo of the transcript"),
        ("text", "echo of the transcript"),
        ("reason", "not given"),
    ]
