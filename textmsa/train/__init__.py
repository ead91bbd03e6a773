"""Recipe + store -> a run folder; `command.py` is `textmsa train`."""

import sys

from textmsa.runtime.callable_package import CallablePackage
from textmsa.train.command import train
from textmsa.train.one_network import TrainResult

__all__ = ["TrainResult", "train"]

sys.modules[__name__].__class__ = CallablePackage
