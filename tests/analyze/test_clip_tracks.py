"""What is drawn over time: values by tenths of a second, and words with the times that are known."""

from dataclasses import replace

import numpy as np
import pytest
from media_fixtures import RECORDINGS

from textmsa.analyze.clip_tracks import tracks_of, words_with_times
from textmsa.types import Explanation, FeatureSequence, Observation, Prediction, Transcript, Word, WordsChange

PREDICTION = Prediction(
    path="clip",
    score=0.5,
    score_range=(-3, 3),
    polarity="positive",
    transcript="I loved it",
    explanation=Explanation(),
    gates={},
    experts=[],
    missing={},
    seconds={},
)
CHANGES = [WordsChange("I ", 0.1), WordsChange("loved ", 0.9), WordsChange("it", 0.0)]


def spoken(*words: tuple[str, float, float]) -> Transcript:
    return Transcript(" ".join(word[0] for word in words), "speech recognition", tuple(Word(*word) for word in words))


def test_words_that_were_heard_have_their_times_and_changes():
    heard = spoken(("I", 0.0, 0.2), ("loved", 0.2, 0.6), ("it.", 0.7, 0.9))
    words = words_with_times(replace(PREDICTION, words=CHANGES, spoken=heard))
    assert [(word["start"], word["end"], word["change"]) for word in words] == [
        (0.0, 0.2, 0.1),
        (0.2, 0.6, 0.9),
        (0.7, 0.9, 0.0),
    ]


def test_words_of_a_line_of_subtitles_share_its_time():
    line = Transcript("I loved it", "subtitles", (Word("I loved it", 3.0, 6.0),))
    words = words_with_times(replace(PREDICTION, words=CHANGES, spoken=line))
    assert [(word["start"], word["end"]) for word in words] == [(3.0, 4.0), (4.0, 5.0), (5.0, 6.0)]


@pytest.mark.parametrize("heard", [None, spoken(("something", 0.0, 0.2))])
def test_words_without_known_times_have_none(heard):
    words = words_with_times(replace(PREDICTION, words=CHANGES, spoken=heard))
    assert [word["start"] for word in words] == [None] * 3
    assert [word["text"] for word in words] == ["I ", "loved ", "it"]


def test_chinese_is_told_apart_by_characters():
    changes = [WordsChange("很", 0.5), WordsChange("好", 0.1)]
    words = words_with_times(replace(PREDICTION, words=changes, spoken=spoken(("很好", 1.0, 2.0))))
    assert [(word["text"], word["start"], word["end"]) for word in words] == [("很", 1.0, 1.5), ("好", 1.5, 2.0)]


def observed(log_f0, smile) -> Observation:
    voice_T, face_T = np.array(log_f0, np.float32), np.array(smile, np.float32)
    audio = FeatureSequence(voice_T[:, None], np.linspace(0, 0.05 * (len(voice_T) - 1), len(voice_T)), ("log_f0",))
    columns = np.stack([face_T, face_T], axis=1)
    video = FeatureSequence(
        columns, np.linspace(0, 0.2 * (len(face_T) - 1), len(face_T)), ("mouthSmileLeft", "mouthSmileRight")
    )
    return Observation(RECORDINGS / "speech.flac", None, 0.8, audio, video)


def test_values_are_means_of_tenths_and_null_where_nothing_was_measured():
    f0 = np.log([100.0, 100, 200, np.nan, np.nan, np.nan, 300, 300] + [np.nan] * 8)
    tracks = tracks_of(RECORDINGS / "speech.flac", observed(f0, [0.1, 0.2, np.nan, 0.4]), PREDICTION)
    series = {one["name"]: one["values"] for one in tracks["series"]}
    assert series["pitch"] == [100.0, 200.0, None, pytest.approx(300, abs=0.01)] + [None] * 4
    # Two tenths from one frame to the next: between them stands the nearest, whether it was measured or not.
    assert series["smile"] == [pytest.approx(0.1), *[pytest.approx(0.2)] * 2, None, None, *[pytest.approx(0.4)] * 3]
    assert tracks["face"] == [True, True, True, False, False, True, True, True]
    assert len(series["loudness"]) == 8


def test_the_outline_of_a_sound_is_loud_where_somebody_speaks():
    seen = replace(observed([np.nan], [0.1]), duration=3.0)
    tracks = tracks_of(RECORDINGS / "speech.flac", seen, PREDICTION)
    assert len(tracks["peaks"]) == pytest.approx(150, abs=2)
    assert 0.05 < max(tracks["peaks"]) <= 1.0 and min(tracks["peaks"]) < 0.02
