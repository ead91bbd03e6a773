"""A run with its built parts: clips in, scores, explanations, contributions and intervals out.

A clip is observed and explained by the function that `textmsa prepare` uses, and scored by that of `textmsa evaluate`.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from textmsa.clip_predictor import ClipPredictor, SeenClip
from textmsa.contributions import contributions as contributions_of
from textmsa.intervals import calibration_of
from textmsa.occlusion import changes_by_words, changes_over_time
from textmsa.prepare.parts import BuiltParts
from textmsa.run import Precision, Run
from textmsa.scoring import Scores, mean_of, polarity
from textmsa.speech.transcripts import Recogniser, language_notice
from textmsa.store.preparation import Preparation
from textmsa.types import MODALITIES, Prediction, Sample, Shown, Transcript


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
        predictions = predictions_of(self.run, [clip.sample for clip in clips], precision=self.precision)
        seconds = (time.monotonic() - started) / len(clips)
        return [
            replace(
                prediction,
                path=clip.path,
                seconds={"load": self._loading(), **clip.seconds, "score": seconds},
                spoken=clip.spoken,
                notes=self._notes(clip.spoken),
            )
            for prediction, clip in zip(predictions, clips, strict=True)
        ]

    def _check_words(self, path: Path | None, spoken: Transcript) -> None:
        """A run scores without words too."""

    def _notes(self, spoken: Transcript) -> tuple[str, ...]:
        """What is wrong with the words for the network, where something is."""
        config = self.run.members[0].model.config
        vocabulary = int(config.text_encoder_config.get("vocab_size", 0))
        notice = language_notice(spoken.language, vocabulary, translated=config.text_input == "translated")
        return () if notice is None else (notice,)


def predict_clip(run: Run, clip: Path, transcript: str | None, precision: Precision = "fp32") -> Prediction:
    """The prediction for one clip, with everything built for it alone; for more than one, keep a `Predictor`."""
    return Predictor(run, precision=precision).predict(clip, text=transcript)


def predictions_of(run: Run, samples: Sequence[Sample], *, precision: Precision = "fp32") -> list[Prediction]:
    """The predictions of clips as they were prepared; where words come from, and how long it took, is left out."""
    rows, score_range = range(len(samples)), run.info.score_range
    members = run.score_members(samples, rows, precision=precision)
    counted = contributions_of(run, samples, rows, precision=precision, within=score_range)
    calibration, no_interval = calibration_of(run)
    scores = mean_of(members)
    found = []
    for row, sample in enumerate(samples):
        text_read, missing = run.reads(sample)
        score, observation = float(np.clip(scores.score_N[row], *score_range)), sample.observation
        prediction = Prediction(
            path=str(observation.path),
            score=score,
            score_range=score_range,
            polarity=polarity(score, score_range),
            transcript=observation.transcript,
            explanation=sample.explanation,
            gates=dict(zip(MODALITIES, scores.gates_NM[row].tolist(), strict=True)),
            experts=scores.experts_NLE[row].tolist(),
            missing=missing,
            damage=observation.damage,
            seconds={},
            text_read=text_read,
            unimodal=unimodal_of(scores, score_range, row),
            contributions=dict(zip(MODALITIES, counted.contribution_NM[row].tolist(), strict=True)),
            base=counted.base.score,
            base_of=counted.base.source,
            interval=calibration.interval(members, row) if calibration else None,
            no_interval=no_interval,
        )
        found.append(prediction)
    return found


def unimodal_of(scores: Scores, score_range: tuple[float, float], row: int = 0) -> dict[str, float]:
    """Modality -> the score of it alone, of the clip in that row, for those that are there."""
    if scores.unimodal_NM is None:
        return {}
    alone = zip(MODALITIES, np.clip(scores.unimodal_NM[row], *score_range).tolist(), strict=True)
    return {modality: score for modality, score in alone if np.isfinite(score)}
