"""`textmsa explain`: a corpus or a clip -> explanations with their provenance, a JSON line a clip."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from textmsa import seams
from textmsa.errors import ExtractorError, UnreadableClip, UserError
from textmsa.prepare.command import explaining_options, prepare
from textmsa.prepare.one_clip import observe_and_explain
from textmsa.prepare.parts import (
    AUDIO,
    VIDEO,
    build_parts,
    check_same_extractors,
    installed_preparation,
    recorded_preparation,
    with_explainer,
)
from textmsa.prepare.result import PrepareResult
from textmsa.runtime.atomic import write_text
from textmsa.speech.transcripts import chosen_model, origin_in_words, transcript_of
from textmsa.store.writing import explanation_line
from textmsa.types import Explanation, Transcript

STORE = ".store"
"""Ends the name of the folder that holds what was measured, beside the explanations."""


@dataclass(frozen=True)
class ExplainResult:
    """What came of it."""

    out: Path | None
    explained: int
    failed: int
    prepared: PrepareResult | None = None
    line: str = ""
    """Of a single clip that goes into no file: its explanation as a line of JSON."""

    @property
    def exit_code(self) -> int:
        """0 all clips are explained, 1 some are not."""
        return int(self.failed > 0 or (self.prepared is not None and self.prepared.exit_code > 0))

    def text(self) -> str:
        """What `textmsa explain` prints."""
        if self.prepared is None:
            return self.line
        clips = self.prepared.prepared + self.prepared.skipped
        return f"{self.prepared.text()}\n{self.out}: {self.explained} of {clips} clips explained"


def explain(
    source: Path,
    *,
    explainer: str = "measured",
    out: Path | None = None,
    explainer_options: dict[str, Any] | None = None,
    translate: str | None = None,
    text: str | None = None,
    transcribe: bool = False,
    speech_model: str | None = None,
    like: Path | None = None,
    audio: str | None = None,
    video: str | None = None,
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
        What is said in a single clip; without it, and without --transcribe, a file beside it may tell (.srt, .vtt or
        .txt of its name).
    transcribe
        Recognise what is said, in a corpus in clips that it has no text for.
    speech_model
        Of --transcribe: tiny.en (English; the default), base (99 languages), a folder or an id of faster-whisper.
    like
        For a single clip: a store or a run folder, whose clips it is compared with; else it is told of alone.
    audio
        Audio features: a name, or "module:Class"; librosa, or with --like what was used there.
    video
        Video features: a name, or "module:Class"; mediapipe, or with --like what was used there.
    workers
        Processes that decode and measure.
    layout
        Layout of the corpus: a name, or "module:Class".

    Examples
    --------
    textmsa explain clip.mp4 --text "I loved it."
    textmsa explain clip.mp4 --text "I loved it." --like store
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
        words: dict[str, Any] = {"translate": translate, "transcribe": transcribe, "speech_model": speech_model}
        return _explain_corpus(source, Path(out), parts | words, workers=workers, layout=layout)
    if not source.is_file():
        raise UserError(f"{source}: no such file or folder; give a corpus, or a video or audio file")
    options = (explainer_options or {}) | ({} if translate is None else {"translate": translate})
    spoken = _spoken(source, text, chosen_model(transcribe, speech_model, text))
    explanation = explain_clip(source, spoken.text, explainer, options, like=like, audio=audio, video=video)
    if spoken.source not in ("given", "none"):
        told = {"words": spoken.text or f"none: {spoken.reason}", "words_from": origin_in_words(spoken)}
        explanation = replace(explanation, provenance=explanation.provenance | told)
    line = explanation_line(source.name, explanation)
    if out is not None:
        write_text(Path(out), line)
    failed = "failed" in explanation.provenance
    return ExplainResult(out, int(not failed), int(failed), line="" if out is not None else line)


def _spoken(clip: Path, text: str | None, model: str | None) -> Transcript:
    """What is said in a clip: recognised where a model is named."""
    if model is None:
        return transcript_of(clip, given=text)
    from textmsa.speech.recognise import SpeechRecogniser

    return transcript_of(clip, recogniser=SpeechRecogniser(model))


def _explain_corpus(corpus: Path, out: Path, parts: dict[str, Any], *, workers: int, layout: str) -> ExplainResult:
    if out.is_dir():
        raise UserError(f"{out}: is a folder; give --out a file for JSON lines")
    store = out.with_name(out.name.removesuffix(".jsonl") + STORE)
    prepared = prepare(corpus, out=store, workers=workers, layout=layout, **parts)
    write_text(out, (store / "explanations.jsonl").read_text(encoding="utf-8"))
    return ExplainResult(out, prepared.prepared - prepared.unexplained, prepared.unexplained, prepared)


def explain_clip(
    clip: Path,
    transcript: str | None,
    explainer: str,
    options: dict[str, Any],
    *,
    like: Path | None = None,
    audio: str | None = None,
    video: str | None = None,
) -> Explanation:
    """The explanation of one file; with `like`, a store or run folder, compared with the clips there.

    An explainer's failure is recorded in it. Raises UserError for a file that cannot be used, and where the installed
    parts are not those that `like` was made with.
    """
    options = dict(options)
    options = explaining_options(explainer, options, translate=options.pop("translate", None))
    lasting, passing = seams.split_options(seams.EXPLAINERS, explainer, options, what="explainer")
    if like is None:
        names = {"audio": audio or AUDIO, "video": video or VIDEO}
        preparation = installed_preparation(**names, explainer=explainer, options=lasting)
    else:
        recorded = recorded_preparation(like)
        check_same_extractors(recorded, like, audio=audio, video=video)
        preparation = with_explainer(recorded, explainer, lasting)
    built = build_parts(preparation, passing, may_lack_statistics=like is None)
    try:
        return observe_and_explain(clip, transcript or None, built).explanation
    except UnreadableClip as error:
        raise UserError(f"{clip}: cannot be read ({error}); give a video or audio file") from error
    except ExtractorError as error:
        raise UserError(f"{clip}: {error}; give another clip, or other extractors") from error
