"""A raw clip in, score, explanations, contributions and an interval out: by a run, or by the model of the package."""

import logging
import re
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from textmsa.clip_predictor import ClipPredictor
from textmsa.errors import UserError, first_line
from textmsa.everyday import NO_TIMES, EverydayPredictor
from textmsa.model.everyday import EVERYDAY
from textmsa.prediction_text import as_json, as_text
from textmsa.speech.transcripts import Recogniser, chosen_model
from textmsa.types import Precision, Prediction, Shown

if TYPE_CHECKING:
    from textmsa.run_predictor import Predictor as Predictor
    from textmsa.run_predictor import predict_clip as predict_clip

HUB_ID = r"[\w.-]+/[\w.-]+"
logger = logging.getLogger(__name__)


AnyPredictor = ClipPredictor
"""What `load` gives."""


def __getattr__(name: str) -> Any:
    """`Predictor` and `predict_clip`, which need torch and transformers: loaded when they are first used."""
    if name in ("Predictor", "predict_clip"):
        return getattr(import_module("textmsa.run_predictor"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load(run: Path | str, *, precision: Precision = "fp32", recogniser: Recogniser | None = None) -> AnyPredictor:
    """The predictor of a run folder, of a run on the hub, or of the model that comes with the package.

    Parameters
    ----------
    run
        A run folder; "everyday"; or a hub id, "owner/name", of a repository that is a run folder. A path is always a
        folder, so that one called everyday is given as `Path("everyday")`.
    precision
        "fp32", or "int8" of a run.
    recogniser
        As for `Predictor`.

    Raises UserError where it is no finished run, or the installed extractors or explainer are not the run's.
    """
    if run == EVERYDAY:
        if precision != "fp32":
            raise UserError(
                f"precision {precision!r}: the model {EVERYDAY!r} has fp32 only; leave it out, or give a run"
            )
        return EverydayPredictor(recogniser=recogniser)
    if isinstance(run, str) and re.fullmatch(HUB_ID, run) and not Path(run).exists():
        run = run_of_hub(run)
    from textmsa.run_predictor import Predictor

    return Predictor(run, precision=precision, recogniser=recogniser)


@dataclass(frozen=True)
class PredictResult:
    """What the command gives back."""

    prediction: Prediction
    json: bool = False
    """Whether `text` is JSON."""

    def text(self) -> str:
        """The prediction, for people or programs."""
        if self.json:
            return as_json(self.prediction)
        notes = (f"{note} (--transcribe)" if note == NO_TIMES else note for note in self.prediction.notes)
        return as_text(replace(self.prediction, notes=tuple(notes)))


def predict(
    run: Path | None = None,
    clip: Path | None = None,
    *,
    model: str = "",
    text: str | None = None,
    transcribe: bool = False,
    speech_model: str | None = None,
    json: bool = False,
    precision: Precision = "fp32",
    contributions: Shown = "modalities",
) -> PredictResult:
    """Score one clip, or words alone, and explain it.

    Parameters
    ----------
    run
        A finished run folder; without it --model scores.
    clip
        A video or audio file; without it the words of --text are scored alone.
    model
        In the run's place: "everyday" (comes with textmsa; taken where neither is given), a run folder, or a hub id.
    text
        What is said in it; without it, and without --transcribe, a file beside the clip tells (.srt, .vtt or .txt of
        its name), or the text counts as missing.
    transcribe
        Recognise what is said.
    speech_model
        Of --transcribe: tiny.en (English), base (99 languages), or a folder or id of faster-whisper; tiny.en without
        it.
    json
        Print JSON.
    precision
        "fp32", or "int8": the text encoder in 8-bit integers, with the drift of the score printed.
    contributions
        What counted: "modalities" alone, or also each of the "words", each moment of "time", or "all".

    Examples
    --------
    textmsa predict clip.mp4 --transcribe
    textmsa predict --text "I loved it." --contributions words
    textmsa predict run clip.mp4 --text "I loved it."
    textmsa predict clip.mp4 --model run --json
    """
    if run is not None and clip is None and (model or not run.is_dir()):
        run, clip = None, run  # the one that was given is the clip
    if run is not None and model:
        raise UserError(f"--model {model}: and the run {run}: give one of them")
    speech = chosen_model(transcribe, speech_model, text)
    recogniser = None if speech is None else _recogniser(speech)
    predictor = load(run if run is not None else model or EVERYDAY, precision=precision, recogniser=recogniser)
    prediction, sample = predictor.scored(clip, text=text)
    prediction = predictor.with_changes(prediction, sample, contributions)
    if precision == "int8" and not isinstance(predictor, EverydayPredictor):
        from textmsa.run_predictor import Predictor

        assert isinstance(predictor, Predictor)
        scores = predictor.run.score([sample], [0], precision=precision)
        logger.info(predictor.run.drift([sample], [0], scores))
    return PredictResult(prediction, json)


def _recogniser(model: str) -> Recogniser:
    from textmsa.speech.recognise import SpeechRecogniser

    return SpeechRecogniser(model)


def run_of_hub(name: str) -> Path:
    """The run folder of a hub's repository, fetched into the hub's cache; UserError where it cannot be had."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return Path(snapshot_download(name))
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise UserError(
            f"{name}: neither a run folder nor a hub id that can be reached ({first_line(error)}); give "
            f"{EVERYDAY!r}, a run folder, or a hub id"
        ) from error
