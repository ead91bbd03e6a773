"""A corpus -> a store with features and explanations; `command.py` is `textmsa prepare`."""

import sys

from textmsa.prepare.command import prepare
from textmsa.prepare.result import PrepareResult
from textmsa.runtime.callable_package import CallablePackage

__all__ = ["PrepareResult", "prepare"]

sys.modules[__name__].__class__ = CallablePackage
