"""Baselines that fine-tune a text encoder.

Shapes: N clips, F features. Epochs are chosen on the validation split only.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from textmsa.evaluate.tables import Floats, Tables, standardised
from textmsa.types import SPLITS

LATE_FUSION_EPOCHS = 6
FINE_TUNING_EPOCHS = 8
FINE_TUNING_BATCH = 32
LATE_FUSION_SIZE = 128


def late_fusion(data: dict[str, Tables], seed: int) -> Floats:
    """The same MiniLM, fine-tuned, beside pooled audio and video in an MLP; epoch chosen on validation MAE."""
    from torch import nn

    def mlp(width: int) -> nn.Module:
        hidden = nn.Linear(width, LATE_FUSION_SIZE)
        return nn.Sequential(hidden, nn.GELU(), nn.Dropout(0.3), nn.Linear(LATE_FUSION_SIZE, 1))

    return fine_tuned(data, seed, encoder="minilm", head_of=mlp, rates=(5e-5, 1e-3), epochs=LATE_FUSION_EPOCHS)


def fine_tuned_text(data: dict[str, Tables], seed: int, encoder: str) -> Floats:
    """Plain fine-tuning of a text encoder: mean pooling and a linear head; epoch chosen on validation MAE."""
    from torch import nn

    def linear(width: int) -> nn.Module:
        return nn.Linear(width, 1)

    return fine_tuned(data, seed, encoder=encoder, head_of=linear, rates=(1e-4, 1e-4), epochs=FINE_TUNING_EPOCHS)


def fine_tuned(
    data: dict[str, Tables],
    seed: int,
    *,
    encoder: str,
    head_of: Callable[[int], Any],
    rates: tuple[float, float],
    epochs: int,
) -> Floats:
    """Predictions for "test" of a text encoder and a head on its mean state and the pooled features.

    Parameters
    ----------
    head_of
        Number of inputs -> the head.
    rates
        Learning rates of encoder and head; L1 loss, AdamW.
    """
    import torch
    from torch import nn

    from textmsa.model.text_encoder import load_encoder
    from textmsa.runtime.progress import Meter

    torch.manual_seed(seed)
    reader, tokenizer = load_encoder(encoder)
    scaled = {s: torch.tensor(standardised(data["train"].pooled_NF, data[s].pooled_NF)).float() for s in SPLITS}
    head = head_of(reader.config.hidden_size + scaled["train"].shape[1])
    parts = [{"params": reader.parameters(), "lr": rates[0]}, {"params": head.parameters(), "lr": rates[1]}]
    optimiser = torch.optim.AdamW(parts, weight_decay=0.01)

    def predict(split: str, rows: Any) -> Any:
        texts = [data[split].transcripts[i] for i in rows]
        inputs = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        weight = inputs["attention_mask"][..., None].float()
        text = (reader(**inputs).last_hidden_state * weight).sum(1) / weight.sum(1)
        return head(torch.cat([text, scaled[split][rows]], dim=1)).squeeze(1)

    def whole(split: str) -> Floats:
        reader.eval()
        head.eval()
        with torch.inference_mode():
            every = np.arange(len(data[split].transcripts))
            chunks = [predict(split, every[i : i + 64]) for i in range(0, len(every), 64)]
        return np.asarray(torch.cat(chunks), dtype=np.float64)

    label = torch.tensor(data["train"].label_N).float()
    best, kept = np.inf, np.zeros(len(data["test"].transcripts))
    meter = Meter(total=epochs, label=f"{encoder} fine-tuned, seed {seed}")
    for _ in range(epochs):
        reader.train()
        head.train()
        for rows in torch.randperm(len(label)).split(FINE_TUNING_BATCH):
            optimiser.zero_grad()
            nn.functional.l1_loss(predict("train", rows.numpy()), label[rows]).backward()
            optimiser.step()
        error = float(np.abs(whole("valid") - data["valid"].label_N).mean())
        if error < best:
            best, kept = error, whole("test")
        meter.advance()
    meter.close()
    return kept
