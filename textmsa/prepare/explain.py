"""`textmsa explain`: a corpus or a clip -> explanations with their provenance, a JSON line a clip."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textmsa import seams
from textmsa.errors import UnreadableClip, UserError
from textmsa.features.observe import observe
from textmsa.prepare.command import explaining_options, prepare
from textmsa.prepare.job import PrepareResult
from textmsa.runtime.atomic import write_text
from textmsa.store.preparation import STATISTICS, Preparation
from textmsa.store.writing import explanation_line
from textmsa.types import Explanation

STORE = ".store"
"""Ends the name of the folder that holds what was measured, beside the explanations."""


@dataclass(frozen=True)
class ExplainResult:
    """What came of it."""

    out: Path | None
    explained: int
    failed: int
    prepared: PrepareResult | None = None

    @property
    def exit_code(self) -> int:
        """0 all clips are explained, 1 some are not."""
        return int(self.failed > 0 or (self.prepared is not None and self.prepared.exit_code > 0))


def explain(
    source: Path,
    *,
    explainer: str = "measured",
    out: Path | None = None,
    explainer_options: dict[str, Any] | None = None,
    translate: str | None = None,
    text: str | None = None,
    like: Path | None = None,
    audio: str = "librosa",
    video: str = "mediapipe",
    workers: int = 2,
    layout: str = "mmsa",
) -> ExplainResult:
    """Explain the clips of a corpus, or one clip.

    It may be stopped at any moment and run again: no clip is measured twice, and no answer is asked for twice. What
    was measured lies in a store beside the explanations, from which one can train.

    Parameters
    ----------
    source
        Folder of a corpus (label.csv and Raw/<video_id>/<clip_id>.mp4), or a video or audio file.
    explainer
        Who explains: a name, or "module:Class".
    out
        File of JSON lines; needed for a corpus, and printed for a clip without it.
    explainer_options
        Options of the explainer: --explainer-options.model NAME --explainer-options.language en ...
    translate
        Also translate transcripts by the explainer's language model, where the corpus has no text_en: "en".
    text
        What is said in a single clip.
    like
        For a single clip: a store or a run folder, whose clips it is compared with.
    audio
        Audio features: a name, or "module:Class".
    video
        Video features: a name, or "module:Class".
    workers
        Processes that decode and measure.
    layout
        Layout of the corpus: a name, or "module:Class".

    Examples
    --------
    textmsa explain clip.mp4 --text "I loved it."
    textmsa explain my_clips --out explanations.jsonl
    textmsa explain my_clips --out explanations.jsonl --explainer chat_endpoint --explainer-options.model MODEL
    """
    source = Path(source)
    if source.is_dir():
        if text is not None or like is not None:
            raise UserError("--text and --like are for a single clip; a corpus has its own transcripts and statistics")
        if out is None:
            raise UserError("--out FILE.jsonl is needed for a corpus")
        parts = {"audio": audio, "video": video, "explainer": explainer, "explainer_options": explainer_options}
        return _explain_corpus(source, Path(out), parts | {"translate": translate}, workers=workers, layout=layout)
    if not source.is_file():
        raise UserError(f"{source}: no such file or folder; give a corpus, or a video or audio file")
    options = (explainer_options or {}) | ({} if translate is None else {"translate": translate})
    told = explain_clip(source, text, explainer, options, like=like, audio=audio, video=video)
    line = explanation_line(source.name, told)
    if out is None:
        print(line, end="")
    else:
        write_text(Path(out), line)
    failed = "failed" in told.provenance
    return ExplainResult(out, int(not failed), int(failed))


def _explain_corpus(corpus: Path, out: Path, parts: dict[str, Any], *, workers: int, layout: str) -> ExplainResult:
    if out.is_dir():
        raise UserError(f"{out}: is a folder; give --out a file for JSON lines")
    store = out.with_name(out.name.removesuffix(".jsonl") + STORE)
    prepared = prepare(corpus, out=store, workers=workers, layout=layout, **parts)
    write_text(out, (store / "explanations.jsonl").read_text(encoding="utf-8"))
    explained = prepared.prepared - prepared.unexplained
    print(f"{out}: {explained} of {prepared.prepared + prepared.skipped} clips explained")
    return ExplainResult(out, explained, prepared.unexplained, prepared)


def explain_clip(
    clip: Path,
    transcript: str | None,
    explainer: str,
    options: dict[str, Any],
    *,
    like: Path | None = None,
    audio: str = "librosa",
    video: str = "mediapipe",
) -> Explanation:
    """The explanation of one file; with `like`, a store or run folder, compared with the clips there."""
    options = dict(options)
    options = explaining_options(explainer, options, translate=options.pop("translate", None))
    class_ = seams.load(seams.EXPLAINERS, explainer, what="explainer")
    statistics: dict[str, Any] | None = None
    if like is not None:
        if not (like / STATISTICS).is_file():
            raise UserError(f"{like}: neither a store nor a run folder; give --like one of them")
        known = Preparation.load(like)
        audio, video = known.audio.extractor, known.video.extractor
        statistics = known.statistics.explainer if known.statistics else None
    given = (statistics,) if class_.needs_statistics else ()
    try:
        built = class_(*given, **options)
    except TypeError as error:
        raise UserError(f"explainer {explainer!r} cannot be built with the options {options} ({error})") from error
    extractors = (
        seams.load(seams.AUDIO_EXTRACTORS, audio, what="audio extractor")(),
        seams.load(seams.VIDEO_EXTRACTORS, video, what="video extractor")(),
    )
    try:
        observation = observe(clip, transcript or None, audio=extractors[0], video=extractors[1])
    except UnreadableClip as error:
        raise UserError(f"{clip}: cannot be read ({error}); give a video or audio file") from error
    told: Explanation = built.explain(observation)
    return told
