"""Folds by speaker: which videos are held out together, and a store of a fold, for which nothing is measured again.

In the MMSA layout a video has one speaker. Shape suffixes: T time steps, F features.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from textmsa.errors import UserError
from textmsa.features.statistics import ModalityStatistics, Statistics, modality_statistics
from textmsa.store.reading import Store
from textmsa.store.rows import StoredClip
from textmsa.store.training_clips import in_order
from textmsa.store.writing import write_store
from textmsa.types import SPLITS, FeatureSequence, FeatureSpec, Observation

BY_SPEAKER = ", normalised by speaker"
"""Ends the version of extractors whose features were: no clip by itself can be measured so, and `predict` refuses."""
FEWEST = 3
Measured = Callable[[FeatureSequence | None], FeatureSequence | None]
"""A clip's features -> what of them was measured; published data files hold padding besides."""


@dataclass(frozen=True)
class Fold:
    """Which videos are held out and which are chosen by; all others are learnt from."""

    test: tuple[str, ...]
    valid: tuple[str, ...]

    def split_of(self, video: str) -> str:
        """ "train", "valid" or "test"."""
        return "test" if video in self.test else "valid" if video in self.valid else "train"


def folds_of(store: Store, number: int | None) -> list[Fold]:
    """Folds that hold out each video with a labelled clip once; the same for the same corpus.

    The videos stand in an order by the hash of their names, in which a fold is so many neighbours; the first follows
    the last. Those after a fold are its validation part: one at least, more while they have fewer labelled clips than
    the fold itself and than half of what it leaves.

    Parameters
    ----------
    store
        Whose clips they are.
    number
        Of folds, of as many videos each as can be; None for one fold a video.
    """
    count: dict[str, int] = {}
    for video, has_label in zip(store.column("video_id"), store.has_label_N, strict=True):
        if has_label:
            count[video] = count.get(video, 0) + 1
    if not count:
        raise UserError(f"{store.path}: no clip has a label; label some in the corpus and prepare it again")
    order = in_order(count)
    if len(order) < FEWEST:
        raise UserError(
            f"{store.path}: its labelled clips are of {len(order)} video(s), and whole videos are held out: {FEWEST} "
            "are needed, to score, to choose by and to learn from (column video_id: the speaker)"
        )
    number = len(order) if number is None else number
    if number > len(order):
        raise UserError(f"{number} folds: the labelled clips are of {len(order)} videos; give fewer folds, or each")
    largest = -(-len(order) // number)
    if len(order) - largest < FEWEST - 1:
        raise UserError(
            f"{number} folds: {largest} of {len(order)} videos would be held out, and two are needed besides, to "
            "choose by and to learn from; give more folds, or each"
        )
    edges = np.linspace(0, len(order), number + 1).astype(int).tolist()
    return [_fold(order, count, start, end) for start, end in pairwise(edges)]


def _fold(order: list[str], count: dict[str, int], start: int, end: int) -> Fold:
    test, others = order[start:end], order[end:] + order[:start]
    wanted = min(sum(count[video] for video in test), sum(count[video] for video in others) / 2)
    valid = [others[0]]
    for video in others[1:-1]:
        if sum(count[other] for other in valid) >= wanted:
            break
        valid.append(video)
    return Fold(tuple(test), tuple(valid))


def as_it_is(sequence: FeatureSequence | None) -> FeatureSequence | None:
    """All of a clip's features, as `textmsa prepare` measured them."""
    return sequence


@dataclass(frozen=True)
class Speakers:
    """What is usual of each speaker (video id), over all frames of all clips of theirs; labels are not looked at.

    Normalised features are put back on the scale of the store's own statistics, the same for all speakers, so that
    they keep units (what is measured of a voice, as its pitch in semitones, can still be told of them).
    """

    usual: dict[str, Statistics]
    scale: Statistics
    measured: Measured

    @staticmethod
    def of(store: Store, measured: Measured = as_it_is) -> "Speakers":
        """Of all the speakers of a store."""
        clips: dict[str, list[int]] = {}
        for index, video in enumerate(store.column("video_id")):
            clips.setdefault(video, []).append(index)
        usual = {video: _statistics((store[i].observation for i in own), measured) for video, own in clips.items()}
        return Speakers(usual, store.statistics, measured)

    def normalised(self, video: str, seen: Observation) -> Observation:
        """Each audio and video feature by the mean and deviation of this speaker's."""
        own = self.usual[video]
        audio = _rescaled(self.measured(seen.audio), own.audio, self.scale.audio)
        return replace(seen, audio=audio, video=_rescaled(self.measured(seen.video), own.video, self.scale.video))


def _rescaled(
    sequence: FeatureSequence | None, own: ModalityStatistics | None, scale: ModalityStatistics | None
) -> FeatureSequence | None:
    if sequence is None or own is None:
        return sequence
    values_TF = (sequence.values_TF - own.mean_F) / own.std_F
    if scale is not None:
        values_TF = values_TF * scale.std_F + scale.mean_F
    return replace(sequence, values_TF=values_TF.astype(np.float32))


def _statistics(seen: Iterable[Observation], measured: Measured) -> Statistics:
    pairs = [(measured(each.audio), measured(each.video)) for each in seen]
    audio, video = (modality_statistics(pair[place] for pair in pairs) for place in (0, 1))
    return Statistics(audio, video, clips=len(pairs))


def write_fold(
    store: Store, folder: Path, fold: Fold, *, speakers: Speakers | None = None, measured: Measured = as_it_is
) -> Store:
    """A store of the same clips with the splits of a fold, in a new or empty folder.

    Features are those of the store, or what `speakers` makes of them; their statistics are of the fold's training
    clips. Explanations, and the statistics that measured ones are graded by, stay as they were prepared: no label is
    in them.
    """
    split_N = [fold.split_of(video) for video in store.column("video_id")]

    def clip(index: int) -> StoredClip:
        stored = store.row(index)
        sample, video = stored.sample, stored.sample.clip.video_id
        seen = sample.observation if speakers is None else speakers.normalised(video, sample.observation)
        sample = replace(sample, clip=replace(sample.clip, split=split_N[index]), observation=seen)
        return replace(stored, sample=sample, source=stored.source + (BY_SPEAKER if speakers else ""))

    training = [index for index, split in enumerate(split_N) if split == "train"]
    audio, video = (
        modality_statistics(measured(getattr(clip(index).sample.observation, name)) for index in training)
        for name in ("audio", "video")
    )
    statistics = Statistics(audio, video, store.statistics.explainer, len(training))
    made = replace(store.preparation, statistics=statistics, like=None)
    if speakers:
        made = replace(made, audio=_marked(made.audio), video=_marked(made.video))
    made.save(folder)
    without_label = [split for split, has_label in zip(split_N, store.has_label_N, strict=True) if not has_label]
    old = store.manifest
    manifest = replace(
        old,
        counts={split: split_N.count(split) for split in SPLITS},
        unlabelled={split: without_label.count(split) for split in SPLITS if split in without_label},
        audio=None if old.audio is None else made.audio,
        video=None if old.video is None else made.video,
        statistics_sha256=statistics.sha256,
    )
    write_store(folder, map(clip, range(len(store))), manifest=manifest, statistics=statistics)
    return Store.open(folder)


def _marked(spec: FeatureSpec) -> FeatureSpec:
    return replace(spec, version=spec.version + BY_SPEAKER)
