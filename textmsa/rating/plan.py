"""In which order a rater sees the clips: shuffled for each, the same after a pause, some of them twice."""

import hashlib
from collections.abc import Sequence
from statistics import median

from textmsa.rating.ratings import RaterFile, Said

Turn = tuple[str, int]
"""A clip's id, and 1, or 2 where it is shown again."""


def turns_of(rater: str, clips: Sequence[str], repeats: int) -> list[Turn]:
    """All turns of a rater.

    Parameters
    ----------
    rater
        Whose order it is; every name has its own.
    clips
        Ids, in any order.
    repeats
        How many of the clips of the first half come again, spread over the second.
    """
    order = sorted(clips, key=lambda clip: _hash(rater, clip))
    first, second = order[: (len(order) + 1) // 2], order[(len(order) + 1) // 2 :]
    again = first[: min(repeats, len(first))]
    turns: list[Turn] = [(clip, 1) for clip in first]
    taken = 0
    for place, clip in enumerate(second, 1):
        turns.append((clip, 1))
        until = round(place / len(second) * len(again))
        turns += [(other, 2) for other in again[taken:until]]
        taken = until
    return turns + [(other, 2) for other in again[taken:]]


def left_of(turns: Sequence[Turn], file: RaterFile) -> list[Turn]:
    """Those that are still to come."""
    return [turn for turn in turns if turn not in file.said]


def seconds_left(said: Sequence[Said], left: int) -> float | None:
    """About how long the rest takes: the median turn, so that a pause does not count; None before three ratings."""
    return median(one.seconds for one in said[-30:]) * left if len(said) >= 3 else None


def _hash(rater: str, clip: str) -> bytes:
    return hashlib.sha256(f"{rater.casefold()}\n{clip}".encode()).digest()
