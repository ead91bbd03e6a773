"""The TEXT network: `network.py` reads as the paper's figure, each part has a file of its own."""

from textmsa.model.configuration import TextMsaConfig
from textmsa.model.network import TextMsaModel, TextMsaOutput

__all__ = ["TextMsaConfig", "TextMsaModel", "TextMsaOutput"]
