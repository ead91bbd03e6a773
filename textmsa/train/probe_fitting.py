"""The network's probes (`model.probes`), solved in closed form on the training clips before the training.

Shapes: N clips, X inputs of a probe, M = 3 modalities (text, audio, video).
"""

import logging
from collections.abc import Sequence
from typing import cast

import numpy as np
import numpy.typing as npt
import torch

from textmsa.inputs.collator import Collator
from textmsa.inputs.examples import SampleDataset
from textmsa.model import TextMsaModel
from textmsa.model.probes import FARTHEST, Probe
from textmsa.types import MODALITIES

Floats = npt.NDArray[np.float64]
PENALTIES = np.logspace(-1, 5, 25)
LEAST_LABELS = 10
FOLDS = 5
SAME = 1e-6  # deviation below which an input is the same in all clips
CLIPS_AT_ONCE = 64
logger = logging.getLogger(__name__)


def fit_probes(
    model: TextMsaModel, collator: Collator, clips: SampleDataset, videos: Sequence[str], *, words: bool
) -> dict[str, torch.Tensor]:
    """Give each probe the ridge regression of its modality's label in the clips.

    Parameters
    ----------
    model, collator
        The network and what feeds it; nothing but the probes is changed.
    clips
        The training clips. A modality with fewer than ten labels is left without a probe, which is told.
    videos
        The video of each of them: those of one video are in one of the five folds by which the penalty is chosen.
    words
        Whether the text encoder stays as it is; else the words have no probe, for their states would not stay.

    Returns
    -------
    read
        Id of each clip -> what regressions that were fitted without its fold read of it (M,). The network learns from
        these: what the probes themselves read of the clips that they learnt from is nearer to the labels than anything
        they will read later.
    """
    input_NX, label_NM, ids = _read(model, collator, clips)
    assert model.unimodal is not None
    assert model.unimodal.probes is not None
    numbers = {video: number for number, video in enumerate(dict.fromkeys(videos))}
    fold_N = np.array([numbers[video] % FOLDS for video in videos])
    read_NM = np.zeros_like(label_NM)
    for place, name in enumerate(MODALITIES):
        if name not in input_NX or (name == "text" and not words):
            continue
        seen_N = np.isfinite(label_NM[:, place])
        if seen_N.sum() < LEAST_LABELS or len(set(fold_N[seen_N])) < 2:
            logger.info("model.probes: fewer than %d clips have a label of their %s alone", LEAST_LABELS, name)
            continue
        probe = cast(Probe, model.unimodal.probes[name])
        crossed_S = _solve(probe, input_NX[name][seen_N], label_NM[seen_N, place], fold_N[seen_N])
        read_NM[:, place] = probe(torch.tensor(input_NX[name])).numpy()
        read_NM[seen_N, place] = crossed_S
    return dict(zip(ids, torch.tensor(read_NM, dtype=torch.float32), strict=True))


def _read(model: TextMsaModel, collator: Collator, clips: SampleDataset) -> tuple[dict[str, Floats], Floats, list[str]]:
    """Modality -> its probe's inputs (N, X); labels of each alone (N, M), NaN where it or its label is missing; ids."""
    assert model.unimodal is not None
    assert model.unimodal.probes is not None
    sizes = {name: len(cast(Probe, probe).mean_X) for name, probe in model.unimodal.probes.items()}
    inputs: dict[str, list[torch.Tensor]] = {name: [] for name in sizes}
    labels, ids, training = [], list[str](), model.training
    model.train(False)
    for start in range(0, len(clips), CLIPS_AT_ONCE):
        batch = collator([clips[place] for place in range(start, min(start + CLIPS_AT_ONCE, len(clips)))])
        given = model.probed(batch)
        for name, size in sizes.items():
            inputs[name].append(given.get(name, torch.zeros(len(batch), size)))
        assert batch.unimodal_label_BM is not None
        labels.append(torch.where(batch.present_BM, batch.unimodal_label_BM, torch.nan))
        ids += batch.ids
    model.train(training)
    input_NX = {name: torch.cat(rows).double().numpy() for name, rows in inputs.items()}
    return input_NX, torch.cat(labels).double().numpy(), ids


def _solve(probe: Probe, x_NX: Floats, label_N: Floats, fold_N: npt.NDArray[np.integer]) -> Floats:
    """The probe becomes the regression of the labels (N,) on its inputs (N, X); its readings (N,) across the folds."""
    from sklearn.linear_model import Ridge, RidgeCV
    from sklearn.model_selection import PredefinedSplit, cross_val_predict

    mean_X, std_X = x_NX.mean(axis=0), x_NX.std(axis=0)
    std_X = np.where(std_X > SAME, std_X, 1.0)
    scaled_NX, folds = np.clip((x_NX - mean_X) / std_X, -FARTHEST, FARTHEST), PredefinedSplit(fold_N)
    ridge = RidgeCV(alphas=PENALTIES, cv=folds, scoring="neg_mean_absolute_error").fit(scaled_NX, label_N)
    given = {"mean_X": mean_X, "std_X": std_X, "weight_X": ridge.coef_}
    probe.give(bias=float(ridge.intercept_), **{name: torch.tensor(value) for name, value in given.items()})
    return np.asarray(cross_val_predict(Ridge(alpha=ridge.alpha_), scaled_NX, label_N, cv=folds))
