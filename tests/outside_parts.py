"""Extractors and explainers as an outsider would write them: cheap, and reached as "outside_parts:Class".

Each call is noted in the file that OUTSIDE_LOG names, so that tests can tell what was done twice.
"""

import os
import signal
import time
from pathlib import Path

import numpy as np

from textmsa.errors import MissingModality, UserError
from textmsa.types import Explanation, FeatureSequence, Observation


def note(what: str, path: Path) -> None:
    if "OUTSIDE_LOG" in os.environ:
        with open(os.environ["OUTSIDE_LOG"], "a") as log:
            log.write(f"{what} {path.parent.name}/{path.stem}\n")


class Loudness:
    """RMS and zero crossings in windows of 50 ms."""

    name, version = "loudness", "1"
    names: tuple[str, ...] = ("rms", "crossings")

    def extract(self, media):
        note("audio", media.path)
        time.sleep(float(os.environ.get("OUTSIDE_SLEEP", 0)))
        if media.waveform_N is None:
            raise MissingModality(media.missing["audio"])
        step = media.sample_rate // 20
        windows_TN = media.waveform_N[: len(media.waveform_N) // step * step].reshape(-1, step)
        rms_T = np.sqrt((windows_TN**2).mean(axis=1))
        crossings_T = (np.diff(np.sign(windows_TN), axis=1) != 0).sum(axis=1).astype(np.float32)
        crossings_T[rms_T < 1e-4] = np.nan
        times_T = (np.arange(len(windows_TN)) + 0.5) * step / media.sample_rate
        return FeatureSequence(np.stack([rms_T, crossings_T], axis=1), times_T, self.names)


class LoudnessTwo(Loudness):
    version = "2"


class Brightness:
    """Mean and spread of each frame."""

    name, version = "brightness", "1"
    names: tuple[str, ...] = ("mean", "spread")

    def extract(self, media):
        note("video", media.path)
        if media.frames is None:
            raise MissingModality(media.missing["video"])
        values = [[frame.mean(), frame.std()] for frame in media.frames]
        return FeatureSequence(np.array(values, np.float32), media.frame_times_T, self.names)


class Blind(Brightness):
    """Never sees anything."""

    def extract(self, media):
        raise MissingModality("nothing to see")


class Crashing(Brightness):
    """Raises on clip 2."""

    def extract(self, media):
        if media.path.stem == "2":
            raise RuntimeError("the lens\nfell off")
        return super().extract(media)


class Infinite(Brightness):
    """Breaks the contract."""

    def extract(self, media):
        found = super().extract(media)
        return FeatureSequence(found.values_TF / np.float32(0), found.times_T, found.names)


class Deadly(Brightness):
    """Kills its process on clip 2."""

    def extract(self, media):
        if media.path.stem == "2":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().extract(media)


class DeadlyOnce(Brightness):
    """Kills its process on clip 2, the first time."""

    def extract(self, media):
        mark = media.path.with_suffix(".died")
        if media.path.stem == "2" and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return super().extract(media)


class Quoting:
    """Needs no statistics."""

    name, version, needs_statistics = "quoting", "1", False

    def explain(self, observation: Observation) -> Explanation:
        note("explain", observation.path)
        time.sleep(float(os.environ.get("OUTSIDE_SLEEP", 0)))
        return Explanation(text=f"They say: {observation.transcript}", provenance={"explainer": "quoting"})


class Comparing:
    """Compares the loudness with the training split's."""

    name, version, needs_statistics = "comparing", "1", True

    def __init__(self, statistics, times=True):
        self.usual, self.times = statistics["rms"], times

    @staticmethod
    def fit(observations):
        means = [float(seen.audio.column("rms").mean()) for seen in observations if seen.audio is not None]
        assert len(observations[:1]) == 1
        return {"rms": float(np.mean(means)), "clips": len(observations)}

    def explain(self, observation: Observation) -> Explanation:
        note("explain", observation.path)
        time.sleep(float(os.environ.get("OUTSIDE_SLEEP", 0)))
        if observation.audio is None:
            return Explanation(summary="silent")
        ratio = float(observation.audio.column("rms").mean()) / self.usual
        when = f" at {observation.audio.times_T[0]:.3f} s" if self.times else ""
        return Explanation(audio=f"loudness {ratio:.4f} of the usual{when}", text=observation.transcript)


class Mute(Quoting):
    """Fails on clip 2."""

    def explain(self, observation: Observation) -> Explanation:
        if observation.path.stem == "2":
            raise RuntimeError("no words")
        return super().explain(observation)


class Measuring(Comparing):
    """Tells facts, which cannot be told of clip 2."""

    @staticmethod
    def facts(observation):
        if observation.path.stem == "2":
            raise IndexError("All-NaN\nslice")
        return {"rms": float(observation.audio.column("rms").mean())}

    @classmethod
    def fit(cls, observations):
        means = [cls.facts(observation)["rms"] for observation in observations]
        return {"rms": float(np.mean(means)), "clips": len(means)}

    def explain(self, observation: Observation) -> Explanation:
        self.facts(observation)
        return super().explain(observation)


class Unfit(Comparing):
    """Finds no statistics, and no facts by which one could tell why."""

    @staticmethod
    def fit(observations):
        for observation in observations:
            if observation.path.stem == "1":
                raise ValueError
        return {}


class Choosy(Comparing):
    """Takes no corpus of more than five clips."""

    def check_clips(self, paths):
        if len(paths) > 5:
            raise UserError(f"{len(paths)} clips are too many")


class Silent(Brightness):
    """Raises on clip 2, without a word."""

    def extract(self, media):
        if media.path.stem == "2":
            raise RuntimeError
        return super().extract(media)
