"""Which clips are learnt from, which choose, which test: nobody's clips stand on two sides."""

import hashlib
from collections import Counter
from collections.abc import Sequence

from textmsa.types import SPLITS

SHARES = (0.7, 0.1, 0.2)
"""Of the clips, for `SPLITS`."""


def splits_of(groups: Sequence[str]) -> list[str]:
    """A split for each clip: the same for all clips of a group, and always the same for the same groups.

    Parameters
    ----------
    groups
        Of each clip, whose it is: its speaker, or its video.

    The groups come in an order of their own, by a hash of their names; each goes where most clips are wanting. Where
    there are three groups or more, no split stays empty; with fewer, what is left over is said by whoever tells.
    """
    sizes = Counter(groups)
    order = sorted(sizes, key=lambda group: hashlib.sha256(group.encode("utf-8")).digest())
    held = dict.fromkeys(SPLITS, 0)
    chosen: dict[str, str] = {}
    for group in order:
        wanting = {split: share * len(groups) - held[split] for split, share in zip(SPLITS, SHARES, strict=True)}
        chosen[group] = max(SPLITS, key=lambda split: wanting[split])
        held[chosen[group]] += sizes[group]
    for split in SPLITS:
        if held[split] or len(order) < len(SPLITS):
            continue
        counts = Counter(chosen.values())
        spare = [group for group in order if counts[chosen[group]] > 1]
        moved = min(spare, key=lambda group: sizes[group])
        held[chosen[moved]] -= sizes[moved]
        held[split] += sizes[moved]
        chosen[moved] = split
    return [chosen[group] for group in groups]
