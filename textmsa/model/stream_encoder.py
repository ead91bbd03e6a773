"""One stream (text, audio, video or an explanation) on its way to the common width."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from textmsa.config import ModelConfig
from textmsa.model.blocks import Block, random_positions


class Stream(NamedTuple):
    """An encoded sequence whose first position is the learned token."""

    x_BTD: Tensor
    mask_BT: Tensor
    """True where real; the learned token always is."""


class StreamEncoder(nn.Module):
    """Linear to D, a learned token in front, learned positions, then self-attention blocks; no final norm."""

    def __init__(self, config: ModelConfig, *, input_size: int, max_length: int) -> None:
        super().__init__()
        self.project = nn.Linear(input_size, config.hidden_size)
        self.token = nn.Parameter(torch.zeros(1, 1, config.hidden_size))
        self.positions = random_positions(1 + max_length, config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.num_stream_layers))

    def forward(self, values_BTF: Tensor, mask_BT: Tensor) -> Stream:
        """(B, T, F) and its mask -> (B, 1 + T, D); T = 0 leaves the learned token alone."""
        batch, steps, _ = values_BTF.shape
        token = self.token.expand(batch, -1, -1)
        x = torch.cat([token, self.project(values_BTF)], dim=1)  # (B, 1+T, D)
        x = x + self.positions[:, : 1 + steps]
        mask = torch.cat([mask_BT.new_ones(batch, 1), mask_BT], dim=1)  # (B, 1+T)
        for block in self.blocks:
            x = block(x, x, mask)
        return Stream(x, mask)
