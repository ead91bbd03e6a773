"""Scoring a store's clips with a BERT-base-size encoder, against one padded clip at a time."""

from dataclasses import replace
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModel, BertConfig

from benchmarks.measure import Row, gemm_peak, in_turn
from textmsa.config import ModelConfig
from textmsa.inputs.collator import Collator
from textmsa.inputs.examples import SampleDataset
from textmsa.inputs.time_grid import standards_of
from textmsa.model import TextMsaConfig, TextMsaModel, network
from textmsa.model.batch import Batch, Tokens
from textmsa.model.int8 import with_int8_encoder
from textmsa.model.packing import pack
from textmsa.model.text_encoder import encode_together, load_encoder
from textmsa.scoring import score_all
from textmsa.store.reading import Store

RANGE = 6.0


def bert_base_network(store: Store, seed: int = 0) -> tuple[TextMsaModel, Any]:
    """The default network of 3 layers on a BERT-base with random weights, and MiniLM's tokenizer (the same pieces)."""
    torch.manual_seed(seed)
    encoder = AutoModel.from_config(BertConfig())
    statistics = store.statistics
    config = TextMsaConfig(
        **vars(ModelConfig(text_encoder="random BERT-base")),
        audio_size=len(statistics.audio.names) if statistics.audio else None,
        video_size=len(statistics.video.names) if statistics.video else None,
        text_encoder_config=encoder.config.to_dict(),
        text_input="residual",
    )
    return TextMsaModel(config, encoder).eval(), load_encoder("minilm")[1]


def plain_texts(encoder: nn.Module, texts: dict[str, Tokens], *, unpadded: bool = False) -> dict[str, Tensor]:
    """The reference's way: a padded call for each text."""
    return {name: encode_together(encoder, {name: tokens}, unpadded=False)[name] for name, tokens in texts.items()}


def padded(batch: Batch, length: int) -> Batch:
    """All texts of the batch padded to `length` pieces, as the reference's data are."""

    def longer(tokens: Tokens | None) -> Tokens | None:
        if tokens is None:
            return None
        return tokens.each(lambda part: nn.functional.pad(part, (0, length - part.shape[1])))

    return replace(
        batch,
        text=longer(batch.text),
        audio_explanation=longer(batch.audio_explanation),
        video_explanation=longer(batch.video_explanation),
    )


def encoder_flops(config: Any, lengths: list[int]) -> float:
    """Floating point operations of an encoder on texts of these lengths: matrix products only."""
    d, inner, layers = config.hidden_size, config.intermediate_size, config.num_hidden_layers
    return sum(layers * length * (2 * (4 * d * d + 2 * d * inner) + 4 * length * d) for length in lengths)


def rows(store: Store, clips: int, repeats: int) -> list[Row]:
    """Prints the histogram of lengths; the figures of inference."""
    model, tokenizer = bert_base_network(store)
    collator = Collator(tokenizer, model.config)
    indices = list(range(min(clips, len(store))))
    dataset = SampleDataset(store, indices, standards_of(store.statistics), model.config)
    examples = [dataset[i] for i in range(len(dataset))]
    lengths = _lengths(collator, examples)
    mean = float(np.mean(lengths))
    _print_histogram(lengths, model.config.max_text_length)
    int8 = with_int8_encoder(model)

    def one_padded_clip_at_a_time() -> np.ndarray:
        length = model.config.max_text_length
        with torch.inference_mode(), patch.object(network, "encode_together", plain_texts):
            return np.concatenate([model(padded(collator([e]), length)).score_B.numpy() for e in examples])

    plain = one_padded_clip_at_a_time()
    ours, quantised = score_all(model, collator, dataset).score_N, score_all(int8, collator, dataset).score_N
    gap = float(np.abs(plain - ours).max())
    drift = np.abs(quantised - ours) * RANGE / max(float(np.ptp(ours)), 1e-9) / RANGE
    times = in_turn(
        {
            "plain": one_padded_clip_at_a_time,
            "fp32": lambda: score_all(model, collator, dataset),
            "int8": lambda: score_all(int8, collator, dataset),
        },
        repeats,
        warm_up=False,
    )
    short = mean <= 29
    count = len(examples)
    shown = {name: timing.text(count) + " a clip" for name, timing in times.items()}
    speed = {name: times["plain"].median / times[name].median for name in ("fp32", "int8")}
    targets = {"fp32": 2.5 if short else 1.7, "int8": 4.0 if short else 2.7}
    peak = gemm_peak()
    packing = _packed_lengths(collator, examples)

    def no_encoder(encoder: Any, texts: dict[str, Tokens], *, unpadded: bool) -> dict[str, Tensor]:
        return {name: torch.zeros(*t.ids_BL.shape, encoder.config.hidden_size) for name, t in texts.items()}

    with FlopCounterMode(display=False) as counter, patch.object(network, "encode_together", no_encoder):
        score_all(model, collator, dataset)
    work = encoder_flops(model.text_encoder.config, packing) + counter.get_total_flops()
    share = work / times["fp32"].median / peak
    return [
        Row("GEMM peak, fp32", "", f"{peak / 1e9:.0f} GFLOP/s", "", ""),
        Row(
            f"score, fp32 (mean {mean:.1f} of {model.config.max_text_length} pieces)",
            shown["plain"],
            shown["fp32"],
            f"{speed['fp32']:.2f}x",
            f"{targets['fp32']}x",
            speed["fp32"] >= targets["fp32"],
        ),
        Row("- scores, largest difference", "", "", f"{gap:.1e}", "1e-4", gap <= 1e-4),
        Row("- real-piece FLOPs / GEMM peak", "", f"{work / 1e9:.0f} GFLOP", f"{share:.2f}", "0.7", share >= 0.7),
        Row(
            "score, int8 encoder",
            shown["plain"],
            shown["int8"],
            f"{speed['int8']:.2f}x",
            f"{targets['int8']}x",
            speed["int8"] >= targets["int8"],
        ),
        Row(
            "- median drift / range of the scores (random weights)",
            "",
            "",
            f"{np.median(drift):.4f}",
            "0.02",
            bool(np.median(drift) <= 0.02),
        ),
    ]


def _texts(batch: Batch) -> list[Tokens]:
    return [t for t in (batch.text, batch.audio_explanation, batch.video_explanation) if t is not None]


def _lengths(collator: Collator, examples: list[Any]) -> list[int]:
    """Word pieces of every text."""
    found: list[int] = []
    for tokens in _texts(collator(examples)):
        found += [n for n in tokens.mask_BL.sum(dim=1).tolist() if n]
    return found


def _packed_lengths(collator: Collator, examples: list[Any]) -> list[int]:
    """Word pieces of the distinct texts, in the batches in which they are scored."""
    found: list[int] = []
    for start in range(0, len(examples), 64):
        for tokens in _texts(collator(examples[start : start + 64])):
            for texts, length in pack(tokens.ids_BL, tokens.mask_BL).groups:
                found += [length] * texts
    return found


def _print_histogram(lengths: list[int], limit: int) -> None:
    counts, edges = np.histogram(lengths, bins=np.arange(0, limit + 6, 5))
    print(f"word pieces of {len(lengths)} texts: mean {np.mean(lengths):.1f} of {limit}")
    for count, edge in zip(counts, edges, strict=False):
        print(f"  {edge:2d}-{edge + 4:2d} {count:5d} {'#' * round(50 * count / max(counts))}")
