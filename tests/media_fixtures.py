"""Tiny real clips, recorded or encoded by PyAV: what the tests of media, features and explanations read."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

RECORDINGS = Path(__file__).parent / "recordings"
SHARED_CLIPS = Path(__file__).parents[2] / "shared" / "clips"
CONTENTS: dict[str, dict[str, Any]] = json.loads((RECORDINGS / "contents.json").read_text())
"""Recording -> what was put into it: its sentence, seconds, the voice's pitch (Hz), and when voice and face peak."""


def real_clip(name: str) -> Path:
    """A recording of tests/recordings, or, as `shared/NAME`, one beside the repository: skipped where there is none."""
    if not name.startswith("shared/"):
        return RECORDINGS / name
    path = SHARED_CLIPS / name.removeprefix("shared/")
    if not path.is_file():
        pytest.skip(f"no ../shared/clips/{path.name} beside the repository")
    return path


def without_sound(source: Path, target: Path) -> Path:
    """The same pictures, not encoded again, in a file that has no audio stream."""
    with av.open(str(source)) as container, av.open(str(target), "w") as out:
        stream = container.streams.video[0]
        copied = out.add_stream_from_template(stream)
        for packet in container.demux(stream):
            if packet.dts is not None:
                packet.stream = copied
                out.mux(packet)
    return target


def tone(seconds: float, *, hertz: float = 150.0, rate: int = 22_050, level: float = 0.3) -> npt.NDArray[np.float32]:
    """A voice-like tone: ten harmonics."""
    time_N = np.arange(round(seconds * rate)) / rate
    harmonics = np.stack([np.sin(2 * np.pi * hertz * h * time_N) / h for h in range(1, 11)])
    return (level / 2 * harmonics.sum(axis=0)).astype(np.float32)


def grey(index: int, *, width: int = 64, height: int = 48) -> npt.NDArray[np.uint8]:
    """A picture whose brightness tells its index (0 to 49) even after encoding; the top rows are red."""
    picture = np.full((height, width, 3), 5 * index, dtype=np.uint8)
    picture[: height // 4] = (255, 0, 0)
    return picture


def index_of(picture: npt.NDArray[np.uint8]) -> int:
    """The index that `grey` wrote."""
    return round(float(picture[picture.shape[0] // 2 :].mean()) / 5)


def write_clip(
    path: Path,
    *,
    times: list[float] | None = None,
    pictures: list[npt.NDArray[np.uint8]] | None = None,
    sound: npt.NDArray[np.float32] | None = None,
    rate: int = 22_050,
    sound_start: float = 0.0,
    audio_codec: str = "aac",
    options: dict[str, str] | None = None,
) -> Path:
    """Write a clip: `pictures` (default: numbered greys) shown at `times` (s), `sound` (N,) from `sound_start`."""
    with av.open(str(path), "w", options=options or {}) as container:
        video = container.add_stream("libx264", rate=25) if times else None
        audio = container.add_stream(audio_codec, rate=rate, layout="mono") if sound is not None else None
        if isinstance(video, av.VideoStream):
            times = times or []
            _write_pictures(container, video, times, pictures or [grey(index) for index in range(len(times))])
        if isinstance(audio, av.AudioStream) and sound is not None:
            _write_sound(container, audio, sound, rate, sound_start)
    return path


def turn_clockwise(path: Path) -> None:
    """Let an MP4 of 48 rows say that it is to be shown turned to the right, as telephones do."""
    content = path.read_bytes()
    one = (1 << 16).to_bytes(4, "big")
    zero, minus = bytes(4), (-(1 << 16)).to_bytes(4, "big", signed=True)
    w = (1 << 30).to_bytes(4, "big")
    upright = one + zero * 3 + one + zero * 3 + w
    clockwise = zero + one + zero + minus + zero * 2 + (48 << 16).to_bytes(4, "big") + zero + w
    at = content.index(upright, content.index(b"tkhd"))
    path.write_bytes(content[:at] + clockwise + content[at + len(upright) :])


def _write_pictures(
    container: av.container.OutputContainer,
    stream: av.VideoStream,
    times: list[float],
    pictures: list[npt.NDArray[np.uint8]],
) -> None:
    stream.height, stream.width = pictures[0].shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.options = {"crf": "12", "preset": "ultrafast"}
    stream.codec_context.time_base = Fraction(1, 1000)
    for time, picture in zip(times, pictures, strict=True):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = round(time * 1000), Fraction(1, 1000)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _write_sound(
    container: av.container.OutputContainer,
    stream: av.AudioStream,
    sound: npt.NDArray[np.float32],
    rate: int,
    start: float,
) -> None:
    frame = av.AudioFrame.from_ndarray(sound[None], format="fltp", layout="mono")
    frame.sample_rate = rate
    frame.pts, frame.time_base = round(start * rate), Fraction(1, rate)
    resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=rate, frame_size=1024)
    for part in [*resampler.resample(frame), *resampler.resample(None)]:
        container.mux(stream.encode(part))
    container.mux(stream.encode(None))


def regular(count: int, fps: float = 25.0) -> list[float]:
    """Times of `count` frames."""
    return [index / fps for index in range(count)]
