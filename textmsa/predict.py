"""A run with its built parts: raw clip in, score, explanations, gates and experts out.

A clip is observed and explained by the function that `textmsa prepare` uses, and scored by that of `textmsa evaluate`.
"""

import json as jsons
import logging
import re
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from textmsa.errors import UserError, first_line
from textmsa.everyday import EverydayPredictor
from textmsa.model.everyday import EVERYDAY
from textmsa.prepare.one_clip import observe_given, with_translation
from textmsa.prepare.parts import BuiltParts, build_parts
from textmsa.run import Precision, Run
from textmsa.scoring import Scores
from textmsa.scoring import polarity as polarity
from textmsa.types import MODALITIES, RESIDUAL_SEPARATOR, Clip, Prediction, Sample

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

    Raises UserError where the installed parts are not those that the run was trained with.
    """

    def __init__(
        self, run: Run | Path | str, *, precision: Precision = "fp32", parts: BuiltParts | None = None
    ) -> None:
        started = time.monotonic()
        self.run = run if isinstance(run, Run) else Run.open(run)
        self.precision = precision
        self.parts = parts if parts is not None else build_parts(self.run.preparation)
        self.run.load(precision)
        self._seconds_loading = time.monotonic() - started

    def predict(self, clip: Path | str | None, *, text: str | None = None) -> Prediction:
        """Score one clip and explain it.

        Parameters
        ----------
        clip
            A video or audio file; None scores the text alone.
        text
            What is said in it; without it the text counts as missing.

        Raises UserError, one line, for a file that cannot be used.
        """
        return self.scored(clip, text=text)[0]

    def scored(self, clip: Path | str | None, *, text: str | None = None) -> tuple[Prediction, Sample, Scores]:
        """As `predict`, with the sample that was scored and its scores."""
        started = time.monotonic()
        observed = observe_given(clip, text, lambda: self.parts)
        observation, explanation = observed.observation, observed.explanation
        prepared = time.monotonic()
        spoken = Clip(id=observation.path.name, path=observation.path, transcript=observation.transcript)
        sample = Sample(with_translation(spoken, explanation), observation, explanation)
        scores = self.run.score([sample], [0], precision=self.precision)
        seconds = {"prepare": prepared - started, "score": time.monotonic() - prepared}
        text_read, missing = self.run.reads(sample)
        score = float(np.clip(scores.score_N[0], *self.run.info.score_range))
        prediction = Prediction(
            path="" if clip is None else str(clip),
            score=score,
            score_range=self.run.info.score_range,
            polarity=polarity(score, self.run.info.score_range),
            transcript=observation.transcript,
            explanation=explanation,
            gates=dict(zip(MODALITIES, scores.gates_NM[0].tolist(), strict=True)),
            experts=scores.experts_NLE[0].tolist(),
            missing=missing,
            damage=observation.damage,
            seconds={"load": self._loading(), **seconds},
            text_read=text_read,
            unimodal=unimodal_of(scores, self.run.info.score_range),
        )
        return prediction, sample, scores

    def _loading(self) -> float:
        """Seconds that building took; they count to the first prediction."""
        seconds, self._seconds_loading = self._seconds_loading, 0.0
        return seconds


def load(run: Path | str, *, precision: Precision = "fp32") -> Predictor | EverydayPredictor:
    """The predictor of a run folder, of a run on the hub, or of the model that comes with the package.

    Parameters
    ----------
    run
        A run folder; "everyday"; or a hub id, "owner/name", of a repository that is a run folder. A path is always a
        folder, so that one called everyday is given as `Path("everyday")`.
    precision
        "fp32", or "int8" of a run.

    Raises UserError where it is no finished run, or the installed extractors or explainer are not the run's.
    """
    if run == EVERYDAY:
        if precision != "fp32":
            raise UserError(
                f"precision {precision!r}: the model {EVERYDAY!r} has fp32 only; leave it out, or give a run"
            )
        return EverydayPredictor()
    if isinstance(run, str) and re.fullmatch(HUB_ID, run) and not Path(run).exists():
        run = run_of_hub(run)
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
    run: Path | None = None,
    clip: Path | None = None,
    *,
    model: str = "",
    text: str | None = None,
    json: bool = False,
    precision: Precision = "fp32",
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
        What is said in it; without it the text counts as missing.
    json
        Print JSON.
    precision
        "fp32", or "int8": the text encoder in 8-bit integers, with the drift of the score printed.

    Examples
    --------
    textmsa predict clip.mp4 --text "I loved it."
    textmsa predict --text "I loved it."
    textmsa predict run clip.mp4 --text "I loved it."
    textmsa predict clip.mp4 --model run --json
    """
    if run is not None and clip is None and (model or not run.is_dir()):
        run, clip = None, run  # the one that was given is the clip
    if run is not None and model:
        raise UserError(f"--model {model}: and the run {run}: give one of them")
    predictor = load(run if run is not None else model or EVERYDAY, precision=precision)
    if isinstance(predictor, EverydayPredictor):
        return PredictResult(predictor.predict(clip, text=text), json)
    prediction, sample, scores = predictor.scored(clip, text=text)
    if precision == "int8":
        logger.info(predictor.run.drift([sample], [0], scores))
    return PredictResult(prediction, json)


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


def as_json(prediction: Prediction) -> str:
    """One JSON object."""
    return jsons.dumps(asdict(prediction), indent=2, ensure_ascii=False)


def as_text(prediction: Prediction) -> str:
    """For people."""
    low, high = prediction.score_range
    explanation = prediction.explanation
    lines = [
        f"{prediction.path or 'words alone'}: {prediction.score:+.2f} in [{low:g}, {high:g}], {prediction.polarity}"
    ]
    lines += [f"  {name:<6} {_inner(prediction, name)}  {_state(prediction, name)}" for name in MODALITIES]
    lines += [f"  note              {note}" for note in prediction.notes]
    if prediction.damage:
        lines.append(f"  damaged           {prediction.damage}; scored from the rest")
    if explanation.summary:
        lines.append(f"  summary           {explanation.summary}")
    if failed := explanation.provenance.get("failed"):
        lines.append(f"  explainer failed  {failed}")
    for number, weights in enumerate(prediction.experts, 1):
        chosen = [f"{i}: {weight:.2f}" for i, weight in enumerate(weights) if weight > 0]
        lines.append(f"  layer {number} experts   {', '.join(chosen)}")
    lines.append("  seconds           " + ", ".join(f"{stage} {s:.2f}" for stage, s in prediction.seconds.items()))
    return "\n".join(lines)


def _inner(prediction: Prediction, modality: str) -> str:
    """A modality's gate, and its score alone where the network says one."""
    if not prediction.gates:
        return "scored        " if modality in prediction.scored_by else "explained only"
    gate = f"gate {prediction.gates[modality]:.2f}"
    if not prediction.unimodal:
        return gate
    alone = prediction.unimodal.get(modality)
    return gate + ("             " if alone is None else f"  alone {alone:+.2f}")


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
