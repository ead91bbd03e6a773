"""Which face of a picture is the speaker's: faces are followed over time, and one of them is kept.

Shape suffixes: T frames, F features, N audio samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from textmsa.types import FloatArray

FORGOTTEN_SECONDS = 1.0  # after which a face that is found again is matched to nobody
NEAR = 0.7  # of a face's size: how far one moves between frames
LIKE = 1.6  # ratio of sizes that may still be one face
SAME_PLACE = 1.5  # of a face's size: how far apart the parts of one face's way may lie after a gap
RIVAL_TIME, RIVAL_SIZE = 0.5, 0.4  # of the largest face's; smaller or shorter ones are not asked whether they speak
SPEAKS_MORE = 0.15  # correlation of mouth and sound by which a smaller face wins


@dataclass(frozen=True)
class Face:
    """One face in one picture."""

    box: tuple[float, float, float, float]
    """Left, top, right, bottom in pixels."""
    values_F: FloatArray
    mouth: float
    """How open, 0 to 1."""

    @property
    def centre(self) -> npt.NDArray[np.float64]:
        """(x, y) in pixels."""
        left, top, right, bottom = self.box
        return np.array([(left + right) / 2, (top + bottom) / 2])

    @property
    def size(self) -> float:
        """Root of the area, in pixels."""
        left, top, right, bottom = self.box
        return float(np.sqrt(max((right - left) * (bottom - top), 1.0)))


@dataclass
class _Track:
    """One face's way through the frames."""

    frames: list[int] = field(default_factory=list)
    faces: list[Face] = field(default_factory=list)

    def distance(self, face: Face) -> float:
        """From where it was last, in sizes of faces; infinite for a face of another size."""
        last = self.faces[-1]
        if max(last.size, face.size) / min(last.size, face.size) > LIKE:
            return np.inf
        return float(np.hypot(*(last.centre - face.centre))) / max(last.size, face.size)

    @property
    def weight(self) -> float:
        """Time and size together: how much of the clip is this face's."""
        return float(sum(face.size for face in self.faces))


def follow(
    faces_T: Sequence[Sequence[Face]], times_T: npt.NDArray[np.float64], loudness_T: FloatArray | None
) -> list[Face | None]:
    """The same face (T,) in every frame, None where it is not seen.

    The largest over time is kept; a smaller one only where its mouth goes with the sound better.
    Pictures of another face are never put in its place: where the kept one is gone, there is none.

    Parameters
    ----------
    faces_T
        The faces found in each frame.
    times_T
        Seconds.
    loudness_T
        Of the sound at each frame, dB; None without sound.
    """
    tracks = _tracks(faces_T, times_T)
    kept: list[Face | None] = [None] * len(faces_T)
    if not tracks:
        return kept
    largest = max(tracks, key=lambda track: track.weight)
    speaker = largest if loudness_T is None else _speaking(tracks, largest, loudness_T)
    taken = set(speaker.frames)
    parts = [speaker]
    for track in sorted(tracks, key=lambda track: -track.weight):
        if taken.isdisjoint(track.frames) and any(_same_place(part, track) for part in parts):
            parts.append(track)
            taken |= set(track.frames)
    for part in parts:
        for frame, face in zip(part.frames, part.faces, strict=True):
            kept[frame] = face
    return kept


def loudness_at(times_T: npt.NDArray[np.float64], waveform_N: FloatArray, rate: int, start: float) -> FloatArray:
    """Level (T,) in dB of the sound within 0.1 s of each time."""
    square = np.concatenate([[0.0], np.cumsum(waveform_N.astype(np.float64) ** 2)])
    first_T = np.clip(((times_T - start - 0.1) * rate).astype(int), 0, len(waveform_N))
    last_T = np.clip(((times_T - start + 0.1) * rate).astype(int), 0, len(waveform_N))
    mean_T = (square[last_T] - square[first_T]) / np.maximum(last_T - first_T, 1)
    return np.asarray(10 * np.log10(np.maximum(mean_T, 0.0) + 1e-6), dtype=np.float32)


def _tracks(faces_T: Sequence[Sequence[Face]], times_T: npt.NDArray[np.float64]) -> list[_Track]:
    tracks: list[_Track] = []
    for frame, faces in enumerate(faces_T):
        live = [track for track in tracks if times_T[frame] - times_T[track.frames[-1]] <= FORGOTTEN_SECONDS]
        pairs = sorted(
            ((track.distance(face), t, f) for t, track in enumerate(live) for f, face in enumerate(faces)),
        )
        used_t: set[int] = set()
        used_f: set[int] = set()
        for distance, t, f in pairs:
            if distance <= NEAR and t not in used_t and f not in used_f:
                live[t].frames.append(frame)
                live[t].faces.append(faces[f])
                used_t.add(t)
                used_f.add(f)
        tracks += [_Track([frame], [face]) for f, face in enumerate(faces) if f not in used_f]
    return tracks


def _same_place(one: _Track, other: _Track) -> bool:
    """Whether two ways that are never seen together may be one face's: alike in place and size."""
    sizes = [float(np.median([face.size for face in track.faces])) for track in (one, other)]
    centres = [np.median([face.centre for face in track.faces], axis=0) for track in (one, other)]
    apart = float(np.hypot(*(centres[0] - centres[1])))
    return max(sizes) / min(sizes) <= LIKE and apart <= SAME_PLACE * max(sizes)


def _speaking(tracks: list[_Track], largest: _Track, loudness_T: FloatArray) -> _Track:
    """The face whose mouth goes with the sound; the largest one where none does so clearly."""
    typical = float(np.median([face.size for face in largest.faces]))
    rivals = [
        track
        for track in tracks
        if len(track.frames) >= RIVAL_TIME * len(largest.frames)
        and np.median([face.size for face in track.faces]) >= RIVAL_SIZE * typical
    ]
    best = max(rivals, key=lambda track: _agreement(track, loudness_T))
    return best if _agreement(best, loudness_T) > _agreement(largest, loudness_T) + SPEAKS_MORE else largest


def _agreement(track: _Track, loudness_T: FloatArray) -> float:
    """Correlation of how much the mouth moves with how loud it is; 0 where either never changes."""
    if len(track.frames) < 10:
        return 0.0
    mouth = np.array([face.mouth for face in track.faces], np.float64)
    moves = np.convolve(np.abs(np.gradient(mouth)) + mouth, np.ones(3) / 3, mode="same")
    loud = np.convolve(loudness_T[track.frames].astype(np.float64), np.ones(3) / 3, mode="same")
    if moves.std() < 1e-4 or loud.std() < 1e-4:
        return 0.0
    return float(np.corrcoef(moves, loud)[0, 1])
