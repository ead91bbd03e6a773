"""What counted in a score: exact Shapley values of text, audio and video over the sets of them that are visible.

The value of a set is the score of the clip with these modalities alone, hidden ones being missing as in `inputs`; the
value of the empty set, of which no network says anything, is the base. The three values and the base sum to the score
(Shapley 1953). docs/contributions.md tells what becomes of the explanation of what is hidden.

Shapes: N clips, M = 3 modalities, S = 8 sets of them; bit m of a set's number says that modality m is visible.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import factorial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from textmsa.errors import UserError
from textmsa.inputs.examples import Example, SampleList, example_of, words_of
from textmsa.inputs.time_grid import Standardisation, standards_of
from textmsa.inputs.views import without
from textmsa.run import Precision, Run
from textmsa.scoring import network_length
from textmsa.types import MODALITIES, Sample, Samples

if TYPE_CHECKING:
    from textmsa.model import TextMsaConfig

Floats = npt.NDArray[np.float64]
SETS = 2 ** len(MODALITIES)
BATCH = 9 * (SETS - 1)  # examples: the sets of nine clips, so that a clip's texts go through the encoder together
WINDOW = 1024  # clips that are in memory together, to be sorted by length
TOLD = {"matched": {"audio", "video"}, "timeless": {"audio", "video"}, "audio": {"audio"}, "visual": {"video"}}
"""`inputs.explanations` -> what the summary and the reason tell of besides the words: hidden with any of these."""


@dataclass(frozen=True)
class Base:
    """The score of nothing."""

    score: float
    source: str
    """What it is, in words."""


@dataclass(frozen=True)
class Contributions:
    """What each modality adds to the base, so that together they make the score."""

    ids: list[str]
    base: Base
    score_N: Floats
    contribution_NM: Floats
    """Of text, audio and video; 0 where missing."""
    score_NS: Floats
    """The score by the set that is visible; the base first, the score last."""


def base_of(run: Run) -> Base:
    """The mean label of the clips that a run was trained on.

    A run of an older textmsa does not record it: then that of its store, where the store is still there, else the
    middle of the range, and the words say which.
    """
    from textmsa.store.reading import Store

    if run.info.training_mean is not None:
        return Base(run.info.training_mean, "the mean label of the training clips")
    try:
        store = Store.open(run.info.store)  # type: ignore[arg-type]
        run.check(store)
        return Base(float(store.label_N[store.labelled("train")].mean()), "the mean label of the training clips")
    except UserError:
        return Base(sum(run.info.score_range) / 2, "the middle of the range, since the run records no mean label")


def contributions(
    run: Run,
    samples: Samples | Sequence[Sample],
    indices: Sequence[int],
    *,
    precision: Precision = "fp32",
    base: Base | None = None,
    within: tuple[float, float] | None = None,
) -> Contributions:
    """Exact Shapley values of text, audio and video in the scores of the samples at `indices`.

    Of a run of several seeds they are those of the mean score, which is the mean of each network's.

    Parameters
    ----------
    run, samples, indices, precision
        As for `Run.score`.
    base
        The value of nothing; `base_of(run)` unless given.
    within
        Every score is kept within this range first, as predictions are, so that they sum to the score that is shown.
    """
    if not len(indices):
        raise UserError("there is no clip to score: give at least one")
    base = base or base_of(run)
    whole = SampleList(samples) if isinstance(samples, Sequence) else samples
    assert run.preparation.statistics is not None
    model, standards = run.members[0].model, standards_of(run.preparation.statistics)
    view = run.view(whole, model)
    ids: list[str] = []
    parts: list[Floats] = []
    for start in range(0, len(indices), WINDOW):
        chosen = [view[i] for i in indices[start : start + WINDOW]]
        clips = [sets_of(sample, standards, model.config) for sample in chosen]
        ids += [sample.clip.id for sample in chosen]
        parts.append(_scores_of_sets(run, clips, base.score, precision))
    score_NS = np.concatenate(parts)
    if within is not None:
        score_NS = np.clip(score_NS, *within)
    return Contributions(ids, base, score_NS[:, -1], shapley_values(score_NS), score_NS)


def shapley_values(score_NS: Floats) -> Floats:
    """The Shapley value (N, M) of each modality in a game with values (N, S) by the number of the set."""
    players = len(MODALITIES)
    value_NM = np.zeros((len(score_NS), players))
    for player in range(players):
        for others in (number for number in range(SETS) if not number >> player & 1):
            size = others.bit_count()
            weight = factorial(size) * factorial(players - size - 1) / factorial(players)
            value_NM[:, player] += weight * (score_NS[:, others | 1 << player] - score_NS[:, others])
    return value_NM


def sets_of(sample: Sample, standards: dict[str, Standardisation], config: "TextMsaConfig") -> dict[int, Example]:
    """The number of a set -> the clip as the network reads it with that set visible, for sets of what the clip has.

    `sample` is as the run's view gives it. A hidden modality's explanation is hidden with it. A text that tells of a
    hidden modality is too: of a residual text the transcript stays, of a reason nothing. Sets of which the network
    reads nothing are not there.
    """
    example = example_of(sample, standards, config)
    told = TOLD.get(config.explanations, set())
    has = {name for name in MODALITIES if getattr(example, name) is not None}
    found = {}
    for number in range(1, SETS):
        visible = {name for place, name in enumerate(MODALITIES) if number >> place & 1}
        if not visible <= has:
            continue
        shown = without(example, has - visible)
        if shown.text is not None and (told & has) - visible:
            shown = replace(shown, text=_words_alone(sample, config))
        if any(getattr(shown, name) is not None for name in MODALITIES):
            found[number] = shown
    return found


def _words_alone(sample: Sample, config: "TextMsaConfig") -> "str | npt.NDArray[np.int32] | None":
    """The text without what tells of voice and face; None where nothing of it is words of the clip."""
    if config.pieces != "given":
        return words_of(sample, config.text_input)
    return sample.pieces.get({"residual": "transcript", "reason": ""}.get(config.text_input, config.text_input))


def _scores_of_sets(run: Run, clips: list[dict[int, Example]], base: float, precision: Precision) -> Floats:
    """The score (N, S) of each set of each clip; of a set with missing modalities that of the set without them."""
    order = sorted(range(len(clips)), key=lambda i: max(map(network_length, clips[i].values())))
    places = [(row, number) for row in order for number in clips[row]]
    score_P = score_examples(run, [clips[row][number] for row, number in places], precision)
    known = dict(zip(places, score_P.tolist(), strict=True))
    score_NS = np.full((len(clips), SETS), base)
    for row, sets in enumerate(clips):
        has = max(sets, default=0)  # the largest number is the set of all that is there
        for number in range(1, SETS):
            score_NS[row, number] = known.get((row, number & has), base)
    return score_NS


def score_examples(run: Run, examples: Sequence[Example], precision: Precision = "fp32") -> Floats:
    """The run's scores (P,) of examples in their order; equal texts that stand near each other are encoded once."""
    import torch

    members = []
    with torch.inference_mode():
        for model, collator in run.load(precision):
            scores = [model(collator(part).to(model.device)).score_B for part in _batches(examples)]
            members.append(torch.cat(scores).double().cpu().numpy())
    return np.asarray(np.mean(members, axis=0))


def _batches(examples: Sequence[Example]) -> Iterator[Sequence[Example]]:
    return (examples[first : first + BATCH] for first in range(0, len(examples), BATCH))
