"""A timeline as a picture: scores over time with their intervals, the voice, the face."""

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from textmsa.analyze.timeline import Timeline
from textmsa.analyze.tracks import Track
from textmsa.analyze.utterances import TENTHS
from textmsa.types import MODALITIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POSITIVE, NEGATIVE, NEUTRAL = "#2a7f62", "#b3443f", "#6f6f6f"
BY_MODALITY = {"text": "#3b6ea8", "audio": "#c98a1b", "video": "#7d4f9e"}
MOST_POINTS = 1500  # of a track that is drawn; of a longer one means
SHOWN_FACES = ("smile", "brow_raise", "brow_lower", "jaw_open")
Floats = npt.NDArray[np.float64]


def picture_of(timeline: Timeline) -> "Figure":
    """The figure; wider for longer files, within bounds. Time runs in minutes from two minutes on."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width = min(22.0, 9.0 + math.sqrt(timeline.duration) / 4)
    figure = Figure(figsize=(width, 8.5), layout="constrained")
    FigureCanvasAgg(figure)
    scores, counted, voice, face = figure.subplots(4, 1, sharex=True, height_ratios=[3, 2, 1.6, 1.6])
    unit = 60.0 if timeline.duration >= 120 else 1.0
    _scores(scores, timeline, unit)
    _contributions(counted, timeline, unit)
    _voice(voice, timeline, unit)
    _face(face, timeline, unit)
    face.set_xlim(0, max(timeline.duration, 0.1) / unit)
    face.set_xlabel("minutes" if unit == 60 else "seconds")
    counts = f"{len(timeline.scored)} utterances scored" + (
        f", {len(timeline.failed)} not scored" if timeline.failed else ""
    )
    name = timeline.file.replace("\\", "/").rpartition("/")[2]
    figure.suptitle(f"{name.encode('ascii', 'replace').decode()}: {counts}".replace("$", r"\$"), fontsize=11)
    return figure


def _scores(axes: "Axes", timeline: Timeline, unit: float) -> None:
    low, high = timeline.model["score_range"]
    axes.axhline(0, color="#999999", linewidth=0.6)
    colours = {"positive": POSITIVE, "negative": NEGATIVE, "neutral": NEUTRAL}
    for record in timeline.scored:
        start, end = record["start"] / unit, max(record["end"], record["start"] + 0.1) / unit
        colour = colours[record["polarity"]]
        if (interval := record["interval"]) is not None:
            axes.fill_between([start, end], interval["low"], interval["high"], color=colour, alpha=0.15, linewidth=0)
        axes.plot([start, end], [record["score"]] * 2, color=colour, linewidth=3, solid_capstyle="butt")
    for record in timeline.failed:
        axes.axvspan(record["start"] / unit, record["end"] / unit, color="#dddddd", linewidth=0)
    margin = (high - low) / 30
    axes.set_ylim(low - margin, high + margin)
    axes.set_ylabel("score")
    level = next((record["interval"]["level"] for record in timeline.scored if record["interval"]), None)
    axes.set_title(
        "no utterances" if not timeline.utterances else f"shaded: {level:.0%} interval" if level else "",
        fontsize=8,
        loc="right",
    )


def _contributions(axes: "Axes", timeline: Timeline, unit: float) -> None:
    """Bars that add up, from zero, upwards and downwards."""
    records = timeline.scored
    left = np.array([record["start"] for record in records]) / unit
    width = np.array([max(record["end"] - record["start"], 0.1) for record in records]) / unit
    above, below = np.zeros(len(records)), np.zeros(len(records))
    for name in MODALITIES:
        value = np.array([record["contributions"].get(name, 0.0) for record in records], dtype=float)
        bottom = np.where(value >= 0, above, below)
        axes.bar(left, value, width, bottom, align="edge", color=BY_MODALITY[name], label=name, linewidth=0)
        above, below = above + np.maximum(value, 0), below + np.minimum(value, 0)
    axes.axhline(0, color="#999999", linewidth=0.6)
    axes.use_sticky_edges = False  # else a bar of height 0 on top of another ends the picture there
    axes.margins(y=0.1)
    axes.set_ylabel("contributions")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2, fontsize=8, ncols=3, frameon=False)


def _voice(axes: "Axes", timeline: Timeline, unit: float) -> None:
    axes.set_ylabel("energy, dB", color=NEUTRAL)
    if "energy" not in timeline.tracks:
        _nothing(axes, timeline.missing.get("audio", "no sound"))
        return
    times, energy = _reduced(timeline.tracks["energy"])
    axes.fill_between(times / unit, np.maximum(energy, -80), -80, color="#cccccc", linewidth=0)
    pitch_axes = axes.twinx()
    times, pitch = _reduced(timeline.tracks.get("pitch", []))
    pitch_axes.plot(times / unit, pitch, ".", color=BY_MODALITY["audio"], markersize=2)
    pitch_axes.set_ylabel("pitch, Hz", color=BY_MODALITY["audio"])
    pitch_axes.set_ylim(50, 620)


def _face(axes: "Axes", timeline: Timeline, unit: float) -> None:
    axes.set_ylabel("face, 0 to 1")
    if "face" not in timeline.tracks:
        _nothing(axes, timeline.missing.get("video", "no pictures"))
        return
    times, seen = _reduced(timeline.tracks["face"])
    axes.fill_between(times / unit, np.nan_to_num(seen), 0, color="#eeeeee", linewidth=0, label="seen")
    for name in SHOWN_FACES:
        if name in timeline.tracks:
            times, values = _reduced(timeline.tracks[name])
            axes.plot(times / unit, values, linewidth=0.8, label=name.replace("_", " "))
    axes.set_ylim(0, 1.3)  # room for the names
    axes.legend(loc="upper right", fontsize=8, ncols=5)


def _nothing(axes: "Axes", reason: str) -> None:
    axes.text(0.5, 0.5, reason.replace("$", r"\$"), transform=axes.transAxes, ha="center", va="center", color=NEUTRAL)
    axes.set_yticks([])


def _reduced(track: Track) -> tuple[Floats, Floats]:
    """Times (s) and values of a track, means of neighbours where it is long; NaN where nothing was measured."""
    values = np.array([np.nan if value is None else value for value in track], dtype=np.float64)
    size = max(1, math.ceil(len(values) / MOST_POINTS))
    rows = np.concatenate([values, np.full(-len(values) % size, np.nan)]).reshape(-1, size)
    count = np.isfinite(rows).sum(axis=1)
    mean = np.where(count > 0, np.nansum(rows, axis=1) / np.maximum(count, 1), np.nan)
    return (np.arange(len(rows)) + 0.5) * size / TENTHS, mean
