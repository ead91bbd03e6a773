"""What a ridge regression reads in each modality, as a part of the network that its training leaves as it is.

A few hundred clips teach a network less of a voice than a linear regression of its statistics. So the regression is
solved first, in closed form (`train/probe_fitting.py`), and the network learns what it leaves. Pooling by statistics is
that of speaker recognition (Snyder et al. 2018, "X-vectors"); a linear probe before the training that of Kumar et al.
2022 ("Fine-tuning can distort pretrained features and underperform out-of-distribution"). Neither is in the paper.

Shapes: B clips, T positions or steps, F features, Q quantiles, X = (2 + Q) F statistics.
"""

import torch
from torch import Tensor, nn

from textmsa.model.batch import Steps
from textmsa.model.configuration import TextMsaConfig
from textmsa.model.experts import masked_mean
from textmsa.model.stream_encoder import Stream
from textmsa.types import MODALITIES

QUANTILES = (0.0, 0.1, 0.9, 1.0)
FARTHEST = 8.0  # deviations from the training clips' mean


class Probe(nn.Module):
    """A linear regression of standardised inputs, whose numbers are given and not trained; 0 before they are given."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.mean_X: Tensor
        self.std_X: Tensor
        self.weight_X: Tensor
        self.bias: Tensor
        for name, value in (("mean_X", 0.0), ("std_X", 1.0), ("weight_X", 0.0)):
            self.register_buffer(name, torch.full((size,), value))
        self.register_buffer("bias", torch.zeros(()))

    def forward(self, x_BX: Tensor) -> Tensor:
        """Inputs (B, X) -> scores (B,)."""
        standardised_BX = ((x_BX.float() - self.mean_X) / self.std_X).clamp(-FARTHEST, FARTHEST)
        return (standardised_BX * self.weight_X).sum(dim=-1) + self.bias

    @torch.no_grad()
    def give(self, *, mean_X: Tensor, std_X: Tensor, weight_X: Tensor, bias: float) -> None:
        """Set what it is, all (X,)."""
        for buffer, value in ((self.mean_X, mean_X), (self.std_X, std_X), (self.weight_X, weight_X)):
            buffer.copy_(value)
        self.bias.fill_(bias)


class Probes(nn.ModuleDict):
    """A probe of each modality: of the mean state of its words, of statistics of its steps."""

    def __init__(self, config: TextMsaConfig) -> None:
        steps = {"audio": config.audio_size, "video": config.video_size}
        sizes = {"text": config.text_size, **{n: (2 + len(QUANTILES)) * size for n, size in steps.items() if size}}
        super().__init__({name: Probe(size) for name, size in sizes.items()})

    def inputs(self, words: Stream, audio: Steps | None, video: Steps | None) -> dict[str, Tensor]:
        """Text encoder states and steps -> modality -> what its probe reads (B, X); those that are there."""
        given = {"text": masked_mean(words.x_BTD, words.mask_BT) if words.x_BTD.shape[1] else None}
        given |= {name: statistics_of(steps) if steps else None for name, steps in (("audio", audio), ("video", video))}
        return {name: x_BX for name, x_BX in given.items() if x_BX is not None and name in self}

    def forward(self, words: Stream, audio: Steps | None, video: Steps | None) -> Tensor:
        """Scores (B, M); 0 where nothing is there to be read."""
        read = {name: self[name](x_BX) for name, x_BX in self.inputs(words, audio, video).items()}
        nothing_B = words.x_BTD.new_zeros(len(words.x_BTD), dtype=torch.float32)
        return torch.stack([read.get(name, nothing_B) for name in MODALITIES], dim=1)


def statistics_of(steps: Steps) -> Tensor:
    """Mean, deviation and quantiles of the real steps' features (B, X); zeros where none is real."""
    real_BT1, count_B1 = steps.mask_BT[..., None], steps.mask_BT.sum(dim=1, keepdim=True).clamp(min=1)
    values_BTF = steps.values_BTF.float()
    mean_BF = (values_BTF * real_BT1).sum(dim=1) / count_B1
    variance_BF = ((values_BTF - mean_BF[:, None]).square() * real_BT1).sum(dim=1) / count_B1
    levels_Q = torch.tensor(QUANTILES, device=values_BTF.device)
    quantile_QBF = torch.nanquantile(values_BTF.masked_fill(~real_BT1, torch.nan), levels_Q, dim=1)
    return torch.nan_to_num(torch.cat([mean_BF, variance_BF.sqrt(), *quantile_QBF], dim=1))
