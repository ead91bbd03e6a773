"""The TEXT network: `network.py` reads as the paper's figure, each part has a file of its own.

Its names are loaded when they are first used, since they bring transformers; whoever has one of them has also made the
network known to transformers' `AutoConfig` and `AutoModel`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textmsa.model.configuration import TextMsaConfig as TextMsaConfig
    from textmsa.model.network import TextMsaModel as TextMsaModel
    from textmsa.model.network import TextMsaOutput as TextMsaOutput

__all__ = ["TextMsaConfig", "TextMsaModel", "TextMsaOutput"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("textmsa.model.network"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
