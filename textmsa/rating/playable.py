"""Clips that a browser does not play are shown as copies that it does; the clips themselves stay as they are."""

import tempfile
import threading
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textmsa.errors import UnreadableClip
from textmsa.media import opened

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer

SUFFIXES = (".mp4", ".m4v", ".mov", ".webm", ".wav", ".mp3", ".m4a", ".flac", ".ogg", ".opus", ".aac")
CODECS = {
    "video": ("h264", "vp8", "vp9", "av1"),
    "audio": ("aac", "mp3", "opus", "vorbis", "flac", "pcm_s16le", "pcm_u8", "pcm_f32le"),
}
"""That the browsers of our day play, whatever the system."""
LONGEST_SIDE = 1280  # pixels of a copy
SAMPLE_RATE = 44_100  # Hz of its sound


class Copies:
    """Makes each copy once, in a folder that is gone with `close`."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="textmsa-label-", ignore_cleanup_errors=True)
        self.made: dict[Path, Path] = {}
        self.lock = threading.Lock()

    def of(self, clip: Path) -> Path:
        """What is to be shown: the clip itself, or a copy in H.264 and AAC; UnreadableClip where there is neither."""
        with self.lock:
            if clip not in self.made:
                self.made[clip] = clip if plays(clip) else self._copy(clip)
            return self.made[clip]

    def close(self) -> None:
        """Take the copies away."""
        self.folder.cleanup()

    def _copy(self, clip: Path) -> Path:
        target = Path(self.folder.name) / f"{len(self.made)}.mp4"
        copy_playable(clip, target)
        return target


def plays(clip: Path) -> bool:
    """Whether browsers play a file as it is; UnreadableClip for what is no clip."""
    with opened(clip) as container:
        kinds = {(stream.type, stream.codec_context.name) for stream in container.streams if stream.type in CODECS}
    return clip.suffix.lower() in SUFFIXES and all(codec in CODECS[kind] for kind, codec in kinds)


def copy_playable(clip: Path, target: Path) -> None:
    """Write the first picture and the first sound stream anew, as H.264 and AAC, in an MP4.

    Parameters
    ----------
    clip
        Any file that PyAV decodes.
    target
        The new file.

    Raises UnreadableClip where nothing can be decoded.
    """
    import av

    with opened(clip) as container:
        try:
            turns = _quarter_turns(clip)
            with av.open(str(target), "w", format="mp4") as made:
                _copy(container, made, turns)
        except (av.error.FFmpegError, ValueError, IndexError) as error:
            target.unlink(missing_ok=True)
            raise UnreadableClip(f"no copy that a browser plays can be made ({error})") from error


def _quarter_turns(clip: Path) -> int:
    """By how many quarters its pictures are to be turned to the left, as telephones say it of clips held upright."""
    with opened(clip) as container:
        first = next(container.decode(video=0), None) if container.streams.video else None
        return 0 if first is None else round(first.rotation / 90) % 4


def _drawn(frame: "VideoFrame", width: int, height: int, turns: int) -> "VideoFrame":
    """A picture of a size, upright, in the colours that browsers play."""
    import av
    import numpy as np

    if not turns:
        return frame.reformat(width=width, height=height, format="yuv420p")
    if turns % 2:
        width, height = height, width
    picture_HWC = np.rot90(frame.reformat(width=width, height=height, format="rgb24").to_ndarray(), turns)
    turned = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture_HWC, np.uint8), format="rgb24")
    return turned.reformat(format="yuv420p")


def _copy(container: "InputContainer", made: Any, turns: int) -> None:
    import av

    picture = next(iter(container.streams.video), None)
    sound = next(iter(container.streams.audio), None)
    video, audio, resampler = None, None, None
    if picture is not None:
        video = made.add_stream("libx264", rate=Fraction(picture.average_rate or 25).limit_denominator(1000))
        aspect = float(picture.codec_context.sample_aspect_ratio or 1)  # of its pixels, as of tapes
        sides = (picture.width * aspect, float(picture.height))
        scale = min(1.0, LONGEST_SIDE / max(*sides, 1.0))
        video.width, video.height = (max(2, round(side * scale) // 2 * 2) for side in sides[:: -1 if turns % 2 else 1])
        video.pix_fmt, video.options = "yuv420p", {"crf": "20", "preset": "veryfast"}
        video.codec_context.time_base = Fraction(1, 1000)
    if sound is not None:
        audio = made.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=SAMPLE_RATE, frame_size=1024)
    last = -1
    for packet in container.demux([stream for stream in (picture, sound) if stream is not None]):
        for frame in packet.decode():
            if isinstance(frame, av.VideoFrame) and video is not None:
                now = round((frame.time or 0.0) * 1000)
                if now <= last:
                    continue
                last = now
                drawn = _drawn(frame, video.width, video.height, turns)
                drawn.pts, drawn.time_base, drawn.pict_type = now, Fraction(1, 1000), 0
                made.mux(video.encode(drawn))
            elif isinstance(frame, av.AudioFrame) and audio is not None and resampler is not None:
                for part in resampler.resample(frame):
                    made.mux(audio.encode(part))
    if audio is not None and resampler is not None:
        for part in resampler.resample(None):
            made.mux(audio.encode(part))
    for stream in (video, audio):
        if stream is not None:
            made.mux(stream.encode(None))
