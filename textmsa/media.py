"""From a clip's file to what was heard and seen: one decoder (PyAV), one pass, one clock.

Shape suffixes: N audio samples, T frames kept, H height, W width.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from textmsa.errors import UnreadableClip, first_line
from textmsa.types import FloatArray

if TYPE_CHECKING:
    from av.container import InputContainer

FPS = 10.0  # frames kept in a second: two to four in each window of the time grid's 0.1 s or longer
SAMPLE_RATE = 22050  # Hz, as MMSA's librosa features
LONGEST_SIDE = 640  # pixels; the face network looks at 256 x 256 of them
FRAME_BYTES = 600_000_000  # of kept frames; longer clips are kept smaller instead
MAX_SECONDS = 300.0  # the corpora's clips last 1-15 s, the longest of MOSEI 108 s
GAP_SECONDS = 0.05  # jumps in the time stamps below this are jitter
REFUSED_FORMATS = {"hls": "a playlist", "dash": "a playlist", "concat": "a playlist", "tty": "a text file"}
PICTURE_FORMATS = ("image2", "gif", "apng", "ico")


@dataclass(frozen=True)
class Media:
    """What one clip's file holds, on one clock that starts with the container."""

    path: Path
    duration: float
    """Seconds from the container's start to the end of what could be decoded."""
    waveform_N: FloatArray | None
    """Mono, about [-1, 1], at `sample_rate`; None where `missing` has "audio"."""
    sample_rate: int
    frames: tuple[npt.NDArray[np.uint8], ...] | None
    """T pictures (H, W, 3), RGB, upright; None where `missing` has "video"."""
    frame_times_T: npt.NDArray[np.float64]
    """Seconds, ascending; not necessarily regular."""
    missing: dict[str, str] = field(default_factory=dict)
    """"audio" and/or "video" -> why it is absent."""
    audio_start: float = 0.0
    """Seconds at which the first sample is heard."""
    damage: str | None = None
    """What of the file could not be decoded, although the rest could."""


def read_media(path: Path, *, fps: float = FPS, sample_rate: int = SAMPLE_RATE) -> Media:
    """Decode a clip once, keeping the frames nearest to a grid of `fps` and the mono sound at `sample_rate`.

    Raises UnreadableClip (the message is the reason) where nothing can be decoded or the clip is too long.
    """
    with opened(path) as container:
        seconds = (container.duration or 0) / 1e6
        if seconds > MAX_SECONDS:
            raise _too_long(seconds)
        decoding = Decoding(container, fps=fps)
        decoding.run()
        return decoding.media(path, sample_rate=sample_rate)


def stream_sound(path: Path, *, sample_rate: int, seconds: float = 10.0) -> Iterator[tuple[float, FloatArray]]:
    """The sound of a file of any length, a piece at a time: no more than about two pieces are in memory.

    Parameters
    ----------
    path
        A video or sound file; its pictures are not decoded.
    sample_rate
        Hz of what is given.
    seconds
        About how long a piece is.

    Yields the time (s) of a piece's first sample, on the clock of `read_media`, and its mono samples (N,). The pieces
    follow one another without a gap; what cannot be decoded is silence.

    Raises UnreadableClip, before the first piece, where there is no sound that can be decoded.
    """
    import soxr

    with opened(path) as container:
        decoding = Decoding(container, fps=1.0, kinds=("audio",))
        sound = decoding.sound
        assert sound is not None
        resampling: Any = None
        time, skipped = 0.0, 0
        for last in decoding.steps():
            waiting = sum(map(len, sound.chunks))
            if not sound.rate or (not last and waiting < seconds * sound.rate):
                continue
            if resampling is None:
                resampling = soxr.ResampleStream(sound.rate, sample_rate, 1, dtype="float32")
                time = max(sound.start, 0.0)
                skipped = round(max(-sound.start, 0.0) * sound.rate)
            samples_N = np.concatenate([*sound.chunks, np.zeros(0, np.float32)])
            sound.chunks.clear()
            samples_N, skipped = samples_N[skipped:], max(0, skipped - len(samples_N))
            samples_N = np.where(np.isfinite(samples_N), samples_N, 0.0).astype(np.float32)
            piece_N = np.asarray(resampling.resample_chunk(samples_N, last=last), dtype=np.float32)
            if len(piece_N):
                yield time, piece_N
                time += len(piece_N) / sample_rate
        if resampling is None:
            why = f" ({decoding.last_error})" if decoding.last_error else ""
            raise UnreadableClip(f"nothing of the audio stream could be decoded{why}")


@contextmanager
def opened(path: Path) -> Iterator["InputContainer"]:
    """The file's container, of PyAV; UnreadableClip where it is no clip."""
    import av

    if not path.is_file():
        raise UnreadableClip("there is no such file" if not path.exists() else "not a file")
    try:
        # `file:` keeps names such as `concat:a|b` from being read as commands; no other protocol is opened.
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace")
    except (av.error.FFmpegError, ValueError, OSError) as error:
        raise UnreadableClip(f"not a video or sound file, or a damaged one ({_short(error)})") from error
    with container:
        _refuse(container)
        yield container


def _refuse(container: Any) -> None:
    """Raise UnreadableClip for what FFmpeg opens but is no clip."""
    names = container.format.name.split(",")
    for name in names:
        if name in REFUSED_FORMATS:
            raise UnreadableClip(f"{REFUSED_FORMATS[name]}, not a video or sound file")
        if name in PICTURE_FORMATS or name.endswith("_pipe"):
            raise UnreadableClip("a picture, not a video or sound file")


def _too_long(seconds: float) -> UnreadableClip:
    return UnreadableClip(f"lasts {seconds:.0f} s, at most {MAX_SECONDS:.0f} s are allowed: cut it into clips")


def _short(error: Exception) -> str:
    return getattr(error, "strerror", None) or first_line(error)


class Decoding:
    """One pass over a container's packets; `held` are the seconds of pictures that are kept at a time, else all."""

    def __init__(
        self,
        container: "InputContainer",
        *,
        fps: float,
        kinds: tuple[str, ...] = ("audio", "video"),
        held: float | None = None,
    ) -> None:
        self.container = container
        self.claimed = (container.duration or 0) / 1e6
        start = self.origin = container.start_time / 1e6 if container.start_time is not None else 0.0
        self.missing: dict[str, str] = {}
        audio, video = (self._stream(kind) if kind in kinds else None for kind in ("audio", "video"))
        self.sound = _Sound(start) if audio is not None else None
        self.pictures = _Pictures(video, start, fps, held or self.claimed) if video is not None else None
        self.streams = [stream for stream in (audio, video) if stream is not None]
        if not self.streams:
            raise UnreadableClip("holds neither sound nor video" if "video" in kinds else self.missing["audio"])
        self.failed_packets = 0
        self.last_error: str | None = None

    def _stream(self, kind: str) -> Any:
        """The first usable stream of a kind; None, with the reason noted, where there is none."""
        from av.stream import Disposition

        streams = [stream for stream in self.container.streams if stream.type == kind]
        moving = [stream for stream in streams if Disposition.attached_pic not in stream.disposition]
        known = [stream for stream in moving if stream.codec_context is not None]
        if not streams:
            self.missing[kind] = f"the file has no {kind} stream"
        elif not moving:
            self.missing[kind] = "the file has cover art only, no video stream"
        elif not known:
            self.missing[kind] = f"no decoder for the {kind} stream"
        else:
            known[0].codec_context.thread_count = 1  # workers are processes; a clip must not take every core
            return known[0]
        return None

    def run(self) -> None:
        """Decode to the end, or to where the file breaks off."""
        for _ in self._decoded():
            if self.longest_end > MAX_SECONDS + 1:
                raise _too_long(max(self.longest_end, self.claimed))

    @property
    def longest_end(self) -> float:
        """Seconds up to which something was decoded."""
        return max(taker.end for taker in (self.sound, self.pictures) if taker is not None)

    def steps(self) -> Iterator[bool]:
        """Decode packet by packet; says after each whether it was the last, so that what is there can be taken."""
        for _ in self._decoded():
            yield False
        yield True

    def _decoded(self) -> Iterator[None]:
        """Decode to the end, a step a packet."""
        import av

        for packet in self._packets():
            try:
                frames = packet.decode()
            except av.error.FFmpegError as error:
                self.failed_packets += 1
                self.last_error = _short(error)
                continue
            for frame in frames:
                self._take(frame, packet.stream.type)
            yield
        if self.pictures is not None:
            self.pictures.finish()

    def _packets(self) -> Iterator[Any]:
        import av

        packets = self.container.demux(self.streams)
        while True:
            try:
                packet = next(packets, None)
            except av.error.FFmpegError as error:
                self.last_error = _short(error)
                return
            if packet is None:
                return
            yield packet

    def _take(self, frame: Any, kind: str) -> None:
        taker = self.sound if kind == "audio" else self.pictures
        assert taker is not None
        if frame.is_corrupt:
            self.failed_packets += 1
            self.last_error = "corrupt frame"
            return
        taker.take(frame)

    def media(self, path: Path, *, sample_rate: int) -> Media:
        """What was decoded; raises UnreadableClip where that is nothing."""
        missing = dict(self.missing)
        waveform_N = self.sound.waveform(sample_rate) if self.sound is not None else None
        frames = tuple(self.pictures.frames) if self.pictures is not None else ()
        why = f" ({self.last_error})" if self.last_error else ""
        if waveform_N is None and "audio" not in missing:
            missing["audio"] = f"nothing of the audio stream could be decoded{why}"
        if not frames and "video" not in missing:
            missing["video"] = f"nothing of the video stream could be decoded{why}"
        if waveform_N is None and not frames:
            raise UnreadableClip("; ".join(dict.fromkeys(missing[kind] for kind in ("audio", "video"))))
        end = max(part.end for part in (self.sound, self.pictures) if part is not None)
        return Media(
            path=path,
            duration=end,
            waveform_N=waveform_N,
            sample_rate=sample_rate,
            frames=frames or None,
            frame_times_T=np.array(self.pictures.times if self.pictures is not None else [], dtype=np.float64),
            missing=missing,
            audio_start=self.sound.start if self.sound is not None and waveform_N is not None else 0.0,
            damage=self._damage(end),
        )

    def _damage(self, end: float) -> str | None:
        parts = []
        if self.claimed - end > max(0.5, 0.05 * self.claimed):
            parts.append(f"breaks off at {end:.1f} of {self.claimed:.1f} s")
        if self.failed_packets:
            parts.append(f"{self.failed_packets} packets could not be decoded")
        if self.sound is not None and self.sound.not_finite:
            parts.append(f"{self.sound.not_finite} sound samples were no numbers and count as silence")
        if parts and self.last_error:
            parts[-1] += f" ({self.last_error})"
        return "; ".join(parts) or None


class _Sound:
    """Collects sound at its own rate, placed by its time stamps."""

    def __init__(self, origin: float) -> None:
        self.origin = origin
        self.start = self.end = 0.0
        self.rate = self.not_finite = 0
        self.chunks: list[FloatArray] = []
        self.converters: dict[tuple[str, str, int], Any] = {}

    def take(self, frame: Any) -> None:
        """Add one decoded frame; a gap in the time stamps is heard as silence, an overlap is cut."""
        import av

        if not self.rate:
            self.rate = frame.sample_rate
            self.start = self.end = (frame.time or 0.0) - self.origin if frame.time is not None else 0.0
        kind = frame.format.name, frame.layout.name, frame.sample_rate
        if kind not in self.converters:  # joined recordings change theirs midway, which a converter refuses
            self.converters[kind] = av.AudioResampler(format="fltp", layout="mono", rate=self.rate)
        time = frame.time - self.origin if frame.time is not None else self.end
        gap = time - self.end
        if gap > GAP_SECONDS:
            self._add(np.zeros(round(gap * self.rate), dtype=np.float32))
        frame.pts = None  # the converter would refuse jumps
        for converted in self.converters[kind].resample(frame):
            samples = converted.to_ndarray().reshape(-1)
            self._add(samples[round(-gap * self.rate) :] if gap < -GAP_SECONDS else samples)

    def _add(self, samples: FloatArray) -> None:
        self.chunks.append(samples)
        self.end += len(samples) / self.rate

    def waveform(self, sample_rate: int) -> FloatArray | None:
        """All of it at `sample_rate`; None where there is nothing. Cuts what lies before the clock's start."""
        import soxr

        if not self.chunks or self.end <= max(self.start, 0.0):
            return None
        samples_N = np.concatenate(self.chunks)
        if self.start < 0:
            samples_N = samples_N[round(-self.start * self.rate) :]
            self.start = 0.0
        finite_N = np.isfinite(samples_N)
        self.not_finite = int((~finite_N).sum())
        samples_N = np.where(finite_N, samples_N, 0.0).astype(np.float32)
        return np.asarray(soxr.resample(samples_N, self.rate, sample_rate), dtype=np.float32)


class _Pictures:
    """Keeps, of the frames passing by in time order, those nearest to a regular grid; converts only these."""

    def __init__(self, stream: Any, origin: float, fps: float, seconds: float) -> None:
        from av.video.reformatter import VideoReformatter

        self.origin, self.fps = origin, fps
        self.period = 1.0 / float(stream.average_rate or stream.guessed_rate or 25)
        self.seconds = seconds if seconds > 0 else MAX_SECONDS
        self.stream = stream
        self.converter = VideoReformatter()  # one for all pictures: each has threads and tables of its own to set up
        self.frames: list[npt.NDArray[np.uint8]] = []
        self.times: list[float] = []
        self.end, self.next_point, self.seen = 0.0, 0, 0
        self.held: tuple[float, Any] | None = None
        self.held_kept = False
        self.cuts: list[float] = []  # s, ascending, where stretches end: their last pictures are kept as a file's are
        self.before_cuts: list[tuple[float, float, npt.NDArray[np.uint8]]] = []  # (cut, time, picture)

    def take(self, frame: Any) -> None:
        """Offer the next frame."""
        time = frame.time - self.origin if frame.time is not None else self.seen * self.period
        self.seen += 1
        if time < -self.period / 2 or (self.held is not None and time <= self.held[0]):
            return  # before the clock's start, or a repeated time stamp
        time = max(time, 0.0)
        if self.held is not None:
            self._keep_before_cuts(time)
            self._settle(until=(self.held[0] + time) / 2)
        else:
            self.next_point = max(0, round(time * self.fps))
        self.held, self.held_kept = (time, frame), False
        self.end = time + self.period

    def finish(self) -> None:
        """Decide on the last frame, which is shown for one more period."""
        if self.held is not None:
            self._settle(until=self.held[0] + max(self.period, 0.5 / self.fps))

    def _keep_before_cuts(self, following: float) -> None:
        assert self.held is not None
        time, frame = self.held
        while self.cuts and self.cuts[0] <= following + 1e-6:
            cut = self.cuts.pop(0)
            if time < cut - 1e-6 and self.next_point / self.fps < time + max(self.period, 0.5 / self.fps) + 1e-6:
                self.before_cuts.append((cut, time, self._picture(frame)))

    def _settle(self, *, until: float) -> None:
        """Keep the held frame if it is the nearest to a point of the grid before `until`."""
        assert self.held is not None
        (time, frame), point = self.held, self.next_point
        while self.next_point / self.fps < until + 1e-6:  # of two equally near, the earlier
            self.next_point += 1
        if self.next_point > point or not self.frames:
            self.times.append(time)
            self.frames.append(self._picture(frame))

    def _picture(self, frame: Any) -> npt.NDArray[np.uint8]:
        """RGB, square pixels, upright, at most the size that memory allows."""
        aspect = float(self.stream.codec_context.sample_aspect_ratio or 1)
        width, height = frame.width * aspect, float(frame.height)
        pixels = FRAME_BYTES / (3 * max(self.seconds * self.fps, 1))  # that one picture may have
        scale = min(1.0, LONGEST_SIDE / max(width, height), (pixels / (width * height)) ** 0.5)
        size = {"width": max(2, round(width * scale)), "height": max(2, round(height * scale))}
        picture_HWC = self.converter.reformat(frame, **size, format="rgb24", threads=1).to_ndarray()
        return np.ascontiguousarray(np.rot90(picture_HWC, round(frame.rotation / 90) % 4))
