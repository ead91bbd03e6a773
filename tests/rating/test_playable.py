"""Clips of formats that browsers do not play come as copies that they do; the others come as they are."""

from fractions import Fraction
from pathlib import Path

import av
import pytest
from media_fixtures import grey, regular, tone, turn_clockwise
from media_fixtures import write_clip as write_h264
from small_corpora import write_clip as write_mpeg4

from textmsa.errors import UnreadableClip
from textmsa.media import read_media
from textmsa.rating.playable import Copies, copy_playable, plays


def test_what_plays_is_shown_as_it_is(tmp_path):
    for name, codec in (("a.mp4", "aac"), ("b.mov", "aac")):
        clip = write_h264(tmp_path / name, times=regular(5), sound=tone(0.2), audio_codec=codec)
        assert plays(clip)
    sound = write_h264(tmp_path / "c.wav", sound=tone(0.2), audio_codec="pcm_s16le")
    copies = Copies()
    assert copies.of(sound) == sound and copies.of(clip) == clip
    copies.close()


@pytest.mark.parametrize("name", ["mpeg4.mp4", "old.avi", "other.mkv", "flash.flv"])
def test_the_others_are_copied_with_sound_and_picture(tmp_path, name):
    clip = tmp_path / name
    if name == "mpeg4.mp4":
        write_mpeg4(clip, seed=1, seconds=1.0)
    else:
        write_h264(clip, times=regular(25), sound=tone(1.0, rate=44_100), rate=44_100)
    before = clip.read_bytes()
    assert not plays(clip)
    copies = Copies()
    copy = copies.of(clip)
    assert copies.of(clip) == copy != clip and plays(copy)
    one, other = read_media(clip), read_media(copy)
    assert other.missing == {} and other.duration == pytest.approx(one.duration, abs=0.12)
    assert one.frames is not None and other.frames is not None
    assert other.frames[0].shape == one.frames[0].shape
    assert abs(float(other.frames[3].mean()) - float(one.frames[3].mean())) < 6
    copies.close()
    assert not copy.exists() and clip.read_bytes() == before


def test_a_copy_stands_upright_and_is_as_wide_as_its_clip(tmp_path):
    """A telephone's clip says how it is to be turned, a tape's how wide its pixels are; browsers heed both."""
    clip = write_h264(tmp_path / "turned.mp4", times=regular(5), pictures=[grey(0)] * 5, sound=tone(0.2))
    turn_clockwise(clip)
    copy_playable(clip, tmp_path / "turned copy.mp4")
    one, other = read_media(clip).frames, read_media(tmp_path / "turned copy.mp4").frames
    assert one is not None and other is not None
    assert other[0].shape == one[0].shape == (64, 48, 3)
    assert abs(other[0].astype(float) - one[0].astype(float)).mean() < 8

    with av.open(str(tmp_path / "wide.mkv"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(2, 1)
        for place in range(5):
            frame = av.VideoFrame.from_ndarray(grey(place), format="rgb24")
            frame.pts = place
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    copy_playable(tmp_path / "wide.mkv", tmp_path / "wide copy.mp4")
    with av.open(str(tmp_path / "wide copy.mp4")) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (128, 48)


def test_what_is_no_clip_is_told(tmp_path: Path):
    (tmp_path / "x.avi").write_bytes(b"no film")
    copies = Copies()
    with pytest.raises(UnreadableClip):
        copies.of(tmp_path / "x.avi")
    copies.close()
