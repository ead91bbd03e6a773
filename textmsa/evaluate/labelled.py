"""The clips of a split that can be compared with something: those with a label."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from textmsa.errors import UserError
from textmsa.store.reading import Store
from textmsa.types import SPLITS


@dataclass(frozen=True)
class Labelled:
    """A split's labelled clips, N of them."""

    split: str
    indices: list[int]
    """Where they stand in the store."""
    ids: list[str]
    label_N: npt.NDArray[np.float64]
    unlabelled: int
    """Clips of the split that have no label; they are left out."""


def labelled_clips(store: Store, split: str, some: list[int] | None = None) -> Labelled:
    """The labelled clips of a split, or only `some` of them; UserError where there is no such split, or no label."""
    if split not in SPLITS:
        raise UserError(f"--split {split!r}: give one of {', '.join(SPLITS)}")
    labelled = store.labelled(split)
    indices = labelled if some is None else some
    ids = store.column("id")
    return Labelled(
        split,
        indices,
        [ids[index] for index in indices],
        store.label_N[indices],
        len(store.indices(split)) - len(labelled),
    )
