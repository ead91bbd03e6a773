"""A network and examples -> scores, with what led to them.

Shapes: N clips, M = 3 modalities, L layers, E experts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from textmsa.errors import UserError
from textmsa.inputs.examples import Example, SampleDataset

if TYPE_CHECKING:
    from textmsa.inputs.collator import Collator
    from textmsa.model import TextMsaModel

SCORE_BATCH = 64  # clips
ARRAYS = ("score_N", "gates_NM", "experts_NLE", "unimodal_NM")
NEUTRAL_SHARE = 0.05  # of the range: scores this near to 0 are called neutral
SORT_WINDOW = 1024  # clips that are in memory together, to be sorted by length


@dataclass(frozen=True)
class Scores:
    """Scores of some clips, with what led to them."""

    ids: list[str]
    score_N: npt.NDArray[np.float64]
    gates_NM: npt.NDArray[np.float64]
    """Weight of text, audio and video; 0 where missing."""
    experts_NLE: npt.NDArray[np.float64]
    """Weight by layer and expert; 0 where not chosen."""
    unimodal_NM: npt.NDArray[np.float64] | None = None
    """Scores of text, audio and video alone, NaN where missing; None of a network without heads for them."""


def mean_of(members: list[Scores]) -> Scores:
    """The mean of several networks' scores, gates and expert weights for the same clips."""
    present = [name for name in ARRAYS if getattr(members[0], name) is not None]
    means = {name: np.mean([getattr(scored, name) for scored in members], axis=0) for name in present}
    return Scores(members[0].ids, **means)


def score_all(model: "TextMsaModel", collator: "Collator", dataset: SampleDataset | Sequence[Example]) -> Scores:
    """Scores of a whole dataset, in its order; clips of like lengths go through the network together."""
    import torch

    if not len(dataset):
        raise UserError("there is no clip to score: give at least one")
    parts: list[tuple[list[int], Scores]] = []
    with torch.inference_mode():
        for start in range(0, len(dataset), SORT_WINDOW):
            window = {i: dataset[i] for i in range(start, min(start + SORT_WINDOW, len(dataset)))}
            order = sorted(window, key=lambda i: network_length(window[i]))
            for first in range(0, len(order), SCORE_BATCH):
                rows = order[first : first + SCORE_BATCH]
                batch = collator([window[row] for row in rows])
                output = model(batch.to(model.device))
                given = (output.score_B, output.gates_BM, output.expert_weights_BNE, output.unimodal_BM)
                values = zip(ARRAYS, given, strict=True)
                arrays = {name: value.double().cpu().numpy() for name, value in values if value is not None}
                parts.append((rows, Scores(list(batch.ids), **arrays)))
    back = np.argsort(np.concatenate([rows for rows, _ in parts]))
    ids = [identity for _, scored in parts for identity in scored.ids]
    present = [name for name in ARRAYS if getattr(parts[0][1], name) is not None]
    arrays = {name: np.concatenate([getattr(s, name) for _, s in parts])[back] for name in present}
    return Scores([ids[i] for i in back], **arrays)


def network_length(example: Example) -> tuple[int, int]:
    """What decides the cost of a clip past the text encoder: steps of audio and video, and letters of the text."""
    steps = sum(len(stream[1]) for stream in (example.audio, example.video) if stream is not None)
    text = example.text
    return steps, len(text) if isinstance(text, str) else 0 if text is None else int(text[1].sum())


def polarity(score: float, score_range: tuple[float, float]) -> str:
    """ "negative", "neutral" (within 5 % of the range's half around 0) or "positive"."""
    if abs(score) <= NEUTRAL_SHARE * score_range[1]:
        return "neutral"
    return "positive" if score > 0 else "negative"
