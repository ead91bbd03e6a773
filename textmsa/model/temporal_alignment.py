"""Audio and video meet along their common axis (DESIGN 2.5, the paper's temporal alignment).

A variant is a module with `__init__(config)` and `forward(audio, video) -> (audio, video)`; it is entered in
`seams.TEMPORAL_ALIGNMENTS`.
"""

from torch import Tensor, nn
from torch.nn import functional

from textmsa.config import ModelConfig
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
        return self.out_projection(x * functional.silu(other_gate))


class NoAlignment(nn.Module):
    """Leaves both streams as they are (the paper's "concat" ablation)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()

    def forward(self, audio: Stream, video: Stream) -> tuple[Stream, Stream]:
        """The two streams, unchanged."""
        return audio, video


def _add(stream: Stream, update_BTD: Tensor, other_mask_BT: Tensor) -> Stream:
    """`stream` plus the update where the other stream is real; positions past the update stay."""
    length = update_BTD.shape[1]
    update = update_BTD * other_mask_BT[:, :length, None]
    update = functional.pad(update, (0, 0, 0, stream.x_BTD.shape[1] - length))
    return Stream(stream.x_BTD + update, stream.mask_BT)
