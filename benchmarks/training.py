"""Training steps of 16 clips with a BERT-base-size encoder: the whole, its last layers, none of it."""

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch.nn import functional

from benchmarks.inference import bert_base_network, padded, plain_texts
from benchmarks.measure import Row, in_turn
from textmsa.config import TrainingConfig
from textmsa.inputs.collator import Collator
from textmsa.inputs.examples import SampleDataset
from textmsa.inputs.time_grid import standards_of
from textmsa.model import network
from textmsa.model.batch import Batch
from textmsa.store.reading import Store
from textmsa.train.text_encoder import freeze_encoder

CLIPS = 16
TRAINING = TrainingConfig(learning_rate=1e-4, weight_decay=1e-2)


def rows(store: Store, repeats: int) -> list[Row]:
    """The figures of training."""
    with tempfile.TemporaryDirectory() as folder:
        steps = {name: step_of(name, store, Path(folder)) for name in ("plain", "all", "last-2", "none")}
        first = {name: step() for name, step in steps.items()}
        gap = abs(first["plain"] - first["all"])
        times = in_turn(steps, repeats, warm_up=False)
    full = times["all"].median
    found = [
        Row(
            "training step, whole encoder",
            times["plain"].text(),
            times["all"].text(),
            f"{times['plain'].median / full:.2f}x",
            "1.25x",
            times["plain"].median / full >= 1.25,
        ),
        Row("- loss, difference", f"{first['plain']:.6f}", f"{first['all']:.6f}", f"{gap:.1e}", "1e-4", gap <= 1e-4),
    ]
    for name, target in (("last-2", 3.0), ("none", 12.0)):
        speed = full / times[name].median
        figure = (times["all"].text() + " (all)", times[name].text(), f"{speed:.1f}x", f"{target:g}x", speed >= target)
        found.append(Row(f"training step, encoder_trainable {name}", *figure))
    return found


def step_of(way: str, store: Store, root: Path) -> Callable[[], float]:
    """A training step on a store's first clips: "plain", or a value of `encoder_trainable`; states go to `root`."""
    model, tokenizer = bert_base_network(store)
    collator = Collator(tokenizer, model.config)
    dataset = SampleDataset(store, range(CLIPS), standards_of(store.statistics), model.config)
    examples = [dataset[i] for i in range(CLIPS)]
    if way != "plain":
        texts = {text for e in examples for text in (e.text, e.audio_explanation, e.video_explanation) if text}
        freeze_encoder(model, collator, replace(TRAINING, encoder_trainable=way), list(texts), root)
    return _step(model, collator, examples, plain=way == "plain")


def _step(model: Any, collator: Collator, examples: list[Any], *, plain: bool) -> Callable[[], float]:
    """One step, dropout and routing noise off so that losses can be compared; returns the loss before it."""
    model.train()
    model.text_encoder.eval()
    model.fusion.dropout.p = 0.0
    for layer in model.layers:
        layer.router.noise_when = "never"
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    options: dict[str, Any] = {} if plain else {"fused": True}
    optimizer = torch.optim.AdamW(trained, lr=1e-5, weight_decay=TRAINING.weight_decay, **options)

    def step() -> float:
        batch: Batch = collator(examples)
        if plain:
            with patch.object(network, "encode_together", plain_texts):
                score_B = model(padded(batch, model.config.max_text_length)).score_B
        else:
            score_B = model(batch).score_B
        assert batch.label_B is not None
        loss = functional.mse_loss(score_B, batch.label_B)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        return loss.item()

    return step
