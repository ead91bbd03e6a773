"""A run with its built parts: raw clip in, score, explanations, contributions and an interval out.

A clip is observed and explained by the function that `textmsa prepare` uses, and scored by that of `textmsa evaluate`.
"""

import logging
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from textmsa.clip_predictor import ClipPredictor, SeenClip
from textmsa.contributions import contributions as contributions_of
from textmsa.errors import UserError, first_line
from textmsa.everyday import EverydayPredictor
from textmsa.intervals import calibration_of
from textmsa.model.everyday import EVERYDAY
from textmsa.occlusion import changes_by_words, changes_over_time
from textmsa.prediction_text import as_json, as_text
from textmsa.prepare.parts import BuiltParts
from textmsa.run import Precision, Run
from textmsa.scoring import Scores, mean_of
from textmsa.speech.transcripts import Recogniser, chosen_model, language_notice
from textmsa.store.preparation import Preparation
from textmsa.types import MODALITIES, Prediction, Sample, Shown, Transcript

HUB_ID = r"[\w.-]+/[\w.-]+"
logger = logging.getLogger(__name__)


class Predictor(ClipPredictor):
    """A finished run, ready for any number of clips: extractors, explainer and networks are built once.

    Parameters
    ----------
    run
        The run, or its folder.
    precision
        "fp32", or "int8": the text encoder in 8-bit integers.
    parts
        Extractors and explainer, where they are built already; they must be those of the run's preparation.
    recogniser
        Writes down what is said in clips that no text is given for, `textmsa.speech.recognise.SpeechRecogniser`;
        without one, subtitles beside them are read.

    Raises UserError where the installed parts are not those that the run was trained with.
    """

    def __init__(
        self,
        run: Run | Path | str,
        *,
        precision: Precision = "fp32",
        parts: BuiltParts | None = None,
        recogniser: Recogniser | None = None,
    ) -> None:
        super().__init__(parts=parts, recogniser=recogniser)
        started = time.monotonic()
        self.run = run if isinstance(run, Run) else Run.open(run)
        self.precision = precision
        self.parts  # noqa: B018 built at once: a run without its parts is refused before the first clip
        self.run.load(precision)
        self._seconds_loading = time.monotonic() - started

    @property
    def preparation(self) -> Preparation:
        """How its clips are prepared."""
        return self.run.preparation

    @property
    def score_range(self) -> tuple[float, float]:
        """Lowest and highest score."""
        return self.run.info.score_range

    def about(self) -> dict[str, Any]:
        """What it is, for JSON: the training and the calibration of the run; they decide every score."""
        calibration, _ = calibration_of(self.run)
        return {
            "path": str(self.run.path),
            **asdict(self.run.info),
            "precision": self.precision,
            "calibration": None if calibration is None else asdict(calibration),
        }

    def with_changes(self, prediction: Prediction, sample: Sample, contributions: Shown) -> Prediction:
        """The prediction with what words, or moments, of its sample did."""
        if contributions in ("words", "all"):
            words = changes_by_words(self.run, sample, precision=self.precision)
            prediction = replace(prediction, words=words)
        if contributions in ("time", "all"):
            words_in_time = prediction.spoken.words if prediction.spoken else ()
            over_time = changes_over_time(self.run, sample, words=words_in_time, precision=self.precision)
            prediction = replace(prediction, over_time=over_time)
        return prediction

    def _scored(self, clips: Sequence[SeenClip]) -> list[Prediction]:
        started = time.monotonic()
        samples, rows = [clip.sample for clip in clips], range(len(clips))
        members = self.run.score_members(samples, rows, precision=self.precision)
        counted = contributions_of(self.run, samples, rows, precision=self.precision, within=self.score_range)
        calibration, no_interval = calibration_of(self.run)
        scores, seconds = mean_of(members), (time.monotonic() - started) / len(clips)
        found = []
        for row, (clip, sample) in enumerate(zip(clips, samples, strict=True)):
            text_read, missing = self.run.reads(sample)
            score = float(np.clip(scores.score_N[row], *self.score_range))
            prediction = replace(
                self._plain(clip, score, seconds),
                gates=dict(zip(MODALITIES, scores.gates_NM[row].tolist(), strict=True)),
                experts=scores.experts_NLE[row].tolist(),
                missing=missing,
                text_read=text_read,
                unimodal=unimodal_of(scores, self.score_range, row),
                notes=self._notes(clip.spoken),
                contributions=dict(zip(MODALITIES, counted.contribution_NM[row].tolist(), strict=True)),
                base=counted.base.score,
                base_of=counted.base.source,
                interval=calibration.interval(members, row) if calibration else None,
                no_interval=no_interval,
            )
            found.append(prediction)
        return found

    def _check_words(self, path: Path | None, spoken: Transcript) -> None:
        """A run scores without words too."""

    def _notes(self, spoken: Transcript) -> tuple[str, ...]:
        """What is wrong with the words for the network, where something is."""
        config = self.run.members[0].model.config
        vocabulary = int(config.text_encoder_config.get("vocab_size", 0))
        notice = language_notice(spoken.language, vocabulary, translated=config.text_input == "translated")
        return () if notice is None else (notice,)


AnyPredictor = Predictor | EverydayPredictor


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
    return Predictor(run, precision=precision, recogniser=recogniser)


@dataclass(frozen=True)
class PredictResult:
    """What the command gives back."""

    prediction: Prediction
    json: bool = False
    """Whether `text` is JSON."""

    def text(self) -> str:
        """The prediction, for people or programs."""
        return as_json(self.prediction) if self.json else as_text(self.prediction)


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
    if isinstance(predictor, Predictor) and precision == "int8":
        scores = predictor.run.score([sample], [0], precision=precision)
        logger.info(predictor.run.drift([sample], [0], scores))
    return PredictResult(prediction, json)


def _recogniser(model: str) -> Recogniser:
    from textmsa.speech.recognise import SpeechRecogniser

    return SpeechRecogniser(model)


def predict_clip(run: Run, clip: Path, transcript: str | None, precision: Precision = "fp32") -> Prediction:
    """The prediction for one clip, with everything built for it alone; for more than one, keep a `Predictor`."""
    return Predictor(run, precision=precision).predict(clip, text=transcript)


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


def unimodal_of(scores: Scores, score_range: tuple[float, float], row: int = 0) -> dict[str, float]:
    """Modality -> the score of it alone, of the clip in that row, for those that are there."""
    if scores.unimodal_NM is None:
        return {}
    alone = zip(MODALITIES, np.clip(scores.unimodal_NM[row], *score_range).tolist(), strict=True)
    return {modality: score for modality, score in alone if np.isfinite(score)}
