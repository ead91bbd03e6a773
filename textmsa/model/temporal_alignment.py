"""Audio and video meet along their common axis (the paper's temporal alignment).

A variant is a module with `__init__(config)` and `forward(audio, video) -> (audio, video)`; it is entered in
`seams.TEMPORAL_ALIGNMENTS`.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from textmsa.config import ModelConfig
from textmsa.model.blocks import Block
from textmsa.model.stream_encoder import Stream

RMS_EPS = 1e-5
EXPANSION = 2  # inner width 2 D, as in Mamba


class GatedConvAlignment(nn.Module):
    """A Mamba block without its state space, whose gates are swapped between the two streams.

    An update reaches a position only where the other stream is real there.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.audio = GatedConvStream(config)
        self.video = GatedConvStream(config)

    def forward(self, audio: Stream, video: Stream) -> tuple[Stream, Stream]:
        """Two streams of any lengths -> the same, each updated where both are real."""
        length = min(audio.x_BTD.shape[1], video.x_BTD.shape[1])
        audio_x, audio_gate = self.audio.open(audio)  # (B, T_a, 2D) each
        video_x, video_gate = self.video.open(video)  # (B, T_v, 2D) each
        audio_update = self.audio.close(audio_x[:, :length], video_gate[:, :length])  # (B, T, D)
        video_update = self.video.close(video_x[:, :length], audio_gate[:, :length])  # (B, T, D)
        return _add(audio, audio_update, video.mask_BT), _add(video, video_update, audio.mask_BT)


class GatedConvStream(nn.Module):
    """One stream's weights: RMSNorm, in-projection, causal depthwise convolution, out-projection."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        d, inner = config.hidden_size, EXPANSION * config.hidden_size
        self.norm = nn.RMSNorm(d, eps=RMS_EPS)
        self.in_projection = nn.Linear(d, 2 * inner, bias=False)
        self.conv = nn.Conv1d(inner, inner, config.conv_size, groups=inner, padding=config.conv_size - 1)
        self.out_projection = nn.Linear(inner, d, bias=False)

    def open(self, stream: Stream) -> tuple[Tensor, Tensor]:
        """(B, T, D) -> convolved values and gate, (B, T, 2D) each; padding is zero before the convolution."""
        x, gate = self.in_projection(self.norm(stream.x_BTD)).chunk(2, dim=-1)
        x = x * stream.mask_BT[..., None]
        x = self.conv(x.transpose(1, 2))[..., : x.shape[1]].transpose(1, 2)
        return x, gate

    def close(self, x: Tensor, other_gate: Tensor) -> Tensor:
        """Values of this stream under the gate of the other: (B, T, 2D) each -> (B, T, D)."""
        out_BTD: Tensor = self.out_projection(x * functional.silu(other_gate))
        return out_BTD


class NoAlignment(nn.Module):
    """Leaves both streams as they are (the paper's "concat" ablation)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()

    def forward(self, audio: Stream, video: Stream) -> tuple[Stream, Stream]:
        """The two streams, unchanged."""
        return audio, video


class CrossAttentionAlignment(nn.Module):
    """Each stream attends to the other (the paper's "TCA" ablation)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.audio, self.video = Block(config), Block(config)

    def forward(self, audio: Stream, video: Stream) -> tuple[Stream, Stream]:
        """Two streams of any lengths -> the same, each updated by the other where there is one."""
        return _attended(self.audio, audio, video), _attended(self.video, video, audio)


class MambaAlignment(nn.Module):
    """A Mamba block with its state space for each stream by itself (the paper's "Mamba" ablation)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.audio, self.video = MambaStream(config), MambaStream(config)

    def forward(self, audio: Stream, video: Stream) -> tuple[Stream, Stream]:
        """The two streams, each with its own update in clips that have both."""
        both_B = audio.mask_BT.any(dim=1) & video.mask_BT.any(dim=1)
        return self.audio(audio, both_B), self.video(video, both_B)


class MambaStream(nn.Module):
    """RMSNorm and the mixer of `transformers`, with the residual; padding is zero before it and changes nothing."""

    def __init__(self, config: ModelConfig) -> None:
        from transformers import MambaConfig
        from transformers.models.mamba.modeling_mamba import MambaMixer

        super().__init__()
        sizes = MambaConfig(
            hidden_size=config.hidden_size,
            expand=EXPANSION,
            conv_kernel=config.conv_size,
            num_hidden_layers=1,
            use_mambapy=False,
        )
        self.norm = nn.RMSNorm(config.hidden_size, eps=RMS_EPS)
        self.mixer = MambaMixer(sizes, layer_idx=0)

    def forward(self, stream: Stream, updated_B: Tensor) -> Stream:
        """(B, T, D) -> (B, T, D), updated in the clips `updated_B`.

        What is real precedes its padding, so a causal mixer does not see it.
        """
        update = self.mixer(self.norm(stream.x_BTD) * stream.mask_BT[..., None])
        real_BT = stream.mask_BT & updated_B[:, None]
        return Stream(stream.x_BTD + update * real_BT[..., None], stream.mask_BT)


def _attended(block: Block, stream: Stream, other: Stream) -> Stream:
    """`stream` after attending to `other`; unchanged in clips whose other stream is missing."""
    there_B = other.mask_BT.any(dim=1)
    first = torch.zeros_like(other.mask_BT)
    first[:, 0] = True  # so that no row of attention is empty
    x = block(stream.x_BTD, other.x_BTD, other.mask_BT | (first & ~there_B[:, None]))
    return Stream(torch.where(there_B[:, None, None], x, stream.x_BTD), stream.mask_BT)


def _add(stream: Stream, update_BTD: Tensor, other_mask_BT: Tensor) -> Stream:
    """`stream` plus the update where the other stream is real; positions past the update stay."""
    length = update_BTD.shape[1]
    update = update_BTD * other_mask_BT[:, :length, None]
    update = functional.pad(update, (0, 0, 0, stream.x_BTD.shape[1] - length))
    return Stream(stream.x_BTD + update, stream.mask_BT)
