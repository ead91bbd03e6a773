"""A corpus -> a store with features and explanations; `command.py` is `textmsa prepare`."""

from textmsa.prepare.command import prepare
from textmsa.prepare.job import PrepareResult

__all__ = ["PrepareResult", "prepare"]
