"""The known-answer corpus: rendered talking faces whose label is a known function of words, voice and face.

Text decides who counts, conflict overrules words, and timing matters; see `latents.py` for the function.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from textmsa.errors import UserError, WorkerDied
from textmsa.runtime.atomic import read_json, write_json, write_text
from textmsa.runtime.claim import Claim
from textmsa.runtime.progress import track
from textmsa.runtime.workers import Crew

if TYPE_CHECKING:
    from textmsa.demo_corpus.face import Portrait
    from textmsa.demo_corpus.plan import ClipPlan, Plan, Speaker
    from textmsa.demo_corpus.words import Sentence

VERSION = "1"  # of the generator: raise it whenever the same seed gives other clips
COMMAND = "textmsa demo-corpus"
LEAST_CLIPS = 25  # fewer make two speakers, who do not fill three splits
BEGUN, PLAN, CORPUS, LABELS = "generator.json", "plan.json", "corpus.json", "label.csv"


@dataclass(frozen=True)
class RenderResult:
    """What `render_corpus` made."""

    path: Path
    clips: int
    rendered: int
    """In this run; the others were there."""
    speakers: int | None = None
    """None where the corpus was complete before."""

    def text(self) -> str:
        """What `textmsa demo-corpus` prints."""
        if self.speakers is None:
            return f"{self.path}: {self.clips} clips rendered before; nothing to do"
        return f"{self.path}: {self.clips} clips of {self.speakers} speakers"


def render_corpus(out: Path, *, clips: int = 600, seed: int = 0, workers: int = 2) -> RenderResult:
    """Render the known-answer corpus of talking faces; run it again to go on after a stop.

    Parameters
    ----------
    out
        Folder to write, in MMSA layout: label.csv, Raw/<video_id>/<clip_id>.mp4, and corpus.json with the latents.
    clips
        How many clips, 25 to 2949 (no sentence is used twice).
    seed
        Another seed gives other clips.
    workers
        Processes.

    Examples
    --------
    textmsa demo-corpus corpus --clips 100
    """
    from textmsa.demo_corpus.face import load_portrait
    from textmsa.demo_corpus.words import load_sentences

    sentences = load_sentences()
    if not LEAST_CLIPS <= clips <= len(sentences):
        raise UserError(f"--clips {clips}: give a number from {LEAST_CLIPS} to {len(sentences)}")
    if workers < 1:
        raise UserError(f"--workers {workers}: give at least 1")
    out = Path(out)
    claim = Claim(out, COMMAND, {"version": VERSION, "clips": clips, "seed": seed}, record=BEGUN)
    if (out / CORPUS).is_file():
        claim.take()
        return RenderResult(out, clips, 0)
    with claim.held():
        return _render(out, sentences, load_portrait(), clips=clips, seed=seed, workers=workers)


def _render(
    out: Path, sentences: "list[Sentence]", portrait: "Portrait", *, clips: int, seed: int, workers: int
) -> RenderResult:
    """As `render_corpus`, in a folder that is held."""
    from textmsa.demo_corpus.plan import make_plan

    planned = out / PLAN
    durations = read_json(planned)["durations"] if planned.is_file() else None
    plan = make_plan(sentences, clips=clips, seed=seed, durations=durations)
    write_json(planned, {"durations": [clip.duration for clip in plan.clips]})
    todo = [(c, plan.speakers[c.speaker]) for c in plan.clips if not clip_path(out, plan, c).is_file()]
    done = clips - len(todo)
    for _ in track(_rendered(out, plan, todo, portrait, workers), total=clips, label="render", done=done):
        pass
    _write_labels(out, plan)
    _write_corpus(out, plan, [sentence.score for sentence in sentences], seed)
    return RenderResult(out, clips, len(todo), len(plan.speakers))


def clip_path(out: Path, plan: "Plan", clip: "ClipPlan") -> Path:
    """Where a clip's file lies."""
    return out / "Raw" / plan.speakers[clip.speaker].video_id / f"{clip.clip_id}.mp4"


def _rendered(
    out: Path, plan: "Plan", todo: "list[tuple[ClipPlan, Speaker]]", portrait: "Portrait", workers: int
) -> Iterator[None]:
    """Render what is to do, yielding once per clip."""
    for speaker in plan.speakers:
        (out / "Raw" / speaker.video_id).mkdir(parents=True, exist_ok=True)
    if not todo:
        return
    orders = [_Order(clip, speaker, portrait, clip_path(out, plan, clip)) for clip, speaker in todo]
    for order, outcome in Crew(_render_one, workers=workers).each(orders):
        if isinstance(outcome, WorkerDied):
            raise UserError(f"{order.path}: {outcome}; give fewer --workers and run it again to go on")
        yield


@dataclass(frozen=True)
class _Order:
    """One clip to render."""

    clip: "ClipPlan"
    speaker: "Speaker"
    portrait: "Portrait"
    path: Path


def _render_one(order: _Order) -> None:
    import cv2

    from textmsa.demo_corpus.render import render

    cv2.setNumThreads(1)
    render(order.clip, order.speaker, order.portrait, order.path)


def _write_labels(out: Path, plan: "Plan") -> None:
    text = io.StringIO()
    writer = csv.writer(text)
    names = ("video_id", "clip_id", "text", "label", "label_T", "label_A", "label_V", "annotation", "mode")
    writer.writerow(names)
    for c in plan.clips:
        speaker = plan.speakers[c.speaker]
        annotation = "Neutral" if c.label == 0 else "Positive" if c.label > 0 else "Negative"
        values = [f"{value:.6f}" for value in (c.label, c.t, c.a, c.v)]
        writer.writerow([speaker.video_id, c.clip_id, c.text, *values, annotation, speaker.split])
    write_text(out / LABELS, text.getvalue())


def _write_corpus(out: Path, plan: "Plan", scores: list[float], seed: int) -> None:
    """corpus.json: latents, event times, and what predictors can reach."""
    import numpy as np

    from textmsa.demo_corpus.latents import SCORE_RANGE, Latents, floors, oracle_mae

    test = np.array([plan.speakers[c.speaker].split == "test" for c in plan.clips])
    tested = Latents(**{field.name: getattr(plan.latents, field.name)[test] for field in fields(Latents)})
    content = {
        "generator": VERSION,
        "seed": seed,
        "score_range": SCORE_RANGE,
        "floors": floors(np.array(scores), seed=seed),
        "oracle_test_mae": oracle_mae(tested),
        "clips": plan.rows(),
    }
    write_json(out / CORPUS, content)
