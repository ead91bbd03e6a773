"""Learning rate by step."""

import math
from collections.abc import Callable

from textmsa.config import TrainingConfig


def schedule(training: TrainingConfig, steps_per_epoch: int, total_steps: int) -> Callable[[int], float]:
    """Learning rate as a share of its peak, by step (from 0)."""
    warmup = max(1, round(training.warmup_fraction * total_steps))

    def cosine(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total_steps - warmup)))

    def paper(step: int) -> float:
        epoch = step // steps_per_epoch
        return epoch / 20 if epoch <= 20 else 0.5 * (1 + math.cos(math.pi * (epoch - 21) / 180))

    return paper if training.schedule == "paper" else cosine
