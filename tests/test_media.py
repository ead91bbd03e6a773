"""One decode per clip: grids of frames, one clock, and files of every bad kind."""

from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
from media_fixtures import grey, index_of, real_clip, regular, tone, turn_clockwise, without_sound, write_clip

from textmsa.errors import UnreadableClip
from textmsa.media import LONGEST_SIDE, read_media


def test_sound_and_pictures_share_one_clock(tmp_path: Path) -> None:
    media = read_media(write_clip(tmp_path / "a.mp4", times=regular(50), sound=tone(2.0)))
    assert media.waveform_N is not None
    assert media.frames is not None
    assert media.waveform_N.dtype == np.float32
    assert abs(len(media.waveform_N) / media.sample_rate - 2.0) < 0.06
    assert abs(media.duration - 2.0) < 0.06
    assert media.missing == {}
    assert media.damage is None
    np.testing.assert_allclose(media.frame_times_T[:4], [0.0, 0.08, 0.2, 0.28], atol=0.002)
    assert len(media.frames) in (20, 21)
    assert [index_of(frame) for frame in media.frames[:4]] == [0, 2, 5, 7]


@pytest.mark.parametrize("fps", [7.0, 12.0, 23.976, 29.97, 60.0])
def test_frames_are_the_nearest_to_the_grid(tmp_path: Path, fps: float) -> None:
    times = regular(min(45, int(2 * fps)), fps)
    media = read_media(write_clip(tmp_path / "a.mkv", times=times))
    shown = np.round(times, 3)
    grid = np.arange(0, times[-1] + 0.04, 0.1)
    nearest = sorted({float(shown[np.abs(shown - point).argmin()]) for point in grid})
    assert len(nearest) - 1 <= len(media.frame_times_T) <= len(nearest) + 1
    common = min(len(nearest), len(media.frame_times_T))
    np.testing.assert_allclose(media.frame_times_T[:common], nearest[:common], atol=0.003 + 0.25 / fps)
    assert (np.diff(media.frame_times_T) > 0).all()


def test_variable_frame_rate_keeps_no_frame_twice(tmp_path: Path) -> None:
    times = [0.0, 0.03, 0.5, 0.52, 0.55, 1.4]
    media = read_media(write_clip(tmp_path / "a.mkv", times=times))
    assert media.frames is not None
    assert len({index_of(frame) for frame in media.frames}) == len(media.frames)
    assert set(np.round(media.frame_times_T, 2)) <= set(times)


def test_late_sound_keeps_its_time(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", times=regular(50), sound=tone(1.0), sound_start=0.8, audio_codec="pcm_s16le")
    media = read_media(path)
    assert media.audio_start == pytest.approx(0.8, abs=0.03)
    assert media.duration == pytest.approx(2.0, abs=0.05)


def test_clock_starts_with_the_container(tmp_path: Path) -> None:
    media = read_media(write_clip(tmp_path / "a.ts", times=[1.0 + time for time in regular(25)]))
    assert media.frame_times_T[0] == pytest.approx(0.0, abs=0.03)
    assert media.duration == pytest.approx(1.0, abs=0.1)


def test_rotated_pictures_come_upright(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", times=regular(5), pictures=[grey(0)] * 5)
    turn_clockwise(path)
    frames = read_media(path).frames
    assert frames is not None
    assert frames[0].shape == (64, 48, 3)
    assert frames[0][:, 40:, 0].mean() > 200, "the red top has turned to the right"
    assert frames[0][:, :30, 0].mean() < 50


def test_large_pictures_are_made_smaller(tmp_path: Path) -> None:
    picture = np.zeros((960, 1280, 3), dtype=np.uint8)
    media = read_media(write_clip(tmp_path / "a.mp4", times=regular(3), pictures=[picture] * 3))
    assert media.frames is not None
    assert media.frames[0].shape == (480, LONGEST_SIDE, 3)


def test_one_stream_alone(tmp_path: Path) -> None:
    silent = read_media(write_clip(tmp_path / "a.mp4", times=regular(5)))
    assert silent.waveform_N is None
    assert silent.missing == {"audio": "the file has no audio stream"}
    blind = read_media(write_clip(tmp_path / "a.wav", sound=tone(1.0), audio_codec="pcm_s16le"))
    assert blind.frames is None
    assert blind.missing == {"video": "the file has no video stream"}
    assert len(blind.frame_times_T) == 0


def test_cover_art_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=22_050, layout="mono")
        cover = container.add_stream("mjpeg", rate=25)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        wave = tone(1.0)
        for start in range(0, len(wave) - 1024, 1024):
            frame = av.AudioFrame.from_ndarray(wave[None, start : start + 1024], format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 22_050, start
            container.mux(sound.encode(frame))
        container.mux(cover.encode(av.VideoFrame.from_ndarray(grey(3), format="rgb24").reformat(format="yuvj420p")))
        container.mux(cover.encode(None))
        container.mux(sound.encode(None))
    media = read_media(path)
    assert media.frames is None
    assert "cover art" in media.missing["video"]


def test_broken_tail_keeps_what_decodes(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (50, 96, 128, 3), dtype=np.uint8)
    whole = write_clip(tmp_path / "b.mp4", times=regular(50), pictures=list(noise), options={"movflags": "faststart"})
    content = whole.read_bytes()
    whole.write_bytes(content[: len(content) // 2])
    media = read_media(whole)
    assert media.frames is not None
    assert 0.5 < media.duration < 1.5
    assert media.damage is not None
    assert "breaks off" in media.damage


def test_gap_in_sound_is_heard_as_silence(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        for pts in (0, 8000):
            samples = np.full((1, 4000), 16_000, dtype=np.int16)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 8000, pts
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    media = read_media(path, sample_rate=8000)
    assert media.waveform_N is not None
    assert len(media.waveform_N) == pytest.approx(12_000, abs=50)
    assert abs(media.waveform_N[5000:7000]).max() < 0.01
    assert media.waveform_N[9000:11_000].mean() == pytest.approx(16_000 / 32_768, abs=0.01)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.mp4", b"", "not a video"),
        ("a.mp4", b"no video at all\n" * 50, "not a video"),
        ("a.txt", b"hello world\n" * 50, "text file"),
        ("a.m3u8", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n", ""),
        ("a.ffconcat", b"ffconcat version 1.0\nfile b.mp4\n", ""),
    ],
)
def test_what_is_no_clip_is_refused_in_one_line(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UnreadableClip) as caught:
        read_media(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_pictures_folders_and_absent_files_are_refused(tmp_path: Path) -> None:
    from PIL import Image

    Image.fromarray(grey(1)).save(tmp_path / "a.png")
    for path, said in ((tmp_path / "a.png", "picture"), (tmp_path, "not a file"), (tmp_path / "b", "no such file")):
        with pytest.raises(UnreadableClip, match=said):
            read_media(path)


def test_too_long_is_refused_and_minutes_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_clip(tmp_path / "a.wav", sound=tone(200.0, rate=8000), rate=8000, audio_codec="pcm_s16le")
    assert read_media(path, sample_rate=8000).duration == pytest.approx(200.0, abs=0.1)
    monkeypatch.setattr("textmsa.media.MAX_SECONDS", 100.0)
    with pytest.raises(UnreadableClip, match="at most 100 s"):
        read_media(path)


@pytest.mark.parametrize(
    ("name", "seconds", "audio", "video"),
    [
        ("speaker.mp4", 3.25, True, True),
        ("speech.flac", 3.0, True, False),
        ("no_face.mp4", 2.09, True, True),
        ("shared/speaker_a.mp4", 8.0, True, True),
        ("shared/WolfgangLanger_Pexels.mp4", 19.7, True, True),
        ("shared/single_face.mp4", 2.4, True, True),
        ("shared/muted.mp4", 2.4, False, True),
        ("shared/face_noface.mov", 6.4, True, True),
        ("shared/no_face.mp4", 3.96, True, True),
        ("shared/speech_only.wav", 8.0, True, False),
    ],
)
def test_real_clips(name: str, seconds: float, audio: bool, video: bool) -> None:
    media = read_media(real_clip(name))
    assert media.duration == pytest.approx(seconds, abs=0.05)
    assert (media.waveform_N is not None, media.frames is not None) == (audio, video)
    assert set(media.missing) == {kind for kind, there in (("audio", audio), ("video", video)) if not there}
    assert media.damage is None


def test_pictures_alone(tmp_path: Path) -> None:
    media = read_media(without_sound(real_clip("speaker.mp4"), tmp_path / "muted.mp4"))
    assert media.missing == {"audio": "the file has no audio stream"}
    assert media.duration == pytest.approx(3.2, abs=0.05)
    assert media.frames is not None
    assert len(media.frames) >= 32


def test_a_note_in_an_old_encoding_does_not_keep_a_sound_from_being_read(tmp_path: Path) -> None:
    data = write_clip(tmp_path / "a.wav", sound=tone(1.0), audio_codec="pcm_s16le").read_bytes()
    note = "für dich".encode("latin-1")  # as recorders of Windows write it: FFmpeg hands the bytes on
    info = b"INFOICMT" + len(note).to_bytes(4, "little") + note
    (tmp_path / "b.wav").write_bytes(data + b"LIST" + len(info).to_bytes(4, "little") + info)
    media = read_media(tmp_path / "b.wav")
    assert media.waveform_N is not None
    assert media.duration == pytest.approx(1.0, abs=0.01)


def joined(path: Path, *parts: tuple[str, int, float]) -> Path:
    """Recordings of a second, (layout, rate, Hz), one after the other in one MP3 file."""
    data = b""
    for layout, rate, hertz in parts:
        with av.open(str(path), "w", format="mp3") as container:
            stream = container.add_stream("libmp3lame", rate=rate, layout=layout)
            sound_CN: npt.NDArray[np.float32] = np.stack([tone(1.0, hertz=hertz, rate=rate)] * (1 + (layout != "mono")))
            frame = av.AudioFrame.from_ndarray(sound_CN, format="fltp", layout=layout)
            frame.sample_rate = rate
            fifo = av.AudioFifo()
            fifo.write(frame)
            while (piece := fifo.read(stream.codec_context.frame_size or 576, partial=True)) is not None:
                piece.pts = None
                container.mux(stream.encode(piece))
            container.mux(stream.encode(None))
        data += path.read_bytes()
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("second", [("stereo", 44_100), ("mono", 22_050), ("stereo", 22_050)])
def test_joined_recordings_are_heard_each_as_they_were_made(tmp_path: Path, second: tuple[str, int]) -> None:
    media = read_media(joined(tmp_path / "a.mp3", ("mono", 44_100, 300.0), (*second, 200.0)))
    assert media.waveform_N is not None
    for start, hertz in ((0.3, 300.0), (1.4, 200.0)):
        part_N = media.waveform_N[round(start * media.sample_rate) :][: media.sample_rate // 2]
        strength = np.abs(np.fft.rfft(part_N * np.hanning(len(part_N))))
        assert 2.0 * strength.argmax() == pytest.approx(hertz, abs=3.0)
        assert np.abs(part_N).max() > 0.1
    assert media.duration == pytest.approx(2.08, abs=0.05)
