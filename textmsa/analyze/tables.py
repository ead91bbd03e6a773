"""A timeline for other programs: a table (CSV) and subtitles with scores (SubRip)."""

from typing import Any

from textmsa.analyze.timeline import Timeline
from textmsa.runtime.atomic import csv_text
from textmsa.types import MODALITIES

COLUMNS = (
    "number",
    "start",
    "end",
    "text",
    "score",
    "polarity",
    "low",
    "high",
    *(f"contribution_{name}" for name in MODALITIES),
    *(f"explanation_{name}" for name in MODALITIES),
    "summary",
    *(f"missing_{name}" for name in MODALITIES),
    "failed",
)


def as_csv(timeline: Timeline) -> str:
    """One row an utterance; a cell is empty where there is nothing."""
    return csv_text([COLUMNS, *(_row(record) for record in timeline.utterances)])


def _row(record: dict[str, Any]) -> list[object]:
    interval, explanation = record.get("interval") or {}, record.get("explanation") or {}
    contributions, missing = record.get("contributions") or {}, record.get("missing") or {}
    cells = [
        *(record[name] for name in ("number", "start", "end", "text", "score")),
        record.get("polarity"),
        *(interval.get(end) for end in ("low", "high")),
        *(contributions.get(name) for name in MODALITIES),
        *(explanation.get(name) for name in (*MODALITIES, "summary")),
        *(missing.get(name) for name in MODALITIES),
        record["failed"],
    ]
    return ["" if cell is None else cell for cell in cells]


def as_subtitles(timeline: Timeline) -> str:
    """The words as they are said, each utterance with its score before it: "[+0.52] I liked it."."""
    blocks = []
    for number, record in enumerate(timeline.utterances, 1):
        end = max(record["end"], record["start"] + 0.001)
        blocks.append(
            f"{number}\n{_clock(record['start'])} --> {_clock(end)}\n[{score_in_words(record)}] {record['text']}\n"
        )
    return "\n".join(blocks)


def score_in_words(record: dict[str, Any]) -> str:
    """ "+0.52", or "not scored"."""
    return "not scored" if record["score"] is None else f"{record['score']:+.2f}"


def _clock(seconds: float) -> str:
    """SubRip's time: 01:02:03,456."""
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d},{rest % 1000:03d}"
