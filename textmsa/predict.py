"""A run with its built parts: raw clip in, score, interval, contributions and explanations out.

A clip is observed and explained by the function that `textmsa prepare` uses, and scored by that of `textmsa evaluate`.
"""

import json as jsons
import logging
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np

from textmsa.contributions import contributions as contributions_of
from textmsa.errors import ExtractorError, UnreadableClip, UserError
from textmsa.intervals import calibration_of
from textmsa.occlusion import TimedWord, changes_by_words, changes_over_time
from textmsa.prepare.one_clip import ObservedClip, observe_and_explain, with_translation
from textmsa.prepare.parts import BuiltParts, build_parts
from textmsa.run import Precision, Run
from textmsa.scoring import Scores, mean_of
from textmsa.speech.transcripts import Recogniser, chosen_model, language_notice, origin_in_words, transcript_of
from textmsa.types import MODALITIES, RESIDUAL_SEPARATOR, Clip, Prediction, Sample, Transcript

NEUTRAL_SHARE = 0.05  # of the range: scores this near to 0 are called neutral
Shown = Literal["modalities", "words", "time", "all"]
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

    def predict(self, clip: Path | str, *, text: str | None = None, contributions: Shown = "modalities") -> Prediction:
        """Score one clip and explain it.

        Parameters
        ----------
        clip
            A video or audio file.
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
            spoken = prediction.spoken.words if prediction.spoken is not None else ()
            timed = [TimedWord(word.text, word.start, word.end) for word in spoken]
            over_time = changes_over_time(self.run, sample, words=timed, precision=self.precision)
            prediction = replace(prediction, over_time=over_time)
        return prediction

    def scored(self, clip: Path | str, *, text: str | None = None) -> tuple[Prediction, Sample, Scores]:
        """As `predict`, with the sample that was scored and its scores."""
        clip = _checked(clip, text)
        started = time.monotonic()
        spoken = transcript_of(clip, given=text, recogniser=self.recogniser)
        heard = time.monotonic()
        observed = self._observed(clip, spoken)
        observation, explanation = observed.observation, observed.explanation
        prepared = time.monotonic()
        said = Clip(id=clip.name, path=clip, transcript=observation.transcript)
        sample = Sample(with_translation(said, explanation), observation, explanation)
        members = self.run.score_members([sample], [0], precision=self.precision)
        scores, score_range = mean_of(members), self.run.info.score_range
        counted = contributions_of(self.run, [sample], [0], precision=self.precision, within=score_range)
        calibration, no_interval = calibration_of(self.run)
        seconds = {"prepare": prepared - heard, "score": time.monotonic() - prepared}
        if spoken.source == "speech recognition":
            seconds = {"transcribe": heard - started, **seconds}
        text_read, missing = self.run.reads(sample)
        score = float(np.clip(scores.score_N[0], *score_range))
        prediction = Prediction(
            path=str(clip),
            score=score,
            score_range=score_range,
            polarity=polarity(score, score_range),
            transcript=observation.transcript,
            explanation=explanation,
            gates=dict(zip(MODALITIES, scores.gates_NM[0].tolist(), strict=True)),
            experts=scores.experts_NLE[0].tolist(),
            missing=missing,
            damage=observation.damage,
            seconds={"load": self._loading(), **seconds},
            text_read=text_read,
            unimodal=unimodal_of(scores, score_range),
            spoken=spoken,
            notice=self._notice(spoken),
            contributions=dict(zip(MODALITIES, counted.contribution_NM[0].tolist(), strict=True)),
            base=counted.base.score,
            base_of=counted.base.source,
            interval=calibration.interval(members) if calibration else None,
            no_interval=no_interval,
        )
        return prediction, sample, scores

    def observe(self, clip: Path | str, *, text: str | None = None) -> tuple[ObservedClip, Transcript]:
        """What is seen and heard in one clip, its explanation and its words, without a score; raises as `predict`."""
        clip = _checked(clip, text)
        spoken = transcript_of(clip, given=text, recogniser=self.recogniser)
        return self._observed(clip, spoken), spoken

    def _observed(self, clip: Path, spoken: Transcript) -> ObservedClip:
        try:
            return observe_and_explain(clip, spoken.text, self.parts, why_no_text=spoken.reason)
        except UnreadableClip as error:
            raise UserError(f"{clip}: cannot be read ({error}); give a video or audio file") from error
        except ExtractorError as error:
            raise UserError(f"{clip}: {error}") from error

    def _notice(self, spoken: Transcript) -> str | None:
        """What is wrong with the words for the network, where something is."""
        config = self.run.members[0].model.config
        vocabulary = int(config.text_encoder_config.get("vocab_size", 0))
        return language_notice(spoken.language, vocabulary, translated=config.text_input == "translated")

    def _loading(self) -> float:
        """Seconds that building took; they count to the first prediction."""
        seconds, self._seconds_loading = self._seconds_loading, 0.0
        return seconds


def _checked(clip: Path | str, text: str | None) -> Path:
    """The clip's path; raises UserError for what is no file or no text."""
    clip = Path(clip)
    if text is not None and not isinstance(text, str):
        raise UserError(f"text {text!r}: give what is said as text")
    if clip.is_dir():
        raise UserError(f"{clip}: is a folder; give one video or audio file")
    if not clip.is_file():
        raise UserError(f"{clip}: no such file; give a video or audio file")
    return clip


def load(run: Path | str, *, precision: Precision = "fp32") -> Predictor:
    """The predictor of a run folder.

    Raises UserError where it is no finished run, or the installed extractors or explainer are not the run's.
    """
    return Predictor(run, precision=precision)


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
    run: Path,
    clip: Path,
    *,
    text: str | None = None,
    transcribe: bool = False,
    speech_model: str | None = None,
    json: bool = False,
    precision: Precision = "fp32",
    contributions: Shown = "modalities",
) -> PredictResult:
    """Score one clip and explain it.

    Parameters
    ----------
    run
        A finished run folder.
    clip
        A video or audio file.
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
    textmsa predict run clip.mp4 --text "I loved it."
    textmsa predict run clip.mp4 --transcribe
    textmsa predict run clip.mp4 --text "I loved it." --contributions words
    textmsa predict run clip.mp4 --json
    """
    model = chosen_model(transcribe, speech_model, text)
    predictor = Predictor(run, precision=precision, recogniser=None if model is None else _recogniser(model))
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


def unimodal_of(scores: Scores, score_range: tuple[float, float]) -> dict[str, float]:
    """Modality -> the score of it alone, of the first clip, for those that are there."""
    if scores.unimodal_NM is None:
        return {}
    alone = zip(MODALITIES, np.clip(scores.unimodal_NM[0], *score_range).tolist(), strict=True)
    return {modality: score for modality, score in alone if np.isfinite(score)}


def polarity(score: float, score_range: tuple[float, float]) -> str:
    """ "negative", "neutral" (within 5 % of the range's half around 0) or "positive"."""
    if abs(score) <= NEUTRAL_SHARE * score_range[1]:
        return "neutral"
    return "positive" if score > 0 else "negative"


def as_json(prediction: Prediction) -> str:
    """One JSON object."""
    return jsons.dumps(asdict(prediction), indent=2, ensure_ascii=False)


def as_text(prediction: Prediction) -> str:
    """For people."""
    low, high = prediction.score_range
    explanation = prediction.explanation
    lines = [f"{prediction.path}: {prediction.score:+.2f} in [{low:g}, {high:g}], {prediction.polarity}"]
    lines.append(f"  {_interval(prediction)}")
    if prediction.base is not None:
        lines.append(f"  what counted      from {prediction.base:+.2f}, {prediction.base_of}, by")
    lines += [f"  {name:<6} {_counted(prediction, name)}  {_state(prediction, name)}" for name in MODALITIES]
    lines += [f'  without "{part.words}"  {part.change:+.2f}' for part in prediction.words]
    lines += [
        f"  without {part.start:.1f} to {part.end:.1f} s  "
        + (", ".join(f"{name} {change:+.2f}" for name, change in part.change.items()) or "nothing there")
        for part in prediction.over_time
    ]
    if prediction.spoken is not None and prediction.spoken.source not in ("given", "none"):
        lines.append(f"  words from        {origin_in_words(prediction.spoken)}")
    if prediction.notice:
        lines.append(f"  language          {prediction.notice}")
    if prediction.damage:
        lines.append(f"  damaged           {prediction.damage}; scored from the rest")
    if explanation.summary:
        lines.append(f"  summary           {explanation.summary}")
    if failed := explanation.provenance.get("failed"):
        lines.append(f"  explainer failed  {failed}")
    lines.append(f"  inner figures     {_inner(prediction)}")
    lines.append("  seconds           " + ", ".join(f"{stage} {s:.2f}" for stage, s in prediction.seconds.items()))
    return "\n".join(lines)


def _interval(prediction: Prediction) -> str:
    """The interval, or why there is none."""
    found = prediction.interval
    if found is None:
        return f"interval          {prediction.no_interval or 'none'}"
    ends = f"{found.low:+.2f} to {found.high:+.2f}"
    return f"{f'{found.level:.0%} interval':<17} {ends} (calibrated on {found.source})"


def _counted(prediction: Prediction, modality: str) -> str:
    """What a modality adds, and its score alone where the network says one."""
    added = f"{prediction.contributions.get(modality, 0.0):+.2f}"
    if not prediction.unimodal:
        return added
    alone = prediction.unimodal.get(modality)
    return added + ("             " if alone is None else f"  alone {alone:+.2f}")


def _inner(prediction: Prediction) -> str:
    """The network's gates and experts, which do not tell what counted."""
    parts = ["gates " + ", ".join(f"{name} {gate:.2f}" for name, gate in prediction.gates.items())]
    for number, weights in enumerate(prediction.experts, 1):
        chosen = [f"{i}: {weight:.2f}" for i, weight in enumerate(weights) if weight > 0]
        parts.append(f"layer {number} experts {', '.join(chosen)}")
    return "; ".join(parts)


def _state(prediction: Prediction, modality: str) -> str:
    """What is known of a modality: the words that were read, what is said of it, or why there is nothing."""
    if modality in prediction.missing:
        return f"missing: {prediction.missing[modality]}"
    explanation = prediction.explanation
    words = {"text": _text_read(prediction), "audio": explanation.audio, "video": explanation.video}[modality]
    if words:
        return words
    return "not explained" + (": the explainer failed, see below" if explanation.provenance.get("failed") else "")


def _text_read(prediction: Prediction) -> str | None:
    """The text that the network read; of a residual text the transcript, since its summary has a line of its own."""
    transcript, summary = prediction.transcript, prediction.explanation.summary
    if transcript and summary and prediction.text_read == transcript + RESIDUAL_SEPARATOR + summary:
        return transcript
    return prediction.text_read
