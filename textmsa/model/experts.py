"""Text-routed sparse mixture of experts.

Shapes: B clips, T positions, D = hidden_size, M = mlp_size, E experts of which K are chosen for a clip.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from textmsa.config import ModelConfig
from textmsa.model.blocks import PreNormAttention


class Router(nn.Module):
    """Chooses K experts per clip from the mean of its text, in float32."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.top_k = config.top_k
        self.noise_when = config.router_noise
        self.score = nn.Linear(config.hidden_size, config.num_experts)
        self.noise = nn.Linear(config.hidden_size, config.num_experts)

    def forward(self, text_mean_BD: Tensor) -> tuple[Tensor, Tensor]:
        """(B, D) -> chosen experts (B, K) and their weights (B, K), which sum to 1.

        Routing by position gives a row for each position instead of each clip.
        """
        text_mean = text_mean_BD.float()
        logits = linear_float32(self.score, text_mean)
        if self.noise_when == "always" or (self.noise_when == "train" and self.training):
            noise_scale = functional.softplus(linear_float32(self.noise, text_mean))
            logits = logits + torch.randn_like(logits) * noise_scale
        top, chosen_BK = logits.topk(self.top_k, dim=-1)
        return chosen_BK, top.softmax(dim=-1)


def linear_float32(layer: nn.Linear, x_BD: Tensor) -> Tensor:
    """The layer's output as a product and a sum, which autocast leaves in float32, as it does not a matrix product."""
    bias = 0 if layer.bias is None else layer.bias.float()
    return (x_BD[:, None] * layer.weight.float()).sum(dim=-1) + bias


class Experts(nn.Module):
    """E two-layer GELU networks, D -> M -> D; a clip's whole sequence goes through each expert chosen for it.

    The chosen weights are gathered per clip and multiplied in one batch, so that nothing is computed for experts
    that are not chosen and nothing waits for the device.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        e, d, m = config.num_experts, config.hidden_size, config.mlp_size
        self.up_weight_EDM = nn.Parameter(torch.empty(e, d, m))
        self.up_bias_EM = nn.Parameter(torch.empty(e, m))
        self.down_weight_EMD = nn.Parameter(torch.empty(e, m, d))
        self.down_bias_ED = nn.Parameter(torch.empty(e, d))
        self.dropout = nn.Dropout(config.dropout)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise every expert as `nn.Linear` does: uniform within 1/sqrt(inputs)."""
        for weight, bias in (
            (self.up_weight_EDM, self.up_bias_EM),
            (self.down_weight_EMD, self.down_bias_ED),
        ):
            bound = weight.shape[1] ** -0.5
            nn.init.uniform_(weight, -bound, bound)
            nn.init.uniform_(bias, -bound, bound)

    def forward(self, x_BTD: Tensor, chosen_BK: Tensor, weights_BK: Tensor) -> Tensor:
        """Weighted sum (B, T, D) of the chosen experts' outputs."""
        clips, k = chosen_BK.shape
        x = x_BTD[:, None].expand(-1, k, -1, -1).flatten(0, 1)  # (B*K, T, D)
        chosen = chosen_BK.flatten()
        x = torch.baddbmm(self.up_bias_EM[chosen, None], x, self.up_weight_EDM[chosen])  # (B*K, T, M)
        x = self.dropout(functional.gelu(x))
        x = torch.baddbmm(self.down_bias_ED[chosen, None], x, self.down_weight_EMD[chosen])  # (B*K, T, D)
        x = self.dropout(x).unflatten(0, (clips, k))
        sum_BTD: Tensor = (x * weights_BK[..., None, None].to(x.dtype)).sum(dim=1)
        return sum_BTD

    def by_position(self, x_BTD: Tensor, weights_BTE: Tensor) -> Tensor:
        """Weighted sum (B, T, D) of all experts' outputs, where each position has weights of its own."""
        x = torch.einsum("btd,edm->betm", x_BTD, self.up_weight_EDM) + self.up_bias_EM[:, None]
        x = self.dropout(functional.gelu(x))
        x = torch.einsum("betm,emd->betd", x, self.down_weight_EMD) + self.down_bias_ED[:, None]
        return torch.einsum("betd,bte->btd", self.dropout(x), weights_BTE.to(x.dtype))


class TextRoutedLayer(nn.Module):
    """Pre-norm self-attention, then the pre-norm sparse mixture of experts, each with its residual."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.attention = PreNormAttention(config)
        self.norm = nn.LayerNorm(config.hidden_size)
        self.routing = config.routing
        self.router = Router(config)
        self.experts = Experts(config)

    def forward(
        self, x_BTD: Tensor, mask_BT: Tensor, text_mean_BD: Tensor, capacity: "Capacity | None"
    ) -> tuple[Tensor, Tensor]:
        """Updated sequence (B, T, D) and the weight of every expert (B, E), zero where not chosen or dropped."""
        x = self.attention(x_BTD, x_BTD, mask_BT)
        if self.routing == "token":
            return self._routed_by_position(x, mask_BT)
        chosen_BK, weights_BK = self.router(text_mean_BD if self.routing == "text" else masked_mean(x, mask_BT))
        if capacity is not None:
            weights_BK = drop_overflow(chosen_BK, weights_BK, capacity, len(self.experts.up_bias_EM))
        x = x + self.experts(self.norm(x), chosen_BK, weights_BK)
        every_BE = weights_BK.new_zeros(len(x), len(self.experts.up_bias_EM))
        return x, every_BE.scatter(1, chosen_BK, weights_BK)

    def _routed_by_position(self, x: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
        """The ablation without the text's say; the weights (B, E) are means over the real positions."""
        normed = self.norm(x)
        chosen_PK, weights_PK = self.router(normed.flatten(0, 1))  # P = B*T
        every = weights_PK.new_zeros(len(chosen_PK), len(self.experts.up_bias_EM)).scatter(1, chosen_PK, weights_PK)
        weights_BTE = every.unflatten(0, mask_BT.shape)
        return x + self.experts.by_position(normed, weights_BTE), masked_mean(weights_BTE, mask_BT)


def masked_mean(x_BTD: Tensor, mask_BT: Tensor) -> Tensor:
    """Mean over the real positions: (B, T, D) -> (B, D)."""
    weight = mask_BT[..., None].to(x_BTD.dtype)
    return (x_BTD * weight).sum(dim=1) / weight.sum(dim=1)


def drop_overflow(chosen_BK: Tensor, weights_BK: Tensor, capacity: "Capacity", num_experts: int) -> Tensor:
    """Zero the weights of the assignments that come after an expert's first `capacity.clips`.

    What is dropped is not given to the other experts: the weights then sum to less than 1 (reference code).
    """
    flat = chosen_BK.flatten()  # assignments in batch order
    order = flat.argsort(stable=capacity.stable)
    ordered = flat[order]
    first_E = torch.searchsorted(ordered, torch.arange(num_experts, device=flat.device))
    place = torch.arange(len(flat), device=flat.device) - first_E[ordered]  # 0, 1, ... within each expert
    kept = torch.zeros_like(flat, dtype=torch.bool).scatter(0, order, place < capacity.clips)
    return weights_BK * kept.view_as(weights_BK)


class Capacity(NamedTuple):
    """How many clips of a batch one expert takes, and whether they are taken in batch order.

    The reference sorts the assignments by expert with torch's unstable sort, whose order among equals is that of
    the sorting network of the processor at hand, not of the batch; `stable=False` does the same, and agrees with the
    reference only on processors where torch sorts alike (seen with AVX-512).
    """

    clips: int
    stable: bool = True


def expert_capacity(clips: int, config: ModelConfig, factor: float, *, stable: bool = True) -> Capacity:
    """What one expert takes of a batch: int(B k / E x factor) clips, at least 1."""
    return Capacity(max(1, int(clips * config.top_k / config.num_experts * factor)), stable)
