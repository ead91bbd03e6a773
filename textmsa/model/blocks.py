"""Pre-norm attention and MLP blocks, shared by the stream encoders, the alignment and the mixture of experts.

Shapes: B clips, Q query positions, K key positions, D = hidden_size, H heads of size S.
Masks are True where real.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from textmsa.config import ModelConfig


class PreNormAttention(nn.Module):
    """Multi-head attention with LayerNorms of its own on queries, keys and values, plus the residual.

    q, k and v have no bias, the output projection has one; scale head_size^-1/2.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        d, inner = config.hidden_size, config.num_heads * config.head_size
        self.heads = config.num_heads
        self.norm_q, self.norm_k, self.norm_v = nn.LayerNorm(d), nn.LayerNorm(d), nn.LayerNorm(d)
        self.to_q = nn.Linear(d, inner, bias=False)
        self.to_k = nn.Linear(d, inner, bias=False)
        self.to_v = nn.Linear(d, inner, bias=False)
        self.to_out = nn.Linear(inner, d)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, query_BQD: Tensor, key_BKD: Tensor, key_mask_BK: Tensor | None) -> Tensor:
        """`query + attention(query, key, key)`; keys outside the mask are not seen. Every row needs one real key."""
        q = self._split(self.to_q(self.norm_q(query_BQD)))  # (B, H, Q, S)
        k = self._split(self.to_k(self.norm_k(key_BKD)))  # (B, H, K, S)
        v = self._split(self.to_v(self.norm_v(key_BKD)))  # (B, H, K, S)
        mask = None if key_mask_BK is None else key_mask_BK[:, None, None, :]
        x = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)  # (B, H, Q, S)
        x = x.transpose(1, 2).flatten(2)  # (B, Q, H*S)
        added_BQD: Tensor = self.dropout(self.to_out(x))
        return query_BQD + added_BQD

    def _split(self, x: Tensor) -> Tensor:
        split: Tensor = x.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        return split


class PreNormMlp(nn.Module):
    """LayerNorm, two linear layers with GELU between, plus the residual."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(config.hidden_size)
        self.up = nn.Linear(config.hidden_size, config.mlp_size)
        self.down = nn.Linear(config.mlp_size, config.hidden_size)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., D)."""
        inner = self.dropout(functional.gelu(self.up(self.norm(x))))
        added: Tensor = self.dropout(self.down(inner))
        return x + added


class Block(nn.Module):
    """One pre-norm transformer block; self-attention unless another sequence is given to attend to."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention = PreNormAttention(config)
        self.mlp = PreNormMlp(config)

    def forward(self, x_BQD: Tensor, context_BKD: Tensor, context_mask_BK: Tensor | None) -> Tensor:
        """(B, Q, D) attending to (B, K, D) -> (B, Q, D)."""
        out_BQD: Tensor = self.mlp(self.attention(x_BQD, context_BKD, context_mask_BK))
        return out_BQD


def random_positions(length: int, config: ModelConfig) -> nn.Parameter:
    """Learned positions (1, length, D), initialised from a normal distribution."""
    return nn.Parameter(config.position_std * torch.randn(1, length, config.hidden_size))
