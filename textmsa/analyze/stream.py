"""One decode of a long file, of which stretches are taken in the order of their ends; what is behind is let go.

Shape suffixes: N audio samples, T frames kept.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from textmsa.analyze.utterances import LONGEST_WINDOW, TENTHS
from textmsa.media import FPS, SAMPLE_RATE, Decoding, Media, opened
from textmsa.types import FloatArray

APART = 10.0  # s by which sound may come before its pictures in a file, or after them
BEFORE = 2.0  # s before a resumed place at which decoding begins: decoders need a moment
SEEKABLE = {"mov", "mp4", "matroska", "webm"}  # formats with an index and exact times


class MediaStream:
    """A file that is being decoded, once, from its start to its end. Use `open_stream`."""

    def __init__(self, path: Path, decoding: Decoding, cuts: Iterable[int] = ()) -> None:
        self.path, self._decoding = path, decoding
        if decoding.pictures is not None:
            decoding.pictures.cuts = [cut / TENTHS for cut in sorted(set(cuts))]
        self._steps = decoding.steps()
        self._dropped = 0
        """Sound samples that were let go."""
        self._told = 0
        self.finished = False

    @property
    def claimed(self) -> float:
        """Seconds that the file says it lasts; 0 where it does not say."""
        return self._decoding.claimed

    @property
    def end(self) -> float:
        """Seconds up to which something was decoded; where `finished`, the file's end."""
        return self._decoding.longest_end

    @property
    def missing(self) -> dict[str, str]:
        """ "audio" and/or "video" -> why the whole file lacks it."""
        return dict(self._decoding.missing)

    def take(self, first: int, last: int) -> Media:
        """What is heard and seen from `first` to `last`, tenths of a second, on a clock that starts at `first`.

        As `read_media` would give it of a file that was cut there. Decodes on as far as is needed; nothing of what
        `drop` let go can be taken again.
        """
        start, end = first / TENTHS, last / TENTHS
        self._decode(end)
        missing = self.missing
        waveform_N, audio_start = self._sound(start, end)
        frames, times = self._pictures(first, last)
        if waveform_N is None:
            missing.setdefault("audio", f"no sound from {start:.1f} to {end:.1f} s")
        if not frames:
            missing.setdefault("video", f"no pictures from {start:.1f} to {end:.1f} s")
        seconds = min(end, self.end) - start if self.finished else end - start
        if times and self._decoding.pictures is not None:  # a file's last picture is shown for a whole period
            seconds = max(seconds, times[-1] + self._decoding.pictures.period)
        return Media(
            path=self.path,
            duration=max(round(seconds, 6), 0.0),
            waveform_N=waveform_N,
            sample_rate=SAMPLE_RATE,
            frames=tuple(frames) or None,
            frame_times_T=np.array(times, dtype=np.float64),
            missing=missing,
            audio_start=audio_start,
            damage=self._damage(),
        )

    def drop(self, before: int) -> None:
        """Let go of what lies before a tenth of a second."""
        sound, pictures = self._decoding.sound, self._decoding.pictures
        if sound is not None and sound.chunks:
            until = round((before / TENTHS - sound.start) * sound.rate)
            while sound.chunks and self._dropped + len(sound.chunks[0]) <= until:
                self._dropped += len(sound.chunks.pop(0))
        if pictures is not None:
            old = sum(_point(time) < before for time in pictures.times[:-1])  # one stays: more than none were seen
            del pictures.times[:old], pictures.frames[:old]
            pictures.before_cuts = [kept for kept in pictures.before_cuts if kept[0] > before / TENTHS + 1e-6]

    def decode_beyond(self, start: float) -> bool:
        """Decode until sound and pictures have begun; whether both did so before `start`."""
        self._decode(start)
        sound, pictures = self._decoding.sound, self._decoding.pictures
        begun = [sound.start] if sound is not None and sound.rate else []
        begun += pictures.times[:1] if pictures is not None else []
        return bool(begun) and max(begun) <= start

    def _decode(self, until: float) -> None:
        sound, pictures = self._decoding.sound, self._decoding.pictures
        while not self.finished and self.end < until + APART:
            heard = sound is None or sound.end >= until
            seen = pictures is None or (pictures.held is not None and pictures.held[0] >= until - 1e-6)
            if heard and seen:
                return
            self.finished = next(self._steps, True)

    def _sound(self, start: float, end: float) -> tuple[FloatArray | None, float]:
        """Mono samples (N,) between two times, and when the first is heard after `start`."""
        import soxr

        sound = self._decoding.sound
        if sound is None or not sound.chunks:
            return None, 0.0
        held_N = np.concatenate(sound.chunks)
        first = max(round((start - sound.start) * sound.rate), self._dropped)
        last = round((end - sound.start) * sound.rate)
        samples_N = held_N[first - self._dropped : max(last - self._dropped, 0)]
        if not len(samples_N):
            return None, 0.0
        samples_N = np.where(np.isfinite(samples_N), samples_N, 0.0).astype(np.float32)
        waveform_N = np.asarray(soxr.resample(samples_N, sound.rate, SAMPLE_RATE), dtype=np.float32)
        return waveform_N, max(round(sound.start + first / sound.rate - start, 6), 0.0)

    def _pictures(self, first: int, last: int) -> tuple[list[npt.NDArray[np.uint8]], list[float]]:
        """The pictures that are nearest to the window's tenths and the last before its end, and their times in it."""
        pictures = self._decoding.pictures
        if pictures is None:
            return [], []
        kept = [place for place, time in enumerate(pictures.times) if first <= _point(time) < last]
        times = [pictures.times[place] for place in kept]
        frames = [pictures.frames[place] for place in kept]
        for cut, time, picture in pictures.before_cuts:
            if abs(cut - last / TENTHS) < 1e-6 and times and time > times[-1]:
                times.append(time)
                frames.append(picture)
        # Rounded, since the time grid asks whether 0.2 lies before 0.2: a file's own times have no remainder.
        return frames, [max(round(time - first / TENTHS, 6), 0.0) for time in times]

    def _damage(self) -> str | None:
        """What could not be decoded since the last stretch was taken."""
        failed, self._told = self._decoding.failed_packets - self._told, self._decoding.failed_packets
        return f"{failed} packets could not be decoded ({self._decoding.last_error})" if failed else None


def _point(time: float) -> int:
    """The tenth of a second that a picture stands for."""
    return int(time * FPS + 0.5 - 1e-6)


@contextmanager
def open_stream(path: Path, *, begin: float = 0.0, cuts: Iterable[int] = ()) -> Iterator[MediaStream]:
    """A file of any length, to be decoded once.

    Parameters
    ----------
    path
        A video or sound file.
    begin
        Seconds from which on it is decoded, where its format has an index.
    cuts
        Where stretches end, tenths of a second: their last pictures are then those of a file that ends there.

    Raises UnreadableClip where the file cannot be decoded.
    """
    if begin > BEFORE:
        with opened(path) as container:
            if set(container.format.name.split(",")) & SEEKABLE:
                decoding = Decoding(container, fps=FPS, held=LONGEST_WINDOW)
                container.seek(round((begin - BEFORE + decoding.origin) * 1e6))
                stream = MediaStream(path, decoding, cuts)
                if stream.decode_beyond(begin):
                    yield stream
                    return
    with opened(path) as container:
        yield MediaStream(path, Decoding(container, fps=FPS, held=LONGEST_WINDOW), cuts)
