"""Baselines that fine-tune a text encoder.

Shapes: N clips, F features. The epoch is chosen on the clips to choose by; without any it is the last one.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from textmsa.evaluate.paired import Floats
from textmsa.evaluate.tables import TEXTS_AT_ONCE, Fitting, Tables, standardised
from textmsa.train.encoder import rating_head

if TYPE_CHECKING:
    from torch import Tensor, nn

LATE_FUSION_EPOCHS = 6
FINE_TUNING_EPOCHS = 8
FINE_TUNING_BATCH = 32
LATE_FUSION_SIZE = 128
SORTED_BATCHES = 4  # whose texts are sorted by length together


def late_fusion(data: Fitting, seed: int, encoder: str) -> Floats:
    """The same text encoder, fine-tuned, beside pooled audio and video in an MLP."""
    from torch import nn

    def mlp(width: int) -> nn.Module:
        hidden = nn.Linear(width, LATE_FUSION_SIZE)
        return nn.Sequential(hidden, nn.GELU(), nn.Dropout(0.3), nn.Linear(LATE_FUSION_SIZE, 1))

    return fine_tuned(data, seed, encoder=encoder, head_of=mlp, rates=(5e-5, 1e-3), epochs=LATE_FUSION_EPOCHS)


def fine_tuned_text(data: Fitting, seed: int, encoder: str, rates: tuple[float, float] | None = None) -> Floats:
    """Plain fine-tuning of a text encoder: mean pooling and a linear head.

    The head begins with the encoder's own ratings, as scores of the range `rates`, or at random.
    """
    from torch import nn

    def linear(width: int) -> nn.Module:
        return nn.Linear(width, 1)

    head = linear if rates is None else rating_start(encoder, rates)
    return fine_tuned(data, seed, encoder=encoder, head_of=head, rates=(1e-4, 1e-4), epochs=FINE_TUNING_EPOCHS)


def rating_start(encoder: str, score_range: tuple[float, float]) -> "Callable[[int], nn.Module]":
    """What makes a linear head that begins as the encoder's own, as a network does with `model.rating`."""
    from torch import nn

    from textmsa.model.rating import begin_with

    weight_F, bias = rating_head(encoder, score_range)

    def linear(width: int) -> nn.Module:
        head = nn.Linear(width, 1)
        begin_with(head, weight_F, bias)
        return head

    return linear


class _Reader:
    """A text encoder and a head on its mean state and the pooled features."""

    def __init__(self, encoder: str, head_of: "Callable[[int], nn.Module]", train: Tables) -> None:
        from textmsa.model.text_encoder import load_encoder

        self.encoder, self.tokenizer = load_encoder(encoder)
        self.train_NF = train.pooled_NF
        self.head = head_of(self.encoder.config.hidden_size + self.train_NF.shape[1])

    def scaled(self, table: Tables) -> "Tensor":
        """The pooled features (N, F) as the head reads them."""
        import torch

        return torch.tensor(standardised(self.train_NF, table.pooled_NF)).float()

    def learning(self, *, on: bool) -> None:
        """Dropout on or off."""
        self.encoder.train(on)
        self.head.train(on)

    def scores(self, texts: list[str], pooled_NF: "Tensor") -> "Tensor":
        """Scores (N,), through which gradients flow."""
        import torch

        from textmsa.model.text_encoder import mean_states

        text_NF = mean_states(self.encoder, self.tokenizer, texts)
        score_N: Tensor = self.head(torch.cat([text_NF, pooled_NF], dim=1)).squeeze(1)
        return score_N

    def scores_of(self, table: Tables, pooled_NF: "Tensor") -> Floats:
        """Scores (N,) of many clips, some at a time."""
        import torch

        self.learning(on=False)
        texts, starts = table.transcripts, range(0, len(table.transcripts), TEXTS_AT_ONCE)
        with torch.inference_mode():
            parts = [self.scores(texts[i : i + TEXTS_AT_ONCE], pooled_NF[i : i + TEXTS_AT_ONCE]) for i in starts]
        return np.asarray(torch.cat(parts), dtype=np.float64)


def batches_of(texts: list[str]) -> "Iterator[Tensor]":
    """Where the texts of each batch stand, drawn anew each time; they are of like length, since padding takes time."""
    import torch

    batches = []
    for rows in torch.randperm(len(texts)).split(SORTED_BATCHES * FINE_TUNING_BATCH):
        by_length = sorted(rows.tolist(), key=lambda row: len(texts[row]))
        batches += torch.tensor(by_length).split(FINE_TUNING_BATCH)
    yield from (batches[place] for place in torch.randperm(len(batches)).tolist())


def fine_tuned(
    data: Fitting,
    seed: int,
    *,
    encoder: str,
    head_of: "Callable[[int], nn.Module]",
    rates: tuple[float, float],
    epochs: int,
) -> Floats:
    """Scores (N,) by a text encoder and a head on its mean state and the pooled features.

    Parameters
    ----------
    data
        What is fitted on, chosen by and scored.
    seed
        Of the head's first weights, order and dropout.
    encoder
        The text encoder's name, as `model.text_encoder`.
    head_of
        Number of inputs -> the head.
    rates
        Learning rates of encoder and head; L1 loss, AdamW.
    epochs
        Passes over the training clips.
    """
    import torch
    from torch.nn.functional import l1_loss

    from textmsa.runtime.progress import Meter

    torch.manual_seed(seed)
    reader = _Reader(encoder, head_of, data.train)
    parts = [
        {"params": reader.encoder.parameters(), "lr": rates[0]},
        {"params": reader.head.parameters(), "lr": rates[1]},
    ]
    optimiser = torch.optim.AdamW(parts, weight_decay=0.01)
    train_NF, scored_NF = reader.scaled(data.train), reader.scaled(data.scored)
    choose_NF = None if data.choose is None else reader.scaled(data.choose)
    label_N = torch.tensor(data.train.label_N).float()
    least, scores = np.inf, np.full(len(data.scored.label_N), np.nan)
    meter = Meter(total=epochs, label=f"{encoder} fine-tuned, seed {seed}")
    for epoch in range(1, epochs + 1):
        reader.learning(on=True)
        for rows in batches_of(data.train.transcripts):
            optimiser.zero_grad()
            texts = [data.train.transcripts[row] for row in rows]
            l1_loss(reader.scores(texts, train_NF[rows]), label_N[rows]).backward()
            optimiser.step()
        if data.choose is None or choose_NF is None:
            if epoch == epochs:
                scores = reader.scores_of(data.scored, scored_NF)
        else:
            error = float(np.abs(reader.scores_of(data.choose, choose_NF) - data.choose.label_N).mean())
            if error < least:
                least, scores = error, reader.scores_of(data.scored, scored_NF)
        meter.advance()
    meter.close()
    return scores
