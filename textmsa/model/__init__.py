"""The TEXT network: `network.py` reads as the paper's figure, each part has a file of its own.

Importing this package makes the network known to transformers: `AutoConfig` and `AutoModel` read its folders.
"""

from transformers import AutoConfig, AutoModel

from textmsa.model.configuration import TextMsaConfig
from textmsa.model.network import TextMsaModel, TextMsaOutput

__all__ = ["TextMsaConfig", "TextMsaModel", "TextMsaOutput"]

AutoConfig.register(TextMsaConfig.model_type, TextMsaConfig, exist_ok=True)
AutoModel.register(TextMsaConfig, TextMsaModel, exist_ok=True)
