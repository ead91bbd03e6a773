"""Views of a store in which something is taken away or exchanged: for ablations and for robustness.

What a run's `inputs` say is done here, in training and in evaluation alike.
"""

from collections.abc import Sequence, Set
from dataclasses import replace
from typing import Any
from zlib import crc32

import numpy as np
import torch

from textmsa.config import InputConfig
from textmsa.errors import UserError
from textmsa.inputs.examples import Example
from textmsa.prepare.parts import build_explainer
from textmsa.store.preparation import Preparation
from textmsa.types import MODALITIES, Clip, Explanation, FeatureSequence, Sample


def controlled(samples: Any, inputs: InputConfig, preparation: Preparation) -> Any:
    """The samples as `inputs.explanations` and `inputs.video_order` want them: a `Store`, or a list of samples."""
    if inputs.explanations == "matched" and inputs.video_order == "time":
        return samples
    return ControlledSamples(samples, inputs, preparation)


class ControlledSamples:
    """A store's samples with other explanations, or with the video's steps in another order."""

    def __init__(self, samples: Any, inputs: InputConfig, preparation: Preparation) -> None:
        self.samples, self.inputs = samples, inputs
        self.partner: list[int] = []
        self.explainer: Any = None
        if inputs.explanations == "shuffled":
            if not hasattr(samples, "column"):
                raise UserError(
                    "trained on shuffled explanations: such a run is for evaluation on a store, not for clips"
                )
            self.partner = partners(samples.column("split"))
        if inputs.explanations == "timeless":
            spec = preparation.explainer
            if spec.explainer != "measured":
                raise UserError(f"inputs.explanations timeless: needs measured explanations, not {spec.explainer!r}")
            self.explainer = build_explainer(replace(preparation, explainer=replace(spec, options={"times": False})))

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Sample:
        sample = self.samples[index]
        seen = sample.observation
        if self.inputs.video_order == "shuffled" and seen.video is not None:
            seen = replace(seen, video=shuffled_steps(seen.video, crc32(sample.clip.id.encode())))
        return replace(sample, explanation=self._explanation(index, sample), observation=seen)

    def clips(self) -> list[Clip]:
        """Those of the store."""
        clips: list[Clip] = self.samples.clips()
        return clips

    def explanations(self) -> list[Explanation]:
        """Those of the view."""
        if self.explainer is not None:
            return [self[i].explanation for i in range(len(self))]
        told = self.samples.explanations()
        if self.partner:
            return [told[i] for i in self.partner]
        return [part_of(explanation, self.inputs.explanations) for explanation in told]

    def _explanation(self, index: int, sample: Sample) -> Explanation:
        if self.explainer is not None:
            explained: Explanation = self.explainer.explain(sample.observation)
            return explained
        if self.partner:
            other: Explanation = self.samples[self.partner[index]].explanation
            return other
        return part_of(sample.explanation, self.inputs.explanations)


def part_of(told: Explanation, which: str) -> Explanation:
    """The explanation reduced to nothing, or to what is said of one modality, which is then its summary too."""
    if which == "matched":
        return told
    if which == "none":
        return Explanation(provenance=told.provenance)
    kept = {"transcript": "text", "audio": "audio", "visual": "video"}[which]
    words = getattr(told, kept)
    return Explanation(**{kept: words}, summary=words, provenance=told.provenance)


def partners(splits: Sequence[str | None]) -> list[int]:
    """For each clip another of the same split, each taken once; the same for the same store."""
    found = list(range(len(splits)))
    rng = np.random.default_rng(0)
    for split in sorted({split or "" for split in splits}):
        order = rng.permutation([i for i, s in enumerate(splits) if (s or "") == split])
        for i, j in zip(order, np.roll(order, 1), strict=True):
            found[i] = int(j)
    return found


def shuffled_steps(sequence: FeatureSequence, seed: int) -> FeatureSequence:
    """The same values at other times."""
    order = np.random.default_rng(seed).permutation(len(sequence.values_TF))
    return FeatureSequence(sequence.values_TF[order], sequence.times_T, sequence.names)


def drop_modalities(example: Example, rate: float) -> Example:
    """The example without each of its modalities and explanations with probability `rate`; one modality stays.

    Draws from torch's generator, which a resumed training restores.
    """
    present = [name for name in MODALITIES if getattr(example, name) is not None]
    dropped = {name for name in present if torch.rand(()) < rate}
    if present and len(dropped) == len(present):
        dropped.remove(present[int(torch.randint(len(present), ()))])
    unexplained = {name for name in ("audio", "video") if torch.rand(()) < rate}
    return without(example, dropped, unexplained)


def without(example: Example, modalities: Set[str], explanations: Set[str] = frozenset()) -> Example:
    """The example without some modalities and their explanations, and without some explanations."""
    gone: dict[str, None] = dict.fromkeys(modalities)
    gone |= {f"{name}_explanation": None for name in (modalities | explanations) - {"text"}}
    return replace(example, **gone)  # type: ignore[arg-type]
