"""Features meet their explanation by cross-attention (the paper's explanation alignment)."""

from torch import nn

from textmsa.config import ModelConfig
from textmsa.model.blocks import Block, random_positions
from textmsa.model.stream_encoder import Stream


class LinearAlignment(nn.Module):
    """A linear layer over the features in place of the alignment: the explanation is not read (ablation)."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.linear = nn.Linear(config.hidden_size, config.hidden_size)

    def forward(self, features: Stream, explanation: Stream) -> Stream:
        """The features (B, T, D), each step for itself."""
        return Stream(self.linear(features.x_BTD), features.mask_BT)


class ExplanationAlignment(nn.Module):
    """Learned positions on both sides, then one block in which one side queries the other.

    With `alignment_query: explanation` (the paper) the result lies on the explanation's axis, with `features` on
    the time axis.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.query = config.alignment_query
        self.feature_positions = random_positions(1 + config.max_steps, config)
        self.explanation_positions = random_positions(1 + config.max_text_length, config)
        self.block = Block(config)

    def forward(self, features: Stream, explanation: Stream) -> Stream:
        """Two streams of one modality -> one stream on the axis of the query."""
        placed_features = features.x_BTD + self.feature_positions[:, : features.x_BTD.shape[1]]
        placed_words = explanation.x_BTD + self.explanation_positions[:, : explanation.x_BTD.shape[1]]
        if self.query == "explanation":
            return Stream(self.block(placed_words, placed_features, features.mask_BT), explanation.mask_BT)
        return Stream(self.block(placed_features, placed_words, explanation.mask_BT), features.mask_BT)
