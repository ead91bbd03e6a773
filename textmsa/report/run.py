"""The demo's report: one HTML file that needs nothing else."""

import html
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from textmsa.contributions import Contributions, contributions
from textmsa.evaluate.baselines import IN_WORDS
from textmsa.evaluate.command import Evaluation
from textmsa.evaluate.labelled import labelled_clips
from textmsa.evaluate.paired import Floats
from textmsa.report.html_page import picture, write_page
from textmsa.report.players import scored_player
from textmsa.run import HISTORY, MODEL, Run
from textmsa.scoring import Scores
from textmsa.store.reading import Store
from textmsa.train.encoder import ratings_learnt
from textmsa.types import MODALITIES, Sample

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def write_report(path: Path, *, run: Path, store: Path, evaluation: Evaluation) -> Path:
    """Write the report of a run on a split of a store."""
    opened, data = Run.open(run), Store.open(store)
    clips = labelled_clips(data, evaluation.split)
    scored, true_N = opened.score(data, clips.indices), clips.label_N
    counted = contributions(opened, data, clips.indices)
    chosen = _chosen(scored, true_N)
    players = [scored_player(f"clip-{i}", opened, data[clips.indices[i]], path) for i in chosen]
    sections = [
        f"<h2>TEXT on {html.escape(data.manifest.corpus)}</h2>",
        f"<p>{_verdict(evaluation)}</p>",
        "<h2>What counted</h2>"
        + _counted_words(counted)
        + picture(_counted(counted), "What text, audio and video add to the scores of the clips, as boxes"),
        "<h2>Three clips</h2>" + "".join(_clip(data[clips.indices[i]], counted, i) for i in chosen),
        "<h2>How well</h2>" + _table(evaluation),
        _alone(evaluation),
        *(f"<p>{html.escape(line)}</p>" for line in _how_sure(evaluation)),
        f"<p>{html.escape(ratings_learnt(opened.members[0].path / MODEL))}</p>",
        "<h2>Predicted against true</h2>"
        + picture(
            _scatter(scored, true_N, data.manifest.score_range), "Predicted score of each clip against its label"
        ),
        "<h2>Learning</h2><p><small>A line for each seed.</small></p>"
        + picture(
            _learning_curve([json.loads((m.path / HISTORY).read_text()) for m in opened.members]),
            "Training loss and validation error by epoch",
        ),
        "<details><summary>The network's experts: an inner figure that does not tell what counted</summary>"
        + picture(_experts(scored), "Mean weight of each expert in each layer")
        + "</details>",
    ]
    return write_page(path, f"report: TEXT on {data.manifest.corpus}", sections, players)


def _verdict(evaluation: Evaluation) -> str:
    """How TEXT stands against the best baseline, in plain words."""
    gap = evaluation.difference
    if not gap:
        return "No baselines were fitted."
    low, high = gap["interval"]
    name = _in_words(gap["baseline"])
    if high < 0:
        words = f"TEXT's error is lower than that of the best baseline, {name}"
    elif low > 0:
        words = f"TEXT's error is higher than that of the best baseline, {name}"
    else:
        words = f"TEXT and the best baseline, {name}, cannot be told apart on these clips"
    lost = [_in_words(n) for n, row in evaluation.baselines.items() if evaluation.metrics["mae"] >= row["mae"]]
    interval = f"difference in MAE {_signed(gap['mae'])}, 95 % bootstrap interval [{_signed(low)}, {_signed(high)}]"
    ranks = f"Not lower than that of: {'; '.join(lost)}." if lost else "TEXT's error is the lowest of the table."
    return f"{words} ({interval}). {ranks}"


def _in_words(baseline: str) -> str:
    """What a baseline is, as HTML; others, such as one seed's, by their column's name."""
    return html.escape(IN_WORDS.get(baseline, baseline))


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")


def _table(evaluation: Evaluation) -> str:
    seeds = len(evaluation.by_seed)
    us = f"TEXT, mean score of {seeds} seeds" if seeds else "TEXT"
    rows = [
        (us, evaluation.metrics, " class='us'"),
        *((_in_words(n), row, "") for n, row in evaluation.baselines.items()),
    ]
    cells = "".join(
        f"<tr{mark}><td>{name}</td><td class='n'>{row['mae']:.3f}</td><td class='n'>{_number(row['corr'])}</td></tr>"
        for name, row, mark in rows
    )
    floors = "".join(
        f"<tr><td><small>floor: {html.escape(name)}</small></td><td class='n'>{value:.3f}</td><td></td></tr>"
        for name, value in evaluation.floors.items()
    )
    out = "".join(
        f"<tr><td>{_in_words(name)}</td><td colspan='2'><small>left out: {html.escape(reason)}</small></td></tr>"
        for name, reason in evaluation.left_out.items()
    )
    unlabelled = f"<p><small>{evaluation.unlabelled} clips without label left out.</small></p>"
    return (
        f"<table><tr><th>{evaluation.split}, {evaluation.clips} clips</th><th>MAE</th><th>corr</th></tr>{cells}{out}"
        f"{floors}</table>{_spread(evaluation)}{unlabelled if evaluation.unlabelled else ''}"
        "<p><small>A floor is the best MAE of any predictor that knows the named causes exactly.</small></p>"
    )


def _alone(evaluation: Evaluation) -> str:
    """What each modality says alone; nothing where the network has no heads for that, or the corpus no labels."""
    rows = "".join(
        f"<tr><td>{name}</td><td class='n'>{row['mae']:.3f}</td><td class='n'>{_number(row['corr'])}</td></tr>"
        for name, row in evaluation.unimodal.items()
    )
    if not rows:
        return ""
    return (
        f"<table><tr><th>alone, against its own label</th><th>MAE</th><th>corr</th></tr>{rows}</table>"
        "<p><small>What the network reads of words, voice and face each by itself.</small></p>"
    )


def _spread(evaluation: Evaluation) -> str:
    """What one seed's network reaches; nothing where one seed was trained."""
    rows = list(evaluation.by_seed.values())
    if len(rows) < 2:
        return ""
    figures = []
    for name, label in (("mae", "MAE"), ("corr", "corr")):
        values = [row[name] for row in rows]
        figures.append(f"{label} {np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}")
    return f"<p>One seed's network: {', '.join(figures)} (mean and standard deviation over {len(rows)} seeds).</p>"


def _number(value: float) -> str:
    return f"{value:.3f}" if np.isfinite(value) else "not defined"


def _learning_curve(histories: list[list[dict[str, float]]]) -> "Figure":
    """Training loss and validation MAE by epoch, a line for each seed."""
    figure, axes = _axes(1)
    for number, history in enumerate(histories):
        epochs = [row["epoch"] for row in history]
        lines = {"training loss": [row.get("train_loss", np.nan) for row in history]}
        lines |= {"validation MAE": [row["valid_mae"] for row in history]}
        for colour, (name, values) in enumerate(lines.items()):
            axes[0].plot(epochs, values, f"C{colour}o-", ms=3, alpha=0.7, label=name if number == 0 else None)
    axes[0].set(xlabel="epoch")
    axes[0].legend()
    return figure


def _scatter(scored: Scores, true_N: Floats, score_range: tuple[float, float]) -> "Figure":
    figure, axes = _axes(1)
    axes[0].plot(score_range, score_range, color="#bbb", lw=1)
    axes[0].scatter(true_N, scored.score_N, s=14, alpha=0.6)
    axes[0].set(xlabel="true score", ylabel="predicted score")
    return figure


def _how_sure(evaluation: Evaluation) -> list[str]:
    """What the intervals cover; that there are none where there are none."""
    lines = [row.text() for row in evaluation.coverage]
    return [*lines, evaluation.interval_note] if evaluation.interval_note else lines


def _counted_words(counted: Contributions) -> str:
    size_M = np.abs(counted.contribution_NM).mean(axis=0)
    sizes = ", ".join(f"{name} {size:.2f}" for name, size in zip(MODALITIES, size_M, strict=True))
    return (
        f"<p>What text, audio and video add to {counted.base.score:+.2f} ({html.escape(counted.base.source)}) to make "
        f"each score: exact Shapley values. Their mean sizes: {sizes}.</p>"
    )


def _counted(counted: Contributions) -> "Figure":
    figure, axes = _axes(1)
    axes[0].axhline(0, color="#bbb", lw=1)
    axes[0].boxplot([counted.contribution_NM[:, i] for i in range(len(MODALITIES))], tick_labels=list(MODALITIES))
    axes[0].set(ylabel="added to the score")
    return figure


def _experts(scored: Scores) -> "Figure":
    figure, axes = _axes(1)
    load = scored.experts_NLE.mean(axis=0)
    image = axes[0].imshow(load, vmin=0, cmap="Blues", aspect="auto")
    axes[0].set(title="mean weight of experts", xlabel="expert", ylabel="layer")
    axes[0].set_xticks(range(load.shape[1]))
    axes[0].set_yticks(range(load.shape[0]), [str(i + 1) for i in range(load.shape[0])])
    figure.colorbar(image, ax=axes[0])
    return figure


def _axes(count: int) -> "tuple[Figure, list[Axes]]":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.8 * count + 1, 3.6), layout="constrained", dpi=110)
    return figure, [figure.add_subplot(1, count, i + 1) for i in range(count)]


def _chosen(scored: Scores, true_N: Floats) -> list[int]:
    """The highest and the lowest score, and the largest error."""
    picks = [int(scored.score_N.argmax()), int(scored.score_N.argmin()), int(np.abs(scored.score_N - true_N).argmax())]
    return list(dict.fromkeys(picks))


def _clip(sample: Sample, counted: Contributions, index: int) -> str:
    """The heading of a clip, and where its player stands."""
    return (
        f"<div class='clip'><h3>{html.escape(sample.clip.id)}: predicted {counted.score_N[index]:+.2f}, true "
        f"{sample.clip.label:+.2f}</h3><div id='clip-{index}'></div></div>"
    )
