"""What TEXT has to beat, on the same store and splits: mean, ridge, boosting, late fusion.

A store of transcripts alone has mean, ridge on the text, and plain fine-tuning of the run's text encoder with the run's
seeds (`fine_tuned`: the mean of their scores).

Shapes: N clips, F pooled features. Choices are made on the validation split only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from textmsa.progress import track
from textmsa.run import Run
from textmsa.store import Store
from textmsa.types import FeatureSequence

Floats = npt.NDArray[np.float64]
SPLITS = ("train", "valid", "test")
RIDGE_PENALTIES = np.logspace(-1, 5, 25)
BOOSTING_GRID = [{"max_iter": n, "learning_rate": rate} for n in (60, 150) for rate in (0.03, 0.1)]
LATE_FUSION_EPOCHS = 6
FINE_TUNING_EPOCHS = 8
FINE_TUNING_BATCH = 32
LATE_FUSION_SIZE = 128


@dataclass(frozen=True)
class Tables:
    """One split: transcripts, their frozen embeddings, pooled audio and video features, labels."""

    transcripts: list[str]
    text_NF: Floats
    pooled_NF: Floats
    label_N: Floats

    @property
    def all_NF(self) -> Floats:
        """Text embedding and pooled features side by side."""
        return np.hstack([self.text_NF, self.pooled_NF])


def pool(sequence: FeatureSequence | None, size: int) -> Floats:
    """Mean, deviation, 10 %, 90 % and extremes of each feature (6 F,); NaN where nothing was measured."""
    if sequence is None:
        return np.full(6 * size, np.nan)
    import warnings

    values = sequence.values_TF.astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # columns without a value give NaN, as they should
        parts = [np.nanmean(values, 0), np.nanstd(values, 0), *np.nanpercentile(values, [10, 90], axis=0)]
        return np.concatenate([*parts, np.nanmin(values, 0), np.nanmax(values, 0)])


def tables(run: Run, store: Store, split: str, indices: list[int]) -> Tables:
    """Everything the baselines read of one split."""
    sizes = {name: len(getattr(run.preparation, name).names) for name in ("audio", "video")}
    samples = [store[i] for i in indices]
    pooled = [
        np.concatenate([pool(s.observation.audio, sizes["audio"]), pool(s.observation.video, sizes["video"])])
        for s in samples
    ]
    transcripts = [s.observation.transcript or "" for s in samples]
    return Tables(transcripts, embed(transcripts), np.stack(pooled), store.labels(split))


def embed(texts: list[str]) -> Floats:
    """Frozen MiniLM sentence embeddings (N, 384): the mean of the last hidden states."""
    import torch

    from textmsa.model.text_encoder import load_encoder

    encoder, tokenizer = load_encoder("minilm")
    encoder.eval()
    rows = []
    with torch.inference_mode():
        for start in range(0, len(texts), 64):
            inputs = tokenizer(texts[start : start + 64], padding=True, truncation=True, return_tensors="pt")
            weight = inputs["attention_mask"][..., None].float()
            rows.append((encoder(**inputs).last_hidden_state * weight).sum(1) / weight.sum(1))
    return np.asarray(torch.cat(rows), dtype=np.float64)


def standardised(train_NF: Floats, other_NF: Floats) -> Floats:
    """Columns by the training split's mean and deviation; what was not measured is the mean, 0."""
    mean, std = np.nanmean(train_NF, axis=0), np.nanstd(train_NF, axis=0)
    mean = np.nan_to_num(mean)
    std = np.where(np.isfinite(std) & (std > 1e-6), std, 1)
    return np.clip(np.nan_to_num((other_NF - mean) / std), -8, 8)


def best_on_valid(candidates: list[Any], x: dict[str, Floats], y: dict[str, Floats]) -> Floats:
    """Test predictions (N,) of the fitted candidate with the lowest validation MAE."""
    for candidate in candidates:
        candidate.fit(x["train"], y["train"])
    errors = [np.abs(candidate.predict(x["valid"]) - y["valid"]).mean() for candidate in candidates]
    return np.asarray(candidates[int(np.argmin(errors))].predict(x["test"]), dtype=np.float64)


def ridge(x: dict[str, Floats], y: dict[str, Floats]) -> Floats:
    """Ridge regression, its penalty chosen on validation."""
    from sklearn.linear_model import Ridge

    scaled = {split: standardised(x["train"], x[split]) for split in SPLITS}
    return best_on_valid([Ridge(alpha=alpha) for alpha in RIDGE_PENALTIES], scaled, y)


def boosting(x: dict[str, Floats], y: dict[str, Floats]) -> Floats:
    """Gradient-boosted trees on absolute error, chosen on validation."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    trees = [
        HistGradientBoostingRegressor(loss="absolute_error", max_features=0.3, random_state=0, **options)
        for options in BOOSTING_GRID
    ]
    return best_on_valid(trees, x, y)


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
    from textmsa.progress import Meter

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


def predictions(run: Run, store: Store, split: str, indices: list[int]) -> dict[str, Floats]:
    """Each baseline's predictions for the clips at `indices`, which are never fitted on nor chosen by."""
    data = {name: tables(run, store, name, store.indices(name)) for name in ("train", "valid")}
    data["test"] = tables(run, store, split, indices)
    y = {name: data[name].label_N for name in SPLITS}
    text = {name: data[name].text_NF for name in SPLITS}
    everything = {name: data[name].all_NF for name in SPLITS}
    recipes: dict[str, Callable[[], Floats]] = {
        "mean": lambda: np.full(len(indices), y["train"].mean()),
        "ridge_text": lambda: ridge(text, y),
    }
    if data["train"].pooled_NF.shape[1]:
        recipes |= {
            "ridge_all": lambda: ridge(everything, y),
            "gbm_all": lambda: boosting(everything, y),
            "late_fusion": lambda: late_fusion(data, run.info.seed),
        }
        return {name: recipes[name]() for name in track(recipes, total=len(recipes), label="baselines")}
    found = {name: recipe() for name, recipe in recipes.items()}
    seeds = run.info.seeds or [run.info.seed]
    encoder = run.members[0].model.config.text_encoder
    by_seed = {f"fine_tuned_seed_{seed}": fine_tuned_text(data, seed, encoder) for seed in seeds}
    return found | {"fine_tuned": np.mean(list(by_seed.values()), axis=0)} | by_seed
