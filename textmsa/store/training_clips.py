"""Which clips of the training split are learnt from: all, less those set aside for calibration, or only some.

They are chosen as whole videos (in the MMSA layout a video has one speaker), in an order by the hash of their names, so
that the same share or number of the same corpus is always the same clips, whatever the seed.
"""

from collections.abc import Iterable, Sequence
from zlib import crc32

from textmsa.store.reading import Store


def set_aside(store: Store, share: float) -> list[int]:
    """Where the clips stand that make up at least that share (0 to below 1) of the labelled training clips.

    Nothing is learnt from them, nor chosen by them. At least one video stays to be learnt from. Where clips have no
    video, or all have the same, each clip counts as one.
    """
    training = store.labelled("train")
    if share <= 0:
        return []
    names = videos_of(store, training)
    chosen: set[str] = set()
    count = 0
    for name in in_order(names.values())[:-1]:
        if count >= share * len(training):
            break
        chosen.add(name)
        count += sum(other == name for other in names.values())
    return [index for index in training if names[index] in chosen]


def learnt_from(store: Store, *, aside: float = 0.0, most: int | None = None) -> list[int]:
    """Where the labelled training clips stand that are learnt from, in the store's order.

    Parameters
    ----------
    store
        Whose clips they are.
    aside
        Share that is set aside (`set_aside`).
    most
        How many clips at most: whole videos, the last one cut to the number, so that fewer are always part of more.
        All when None.
    """
    gone = set(set_aside(store, aside))
    training = [index for index in store.labelled("train") if index not in gone]
    if most is None or most >= len(training):
        return training
    names = videos_of(store, training)
    place = {name: number for number, name in enumerate(in_order(names.values()))}
    return sorted(sorted(training, key=lambda index: (place[names[index]], index))[:most])


def videos_of(store: Store, indices: Sequence[int]) -> dict[int, str]:
    """The video of each clip; where there are none, or all have the same, the clip itself."""
    videos, ids = store.column("video_id"), store.column("id")
    names = {index: videos[index] for index in indices}
    return names if len(set(names.values())) > 1 else {index: ids[index] for index in indices}


def in_order(names: Iterable[str]) -> list[str]:
    """Each name once, by its hash."""
    return sorted(set(names), key=lambda name: (crc32(name.encode()), name))
