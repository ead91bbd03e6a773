"""The text encoder's own rating of the words, with which the score begins (`model.rating`).

An encoder that has learnt how people rate sentences (`textmsa finetune-encoder`, or `everyday`) reads a score of its
own in the mean of its states. The network begins with that score and learns what it leaves. It is not in the paper.

Shapes: B clips, T word pieces, F features of the text encoder.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from textmsa.model.experts import masked_mean
from textmsa.model.stream_encoder import Stream


class Rating(nn.Module):
    """A score that is linear in the mean of the text encoder's states; 0 until a head is given, and without words."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.head = nn.Linear(size, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, words: Stream, present_B: Tensor) -> Tensor:
        """States of the words, and which clips have any -> scores (B,)."""
        mask_BT = words.mask_BT | ~present_B[:, None]  # no mean of nothing, whose gradient is not defined
        nothing_B = words.x_BTD.new_zeros(len(present_B), dtype=torch.float32)
        if not words.x_BTD.shape[1]:
            return nothing_B
        return torch.where(present_B, self.head(masked_mean(words.x_BTD, mask_BT)).squeeze(-1).float(), nothing_B)


@torch.no_grad()
def begin_with(head: nn.Linear, weight_F: npt.NDArray[np.float32], bias: float) -> None:
    """Give a linear layer to one number what it begins with."""
    head.weight.copy_(torch.from_numpy(weight_F)[None])
    head.bias.fill_(bias)
