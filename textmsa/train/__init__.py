"""Recipe + store -> a run folder; `command.py` is `textmsa train`."""

from textmsa.train.command import train
from textmsa.train.one_network import TrainResult

__all__ = ["TrainResult", "train"]
