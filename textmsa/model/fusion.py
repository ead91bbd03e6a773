"""Gated fusion of the three summaries into one score."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from textmsa.config import ModelConfig


class GatedFusion(nn.Module):
    """A softmax gate over the modalities from their concatenation; weighted sum; MLP to one score.

    Shapes: B clips, M = 3 modalities (text, audio, video), D = hidden_size.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.gate = nn.Linear(3 * config.hidden_size, 3)
        self.up = nn.Linear(config.hidden_size, config.fusion_size)
        self.dropout = nn.Dropout(config.fusion_dropout)
        self.down = nn.Linear(config.fusion_size, 1)

    def forward(self, summaries_BMD: Tensor, present_BM: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (B,) and gates (B, M), which are 0 where a modality is missing."""
        summaries = summaries_BMD * present_BM[..., None]
        logits = self.gate(summaries.flatten(1)).masked_fill(~present_BM, float("-inf"))
        gates_BM = torch.softmax(logits.float(), dim=-1)
        x = (summaries * gates_BM[..., None].to(summaries.dtype)).sum(dim=1)  # (B, D)
        x = self.down(self.dropout(functional.gelu(self.up(x))))  # (B, 1)
        return x.squeeze(-1).float(), gates_BM


class ConcatFusion(nn.Module):
    """The modalities' summaries side by side, without gates (ablation); a missing one is zeros."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.up = nn.Linear(3 * config.hidden_size, config.fusion_size)
        self.dropout = nn.Dropout(config.fusion_dropout)
        self.down = nn.Linear(config.fusion_size, 1)

    def forward(self, summaries_BMD: Tensor, present_BM: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (B,) and, for want of gates, equal weights (B, M) of the modalities that are there."""
        x = (summaries_BMD * present_BM[..., None]).flatten(1)  # (B, 3D)
        x = self.down(self.dropout(functional.gelu(self.up(x))))  # (B, 1)
        share_BM = present_BM / present_BM.sum(dim=1, keepdim=True)
        return x.squeeze(-1).float(), share_BM
