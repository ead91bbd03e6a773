"""What the names of files tell, where they are those of a known corpus."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textmsa.types import ID_SEPARATOR

ENOUGH = 0.8
"""Share of the files that must be named by a scheme for it to count."""


@dataclass(frozen=True)
class Named:
    """What one name tells."""

    video_id: str
    clip_id: str
    text: str = ""
    annotation: str = ""


@dataclass(frozen=True)
class Scheme:
    """How a corpus names its files."""

    name: str
    pattern: re.Pattern[str]
    read: Callable[[re.Match[str]], Named]
    of_speakers: bool = False
    """Whether `video_id` is a person."""


_EMOTIONS = dict(
    zip(
        [f"{number:02d}" for number in range(1, 9)],
        ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"],
        strict=True,
    )
)
_STATEMENTS = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}
_CREMA_EMOTIONS = {"ANG": "angry", "DIS": "disgust", "FEA": "fearful", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}
_CREMA_SENTENCES = {
    "IEO": "It's eleven o'clock",
    "TIE": "That is exactly what happened",
    "IOM": "I'm on my way to the meeting",
    "IWW": "I wonder what this is about",
    "TAI": "The airplane is almost full",
    "MTI": "Maybe tomorrow it will be cold",
    "IWL": "I would like a new alarm clock",
    "ITH": "I think I have a doctor's appointment",
    "DFA": "Don't forget a jacket",
    "ITS": "I think I've seen this before",
    "TSI": "The surface is slick",
    "WSI": "We'll stop in a couple of minutes",
}


def _ravdess(found: re.Match[str]) -> Named:
    _, _, emotion, _, statement, _, actor = found.groups()
    return Named(f"Actor_{actor}", found[0], _STATEMENTS[statement], _EMOTIONS[emotion])


def _crema(found: re.Match[str]) -> Named:
    return Named(found[1], found[0], _CREMA_SENTENCES.get(found[2], ""), _CREMA_EMOTIONS[found[3]])


def _pair(found: re.Match[str]) -> Named:
    return Named(found[1], found[2])


SCHEMES = (
    Scheme("RAVDESS", re.compile(r"(0[1-3])-(0[12])-(0[1-8])-(0[12])-(0[12])-(0[12])-(\d\d)"), _ravdess, True),
    Scheme("CREMA-D", re.compile(r"(\d{4})_([A-Z]{3})_(ANG|DIS|FEA|HAP|NEU|SAD)_(?:LO|MD|HI|XX|X)"), _crema, True),
    Scheme("MELD", re.compile(r"(dia\d+)_(utt\d+)"), _pair),
    Scheme(f"VIDEO{ID_SEPARATOR}CLIP", re.compile(rf"(.+?){re.escape(ID_SEPARATOR)}(.+)"), _pair),
)
"""In the order in which they are tried. RAVDESS: Livingstone & Russo 2018; CREMA-D: Cao et al. 2014; MELD: Poria et al.
2019; the last is how MMSA's files call a clip."""
NUMBERED = Scheme("VIDEO_NUMBER", re.compile(r"(.+?)[_-](\d+)"), _pair)
"""As MOSI's segments are named; it counts only where it makes several videos of several clips."""


def scheme_of(stems: Sequence[str]) -> Scheme | None:
    """The scheme by which most of these names are made; None where there is none."""
    for scheme in SCHEMES:
        if stems and sum(bool(scheme.pattern.fullmatch(stem)) for stem in stems) >= ENOUGH * len(stems):
            return scheme
    matches = [found for stem in stems if (found := NUMBERED.pattern.fullmatch(stem))]
    videos = Counter(found[1] for found in matches)
    several = sum(count for count in videos.values() if count > 1)
    return NUMBERED if len(videos) > 1 and several >= ENOUGH * len(stems) else None
