"""The model "everyday" at work: words in, a score out; voice and face of a clip explained beside it, not scored.

It needs no run and no corpus: explanations say what can be said without one to compare with.
"""

import time
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np

from textmsa import seams
from textmsa.errors import UserError
from textmsa.features.statistics import Statistics
from textmsa.model.everyday import BASE, EVERYDAY, FOLDER, EverydayModel
from textmsa.prepare.one_clip import observe_given
from textmsa.prepare.parts import AUDIO, EXPLAINER, VIDEO, BuiltParts, build_parts, installed_preparation
from textmsa.rated_sentences import as_spoken
from textmsa.scoring import polarity
from textmsa.types import Prediction

ALONE = "scored by words alone; voice and face are explained and do not count"
LEVEL = "0.9"


class EverydayPredictor:
    """The model that comes with the package, ready for any number of clips and texts.

    Parameters
    ----------
    parts
        Extractors and explainer, where they are built already; else they are built for the first clip.
    folder
        Where the model's file lies.

    Raises UserError where the model's file, or the encoder that it is built on, is absent or another.
    """

    def __init__(self, *, parts: BuiltParts | None = None, folder: Path = FOLDER) -> None:
        from textmsa.model.text_encoder import encoder_location, load_encoder

        started = time.monotonic()
        self.model = EverydayModel.load(folder)
        self._encoder, self._tokenizer = load_encoder(BASE)
        self.model.teach(self._encoder, Path(encoder_location(BASE)))
        self._given_parts = parts
        low, high = self.model.record["score"]["range"]
        self.score_range: tuple[float, float] = (float(low), float(high))
        self._seconds_loading = time.monotonic() - started

    @cached_property
    def parts(self) -> BuiltParts:
        """Extractors and explainer, as `textmsa prepare` takes them, with statistics of no clip."""
        if self._given_parts is not None:
            return self._given_parts
        preparation = installed_preparation(audio=AUDIO, video=VIDEO, explainer=EXPLAINER, options={})
        class_ = seams.load(seams.EXPLAINERS, EXPLAINER, what="explainer")
        return build_parts(replace(preparation, statistics=Statistics(explainer=class_.fit(()))))

    def predict(self, clip: Path | str | None, *, text: str | None = None) -> Prediction:
        """Score what is said, and explain voice and face.

        Parameters
        ----------
        clip
            A video or audio file; None scores the text alone.
        text
            What is said in it, in English.

        Raises UserError, one line, for a file that cannot be used, and where there are no words.
        """
        if clip is not None and Path(clip).is_file() and not (isinstance(text, str) and text.strip()):
            raise UserError(
                f"{clip}: its words are not known, and the model {EVERYDAY!r} scores words alone; give what is said as "
                "text, or a run that reads voice and face"
            )
        started = time.monotonic()
        observed = observe_given(clip, text, lambda: self.parts)
        prepared = time.monotonic()
        observation = observed.observation
        assert observation.transcript is not None, "no words were refused"
        score = float(self.scores([observation.transcript])[0])
        seconds = {"prepare": prepared - started, "score": time.monotonic() - prepared}
        return Prediction(
            path="" if clip is None else str(clip),
            score=score,
            score_range=self.score_range,
            polarity=polarity(score, self.score_range),
            transcript=observation.transcript,
            explanation=observed.explanation,
            gates={},
            experts=[],
            missing=observation.missing,
            damage=observation.damage,
            seconds={"load": self._loading(), **seconds},
            text_read=observation.transcript,
            scored_by=("text",),
            notes=(ALONE, self.reliability(observation.transcript)),
        )

    def scores(self, texts: list[str]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Scores (N,) in `score_range` of N texts; each one's depends on that text only."""
        rating_N = self.model.ratings(self._encoder, self._tokenizer, texts)
        return np.clip(self.model.record["score"]["scale"] * rating_N, *self.score_range)

    def reliability(self, text: str) -> str:
        """How near such scores lie to people's, and for what kind of text that holds."""
        kind = self.model.record["intervals"]["spoken" if as_spoken(text) == text else "written"]
        return (
            f"9 of 10 such scores lie within {kind['half_width'][LEVEL]:.2f} of what people rate: measured on "
            f"{kind['sentences']} {kind['of']}"
        )

    def _loading(self) -> float:
        """Seconds that loading took; they count to the first prediction."""
        seconds, self._seconds_loading = self._seconds_loading, 0.0
        return seconds
