"""Stacking: each modality's own label is read first, the score from these readings.

Shapes: N clips, F features, M modalities that have labels of their own.
"""

from dataclasses import dataclass

import numpy as np

from textmsa.errors import UserError
from textmsa.evaluate.paired import Floats
from textmsa.evaluate.tables import FOLDS, Fitting, Tables, standardised
from textmsa.types import MODALITIES

RIDGE_PENALTIES = np.logspace(-1, 5, 25)
LEAST_LABELS = 2 * FOLDS


@dataclass(frozen=True)
class Stacked:
    """What ridge regressions read as the labels of text, audio and video alone, of the clips of each table."""

    read: dict[int, Floats]
    """Table, by its identity -> readings (N, M)."""

    @staticmethod
    def of(data: Fitting) -> "Stacked":
        """Readings of the training clips by regressions that were not fitted on them (cross-fitting), of others by
        those fitted on all; UserError where no modality has labels enough."""
        modalities = [
            (place, name)
            for place, name in enumerate(MODALITIES)
            if np.isfinite(data.train.unimodal_label_NM[:, place]).sum() >= LEAST_LABELS
            and np.isfinite(data.train.of(name)).any()
        ]
        if not modalities:
            raise UserError("fewer than ten training clips have a label of a modality alone")
        others = [table for table in (data.choose, data.scored) if table is not None]
        read = {id(data.train): np.column_stack([_crossfitted(data.train, *m) for m in modalities])}
        for table in others:
            read[id(table)] = np.column_stack([_read(data.train, table.of(name), p, name) for p, name in modalities])
        return Stacked(read)

    def beside_all(self, table: Tables) -> Floats:
        """The readings beside text embedding and pooled features."""
        return np.hstack([self.read[id(table)], table.all_NF])

    def beside_facts(self, table: Tables) -> Floats:
        """The readings beside the facts."""
        return np.hstack([self.read[id(table)], table.facts_NF])


def _crossfitted(train: Tables, place: int, name: str) -> Floats:
    """Readings (N,) of the clips to fit on, each by a regression fitted without its fold."""
    x_NF, reading_N = train.of(name), np.full(len(train.label_N), np.nan)
    label_N = train.unimodal_label_NM[:, place]
    for fold in range(FOLDS):
        held_N = train.fold_N == fold
        seen_N = ~held_N & np.isfinite(label_N)
        if held_N.any():
            reading_N[held_N] = _ridge(x_NF[seen_N], label_N[seen_N], x_NF[held_N])
    return reading_N


def _read(train: Tables, x_NF: Floats, place: int, name: str) -> Floats:
    """Readings (N,) by a regression fitted on all labelled training clips."""
    label_N = train.unimodal_label_NM[:, place]
    seen_N = np.isfinite(label_N)
    return _ridge(train.of(name)[seen_N], label_N[seen_N], x_NF)


def _ridge(fit_NF: Floats, label_N: Floats, x_NF: Floats) -> Floats:
    """Ridge regression, its penalty chosen by leaving one out; the labels' mean where none are there to fit on."""
    from sklearn.linear_model import RidgeCV

    if len(label_N) < 2:
        return np.full(len(x_NF), label_N.mean() if len(label_N) else 0.0)
    model = RidgeCV(alphas=RIDGE_PENALTIES).fit(standardised(fit_NF, fit_NF), label_N)
    return np.asarray(model.predict(standardised(fit_NF, x_NF)), dtype=np.float64)
