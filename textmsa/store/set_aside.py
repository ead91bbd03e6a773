"""Clips of the training split that nothing is learnt from, nor chosen by: for calibrating intervals.

They are whole videos (in the MMSA layout a video has one speaker), in an order by the hash of their names, so that the
same share of the same corpus is always the same clips, whatever the seed.
"""

from zlib import crc32

from textmsa.store.reading import Store


def set_aside(store: Store, share: float) -> list[int]:
    """Where the clips stand that make up at least that share (0 to below 1) of the labelled training clips.

    At least one video stays to be learnt from. Where clips have no video, or all have the same, each clip counts as
    one.
    """
    training = store.labelled("train")
    if share <= 0:
        return []
    videos, ids = store.column("video_id"), store.column("id")
    names = {index: videos[index] for index in training}
    if len(set(names.values())) < 2:
        names = {index: ids[index] for index in training}
    chosen: set[str] = set()
    count = 0
    for name in sorted(set(names.values()), key=lambda name: (crc32(name.encode()), name))[:-1]:
        if count >= share * len(training):
            break
        chosen.add(name)
        count += sum(other == name for other in names.values())
    return [index for index in training if names[index] in chosen]
