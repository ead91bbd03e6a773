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
from textmsa.explain.measured.face import FaceReading, read_face
from textmsa.explain.measured.facts import ACTION_UNITS, measure
from textmsa.explain.measured.wordings import WORDINGS
from textmsa.types import Explanation, Observation

QUANTILES = (0.05, 0.2, 0.4, 0.6, 0.8, 0.95)  # between the seven grades
SPEAKER_CLIPS = 3  # of one speaker, others than the clip itself, before pitch is held against them
USUAL_SEMITONES = 2.0  # a change of pitch that listeners notice in a voice they know
NO_VOICE_VOICED, NO_VOICE_RATE = (
    0.2,
    2.0,
)  # less voiced and fewer syllables a second than any speech tried: music, noise
UNSEEN = 0.005  # blendshape score (0 to 1), or blinks a second, below which nothing is there to be graded


class MeasuredExplainer:
    """Describes voice, face and words of a clip. It is given an `Observation`, which holds no label.

    Parameters
    ----------
    statistics
        What `fit` made of the training split. Of no clips at all, or None: then only what holds of a clip alone is
        said.
    times
        Whether to say when anything happens in voice and face, and whether they peak together.
    language
        "en" or "zh".
    """

    name: ClassVar[str] = "measured"
    version: ClassVar[str] = "4"
    needs_statistics: ClassVar[bool] = True

    def __init__(self, statistics: dict[str, Any] | None, times: bool = True, language: str = "en") -> None:
        if language not in WORDINGS:
            raise UserError(f"the measured explainer speaks {' and '.join(WORDINGS)}, not {language!r}")
        if statistics is None:
            statistics = self.fit(())
        if statistics.get("version") != self.version or "quantiles" not in statistics:
            raise UserError(
                f"statistics of version {statistics.get('version')!r} do not fit the measured explainer "
                f"{self.version!r}: prepare the store again"
            )
        self.statistics, self.times, self.language = statistics, times, language
        self.wording, self.compared = WORDINGS[language], bool(statistics["quantiles"])
        frozen = json.dumps(statistics, sort_keys=True).encode()
        self.statistics_hash = hashlib.sha256(frozen).hexdigest()[:16]

    @classmethod
    def facts(cls, observation: Observation) -> dict[str, float]:
        """What is measured of one clip: name -> value; what cannot be measured is absent."""
        return measure(observation)

    @classmethod
    def fit(cls, observations: Iterable[Observation]) -> dict[str, Any]:
        """Statistics to freeze, for JSON: each fact's quantiles over these clips (the training split's).

        Where the clips lie in folders of their speakers (or videos), the pitches of each are kept too, to tell whether
        one of them speaks higher than usual. Facts that a clip does not have are absent there and raise nothing;
        `measured` counts the clips of each fact.
        """
        values: dict[str, list[float]] = {}
        pitches: dict[str, list[float]] = {}
        clips = 0
        for observation in observations:
            clips += 1
            facts = cls.facts(observation)
            for name, value in facts.items():
                values.setdefault(name, []).append(value)
            if "pitch" in facts:
                pitches.setdefault(observation.path.parent.name, []).append(facts["pitch"])
        quantiles = {name: [float(q) for q in np.quantile(values[name], QUANTILES)] for name in sorted(values)}
        measured = {name: len(values[name]) for name in sorted(values)}
        speakers = {name: sorted(pitches[name]) for name in sorted(pitches)} if len(pitches) > 1 else {}
        return {
            "version": cls.version,
            "clips": clips,
            "measured": measured,
            "quantiles": quantiles,
            "speakers": speakers,
        }

    def explain(self, observation: Observation) -> Explanation:
        """Sentences on voice, face and words; None for what the clip does not have."""
        facts = self.facts(observation)
        grades = {name: self.grade(name, facts[name]) for name in facts if name in self.statistics["quantiles"]}
        reading = None
        if observation.video is not None and observation.duration is not None:
            reading = read_face(observation.video, observation.duration)
        voiced = self._is_voice(facts)
        apart = self._apart(facts, grades) if voiced and (reading is None or reading.enough) else None
        return Explanation(
            audio=self._voice(observation, facts, grades, apart),
            video=self._face(reading, facts, grades, apart),
            text=phrases.words_sentence(facts, self.language) if "words" in facts else None,
            summary=phrases.summary_phrase(
                self.wording, reading, grades, apart=apart, voiced=voiced, places=self.times
            ),
            provenance=self._provenance(facts, grades),
        )

    def _voice(
        self, observation: Observation, facts: dict[str, float], grades: dict[str, int], apart: float | None
    ) -> str | None:
        if "speech_seconds" in facts and "loudness" not in facts:
            return self.wording.no_voice
        if "loudness" not in facts or (self.compared and "loudness" not in grades):
            return None
        if not self._is_voice(facts):
            return phrases.no_speech(self.wording, grades) if self.compared else self.wording.plain_no_speech
        if not self.compared:
            return phrases.plain_voice(self.wording, facts)
        at, usual = self._time(facts, "emphasis_at"), self._usual(observation, facts)
        return phrases.voice_sentences(self.wording, grades, at=at, apart=apart, usual=usual)

    def _face(
        self, reading: FaceReading | None, facts: dict[str, float], grades: dict[str, int], apart: float | None
    ) -> str | None:
        if reading is None or (self.compared and "smile" not in grades):
            return None
        return phrases.face_sentences(
            self.wording,
            reading,
            grades,
            changes_at=self._time(facts, "change_at"),
            moves_at=self._time(facts, "apex_at"),
            apart=apart,
            places=self.times,
        )

    @staticmethod
    def _is_voice(facts: dict[str, float]) -> bool:
        """Whether the sound may be a voice's: else neither its pitch nor its pace is told."""
        return facts.get("voiced", 1.0) >= NO_VOICE_VOICED or facts.get("heard_rate", 9.0) >= NO_VOICE_RATE

    def _usual(self, observation: Observation, facts: dict[str, float]) -> int | None:
        """Whether the pitch is lower than (0), as (1) or higher than (2) in the speaker's other training clips."""
        others = list(self.statistics.get("speakers", {}).get(observation.path.parent.name, []))
        if "pitch" not in facts:
            return None
        if facts["pitch"] in others:  # the clip is one of them
            others.remove(facts["pitch"])
        if len(others) < SPEAKER_CLIPS:
            return None
        above = facts["pitch"] - float(np.median(others))
        return 1 if abs(above) < USUAL_SEMITONES else 2 * int(above > 0)

    def _provenance(self, facts: dict[str, float], grades: dict[str, int]) -> dict[str, Any]:
        provenance = {
            "explainer": self.name,
            "version": self.version,
            "times": self.times,
            "language": self.language,
            "statistics": self.statistics_hash,
        }
        ungraded = [name for name in ("loudness", "smile") if name in facts and name not in grades]
        if ungraded and self.compared:
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
