"""A raw clip -> score, explanations, gates and experts, by the same functions as `textmsa prepare`."""

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from textmsa.errors import ExtractorError, UnreadableClip, UserError
from textmsa.prepare.one_clip import prepare_clip, with_translation
from textmsa.prepare.parts import build_parts
from textmsa.run import Precision, Run
from textmsa.types import MODALITIES, Clip, Prediction, Sample

NEUTRAL_SHARE = 0.05  # of the range: scores this near to 0 are called neutral


@dataclass(frozen=True)
class PredictResult:
    """What the command gives back."""

    prediction: Prediction


def predict(
    run: Path, clip: Path, *, text: str | None = None, json: bool = False, precision: Precision = "fp32"
) -> PredictResult:
    """Score one clip and explain it.

    Parameters
    ----------
    run
        A finished run folder.
    clip
        A video or audio file.
    text
        What is said in it; without it the text counts as missing.
    json
        Print JSON.
    precision
        "fp32", or "int8": the text encoder in 8-bit integers, with the drift of the score printed.

    Examples
    --------
    textmsa predict run clip.mp4 --text "I loved it."
    textmsa predict run clip.mp4 --json
    """
    prediction = predict_clip(Run.open(run), clip, text, precision)
    print(as_json(prediction) if json else as_text(prediction))
    return PredictResult(prediction)


def predict_clip(run: Run, clip: Path, transcript: str | None, precision: Precision = "fp32") -> Prediction:
    """The prediction for one clip; raises UserError for a file that cannot be used."""
    if not clip.is_file():
        raise UserError(f"{clip}: no such file; give a video or audio file")
    started = time.monotonic()
    built = build_parts(run.preparation)
    run.load(precision)
    loaded = time.monotonic()
    try:
        observation, explanation = prepare_clip(clip, transcript or None, built)
    except UnreadableClip as error:
        raise UserError(f"{clip}: cannot be read ({error}); give a video or audio file") from error
    except ExtractorError as error:
        raise UserError(f"{clip}: {error}") from error
    prepared = time.monotonic()
    spoken = Clip(id=clip.name, path=clip, transcript=observation.transcript)
    sample = Sample(with_translation(spoken, explanation), observation, explanation)
    scored = run.score([sample], [0], precision=precision)
    done = time.monotonic()
    if precision == "int8":
        print(run.drift([sample], [0], scored), file=sys.stderr)
    score = float(np.clip(scored.score_N[0], *run.info.score_range))
    return Prediction(
        path=str(clip),
        score=score,
        score_range=run.info.score_range,
        polarity=polarity(score, run.info.score_range),
        transcript=observation.transcript,
        explanation=explanation,
        gates=dict(zip(MODALITIES, scored.gates_NM[0].tolist(), strict=True)),
        experts=scored.experts_NLE[0].tolist(),
        missing=observation.missing,
        damage=observation.damage,
        seconds={"load": loaded - started, "prepare": prepared - loaded, "score": done - prepared},
    )


def polarity(score: float, score_range: tuple[float, float]) -> str:
    """ "negative", "neutral" (within 5 % of the range's half around 0) or "positive"."""
    if abs(score) <= NEUTRAL_SHARE * score_range[1]:
        return "neutral"
    return "positive" if score > 0 else "negative"


def as_json(prediction: Prediction) -> str:
    """One JSON object."""
    return json.dumps(asdict(prediction), indent=2, ensure_ascii=False)


def as_text(prediction: Prediction) -> str:
    """For people."""
    low, high = prediction.score_range
    told = prediction.explanation
    lines = [f"{prediction.path}: {prediction.score:+.2f} in [{low:g}, {high:g}], {prediction.polarity}"]
    for name in MODALITIES:
        said = {"text": prediction.transcript, "audio": told.audio, "video": told.video}[name]
        state = f"missing: {prediction.missing[name]}" if name in prediction.missing else said or "not explained"
        lines.append(f"  {name:<6} gate {prediction.gates[name]:.2f}  {state}")
    if prediction.damage:
        lines.append(f"  damaged           {prediction.damage}; scored from the rest")
    if told.summary:
        lines.append(f"  summary           {told.summary}")
    for number, weights in enumerate(prediction.experts, 1):
        chosen = [f"{i}: {weight:.2f}" for i, weight in enumerate(weights) if weight > 0]
        lines.append(f"  layer {number} experts   {', '.join(chosen)}")
    lines.append("  seconds           " + ", ".join(f"{stage} {s:.2f}" for stage, s in prediction.seconds.items()))
    return "\n".join(lines)
