"""A run with its built parts: raw clip in, score, explanations, contributions and an interval out.

A clip is observed and explained by the function that `textmsa prepare` uses, and scored by that of `textmsa evaluate`.
"""

import logging
import re
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from textmsa.contributions import contributions as contributions_of
from textmsa.errors import UserError, first_line
from textmsa.everyday import EverydayPredictor
from textmsa.intervals import calibration_of
from textmsa.model.everyday import EVERYDAY
from textmsa.occlusion import changes_by_words, changes_over_time
from textmsa.prediction_text import as_json, as_text
from textmsa.prepare.one_clip import ObservedClip, observe_and_explain, observe_given, with_translation
from textmsa.prepare.parts import BuiltParts, build_parts
from textmsa.run import Precision, Run
from textmsa.scoring import Scores, mean_of, polarity
from textmsa.speech.transcripts import Recogniser, chosen_model, given_clip, language_notice, transcript_of
from textmsa.store.preparation import Preparation
from textmsa.types import MODALITIES, Clip, Observation, Prediction, Sample, Shown, Transcript

if TYPE_CHECKING:
    from textmsa.media import Media

HUB_ID = r"[\w.-]+/[\w.-]+"
logger = logging.getLogger(__name__)


class Predictor:
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
        started = time.monotonic()
        self.run = run if isinstance(run, Run) else Run.open(run)
        self.precision, self.recogniser = precision, recogniser
        self.parts = parts if parts is not None else build_parts(self.run.preparation)
        self.run.load(precision)
        self._seconds_loading = time.monotonic() - started

    def predict(
        self, clip: Path | str | None, *, text: str | None = None, contributions: Shown = "modalities"
    ) -> Prediction:
        """Score one clip and explain it.

        Parameters
        ----------
        clip
            A video or audio file; None scores the text alone.
        text
            What is said in it; without it the predictor's recogniser listens, or, where it has none, a file of
            subtitles beside the clip is read (.srt, .vtt, .txt); without that too the text counts as missing.
        contributions
            What counted: "modalities" alone, or also each of the "words", each moment of "time", or "all".

        Raises UserError, one line, for a file that cannot be used.
        """
        prediction, sample, _ = self.scored(clip, text=text)
        return self.with_changes(prediction, sample, contributions)

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

    def scored(self, clip: Path | str | None, *, text: str | None = None) -> tuple[Prediction, Sample, Scores]:
        """As `predict`, with the sample that was scored and its scores."""
        started = time.monotonic()
        path = given_clip(clip, text)
        spoken = transcript_of(path, given=text, recogniser=self.recogniser)
        heard = time.monotonic()
        observed = observe_given(path, spoken, lambda: self.parts)
        prediction, sample, scores = self._scored("" if path is None else str(path), observed, spoken, since=heard)
        if spoken.source == "speech recognition":
            seconds = {"load": prediction.seconds["load"], "transcribe": heard - started, **prediction.seconds}
            prediction = replace(prediction, seconds=seconds)
        return prediction, sample, scores

    def observe(self, clip: Path | str, *, text: str | None = None) -> tuple[ObservedClip, Transcript]:
        """What is seen and heard in one clip, its explanation and its words, without a score; raises as `predict`."""
        path = given_clip(clip, text)
        spoken = transcript_of(path, given=text, recogniser=self.recogniser)
        return observe_given(path, spoken, lambda: self.parts), spoken

    def listening(self, recogniser: Recogniser) -> "Predictor":
        """The same, nothing loaded again, that writes down what is said."""
        return Predictor(self.run, precision=self.precision, parts=self.parts, recogniser=recogniser)

    def scored_media(
        self, media: "Media", spoken: Transcript, *, contributions: Shown = "modalities"
    ) -> tuple[Prediction, Observation]:
        """The prediction, with what was observed, of a clip that is decoded already: a stretch of a longer file.

        Raises ClipError where neither text nor audio nor video is in it, or an extractor broke down.
        """
        started = time.monotonic()
        observed = observe_and_explain(media, spoken.text, self.parts, why_no_text=spoken.reason)
        prediction, sample, _ = self._scored(str(media.path), observed, spoken, since=started)
        return self.with_changes(prediction, sample, contributions), sample.observation

    @property
    def preparation(self) -> Preparation:
        """How its clips are prepared."""
        return self.run.preparation

    def about(self) -> dict[str, Any]:
        """What it is, for JSON: the training and the calibration of the run; they decide every score."""
        calibration, _ = calibration_of(self.run)
        return {
            "path": str(self.run.path),
            **asdict(self.run.info),
            "precision": self.precision,
            "calibration": None if calibration is None else asdict(calibration),
        }

    def _scored(
        self, path: str, observed: ObservedClip, spoken: Transcript, *, since: float
    ) -> tuple[Prediction, Sample, Scores]:
        observation, explanation = observed.observation, observed.explanation
        prepared = time.monotonic()
        said = Clip(id=observation.path.name, path=observation.path, transcript=observation.transcript)
        sample = Sample(with_translation(said, explanation), observation, explanation)
        prediction, scores = prediction_of(self.run, sample, precision=self.precision)
        seconds = {"prepare": prepared - since, "score": time.monotonic() - prepared}
        prediction = replace(
            prediction,
            path=path,
            seconds={"load": self._loading(), **seconds},
            spoken=spoken,
            notes=self._notes(spoken),
        )
        return prediction, sample, scores

    def _notes(self, spoken: Transcript) -> tuple[str, ...]:
        """What is wrong with the words for the network, where something is."""
        config = self.run.members[0].model.config
        vocabulary = int(config.text_encoder_config.get("vocab_size", 0))
        notice = language_notice(spoken.language, vocabulary, translated=config.text_input == "translated")
        return () if notice is None else (notice,)

    def _loading(self) -> float:
        """Seconds that building took; they count to the first prediction."""
        seconds, self._seconds_loading = self._seconds_loading, 0.0
        return seconds


def prediction_of(run: Run, sample: Sample, *, precision: Precision = "fp32") -> tuple[Prediction, Scores]:
    """The prediction, with its scores, of a clip as prepared; where its words come from is not known of it."""
    observation = sample.observation
    members = run.score_members([sample], [0], precision=precision)
    scores, score_range = mean_of(members), run.info.score_range
    counted = contributions_of(run, [sample], [0], precision=precision, within=score_range)
    calibration, no_interval = calibration_of(run)
    text_read, missing = run.reads(sample)
    score = float(np.clip(scores.score_N[0], *score_range))
    prediction = Prediction(
        path=str(observation.path),
        score=score,
        score_range=score_range,
        polarity=polarity(score, score_range),
        transcript=observation.transcript,
        explanation=sample.explanation,
        gates=dict(zip(MODALITIES, scores.gates_NM[0].tolist(), strict=True)),
        experts=scores.experts_NLE[0].tolist(),
        missing=missing,
        damage=observation.damage,
        seconds={},
        text_read=text_read,
        unimodal=unimodal_of(scores, score_range),
        contributions=dict(zip(MODALITIES, counted.contribution_NM[0].tolist(), strict=True)),
        base=counted.base.score,
        base_of=counted.base.source,
        interval=calibration.interval(members) if calibration else None,
        no_interval=no_interval,
    )
    return prediction, scores


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
    if isinstance(predictor, EverydayPredictor):
        return PredictResult(predictor.predict(clip, text=text, contributions=contributions), json)
    prediction, sample, scores = predictor.scored(clip, text=text)
    prediction = predictor.with_changes(prediction, sample, contributions)
    if precision == "int8":
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


def unimodal_of(scores: Scores, score_range: tuple[float, float]) -> dict[str, float]:
    """Modality -> the score of it alone, of the first clip, for those that are there."""
    if scores.unimodal_NM is None:
        return {}
    alone = zip(MODALITIES, np.clip(scores.unimodal_NM[0], *score_range).tolist(), strict=True)
    return {modality: score for modality, score in alone if np.isfinite(score)}
