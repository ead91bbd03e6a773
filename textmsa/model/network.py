"""The TEXT network (Rao, Zeng, Jiang, Lv, AAAI 2026): `forward` reads as the paper's figure.

Shapes: B clips, L word pieces, T positions, F input features, D = hidden_size, M = 3 modalities, E experts.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, PreTrainedModel
from transformers.utils import ModelOutput

from textmsa import seams
from textmsa.model.batch import Batch, Steps, Tokens
from textmsa.model.blocks import random_positions
from textmsa.model.configuration import TextMsaConfig
from textmsa.model.experts import Capacity, TextRoutedLayer, expert_capacity, masked_mean
from textmsa.model.explanation_alignment import ExplanationAlignment, LinearAlignment
from textmsa.model.fusion import ConcatFusion, GatedFusion
from textmsa.model.rating import Rating
from textmsa.model.readings import Readings
from textmsa.model.stream_encoder import Stream, StreamEncoder
from textmsa.model.text_encoder import encode_together
from textmsa.model.unimodal import UnimodalHeads

LEGACY_CAPACITY_FACTOR = 1.0  # of the reference code, in training and in its validation passes
SCORE_BATCH = 64


@dataclass
class TextMsaOutput(ModelOutput):
    """Scores and what led to them."""

    score_B: Tensor | None = None
    gates_BM: Tensor | None = None
    """Weight of text, audio and video in the fusion; 0 where missing."""
    expert_weights_BNE: Tensor | None = None
    """Weight of each expert in each of the N layers; 0 where not chosen."""
    unimodal_BM: Tensor | None = None
    """Scores of text, audio and video alone, NaN where missing; None of a network without heads for them."""
    readings_B: Tensor | None = None
    """What those add to the score (B,) together; None of a network without `readings`."""


class ModalityBranch(nn.Module):
    """Audio or video up to its alignment with its explanation."""

    def __init__(self, config: TextMsaConfig, *, input_size: int) -> None:
        super().__init__()
        self.features = StreamEncoder(config, input_size=input_size, max_length=config.max_steps)
        self.explanation = StreamEncoder(config, input_size=config.text_size, max_length=config.max_text_length)
        linear = config.explanation_alignment == "linear"
        self.alignment: nn.Module = LinearAlignment(config) if linear else ExplanationAlignment(config)

    def forward(self, steps: Steps, words: Stream, present_B: Tensor) -> Stream:
        """Features (B, T, F) and the explanation's words (B, L, F) -> one stream, masked where missing."""
        aligned = self.alignment(self.features(*steps), self.explanation(*words))
        return Stream(aligned.x_BTD, aligned.mask_BT & present_B[:, None])


class TextMsaModel(PreTrainedModel):
    """TEXT: text-routed sparse mixture of experts with explanation and temporal alignment.

    Parameters
    ----------
    config
        Sizes and switches. Streams whose size is None are not built.
    text_encoder
        A pretrained encoder; built from `config.text_encoder_config`, with random weights, where it is not given.
    """

    config: TextMsaConfig
    config_class = TextMsaConfig
    base_model_prefix = "textmsa"
    main_input_name = "batch"

    def __init__(self, config: TextMsaConfig, text_encoder: nn.Module | None = None) -> None:
        super().__init__(config)
        if text_encoder is None:
            encoder_config = dict(config.text_encoder_config)
            text_encoder = AutoModel.from_config(AutoConfig.for_model(**encoder_config))
        self.text_encoder: nn.Module = text_encoder
        self.text = StreamEncoder(config, input_size=config.text_size, max_length=config.max_text_length)
        self.audio = ModalityBranch(config, input_size=config.audio_size) if config.audio_size else None
        self.video = ModalityBranch(config, input_size=config.video_size) if config.video_size else None
        temporal = seams.load(seams.TEMPORAL_ALIGNMENTS, config.temporal_alignment, what="model.temporal_alignment")
        self.temporal_alignment = temporal(config)
        self.positions = random_positions(sum(config.max_positions), config)
        self.layers = nn.ModuleList(TextRoutedLayer(config) for _ in range(config.num_layers))
        self.fusion: nn.Module = ConcatFusion(config) if config.fusion == "concat" else GatedFusion(config)
        self.unimodal = UnimodalHeads(config) if config.unimodal_heads else None
        self.readings = Readings(config) if config.readings else None
        self.rating = Rating(config.text_size) if config.rating else None
        self.post_init()  # type: ignore[no-untyped-call]

    def _init_weights(self, module: nn.Module) -> None:
        """Every part initialises itself when it is built."""

    def forward(self, batch: Batch, *, legacy_capacity: bool = False) -> TextMsaOutput:
        """Scores of a batch; `legacy_capacity` drops what overflows an expert, as the reference does."""
        batch = self._visible(batch)
        present_BM = batch.present_BM
        text_words, audio_words, video_words = self._encode_texts(batch)

        text = self.text(*text_words)
        audio = self.audio(batch.audio, audio_words, present_BM[:, 1]) if batch.audio and self.audio else None
        video = self.video(batch.video, video_words, present_BM[:, 2]) if batch.video and self.video else None
        unimodal_BM = self.unimodal((text, audio, video), batch, text_words) if self.unimodal else None
        if audio and video:
            audio, video = self.temporal_alignment(audio, video)

        text_mean_BD = masked_mean(text.x_BTD, text.mask_BT)
        x, mask_BT, firsts = self._join(batch, text, audio, video, present_BM)
        capacity = self._capacity(len(batch), legacy_capacity)
        weights = []
        for layer in self.layers:
            x, weights_BE = layer(x, mask_BT, text_mean_BD, capacity)
            weights.append(weights_BE)

        summaries_BMD = self._summaries(x, firsts)
        score_B, gates_BM = self.fusion(summaries_BMD, present_BM)
        readings_B = self.readings(unimodal_BM, present_BM, batch.audio, batch.video) if self.readings else None
        if readings_B is not None:
            score_B = score_B + readings_B
        if self.rating is not None:
            score_B = score_B + self.rating(text_words, present_BM[:, 0])
        return TextMsaOutput(score_B, gates_BM, torch.stack(weights, dim=1), unimodal_BM, readings_B)

    @torch.no_grad()
    def probed(self, batch: Batch) -> dict[str, Tensor]:
        """What the probes read of a batch: modality -> inputs (B, X); nothing without `probes`."""
        if not (self.unimodal and self.unimodal.probes):
            return {}
        batch = self._visible(batch)
        return self.unimodal.probes.inputs(self._encode_texts(batch)[0], batch.audio, batch.video)

    @torch.no_grad()
    def score(
        self,
        *,
        text: ArrayLike,
        audio: ArrayLike,
        video: ArrayLike,
        audio_explanation: ArrayLike,
        video_explanation: ArrayLike,
        legacy: bool = False,
    ) -> np.ndarray:
        """Scores (N,) of arrays in the schema of the published data.

        Parameters
        ----------
        text, audio_explanation, video_explanation
            (N, 3, L): word piece ids, mask, segments.
        audio, video
            (N, T, D_a) and (N, T, D_v). Where the model masks padding, rows of zeros are padding.
        legacy
            Apply the reference's capacity limit: all clips in one batch, in their order.
        """
        self.train(False)
        arrays = [text, audio, video, audio_explanation, video_explanation]
        tensors = [torch.as_tensor(np.asarray(array)) for array in arrays]
        size = len(tensors[0]) if legacy else SCORE_BATCH
        scores = []
        for start in range(0, len(tensors[0]), size):
            rows = [tensor[start : start + size].to(self.device) for tensor in tensors]
            batch = Batch(
                _tokens(rows[0]), self._steps(rows[1]), self._steps(rows[2]), _tokens(rows[3]), _tokens(rows[4])
            )
            scores.append(self(batch, legacy_capacity=legacy).score_B)
        return torch.cat(scores).cpu().numpy()

    def _encode_texts(self, batch: Batch) -> tuple[Stream, Stream, Stream]:
        """Text encoder states of text, audio and video explanation; zero words where a text is absent."""
        texts = {"text": batch.text, "audio": batch.audio_explanation, "video": batch.video_explanation}
        explained = self.config.explanation_alignment == "attention"
        wanted = {"text": True, "audio": explained and bool(batch.audio), "video": explained and bool(batch.video)}
        given = {name: tokens for name, tokens in texts.items() if tokens is not None and wanted[name]}
        hidden = encode_together(self.text_encoder, given, unpadded=self.config.mask_padding) if given else {}
        empty_x = self.text.token.new_zeros(len(batch), 0, self.config.text_size)
        empty = Stream(empty_x, torch.zeros(len(batch), 0, dtype=torch.bool, device=empty_x.device))

        def words(name: str) -> Stream:
            if name not in given:
                return empty
            mask = given[name].mask_BL
            return Stream(hidden[name], mask if self.config.mask_padding else whole_rows(mask))

        return words("text"), words("audio"), words("video")

    def _visible(self, batch: Batch) -> Batch:
        """The batch without streams that were not built; every position real where padding is attended."""
        audio = batch.audio if self.audio else None
        video = batch.video if self.video else None
        if self.config.mask_padding:
            return replace(batch, audio=audio, video=video)
        return replace(batch, audio=_opened(audio), video=_opened(video))

    def _join(
        self, batch: Batch, text: Stream, audio: Stream | None, video: Stream | None, present_BM: Tensor
    ) -> tuple[Tensor, Tensor, list[int | None]]:
        """The fused sequence with its positions, its mask, and where each modality's first position lies."""
        if batch.text is None:
            text_part = None
        else:
            text_part = Stream(text.x_BTD, text.mask_BT & present_BM[:, :1])
        parts, firsts, length, start = [], [], 0, 0
        for stream, room in zip((text_part, audio, video), self.config.max_positions, strict=True):
            firsts.append(None if stream is None else length)
            if stream is not None:
                steps = stream.x_BTD.shape[1]
                parts.append(Stream(stream.x_BTD + self.positions[:, start : start + steps], stream.mask_BT))
                length += steps
            start += room
        return torch.cat([p.x_BTD for p in parts], 1), torch.cat([p.mask_BT for p in parts], 1), firsts

    def _summaries(self, x_BTD: Tensor, firsts: list[int | None]) -> Tensor:
        """The vectors at each modality's first position (B, M, D); zeros where the batch has none."""
        absent = torch.zeros_like(x_BTD[:, 0])
        return torch.stack([absent if first is None else x_BTD[:, first] for first in firsts], dim=1)

    def _capacity(self, clips: int, legacy: bool) -> Capacity | None:
        if legacy:
            return expert_capacity(clips, self.config, LEGACY_CAPACITY_FACTOR, stable=False)
        factor = self.config.capacity_factor
        return expert_capacity(clips, self.config, factor) if factor is not None and self.training else None

    def _steps(self, values_BTF: Tensor) -> Steps:
        values = torch.nan_to_num(values_BTF.float(), nan=0.0, posinf=0.0, neginf=0.0)
        real = values.any(dim=2) if self.config.mask_padding else torch.ones_like(values[..., 0], dtype=torch.bool)
        return Steps(values, real)


def _opened(steps: Steps | None) -> Steps | None:
    return None if steps is None else Steps(steps.values_BTF, whole_rows(steps.mask_BT))


def whole_rows(mask_BT: Tensor) -> Tensor:
    """Every position of a row that has any real one: padding counts as real."""
    return mask_BT.any(dim=1, keepdim=True).expand_as(mask_BT)


def _tokens(array_B3L: Tensor) -> Tokens:
    ids, mask, segments = array_B3L.unbind(dim=1)
    return Tokens(ids.long(), mask > 0, segments.long())


AutoConfig.register(TextMsaConfig.model_type, TextMsaConfig, exist_ok=True)
AutoModel.register(TextMsaConfig, TextMsaModel, exist_ok=True)
