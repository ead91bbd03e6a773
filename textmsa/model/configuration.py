"""The network's configuration: a recipe's `model` and `inputs`, and the sizes that come from the prepared data."""

from dataclasses import field
from typing import Any

from transformers import PreTrainedConfig

from textmsa.config import InputConfig, ModelConfig


class TextMsaConfig(PreTrainedConfig, ModelConfig, InputConfig):
    """`ModelConfig` and `InputConfig` as saved in a model folder's `config.json`.

    Parameters
    ----------
    audio_size, video_size
        Features per step (D_a, D_v), read from the prepared data; None builds no such stream.
    unimodal_heads
        Whether each stream also says a score of its own (`training.unimodal_weight`).
    text_encoder_config
        The text encoder's own configuration, so that a model folder needs nothing else.
    """

    model_type = "textmsa"

    audio_size: int | None = None
    video_size: int | None = None
    unimodal_heads: bool = False
    text_encoder_config: dict[str, Any] = field(default_factory=dict)

    @property
    def text_size(self) -> int:
        """Width of the text encoder's hidden states."""
        return int(self.text_encoder_config["hidden_size"])

    @property
    def max_positions(self) -> tuple[int, int, int]:
        """Positions of text, audio and video in the fused sequence: the learned token and the longest stream.

        On the explanation's axis audio and video have the length of a text, else that of the features.
        """
        text = 1 + self.max_text_length
        on_words = self.alignment_query == "explanation" and self.explanation_alignment == "attention"
        aligned = text if on_words else 1 + self.max_steps
        return text, aligned, aligned
