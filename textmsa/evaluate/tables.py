"""What the baselines read of a split: transcripts, their frozen embeddings, pooled features, labels.

Shapes: N clips, F pooled features.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from textmsa.run import Run
from textmsa.store.reading import Store
from textmsa.types import FeatureSequence

Floats = npt.NDArray[np.float64]


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
