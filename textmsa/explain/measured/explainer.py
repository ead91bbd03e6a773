"""Explanations without a language model: sentences from facts measured of the clip.

Sizes are graded against the training split's frozen statistics, so that a clip's explanation depends on that clip
and on those statistics only.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from textmsa.errors import UserError
from textmsa.explain.measured import phrases
from textmsa.explain.measured.facts import ACTION_UNITS, measure
from textmsa.types import Explanation, Observation

QUANTILES = (0.05, 0.2, 0.4, 0.6, 0.8, 0.95)  # between the seven grades
PARTLY_SEEN = 0.9  # of the frames
UNSEEN = 0.005  # blendshape score (0 to 1), or blinks a second, below which nothing is there to be graded


class MeasuredExplainer:
    """Describes voice, face and words of a clip. It is given an `Observation`, which holds no label.

    Parameters
    ----------
    statistics
        What `fit` made of the training split.
    times
        Whether to say when voice and face peak, and whether they do so together.
    """

    name: ClassVar[str] = "measured"
    version: ClassVar[str] = "2"
    needs_statistics: ClassVar[bool] = True

    def __init__(self, statistics: dict[str, Any] | None, times: bool = True) -> None:
        if statistics is None:
            raise UserError(
                "the measured explainer needs the statistics of a training split; give them to textmsa explain by "
                "--like STORE or RUN"
            )
        if statistics.get("version") != self.version or "quantiles" not in statistics:
            raise UserError(
                f"statistics of version {statistics.get('version')!r} do not fit the measured explainer "
                f"{self.version!r}: prepare the store again"
            )
        self.statistics, self.times = statistics, times
        frozen = json.dumps(statistics, sort_keys=True).encode()
        self.statistics_hash = hashlib.sha256(frozen).hexdigest()[:16]

    @classmethod
    def facts(cls, observation: Observation) -> dict[str, float]:
        """What is measured of one clip: name -> value; what cannot be measured is absent."""
        return measure(observation)

    @classmethod
    def fit(cls, observations: Iterable[Observation]) -> dict[str, Any]:
        """Statistics to freeze, for JSON: each fact's quantiles over these clips (the training split's).

        Facts that a clip does not have are absent there and raise nothing; `measured` counts the clips of each fact.
        """
        values: dict[str, list[float]] = {}
        clips = 0
        for observation in observations:
            clips += 1
            for name, value in cls.facts(observation).items():
                values.setdefault(name, []).append(value)
        quantiles = {name: [float(q) for q in np.quantile(values[name], QUANTILES)] for name in sorted(values)}
        measured = {name: len(values[name]) for name in sorted(values)}
        return {"version": cls.version, "clips": clips, "measured": measured, "quantiles": quantiles}

    def explain(self, observation: Observation) -> Explanation:
        """Sentences on voice, face and words; None for what the clip does not have."""
        facts = self.facts(observation)
        grades = {name: self.grade(name, facts[name]) for name in facts if name in self.statistics["quantiles"]}
        return Explanation(
            audio=self._voice(facts, grades),
            video=self._face(facts, grades),
            text=phrases.words_sentence(facts) if "words" in facts else None,
            summary=phrases.summary_phrase(grades, apart=self._apart(facts, grades)),
            provenance=self._provenance(facts, grades),
        )

    def _voice(self, facts: dict[str, float], grades: dict[str, int]) -> str | None:
        if "speech_seconds" in facts and "loudness" not in facts:
            return phrases.NO_VOICE
        if "loudness" not in grades:
            return None
        return phrases.voice_sentences(grades, at=self._time(facts, "emphasis_at"), apart=self._apart(facts, grades))

    def _face(self, facts: dict[str, float], grades: dict[str, int]) -> str | None:
        if "smile" not in grades:
            return None
        partly = facts["face_seen"] < PARTLY_SEEN
        return phrases.face_sentences(
            grades, at=self._time(facts, "apex_at"), partly=partly, apart=self._apart(facts, grades)
        )

    def _provenance(self, facts: dict[str, float], grades: dict[str, int]) -> dict[str, Any]:
        provenance = {
            "explainer": self.name,
            "version": self.version,
            "times": self.times,
            "statistics": self.statistics_hash,
        }
        ungraded = [name for name in ("loudness", "smile") if name in facts and name not in grades]
        if ungraded:
            provenance["failed"] = (
                f"the training split's statistics have no {' and no '.join(ungraded)} to compare with"
            )
        return provenance

    def grade(self, name: str, value: float) -> int:
        """0 (very low) to 6 (very high) among the training split's quantiles; 3 where it equals all of them."""
        quantiles = np.asarray(self.statistics["quantiles"][name])
        if name in ACTION_UNITS and value < UNSEEN:
            return 0
        below, upto = int((quantiles < value).sum()), int((quantiles <= value).sum())
        return (below + upto) // 2

    def _apart(self, facts: dict[str, float], grades: dict[str, int]) -> float | None:
        return self._time(facts, "apart") if "apart" in grades else None

    def _time(self, facts: dict[str, float], name: str) -> float | None:
        return facts.get(name) if self.times else None
