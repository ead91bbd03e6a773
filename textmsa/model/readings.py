"""A score from what each stream says alone and from whether voice and face stand out together (`model.readings`).

Shapes: B clips, T steps of audio or video, F features, M = 3 modalities (text, audio, video), S ways of standing out.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from textmsa.model.batch import Steps
from textmsa.model.configuration import TextMsaConfig
from textmsa.types import MODALITIES

SALIENCES = 2
CHANNELS, SEEN_STEPS, WEIGHED_STEPS = 32, 5, 7  # of a stream's convolutions: width, and steps looked at together
KERNEL_STEPS, LEAST_KERNEL = 3.0, 0.5  # width of what counts as the same time: at the start, and at least
LEAST_LOGIT = -1e4  # of what is not real
INNER = 64


class Readings(nn.Module):
    """A score from three readings and from how far voice and face stand out at the same time.

    Parameters
    ----------
    config
        Sizes of audio and video, without one of which nothing is said of time; dropout of the scoring MLP.
    """

    def __init__(self, config: TextMsaConfig) -> None:
        super().__init__()
        audio, video = config.audio_size, config.video_size
        self.coincidence = Coincidence(audio, video) if audio and video else None
        told = 2 * len(MODALITIES)
        if self.coincidence is not None:
            told += (1 + len(MODALITIES)) * SALIENCES
        self.up = nn.Linear(told, INNER)
        self.middle = nn.Linear(INNER, INNER)
        self.dropout = nn.Dropout(config.fusion_dropout)
        self.down = nn.Linear(INNER, 1)

    def forward(self, unimodal_BM: Tensor, present_BM: Tensor, audio: Steps | None, video: Steps | None) -> Tensor:
        """Readings (B, M), NaN where missing, and the steps of voice and face -> scores (B,).

        The products of reading and overlap teach the overlap only: a reading has its label and the score.
        """
        reading_BM = torch.where(present_BM, unimodal_BM, torch.zeros_like(unimodal_BM))
        parts = [reading_BM, present_BM.to(reading_BM.dtype)]
        if self.coincidence is not None:
            overlap_BS = reading_BM.new_zeros(len(reading_BM), SALIENCES)
            if audio and video:
                overlap_BS = self.coincidence(audio, video)
            scaled_BMS = reading_BM.detach()[:, :, None] * overlap_BS[:, None]
            parts += [overlap_BS, scaled_BMS.flatten(1)]
        x = self.dropout(functional.gelu(self.up(torch.cat(parts, dim=1))))
        x = functional.gelu(self.middle(x))
        score_B: Tensor = self.down(x).squeeze(-1).float()
        return score_B


class Coincidence(nn.Module):
    """How far audio and video stand out at the same time.

    Each stream learns how much each of its steps stands out; a softmax over time makes a distribution of it. The
    overlap of both under a kernel of learned width is a number from 0 to 1 that no shift of both changes.
    """

    def __init__(self, audio_size: int, video_size: int) -> None:
        super().__init__()
        self.audio, self.video = Salience(audio_size), Salience(video_size)
        self.width = nn.Parameter(torch.full((SALIENCES,), KERNEL_STEPS))

    def forward(self, audio: Steps, video: Steps) -> Tensor:
        """Steps of both -> overlaps (B, S); 0 where one of them is missing."""
        audio_BST, video_BST = self.audio(audio), self.video(video)
        audio_T, video_U = (torch.arange(x.shape[2], device=x.device) for x in (audio_BST, video_BST))
        width_S11 = self.width.abs().clamp(min=LEAST_KERNEL)[:, None, None]
        kernel_STU = torch.exp(-(((audio_T[:, None] - video_U) / width_S11) ** 2))
        return torch.einsum("bst,stu,bsu->bs", audio_BST, kernel_STU, video_BST)


class Salience(nn.Module):
    """How much each step of a stream stands out among its own: S distributions in time."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.project = nn.Linear(size, CHANNELS)
        self.around = nn.Conv1d(CHANNELS, CHANNELS, SEEN_STEPS, padding=SEEN_STEPS // 2)
        self.weigh = nn.Conv1d(CHANNELS, SALIENCES, WEIGHED_STEPS, padding=WEIGHED_STEPS // 2)

    def forward(self, steps: Steps) -> Tensor:
        """(B, T, F) -> (B, S, T); zeros where nothing is real."""
        real_BT1 = steps.mask_BT[..., None]
        x_BCT = (self.project(steps.values_BTF) * real_BT1).transpose(1, 2)
        x_BCT = (x_BCT + functional.gelu(self.around(x_BCT))) * real_BT1.transpose(1, 2)
        logits_BST = self.weigh(x_BCT).float()
        logits_BST = logits_BST.masked_fill(~steps.mask_BT[:, None], LEAST_LOGIT)
        share_BST: Tensor = logits_BST.softmax(dim=-1) * steps.mask_BT[:, None]
        return share_BST
