"""Run + store -> metrics beside baselines; comparisons, ablations, robustness; `command.py` is `textmsa evaluate`."""

import sys

from textmsa.evaluate.command import Evaluation, evaluate
from textmsa.runtime.callable_package import CallablePackage

__all__ = ["Evaluation", "evaluate"]

sys.modules[__name__].__class__ = CallablePackage
