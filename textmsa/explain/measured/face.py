"""What is to be seen of a face: numbers to compare, and what holds in absolute terms, in its order.

Whether there is a smile, raised brows and so on is decided by thresholds that were read off real faces
(docs/explanations.md has the measurements); no corpus and no rendered face has a part in it.

Shape suffixes: T frames, U action units.
"""

from dataclasses import dataclass

import numpy as np

from textmsa.explain.measured.series import Floats, Mask, position, runs, smooth, step_of
from textmsa.types import FeatureSequence, FloatArray

SMOOTH_SECONDS = 0.35  # about two syllables
NOD_SECONDS = 0.25
ACTION_UNITS = {
    "smile": ("mouthSmileLeft", "mouthSmileRight"),
    "mouth_down": ("mouthFrownLeft", "mouthFrownRight"),
    "brow_raise": ("browInnerUp", "browOuterUpLeft", "browOuterUpRight"),
    "brow_lower": ("browDownLeft", "browDownRight"),
    "jaw": ("jawOpen",),
    "squint": ("eyeSquintLeft", "eyeSquintRight"),
    "blink": ("eyeBlinkLeft", "eyeBlinkRight"),
    "upper_lip": ("mouthUpperUpLeft", "mouthUpperUpRight"),
}
EXPRESSIVE = ("smile", "mouth_down", "brow_raise", "brow_lower")  # jaw and lids move with speech and blinks
BLINK_SHUT = 0.45

HARDLY_SEEN = 0.2  # of the frames, below which nothing is claimed
SHORTEST_SECONDS = 0.4  # a face seen for less is not told of: a smile is one that holds for more than a syllable
SMILE, SMILE_SECONDS = 0.5, 0.4
SLIGHT_SMILE, SLIGHT_SECONDS = 0.3, 1.0  # weaker ones must hold for longer: speaking moves the mouth as much
BROAD_SMILE, BROAD_LIP, BROAD_SECONDS = 0.75, 0.45, 1.0  # the upper lip that is raised shows the teeth
NO_SMILE = 0.15  # the middle of the time, below which it is said that there is none: a mouth at rest may be up a little
OPEN_LIP = 0.3  # corners of the mouth up over shut eyes count as a smile only where the teeth show
BROW_RAISE, BROW_LOWER, FROWN, BROW_SECONDS = 0.45, 0.3, 0.3, 0.5
SHUT_SECONDS = 1.0  # lids down for longer than a blink
GAP_SECONDS = 0.3  # an expression goes on over so short a lapse
ONE_STRETCH = 0.6  # of the time from the first to the last, above which several stretches are told as one
SMALL = 0.15  # of all the time that an expression holds
SURE, SURE_OTHER, SURE_SECONDS = 0.7, 0.85, 1.0
"""Share of an expression in the network's reading, and for how long, for which it is named: happy and sad; others."""
NAMED = {"happy": SURE, "sad": SURE, "angry": SURE_OTHER, "surprise": SURE_OTHER}


@dataclass(frozen=True)
class Showing:
    """Something that is seen in a face, and when."""

    kind: str
    """"smile", "slight_smile", "broad_smile", "frown", "brows_up", "brows_down", "eyes_shut", or an expression."""
    start: float
    """Share of the clip."""
    end: float
    from_first: bool
    """Whether it is there when the face is first seen."""
    to_last: bool
    """Whether it is there when the face is last seen."""
    times: int = 1
    """How often it comes and goes."""
    share: float = 1.0
    """Of the time in which the face is seen."""


@dataclass(frozen=True)
class FaceReading:
    """What is to be said of a face in absolute terms."""

    seen: float
    """Share of the frames."""
    enough: bool
    """Whether it is seen long enough for claims."""
    showings: tuple[Showing, ...] = ()
    """In the order in which they begin."""
    others: bool = False
    """Whether other faces are in the picture."""
    gone: tuple[float, float] | None = None
    """From where to where of the clip it is out of sight, where that is one stretch of it."""
    unsmiling: bool | None = True
    """Whether it may be said that there is no smile: not of a mouth whose corners are up a little; None: not known."""


def face(video: FeatureSequence, duration: float) -> dict[str, float]:
    """Facts of a face; what cannot be measured is absent."""
    units = _units(video)
    if not units:
        return {}
    seen_T = _seen(units)
    facts: dict[str, float] = {"face_seen": seen_T.mean() if len(seen_T) else 0.0}
    if not seen_T.any():
        return facts
    for unit, values_T in units.items():
        facts[unit] = _upper_half(values_T[seen_T])
    if "blink" in units:
        shut_T = units["blink"][seen_T] > BLINK_SHUT
        facts["blink"] = (np.diff(shut_T.astype(int)) == 1).sum() / max(duration * facts["face_seen"], 0.1)
    if seen_T.sum() >= 3 and set(EXPRESSIVE) <= set(units):
        facts |= _change(units, video.times_T, duration)
    if seen_T.sum() >= 5 and "translation_y" in video.names:
        facts |= _head(video.column("translation_y").astype(np.float64), video.times_T, duration)
    return facts


def read_face(video: FeatureSequence, duration: float) -> FaceReading | None:
    """What holds of a face in absolute terms; None where the features do not describe faces."""
    units = _units(video)
    if not units or not len(video.times_T):
        return None
    seen_T, step = _seen(units), step_of(video.times_T, duration)
    seen = float(seen_T.mean())
    if seen < HARDLY_SEEN or seen_T.sum() * step < SHORTEST_SECONDS:
        return FaceReading(seen, enough=False)
    stage = _Stage(video.times_T, duration, step, seen_T)
    showings = [*_mouth(units, stage), *_brows_and_lids(units, stage), *_expressions(video, stage)]
    showings.sort(key=lambda showing: (showing.start, showing.kind))
    others = "face_present" in video.names and float((video.column("face_present")[seen_T] > 1).mean()) >= HARDLY_SEEN
    lost = [run for run in runs(~seen_T) if (run[1] - run[0]) * step >= SHORTEST_SECONDS]
    gone = stage.share(*lost[0]) if len(lost) == 1 else None
    return FaceReading(seen, True, tuple(showings), others, gone, _unsmiling(units, stage))


@dataclass(frozen=True)
class _Stage:
    """When the face is seen."""

    times_T: Floats
    duration: float
    step: float
    seen_T: Mask

    def smoothed(self, values_T: FloatArray, seconds: float = SMOOTH_SECONDS) -> Floats:
        return smooth(values_T.astype(np.float64), seconds / self.step)

    def share(self, first: int, end: int) -> tuple[float, float]:
        """From where to where of the clip some frames are."""
        start = position(self.times_T[first] - self.step / 2, self.duration)
        return start, position(self.times_T[end - 1] + self.step / 2, self.duration)

    def holds(self, on_T: Mask, seconds: float) -> list[tuple[int, int]]:
        """Stretches of at least `seconds`, over short lapses."""
        filled_T = on_T.copy()
        for first, end in runs(~on_T):
            if first and end < len(on_T) and (end - first) * self.step <= GAP_SECONDS:
                filled_T[first:end] = True
        return [run for run in runs(filled_T & self.seen_T) if (run[1] - run[0] + 1e-6) * self.step >= seconds]

    def showing(self, kind: str, stretches: list[tuple[int, int]]) -> list[Showing]:
        """One, or none where there are no stretches; those that are one but for lapses are told as one."""
        if not stretches:
            return []
        stretches = _without_small(stretches)
        within = stretches[-1][1] - stretches[0][0]
        if sum(end - begin for begin, end in stretches) >= ONE_STRETCH * within:
            stretches = [(stretches[0][0], stretches[-1][1])]
        first, last = stretches[0][0], stretches[-1][1]
        frames = np.flatnonzero(self.seen_T)
        edge = 0.05 * self.duration / self.step
        return [
            Showing(
                kind,
                self.share(first, last)[0],
                self.share(first, last)[1],
                from_first=bool(first - frames[0] <= edge),
                to_last=bool(frames[-1] - (last - 1) <= edge),
                times=len(stretches),
                share=float(sum(end - begin for begin, end in stretches) / len(frames)),
            )
        ]


def _without_small(stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those that are told of: what is small beside one that holds for most of the time is left out."""
    total = sum(end - first for first, end in stretches)
    if max(end - first for first, end in stretches) < 0.5 * total:
        return stretches
    return [run for run in stretches if run[1] - run[0] >= SMALL * total]


def _mouth(units: dict[str, FloatArray], stage: _Stage) -> list[Showing]:
    found: list[Showing] = []
    if "smile" in units:
        smile_T = stage.smoothed(units["smile"])
        lip_T = stage.smoothed(units["upper_lip"]) if "upper_lip" in units else np.zeros_like(smile_T)
        open_T = np.ones_like(stage.seen_T)
        if "blink" in units:  # over a second, so that a blink does not end a smile
            open_T = (stage.smoothed(units["blink"], SHUT_SECONDS) < BLINK_SHUT) | (lip_T >= OPEN_LIP)
        held = stage.holds((smile_T >= SMILE) & open_T, SMILE_SECONDS)
        broad = stage.holds((smile_T >= SMILE) & (lip_T >= BROAD_LIP), BROAD_SECONDS)
        if any(np.nanmean(smile_T[first:end]) >= BROAD_SMILE for first, end in broad):
            found += stage.showing("broad_smile", held or broad)
        elif held:
            found += stage.showing("smile", held)
        else:
            found += stage.showing("slight_smile", stage.holds((smile_T >= SLIGHT_SMILE) & open_T, SLIGHT_SECONDS))
    if "mouth_down" in units:
        found += stage.showing("frown", stage.holds(stage.smoothed(units["mouth_down"]) >= FROWN, BROW_SECONDS))
    return found


def _unsmiling(units: dict[str, FloatArray], stage: _Stage) -> bool | None:
    if "smile" not in units:
        return None
    return bool(np.median(units["smile"][stage.seen_T]) < NO_SMILE)


def _brows_and_lids(units: dict[str, FloatArray], stage: _Stage) -> list[Showing]:
    found: list[Showing] = []
    for unit, kind, least in (("brow_raise", "brows_up", BROW_RAISE), ("brow_lower", "brows_down", BROW_LOWER)):
        if unit in units:
            found += stage.showing(kind, stage.holds(stage.smoothed(units[unit]) >= least, BROW_SECONDS))
    if "blink" in units:
        shut_T = stage.smoothed(units["blink"]) >= BLINK_SHUT
        if "upper_lip" in units:  # a laugh narrows the eyes
            shut_T &= ~(stage.smoothed(units["upper_lip"]) >= OPEN_LIP)
        found += stage.showing("eyes_shut", stage.holds(shut_T, SHUT_SECONDS))
    return found


def _expressions(video: FeatureSequence, stage: _Stage) -> list[Showing]:
    """What the network of `--video mediapipe_expressions` is sure of."""
    found: list[Showing] = []
    for name, least in NAMED.items():
        if f"expression_{name}" in video.names:
            share_T = stage.smoothed(video.column(f"expression_{name}"), SURE_SECONDS)
            found += stage.showing(name, stage.holds(share_T >= least, SURE_SECONDS))
    return found


def _units(video: FeatureSequence) -> dict[str, FloatArray]:
    return {
        unit: video.values_TF[:, [video.names.index(name) for name in columns]].mean(axis=1)
        for unit, columns in ACTION_UNITS.items()
        if set(columns) <= set(video.names)
    }


def _seen(units: dict[str, FloatArray]) -> Mask:
    return np.asarray(np.isfinite(np.stack(list(units.values()))).all(axis=0))


def _upper_half(values: FloatArray) -> float:
    """Mean of the larger half: what is shown for a part of the clip counts, a single frame does not."""
    ordered = np.sort(values)
    return float(ordered[len(ordered) // 2 :].mean())


def _change(units: dict[str, FloatArray], times_T: Floats, duration: float) -> dict[str, float]:
    """Where the face differs the most from its own middle, and by how much; nothing where it is seen too rarely."""
    width = SMOOTH_SECONDS / step_of(times_T, duration)
    smooth_UT = np.stack([smooth(units[unit].astype(np.float64), width) for unit in EXPRESSIVE])
    if not np.isfinite(smooth_UT).all(axis=0).any():  # single frames far apart
        return {}
    total_T = np.abs(smooth_UT - np.nanmedian(smooth_UT, axis=1, keepdims=True)).sum(axis=0)
    peak = int(np.nanargmax(total_T))
    at = position(times_T[peak], duration)
    return {"expression": total_T[peak], "change_at": at, "apex_at": at}


def _head(height_T: Floats, times_T: Floats, duration: float) -> dict[str, float]:
    """The head's largest move up or down (cm), off its slow drift. It is told as the head's move and as nothing else.

    `apex_at`, by which voice and picture are held together, is its time: a move of the head marks emphasis. On the demo
    corpus it falls on the face's apex (docs/features.md); of real faces that is not claimed: `change_at` is the face's.
    """
    seen_T = np.isfinite(height_T)
    if seen_T.sum() < 2:  # no drift to take off
        return {}
    drift_T = np.polyval(np.polyfit(times_T[seen_T], height_T[seen_T], 1), times_T)
    smooth_T = smooth(height_T - drift_T, NOD_SECONDS / step_of(times_T, duration))
    if not np.isfinite(smooth_T).any():
        return {}
    move_T = np.abs(smooth_T - np.nanmedian(smooth_T))
    peak = int(np.nanargmax(move_T))
    return {"nod": move_T[peak], "apex_at": position(times_T[peak], duration)}
