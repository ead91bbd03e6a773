"""A store of any size with random features, for benchmarks and tests of what reads stores."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from textmsa.features.statistics import ModalityStatistics, Statistics
from textmsa.store.manifest import Manifest
from textmsa.store.preparation import Preparation
from textmsa.store.reading import Store
from textmsa.store.rows import StoredClip
from textmsa.store.writing import write_store
from textmsa.types import Clip, ExplainerSpec, Explanation, FeatureSequence, FeatureSpec, Observation, Sample

WORDS = """
the film is a good and bad story of people who speak with loud slow quick voice smile frown brow eyes never always dull
bright warm cold very little more than it was in this that one
""".split()  # noqa: SIM905
SPLITS = ("train", "valid", "test")


def generate_store(
    folder: Path,
    *,
    clips: int,
    audio: tuple[int, int] = (60, 5),
    video: tuple[int, int] = (40, 7),
    words: tuple[int, int] = (3, 30),
    seed: int = 0,
    unimodal_labels: bool = False,
) -> Store:
    """A store of `clips` clips, 70 % of them for training; scores depend on the features' means.

    Parameters
    ----------
    folder, clips, seed
        Where it goes, how many, and of what is drawn.
    audio, video
        Steps and features of each clip.
    words
        Fewest and most words per text.
    unimodal_labels
        Whether each clip has labels of its text, audio and video alone.
    """
    specs = {
        name: FeatureSpec("generated", "1", tuple(f"{name}{i}" for i in range(shape[1])))
        for name, shape in (("audio", audio), ("video", video))
    }
    statistics = Statistics(
        **{
            name: ModalityStatistics(
                s.names,
                np.zeros(len(s.names), np.float32),
                np.ones(len(s.names), np.float32),
                np.ones(len(s.names), int),
            )
            for name, s in specs.items()
        },
        explainer={},
        clips=clips,
    )
    explainer = ExplainerSpec("generated", "1", {})
    Preparation(specs["audio"], specs["video"], explainer, statistics).save(folder)
    splits = [SPLITS[0] if i % 10 < 7 else SPLITS[1] if i % 10 < 8 else SPLITS[2] for i in range(clips)]
    manifest = Manifest(
        corpus="generated",
        corpus_folder=str(folder),
        score_range=(-3.0, 3.0),
        score_range_source="given",
        counts={split: splits.count(split) for split in SPLITS},
        missing={},
        skipped=0,
        audio=specs["audio"],
        video=specs["video"],
        explainer=explainer,
        statistics_sha256=statistics.sha256,
        packages={},
        created="2026-01-01T00:00:00+00:00",
    )
    made = _clips(folder, splits, {"audio": audio, "video": video}, specs, words, seed)
    made = map(_labelled_alone, made) if unimodal_labels else made
    write_store(folder, made, manifest=manifest, statistics=statistics)
    return Store.open(folder)


def _labelled_alone(stored: StoredClip) -> StoredClip:
    """With labels alone: how many words, and the mean of each stream's first feature."""
    clip, seen = stored.sample.clip, stored.sample.observation
    assert seen.audio is not None
    assert seen.video is not None
    audio, video = (float(np.clip(stream.values_TF[:, 0].mean(), -3, 3)) for stream in (seen.audio, seen.video))
    words = len((clip.transcript or "").split()) / 10 - 1.5
    labelled = replace(clip, label_text=words, label_audio=audio, label_video=video)
    return replace(stored, sample=replace(stored.sample, clip=labelled))


def _clips(
    folder: Path,
    splits: list[str],
    shapes: dict[str, tuple[int, int]],
    specs: dict[str, FeatureSpec],
    words: tuple[int, int],
    seed: int,
) -> Iterator[StoredClip]:
    rng, speech = np.random.default_rng(seed), random.Random(seed)

    def text() -> str:
        return " ".join(speech.choices(WORDS, k=speech.randint(*words)))

    for i, split in enumerate(splits):
        means = {name: rng.normal() for name in shapes}
        sequences = {}
        for name, (steps, size) in shapes.items():
            values = rng.standard_normal((steps, size), np.float32) + np.float32(means[name])
            sequences[name] = FeatureSequence(values, np.arange(steps) / 10 + 0.05, specs[name].names)
        label = float(np.clip(means["audio"] + 0.5 * means["video"], -3, 3))
        clip = Clip(f"v{i // 10}$_${i}", folder / f"Raw/v{i // 10}/{i}.mp4", text(), label, split, f"v{i // 10}")
        duration = max(steps for steps, _ in shapes.values()) / 10
        seen = Observation(clip.path, clip.transcript, duration, sequences["audio"], sequences["video"])
        yield StoredClip(Sample(clip, seen, Explanation(text(), text(), None, text(), None, {})))
