"""Timing of ways to do the same thing, in turn, and the table that shows them."""

import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

import torch

THREADS = int(os.environ.get("OMP_NUM_THREADS", "2"))


@dataclass(frozen=True)
class Timing:
    """Seconds of one way, a value a repetition."""

    seconds: list[float]

    @property
    def median(self) -> float:
        """Seconds."""
        return median(self.seconds)

    def text(self, unit: float = 1.0) -> str:
        """Median and range; `unit` is what one repetition did."""
        low, middle, high = (f"{value / unit:.3g}" for value in (min(self.seconds), self.median, max(self.seconds)))
        return f"{middle} s ({low}-{high})"


@dataclass(frozen=True)
class Row:
    """One figure beside the plain way and the target."""

    what: str
    plain: str
    ours: str
    figure: str
    target: str
    reached: bool | None = None

    def line(self) -> str:
        """A row of the markdown table."""
        mark = {True: "yes", False: "**no**", None: ""}[self.reached]
        return f"| {self.what} | {self.plain} | {self.ours} | {self.figure} | {self.target} | {mark} |"


HEADER = "| what | plain | ours | figure | target | reached |\n|---|---|---|---|---|---|"


def in_turn(ways: Mapping[str, Callable[[], object]], repeats: int, *, warm_up: bool = True) -> dict[str, Timing]:
    """Time the ways one after another, `repeats` times round, so that a noisy spell meets all of them."""
    if warm_up:
        for way in ways.values():
            way()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - started)
    return {name: Timing(values) for name, values in seconds.items()}


def gemm_peak(size: int = 2048, repeats: int = 7) -> float:
    """FLOP/s of the fastest of some fp32 matrix products on `THREADS` threads."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    with torch.inference_mode():
        timing = in_turn({"gemm": lambda: a @ b}, repeats)["gemm"]
    return 2 * size**3 / min(timing.seconds)


def machine() -> str:
    """Processor, threads and versions, in a line."""
    name = platform.processor() or platform.machine()
    with open("/proc/cpuinfo") as lines:
        name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), name)
    return f"{name}, {THREADS} threads, Python {platform.python_version()}, torch {torch.__version__}"
