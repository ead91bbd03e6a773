"""A network whose text encoder computes in 8-bit integers: for scoring on a CPU."""

import copy
import warnings
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from textmsa.model.network import TextMsaModel


def with_int8_encoder(model: "TextMsaModel") -> "TextMsaModel":
    """A copy of the network, in evaluation mode, with the text encoder's linear layers in int8.

    Dynamic quantisation: weights with one scale per output, activations with one scale per call. The weights of the
    rest of the network are shared with the original.
    """
    from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic

    encoder: Any = model.text_encoder
    quantised = copy.copy(model)
    quantised._modules = dict(model._modules)
    with warnings.catch_warnings():
        # torch calls its own quantisation deprecated; what is to follow it needs a compiler on the user's machine.
        warnings.filterwarnings("ignore", message=".*deprecated.*")
        quantised.text_encoder = quantize_dynamic(encoder, {nn.Linear: per_channel_dynamic_qconfig})
    quantised.train(False)
    return quantised
