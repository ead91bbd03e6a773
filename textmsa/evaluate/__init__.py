"""Run + store -> metrics beside baselines; comparisons, ablations, robustness; `command.py` is `textmsa evaluate`."""

from textmsa.evaluate.command import Evaluation, evaluate

__all__ = ["Evaluation", "evaluate"]
