"""What the baselines read of some clips: transcripts, their frozen embeddings, pooled features, facts, labels.

Shapes: N clips, F features of some kind, M = 3 modalities (text, audio, video).
"""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from textmsa.evaluate.labelled import Labelled, labelled_clips
from textmsa.evaluate.paired import Floats
from textmsa.explain.measured.facts import measure
from textmsa.inputs.examples import words_of
from textmsa.store.reading import Store
from textmsa.store.training_clips import learnt_from
from textmsa.types import MODALITIES, FeatureSequence

FOLDS = 5
TEXTS_AT_ONCE = 64
PERCENTILES = (10, 90)


@dataclass(frozen=True)
class Tables:
    """Some clips: transcripts, their frozen embeddings, pooled audio and video features, facts, labels."""

    transcripts: list[str]
    """Or the translations, or both, where the run reads these."""
    text_NF: Floats
    audio_NF: Floats
    """Pooled."""
    video_NF: Floats
    """Pooled."""
    facts_NF: Floats
    """What measured explanations are made of, emphasis and apex in time among them; NaN where not measured."""
    fact_names: tuple[str, ...]
    label_N: Floats
    unimodal_label_NM: Floats
    """Labels of text, audio and video alone; NaN where there is none."""
    video_N: npt.NDArray[np.integer]
    """Number of the video that each clip is of."""

    @property
    def pooled_NF(self) -> Floats:
        """Audio and video side by side."""
        return np.hstack([self.audio_NF, self.video_NF])

    @property
    def all_NF(self) -> Floats:
        """Text embedding and pooled features side by side."""
        return np.hstack([self.text_NF, self.pooled_NF])

    @property
    def all_and_facts_NF(self) -> Floats:
        """Text embedding, pooled features and facts side by side."""
        return np.hstack([self.all_NF, self.facts_NF])

    def of(self, modality: str) -> Floats:
        """The features (N, F) of one modality."""
        return {"text": self.text_NF, "audio": self.audio_NF, "video": self.video_NF}[modality]

    @property
    def fold_N(self) -> npt.NDArray[np.integer]:
        """Of `FOLDS`, to which each clip belongs; the clips of a video stay together where there are several."""
        return (self.video_N if self.video_N.any() else np.arange(len(self.video_N))) % FOLDS


Columns = Callable[[Tables], Floats]
"""The features that a baseline reads."""


@dataclass(frozen=True)
class Fitting:
    """Clips to fit on, to choose settings by, and to score: never the same."""

    train: Tables
    choose: Tables | None
    """None: settings are chosen by cross-validation on `train`, epochs are not chosen."""
    scored: Tables

    @staticmethod
    def of(
        store: Store, clips: Labelled, encoder: str, most: int | None = None, text_input: str = "transcript"
    ) -> "Fitting":
        """For clips to score of the test split, or of valid, which then nothing is chosen by; UserError for no clips
        to fit on. `encoder` is the text encoder whose states are read; `most` is the run's `training.train_clips`,
        `text_input` its `inputs.text_input`."""
        training = labelled_clips(store, "train", learnt_from(store, most=most))
        train = tables(store, training, encoder, text_input=text_input)
        others = [labelled_clips(store, "valid")] if clips.split == "test" else []
        *choose, scored = (tables(store, some, encoder, train.fact_names, text_input) for some in [*others, clips])
        return Fitting(train, choose[0] if choose else None, scored)

    @cached_property
    def has_media(self) -> bool:
        """Whether anything was measured in the clips to fit on."""
        return bool(np.isfinite(self.train.pooled_NF).any())

    @cached_property
    def has_text(self) -> bool:
        """Whether any clip to fit on has a transcript."""
        return any(self.train.transcripts)

    def folds(self, columns: Columns) -> Iterator[tuple[Floats, Floats, Floats, Floats]]:
        """Features and labels to fit on, then those to choose by."""
        x_NF, y_N = columns(self.train), self.train.label_N
        if self.choose is not None:
            yield x_NF, y_N, columns(self.choose), self.choose.label_N
            return
        for fold in range(FOLDS):
            held_N = self.train.fold_N == fold
            if held_N.any() and not held_N.all():
                yield x_NF[~held_N], y_N[~held_N], x_NF[held_N], y_N[held_N]


def tables(
    store: Store,
    clips: Labelled,
    encoder: str,
    fact_names: tuple[str, ...] | None = None,
    text_input: str = "transcript",
) -> Tables:
    """Everything the baselines read of some clips; the facts are those named, or all that any of them has.

    Of the text that a network reads for `InputConfig.text_input` they read the words of the clip: the transcript where
    it holds none.
    """
    audio, video = (0 if spec is None else len(spec.names) for spec in (store.manifest.audio, store.manifest.video))
    samples = [store[index] for index in clips.indices]
    words = "transcript" if text_input == "reason" else text_input
    transcripts = [words_of(s, words) or "" for s in samples]
    facts = [measure(s.observation) for s in samples]
    names = tuple(sorted(set().union(*facts))) if fact_names is None else fact_names
    labels = [[getattr(s.clip, f"label_{modality}") for modality in MODALITIES] for s in samples]
    return Tables(
        transcripts=transcripts,
        text_NF=embed(transcripts, encoder),
        audio_NF=np.stack([pool(s.observation.audio, audio) for s in samples]),
        video_NF=np.stack([pool(s.observation.video, video) for s in samples]),
        facts_NF=np.array([[each.get(name, np.nan) for name in names] for each in facts]).reshape(len(samples), -1),
        fact_names=names,
        label_N=clips.label_N,
        unimodal_label_NM=np.array(labels, np.float64),
        video_N=np.unique([s.clip.video_id for s in samples], return_inverse=True)[1],
    )


def pool(sequence: FeatureSequence | None, size: int) -> Floats:
    """Mean, deviation, 10 %, 90 % and extremes of each feature (6 F,); NaN where nothing was measured."""
    if sequence is None or not len(sequence.values_TF):
        return np.full(6 * size, np.nan)
    values = sequence.values_TF.astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # columns without a value give NaN, as they should
        parts = [np.nanmean(values, 0), np.nanstd(values, 0), *_percentiles(values)]
        return np.concatenate([*parts, np.nanmin(values, 0), np.nanmax(values, 0)])


def _percentiles(values_TF: Floats) -> Floats:
    """10 % and 90 % of each column (2, F); of columns with a NaN numpy takes one after the other, ten times as long."""
    gaps_F = np.isnan(values_TF).any(axis=0)
    found = np.empty((2, values_TF.shape[1]))
    found[:, ~gaps_F] = np.percentile(values_TF[:, ~gaps_F], PERCENTILES, axis=0)
    found[:, gaps_F] = np.nanpercentile(values_TF[:, gaps_F], PERCENTILES, axis=0)
    return found


def embed(texts: list[str], name: str) -> Floats:
    """Sentence embeddings (N, F) of a frozen text encoder: the mean of its last states."""
    import torch

    from textmsa.model.text_encoder import load_encoder, mean_states

    encoder, tokenizer = load_encoder(name)
    encoder.eval()
    starts = range(0, len(texts), TEXTS_AT_ONCE)
    with torch.inference_mode():
        rows = [mean_states(encoder, tokenizer, texts[start : start + TEXTS_AT_ONCE]) for start in starts]
    return np.asarray(torch.cat(rows), dtype=np.float64)


def standardised(train_NF: Floats, other_NF: Floats) -> Floats:
    """Columns by the training clips' mean and deviation; what was not measured is the mean, 0."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a column that was never measured has neither
        mean, std = np.nanmean(train_NF, axis=0), np.nanstd(train_NF, axis=0)
    mean = np.nan_to_num(mean)
    std = np.where(np.isfinite(std) & (std > 1e-6), std, 1)
    scaled_NF: Floats = np.clip(np.nan_to_num((other_NF - mean) / std), -8, 8)
    return scaled_NF


def measured(train_NF: Floats, other_NF: Floats) -> Floats:
    """Without the columns in which no training clip has a value."""
    there_F = np.isfinite(train_NF).any(axis=0)
    return np.asarray(other_NF[:, there_F])
