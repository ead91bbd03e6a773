"""Views of a store in which something is taken away or exchanged: for ablations and for robustness.

What a run's `inputs` say is done here, in training and in evaluation alike.
"""

from collections.abc import Callable, Sequence, Set
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
import numpy.typing as npt
import torch

from textmsa.config import InputConfig
from textmsa.errors import UserError
from textmsa.inputs.examples import Example, SampleList
from textmsa.prepare.parts import build_explainer
from textmsa.store.preparation import Preparation
from textmsa.types import MODALITIES, Clip, Explanation, FeatureSequence, Sample, Samples

if TYPE_CHECKING:
    from textmsa.explain import Explainer
    from textmsa.model import TextMsaConfig


def view_of(samples: Samples, inputs: "InputConfig | TextMsaConfig", preparation: Preparation) -> Samples:
    """The samples as `inputs.explanations` and `inputs.video_order` want them.

    Raises UserError where these samples cannot be had so.
    """
    if inputs.explanations == "matched" and inputs.video_order == "time":
        return samples
    return SamplesView(samples, inputs, preparation)


class SamplesView:
    """A store's samples with other explanations, or with the video's steps in another order."""

    def __init__(self, samples: Samples, inputs: "InputConfig | TextMsaConfig", preparation: Preparation) -> None:
        self.samples, self.inputs = samples, inputs
        self.partner: list[int] = []
        self.explainer: Explainer | None = None
        if inputs.explanations == "shuffled":
            if isinstance(samples, SampleList):
                raise UserError(
                    "trained on shuffled explanations: such a run is for evaluation on a store, not for clips"
                )
            self.partner = partners(samples.column("split"))
        if inputs.explanations == "timeless":
            spec = preparation.explainer
            if spec.explainer != "measured":
                raise UserError(f"inputs.explanations timeless: needs measured explanations, not {spec.explainer!r}")
            self.explainer = build_explainer(
                replace(preparation, explainer=replace(spec, options={**spec.options, "times": False}))
            )

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        sample = self.samples[index]
        observation = sample.observation
        if self.inputs.video_order == "shuffled" and observation.video is not None:
            video = shuffled_steps(observation.video, crc32(sample.clip.id.encode()))
            observation = replace(observation, video=video)
        return replace(sample, explanation=self._explanation(index, sample), observation=observation)

    def clips(self) -> Sequence[Clip]:
        """Those of the samples."""
        return self.samples.clips()

    def explanations(self) -> Sequence[Explanation]:
        """Those of the view."""
        if self.explainer is not None:
            return [self[i].explanation for i in range(len(self))]
        explanations = self.samples.explanations()
        if self.partner:
            return [explanations[i] for i in self.partner]
        return [part_of(explanation, self.inputs.explanations) for explanation in explanations]

    def pieces(self, name: str) -> Sequence[npt.NDArray[np.int32] | None]:
        """Those of the samples: `check_recipe` allows none of a data file's word pieces beside other explanations."""
        return self.samples.pieces(name)

    def column(self, name: str) -> list[Any]:
        """That of the samples."""
        return self.samples.column(name)

    def _explanation(self, index: int, sample: Sample) -> Explanation:
        if self.explainer is not None:
            return self.explainer.explain(sample.observation)
        if self.partner:
            return self.samples[self.partner[index]].explanation
        return part_of(sample.explanation, self.inputs.explanations)


def part_of(explanation: Explanation, which: str) -> Explanation:
    """The explanation reduced to nothing, or to what is said of one modality, which is then its summary too."""
    if which == "matched":
        return explanation
    if which == "none":
        return Explanation(provenance=explanation.provenance)
    part = {"transcript": "text", "audio": "audio", "visual": "video"}[which]
    words = getattr(explanation, part)
    return Explanation(**{part: words}, summary=words, provenance=explanation.provenance)


def partners(splits: Sequence[str | None]) -> list[int]:
    """For each clip another of the same split, each taken once; the same for the same store."""
    partner = list(range(len(splits)))
    rng = np.random.default_rng(0)
    for split in sorted({split or "" for split in splits}):
        order = rng.permutation([i for i, s in enumerate(splits) if (s or "") == split])
        for i, j in zip(order, np.roll(order, 1), strict=True):
            partner[i] = int(j)
    return partner


def shuffled_steps(sequence: FeatureSequence, seed: int) -> FeatureSequence:
    """The same values at other times."""
    order = np.random.default_rng(seed).permutation(len(sequence.values_TF))
    return FeatureSequence(sequence.values_TF[order], sequence.times_T, sequence.names)


def choose_missing(
    present: Sequence[str], rate: float, draw: Callable[[], float], choose: Callable[[int], int]
) -> set[str]:
    """The modalities that go missing: each with the same probability, but never all.

    Parameters
    ----------
    present
        Those that a clip has.
    rate
        From 0 to below 1.
    draw
        A random number in [0, 1); called once for each of `present`, in their order.
    choose
        N -> a random one of 0 .. N - 1: the modality that stays where all would go. Not called otherwise.
    """
    missing = {name for name in present if draw() < rate}
    if present and len(missing) == len(present):
        missing.remove(present[choose(len(present))])
    return missing


def drop_modalities(example: Example, rate: float) -> Example:
    """The example without each of its modalities and explanations with probability `rate`; one modality stays.

    Draws from torch's generator, which a resumed training restores.
    """

    def draw() -> float:
        return float(torch.rand(()))

    present = [name for name in MODALITIES if getattr(example, name) is not None]
    missing = choose_missing(present, rate, draw, lambda count: int(torch.randint(count, ())))
    unexplained = {name for name in ("audio", "video") if draw() < rate}
    return without(example, missing, unexplained)


def without(example: Example, modalities: Set[str], explanations: Set[str] = frozenset()) -> Example:
    """The example without some modalities and their explanations, and without some explanations."""
    gone: dict[str, None] = dict.fromkeys(modalities)
    gone |= {f"{name}_explanation": None for name in (modalities | explanations) - {"text"}}
    return replace(example, **gone)  # type: ignore[arg-type]
