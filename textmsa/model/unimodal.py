"""What each stream says alone: heads for the labels of words, voice and face (`training.unimodal_weight`).

The labels are those of CH-SIMS (Yu et al. 2020) and of corpora that carry `label_T`, `label_A`, `label_V`.
Shapes: B clips, T positions, D = hidden_size, M = 3 modalities (text, audio, video).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from textmsa.model.batch import Batch
from textmsa.model.configuration import TextMsaConfig
from textmsa.model.experts import masked_mean
from textmsa.model.probes import Probes
from textmsa.model.stream_encoder import Stream
from textmsa.types import MODALITIES

LOSSES = {"mse": functional.mse_loss, "l1": functional.l1_loss}


class UnimodalHeads(nn.Module):
    """A score from the mean of each stream, before audio and video meet, and from what its probe reads."""

    def __init__(self, config: TextMsaConfig) -> None:
        super().__init__()
        self.heads = nn.ModuleDict({name: _head(config.hidden_size, zero=config.probes) for name in MODALITIES})
        self.probes = Probes(config) if config.probes else None

    def forward(self, streams: tuple[Stream | None, ...], batch: Batch, words: Stream) -> Tensor:
        """The streams of text, audio and video, and what the probes read: the batch's steps and the text encoder's
        states -> scores (B, M), NaN where a modality is missing."""
        present_BM = batch.present_BM
        columns = []
        for name, stream, present_B in zip(MODALITIES, streams, present_BM.unbind(dim=1), strict=True):
            absent_B = torch.full(present_B.shape, torch.nan, device=present_B.device)
            if stream is None:
                columns.append(absent_B)
                continue
            mask_BT = stream.mask_BT | ~present_B[:, None]  # no mean of nothing, whose gradient is not defined
            score_B = self.heads[name](masked_mean(stream.x_BTD, mask_BT)).squeeze(-1).float()
            columns.append(torch.where(present_B, score_B, absent_B))
        score_BM = torch.stack(columns, dim=1)
        if self.probes is None:
            return score_BM
        probed_BM = batch.probed_BM
        return score_BM + (self.probes(words, batch.audio, batch.video) if probed_BM is None else probed_BM)


def _head(size: int, *, zero: bool) -> nn.Module:
    """Of a stream's mean (B, D); beside a probe it begins with saying nothing."""
    linear = nn.Linear(size, 1)
    if zero:
        nn.init.zeros_(linear.weight)
        nn.init.zeros_(linear.bias)
    return nn.Sequential(nn.LayerNorm(size), linear)


def unimodal_loss(score_BM: Tensor, label_BM: Tensor, loss: str) -> Tensor:
    """The mean loss ("mse" or "l1") over those of `label_BM` that are there and whose modality is; 0 without any."""
    counted_BM = torch.isfinite(score_BM.detach()) & torch.isfinite(label_BM)
    zero = torch.zeros((), device=score_BM.device)
    each_BM = LOSSES[loss](
        torch.where(counted_BM, score_BM, zero), torch.where(counted_BM, label_BM, zero), reduction="none"
    )
    mean: Tensor = each_BM.sum() / counted_BM.sum().clamp(min=1)
    return mean
