"""`textmsa analyze`: a video of any length -> timeline.html, .json, .csv, .srt, .eaf and .png."""

import hashlib
import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from textmsa import seams
from textmsa.analyze.elan import as_eaf
from textmsa.analyze.job import Analysis, Words, words_of_speech, words_of_subtitles
from textmsa.analyze.picture import picture_of
from textmsa.analyze.tables import as_csv, as_subtitles
from textmsa.analyze.timeline import Timeline
from textmsa.analyze.timeline_page import as_page
from textmsa.errors import UnreadableClip, UserError
from textmsa.explain import can_score
from textmsa.media import opened
from textmsa.model.everyday import EVERYDAY
from textmsa.predict import AnyPredictor, load
from textmsa.runtime.atomic import file_sha256, replacing, write_text
from textmsa.runtime.claim import Claim
from textmsa.speech.recognise import recogniser_spec
from textmsa.speech.subtitles import subtitles_beside
from textmsa.speech.transcripts import chosen_model
from textmsa.store.preparation import Preparation
from textmsa.types import Precision

VERSION = 2
"""Raise it when what is recorded of an utterance changes; folders begun before are refused."""
FILES = ("timeline.html", "timeline.csv", "timeline.srt", "timeline.eaf", "timeline.png", "timeline.json")
THREADS = 2  # of the recogniser


@dataclass(frozen=True)
class AnalyzeResult:
    """What the command gives back."""

    folder: Path
    timeline: Timeline

    @property
    def exit_code(self) -> int:
        """1 where an utterance could not be scored."""
        return 1 if self.timeline.failed else 0

    def text(self) -> str:
        """For people."""
        timeline = self.timeline
        scored, failed = timeline.scored, timeline.failed
        counted = f"{len(scored)} utterances scored" + (f", {len(failed)} not" if failed else "")
        lines = [f"{timeline.file}: {timeline.duration:.1f} s, {counted}"]
        if timeline.mean is not None:
            least, most = (pick(scored, key=lambda record: record["score"]) for pick in (min, max))
            mean = f"mean over the seconds of speech {timeline.mean:+.2f}"
            lines.append(f"  {mean}, lowest {_shown(least)}, highest {_shown(most)}")
        if timeline.words_from["reason"]:
            lines.append(f"  no words          {timeline.words_from['reason']}")
        lines += [f"  {kind:<6} missing    {reason}" for kind, reason in timeline.missing.items()]
        lines += [f"  damaged           {what}" for what in timeline.damage[:3]]
        if more := timeline.damage[3:]:
            lines.append(f"                    and {len(more)} more, in timeline.json")
        reasons = dict.fromkeys(record["failed"] for record in failed)
        lines += [f"  not scored        {reason}" for reason in list(reasons)[:3]]
        lines.append(f"  {self.folder}: {', '.join(FILES)}")
        return "\n".join(lines)


def analyze(
    video: Path,
    *,
    out: Path,
    model: str = EVERYDAY,
    subtitles: Path | None = None,
    transcribe: bool = False,
    speech_model: str | None = None,
    precision: Precision = "fp32",
) -> AnalyzeResult:
    """Score and explain every utterance of a video of any length; a stopped one is gone on with.

    Parameters
    ----------
    video
        A video or audio file.
    out
        Folder for timeline.html (a page to look at), .json, .csv, .srt, .eaf (ELAN) and .png.
    model
        "everyday" (comes with textmsa; scores what is said), a run folder, or a hub id.
    subtitles
        What is said and when, a file .srt or .vtt; without it, and without --transcribe, one beside the video.
    transcribe
        Recognise what is said.
    speech_model
        Of --transcribe: tiny.en (English), base (99 languages), or a folder or id of faster-whisper; tiny.en without
        it.
    precision
        "fp32", or "int8": the text encoder in 8-bit integers.

    Examples
    --------
    textmsa analyze talk.mp4 --out timeline --transcribe
    textmsa analyze talk.mp4 --out timeline --model run --subtitles talk.srt
    """
    check_video(video)
    heard_by = chosen_model(transcribe, speech_model)
    if subtitles is not None and heard_by is not None:
        raise UserError("--transcribe: the words are given already by --subtitles; leave one of them out")
    if heard_by is None:
        subtitles = subtitles or subtitles_beside(video)
        if subtitles is None:
            raise UserError(f"{video}: nobody says what is said in it; give --subtitles FILE, or --transcribe")
    given = words_of_subtitles(subtitles) if subtitles is not None else None
    predictor = load(model, precision=precision)
    check_parts(predictor.preparation)
    claim = Claim(out, "textmsa analyze", _options(video, subtitles, heard_by, predictor))
    with claim.held():
        words = given if given is not None else _heard(video, str(heard_by), out)
        analysis = Analysis(video, words, predictor, out)
        try:
            analysis.run()
        except UnreadableClip as error:
            raise _unreadable(video, error) from error
        timeline = analysis.timeline(_about(predictor))
        write(timeline, out)
    return AnalyzeResult(out, timeline)


def write(timeline: Timeline, folder: Path) -> None:
    """Write all files of a timeline, each at once or not at all, timeline.json last."""
    write_text(folder / "timeline.html", as_page(timeline, folder))
    write_text(folder / "timeline.csv", as_csv(timeline))
    write_text(folder / "timeline.srt", as_subtitles(timeline))
    write_text(folder / "timeline.eaf", as_eaf(timeline))
    drawn = io.BytesIO()
    picture_of(timeline).savefig(drawn, format="png", dpi=110)
    with replacing(folder / "timeline.png") as stream:
        stream.write(drawn.getvalue())
    timeline.save(folder)


def _heard(video: Path, model: str, folder: Path) -> Words:
    from textmsa.speech.recognise import SpeechRecogniser

    return words_of_speech(video, SpeechRecogniser(model, threads=THREADS), model, folder)


def check_video(video: Path) -> None:
    """Raises UserError for what is no video or sound file."""
    if video.is_dir():
        raise UserError(f"{video}: is a folder; give one video or audio file")
    if not video.is_file():
        raise UserError(f"{video}: no such file; give a video or audio file")
    try:
        with opened(video):
            pass
    except UnreadableClip as error:
        raise _unreadable(video, error) from error


def _unreadable(video: Path, error: UnreadableClip) -> UserError:
    return UserError(f"{video}: cannot be read ({error}); give a video or audio file")


def check_parts(preparation: Preparation) -> None:
    """Raises UserError where the run's parts look at a clip's file, which here holds more than an utterance."""
    explainer = preparation.explainer.explainer
    class_ = seams.load(seams.EXPLAINERS, explainer, what="explainer")
    if can_score(class_) or hasattr(class_, "check_clips"):
        raise UserError(
            f"explainer {explainer!r}: looks at whole files, not at parts of one; give a run whose clips were "
            "explained by 'measured', or cut the video into clips"
        )
    for table, spec, what in (
        (seams.AUDIO_EXTRACTORS, preparation.audio, "audio extractor"),
        (seams.VIDEO_EXTRACTORS, preparation.video, "video extractor"),
    ):
        if hasattr(seams.load(table, spec.extractor, what=what), "sources"):
            raise UserError(
                f"{what} {spec.extractor!r}: reads files beside clips, which parts of a video have not; give a run "
                "with another, or cut the video into clips"
            )


def _options(video: Path, subtitles: Path | None, heard_by: str | None, predictor: AnyPredictor) -> dict[str, Any]:
    """All that decides what comes out."""
    state = video.stat()
    words = {"subtitles": file_sha256(subtitles)} if subtitles else {"speech": asdict(recogniser_spec(str(heard_by)))}
    scored_by = {name: value for name, value in predictor.about().items() if name != "path"}
    return {
        "version": VERSION,
        "video": {"name": video.name, "size": state.st_size, "modified_ns": state.st_mtime_ns},
        "words": words,
        "model": hashlib.sha256(json.dumps(scored_by, sort_keys=True).encode()).hexdigest(),
    }


def _about(predictor: AnyPredictor) -> dict[str, Any]:
    """What timeline.json says of the model."""
    about, preparation = predictor.about(), predictor.preparation
    seeds = about["seeds"] or ([about["seed"]] if "seed" in about else [])
    return {
        "path": about["path"],
        "corpus": about["corpus"],
        "score_range": list(about["score_range"]),
        "created": about["created"],
        "seeds": seeds,
        "precision": about.get("precision", "fp32"),
        "audio": preparation.audio.extractor,
        "video": preparation.video.extractor,
        "explainer": preparation.explainer.explainer,
    }


def _shown(record: dict[str, Any]) -> str:
    minutes, seconds = divmod(record["start"], 60)
    return f"{record['score']:+.2f} at {int(minutes)}:{int(seconds):02d}"
