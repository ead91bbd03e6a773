"""Stretches of one decode: what a file cut there would give, and no more held than is needed."""

import numpy as np
import pytest
from media_fixtures import grey, index_of, regular, tone, write_clip

from textmsa.analyze.stream import BEFORE, open_stream
from textmsa.errors import UnreadableClip
from textmsa.media import read_media

SECONDS = 14


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """14 s whose picture changes 25 times a second and whose tone rises every second; sound that loses nothing."""
    return write_stretch(tmp_path_factory.mktemp("long") / "long.mkv", 0, SECONDS * 25)


def write_stretch(path, first: int, last: int):
    """Frames `first` to `last` of the film, and the sound that belongs to them."""
    sound_N = np.concatenate([tone(1.0, hertz=100 + 20 * second) for second in range(SECONDS)])
    pictures = [grey(index % 50) for index in range(first, last)]
    part_N = sound_N[first * 882 : last * 882]  # 22,050 / 25
    return write_clip(path, times=regular(last - first), pictures=pictures, sound=part_N, audio_codec="pcm_s16le")


@pytest.mark.parametrize(("first", "last"), [(0, 20), (34, 58), (50, 110), (90, 120)])
def test_a_stretch_is_what_a_file_cut_there_gives(long, tmp_path, first, last):
    cut = read_media(write_stretch(tmp_path / "cut.mkv", round(first * 2.5), round(last * 2.5)))
    with open_stream(long, cuts=[last]) as stream:
        taken = stream.take(first, last)
    assert taken.duration == pytest.approx(cut.duration, abs=0.05)
    assert taken.waveform_N is not None and cut.waveform_N is not None
    assert np.abs(taken.waveform_N - cut.waveform_N).max() < 1e-3
    assert taken.frames is not None and cut.frames is not None
    assert taken.frame_times_T == pytest.approx(cut.frame_times_T, abs=0.041)
    apart = [index_of(a) - index_of(b) for a, b in zip(taken.frames, cut.frames, strict=True)]
    assert set(apart) <= {-1, 0, 1}, "a picture that is as near to a tenth may be taken in its place"
    assert taken.missing == cut.missing == {} and taken.audio_start == pytest.approx(0, abs=0.03)


def test_stretches_that_overlap_and_follow_one_another_give_all_there_is(long):
    with open_stream(long) as stream:
        first, second = stream.take(0, 30), stream.take(20, 50)
        stream.drop(50)
        rest = stream.take(50, 200)
        assert stream.finished and stream.end == pytest.approx(SECONDS, abs=0.05)
    assert first.frames is not None and second.frames is not None and rest.frames is not None
    assert [len(frames) for frames in (first.frames, second.frames, rest.frames)] == [
        30,
        30,
        91,
    ]  # the last stands for one more
    assert [index_of(picture) for picture in first.frames[20:]] == [index_of(picture) for picture in second.frames[:10]]
    assert rest.duration == pytest.approx(9.0, abs=0.05)


def test_no_more_is_held_than_what_is_still_to_be_taken(long):
    held_frames, held_seconds = [], []
    with open_stream(long) as stream:
        for first in range(0, SECONDS * 10, 10):
            stream.take(first, first + 10)
            stream.drop(first + 10)
            sound, pictures = stream._decoding.sound, stream._decoding.pictures
            assert sound is not None and pictures is not None
            held_frames.append(len(pictures.frames))
            held_seconds.append(sum(len(chunk) for chunk in sound.chunks) / sound.rate)
    # This film's pictures stand up to some seconds before their sound in the file; at most APART is read ahead.
    assert max(held_frames) <= 50 and max(held_seconds) < 1.0 and held_frames[-1] <= 2


@pytest.mark.parametrize("begin", [30, 55, 120])
def test_decoding_that_begins_later_gives_the_same_stretch(long, begin):
    with open_stream(long) as whole, open_stream(long, begin=begin / 10) as later:
        a, b = whole.take(begin, begin + 20), later.take(begin, begin + 20)
        keyframe = 10.0 if begin / 10 - BEFORE >= 10 else 0.0  # libx264 sets one every 250 pictures
        assert later._decoding.sound is not None
        assert later._decoding.sound.start == pytest.approx(keyframe, abs=0.1)
    assert a.waveform_N is not None and b.waveform_N is not None and a.frames is not None and b.frames is not None
    assert np.abs(a.waveform_N - b.waveform_N).max() < 1e-3
    assert [index_of(picture) for picture in a.frames] == [index_of(picture) for picture in b.frames]
    assert a.frame_times_T == pytest.approx(b.frame_times_T)


def test_sound_that_ends_before_the_pictures_and_begins_after_them(tmp_path):
    path = write_clip(
        tmp_path / "a.mkv",
        times=regular(150),
        pictures=[grey(9)] * 150,
        sound=tone(2.0),
        sound_start=1.5,
        audio_codec="pcm_s16le",
    )
    with open_stream(path) as stream:
        before, within, after = stream.take(0, 10), stream.take(10, 30), stream.take(40, 60)
    assert before.missing == {"audio": "no sound from 0.0 to 1.0 s"}
    assert within.audio_start == pytest.approx(0.5, abs=0.01) and within.missing == {}
    assert after.missing == {"audio": "no sound from 4.0 to 6.0 s"} and after.frames is not None


def test_what_is_no_clip_is_refused(tmp_path):
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(UnreadableClip, match="not a video or sound file"), open_stream(tmp_path / "empty.mp4"):
        pass
