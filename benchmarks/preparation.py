"""Preparing clips: real-time factor, and what two workers gain."""

import tempfile
import time
from pathlib import Path

import av

from benchmarks.measure import Row
from textmsa.corpora import read_corpus
from textmsa.demo_corpus import render_corpus
from textmsa.prepare.command import prepare

CLIPS = 240  # with fewer the start of a worker (some 3 s) hides what it gains


def rows(corpus: Path) -> list[Row]:
    """The figures of preparation, on a demo corpus in the folder `corpus`."""
    render_corpus(corpus, clips=CLIPS, seed=1, workers=2)
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        for workers in (1, 2):
            started = time.perf_counter()
            prepare(corpus, out=Path(folder) / str(workers), workers=workers)
            seconds[workers] = time.perf_counter() - started
    media = sum(_duration(clip.path) for clip in read_corpus(corpus).clips)
    factor, gain = seconds[1] / media, seconds[1] / seconds[2]
    return [
        Row(
            f"prepare {media:.0f} s of video, one worker",
            "",
            f"{seconds[1]:.1f} s",
            f"{factor:.2f} of real time",
            "0.35",
            factor <= 0.35,
        ),
        Row("- two workers", f"{seconds[1]:.1f} s", f"{seconds[2]:.1f} s", f"{gain:.2f}x", "1.7x", gain >= 1.7),
    ]


def _duration(path: Path) -> float:
    with av.open(str(path)) as container:
        return float(container.duration or 0) / av.time_base
