"""Tracks: a value for each tenth of a second, nothing where nothing could be measured."""

from pathlib import Path

import numpy as np
import pytest
from media_fixtures import tone

from textmsa.analyze.tracks import Track, joined, tracks_of
from textmsa.features.video_mediapipe import NAMES
from textmsa.media import Media
from textmsa.types import FeatureSequence


def media(waveform_N=None, frames=None, seconds=1.0, audio_start=0.0) -> Media:
    return Media(Path("a.mp4"), seconds, waveform_N, 22_050, frames, np.zeros(0), {}, audio_start)


def test_energy_and_pitch_of_a_tone_after_silence():
    sound_N = np.concatenate([np.zeros(11_025, np.float32), tone(0.5, hertz=200)])
    tracks = tracks_of(media(sound_N), None, None)
    assert list(tracks) == ["energy", "pitch"]
    assert tracks["energy"][:5] == [-100.0] * 5 and all(
        value is not None and value > -25 for value in tracks["energy"][5:]
    )
    assert tracks["pitch"][2] is None and tracks["pitch"][7] == pytest.approx(200, rel=0.01)


def test_sound_that_begins_late_has_no_energy_before():
    tracks = tracks_of(media(tone(0.5), audio_start=0.5), None, None)
    assert tracks["energy"][:5] == [None] * 5 and None not in tracks["energy"][5:]


def test_pitch_is_that_of_the_features_where_there_is_one():
    heard = FeatureSequence(np.log(np.full((10, 1), 123.0, np.float32)), np.arange(10) / 10, ("log_f0",))
    assert tracks_of(media(tone(1.0, hertz=300)), heard, None)["pitch"] == [123.0] * 10


def test_a_face_that_is_seen_for_half_of_the_time():
    values_TF = np.full((10, len(NAMES)), np.nan, np.float32)
    values_TF[:, -1] = 0
    values_TF[5:] = 0.25
    values_TF[5:, NAMES.index("mouthSmileLeft")] = 0.75
    values_TF[5:, -1] = 1
    video = FeatureSequence(values_TF, np.arange(10) / 10 + 0.02, NAMES)
    tracks = tracks_of(media(frames=(np.zeros((2, 2, 3), np.uint8),)), None, video)
    assert tracks["face"] == [0.0] * 5 + [1.0] * 5
    assert tracks["smile"] == [None] * 5 + [0.5] * 5
    assert tracks["jaw_open"][9] == 0.25


def test_expressions_of_an_extractor_that_reads_them_are_tracks_too():
    video = FeatureSequence(np.full((10, 1), 0.5, np.float32), np.arange(10) / 10, ("expression_happy",))
    tracks = tracks_of(media(frames=(np.zeros((2, 2, 3), np.uint8),)), None, video)
    assert tracks["expression_happy"] == [0.5] * 10 and tracks["face"] == [1.0] * 10


def test_pictures_of_which_nothing_could_be_measured_tell_of_no_face():
    assert tracks_of(media(frames=(np.zeros((2, 2, 3), np.uint8),)), None, None) == {"face": [0.0] * 10}


def test_tracks_are_joined_in_their_places_and_the_first_counts():
    parts: list[tuple[int, dict[str, Track]]] = [
        (0, {"energy": [1.0, 2.0]}),
        (1, {"energy": [9.0, None, 4.0], "face": [1.0]}),
    ]
    assert joined(parts, 4) == {"energy": [1.0, 2.0, None, 4.0], "face": [None, 1.0, None, None]}
