"""Predictions as rows: one a clip or utterance, for pandas and other tables."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from textmsa.clip_predictor import ClipOutcome
from textmsa.types import EXPLANATION_PARTS, MODALITIES, Prediction

if TYPE_CHECKING:
    import pandas

COLUMNS = (
    *("path", "start", "end", "score", "polarity", "low", "high", "level", "text"),
    *(f"contribution_{name}" for name in MODALITIES),
    "base",
    *(f"alone_{name}" for name in MODALITIES),
    *(f"explanation_{name}" for name in ("audio", "video", "text")),
    *("summary", "reason"),
    *(f"missing_{name}" for name in MODALITIES),
    *("scored_by", "words_from", "language", "notes", "damage", "seconds", "failed"),
)
"""Of the table, in their order; None where there is nothing. `level`, `low` and `high` are the interval's."""
TEXTS = ("path", "polarity", "text", "scored_by", "words_from", "language", "notes", "damage", "failed")


def rows_of(outcomes: Iterable[Prediction | ClipOutcome]) -> list[dict[str, Any]]:
    """A dict of `COLUMNS` for each prediction or outcome, in their order; of what failed the path and the reason."""
    return [_row(outcome) for outcome in outcomes]


def to_pandas(outcomes: Iterable[Prediction | ClipOutcome] | Prediction) -> "pandas.DataFrame":
    """Predictions, or what `predict_many` and `utterances` give, as a table with the columns `COLUMNS`.

    Numbers are float64, NaN where there is none; texts are objects, None where there is none. Needs pandas.
    """
    import pandas

    rows = rows_of([outcomes] if isinstance(outcomes, Prediction) else outcomes)
    table = pandas.DataFrame(rows, columns=list(COLUMNS), dtype=object)
    for name in COLUMNS:
        if not _is_text(name):
            table[name] = table[name].astype("float64")
    return table


def _is_text(column: str) -> bool:
    return column in (*TEXTS, *EXPLANATION_PARTS) or column.startswith(("explanation_", "missing_"))


def _row(outcome: Prediction | ClipOutcome) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    if isinstance(outcome, Prediction):
        return row | _of_prediction(outcome)
    row |= {"path": outcome.path, "start": outcome.start, "end": outcome.end, "text": outcome.text}
    if outcome.prediction is None:
        return row | {"failed": outcome.failed}
    return row | _of_prediction(outcome.prediction) | {"path": outcome.path}


def _of_prediction(prediction: Prediction) -> dict[str, Any]:
    told = asdict(prediction.explanation)
    spoken, interval = prediction.spoken, prediction.interval
    row: dict[str, Any] = {
        "path": prediction.path,
        "score": prediction.score,
        "polarity": prediction.polarity,
        "text": prediction.transcript,
        "base": prediction.base,
        "summary": told["summary"],
        "reason": told["reason"],
        "scored_by": " ".join(prediction.scored_by),
        "words_from": None if spoken is None else spoken.source,
        "language": None if spoken is None else spoken.language,
        "notes": " ".join(prediction.notes) or None,
        "damage": prediction.damage,
        "seconds": sum(prediction.seconds.values()),
    }
    row |= {f"contribution_{name}": prediction.contributions.get(name) for name in MODALITIES}
    row |= {f"alone_{name}": prediction.unimodal.get(name) for name in MODALITIES}
    row |= {f"explanation_{name}": told[name] for name in MODALITIES}
    row |= {f"missing_{name}": prediction.missing.get(name) for name in MODALITIES}
    if interval is not None:
        row |= {"low": interval.low, "high": interval.high, "level": interval.level}
    return row
