"""Explanations by language models in two stages, as in the paper: describe each modality, then refine.

Who describes the face is not told the words, and who describes the words sees nothing, so that each clue is of one
modality. The refiner reads the clues and the transcript and writes summary and reason. An explainer is given an
`Observation`, which holds no label, and a `Question` has no place for one.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from textmsa.errors import UserError
from textmsa.explain.answer_cache import AnswerCache
from textmsa.explain.answers import CONCLUSION_FORM, read_conclusion, read_score, score_form
from textmsa.explain.clip_answers import Asking, ClipAnswers
from textmsa.explain.flags import Given, flags
from textmsa.explain.language_models.build import build_model
from textmsa.explain.measured.checks import check
from textmsa.explain.measured.explainer import MeasuredExplainer
from textmsa.explain.measured.voice_facts import voice_facts
from textmsa.explain.prompts import LANGUAGES, Language, clues_text, prompts_hash
from textmsa.runtime.cache_folder import cache_folder
from textmsa.types import Explanation, Observation

REFINER = "refiner_"
"""Begins the options that are for the refiner: `refiner_model`, ..."""
TRANSLATIONS: tuple[Language, ...] = ("en",)
"""Languages that transcripts are translated into: those of the prompts `translate`."""


class StagedExplainer:
    """The stages, whatever the language model; one subclass a backend.

    Parameters
    ----------
    statistics
        What `fit` made of the training split; without it nothing is graded and nothing is checked.
    language
        Of prompts and explanations: "en" or "zh".
    fps
        Frames a second that are shown.
    max_frames
        Most frames that are shown; of a longer clip they lie further apart.
    translate
        "en" to translate transcripts too, where the corpus has no translation; None for not.
    refiner
        Who refines and translates: a name of `LANGUAGE_MODELS`; None for the model that describes.
    cache
        Folder of the answers that were got already; None for the user's.
    options
        Those of the language model; those that begin with `refiner_` are for the refiner.
    """

    name: ClassVar[str]
    version: ClassVar[str] = f"3.{prompts_hash()}"
    needs_statistics: ClassVar[bool] = True
    passing_options: ClassVar[tuple[str, ...]] = ("cache",)

    def __init__(
        self,
        statistics: dict[str, Any] | None = None,
        *,
        language: Language = "en",
        fps: float = 1.0,
        max_frames: int = 16,
        translate: Language | None = None,
        refiner: str | None = None,
        cache: str | None = None,
        **options: Any,
    ) -> None:
        if language not in LANGUAGES:
            raise UserError(f"explainer option language {language!r}: give one of {', '.join(LANGUAGES)}")
        if translate not in (None, *TRANSLATIONS):
            raise UserError(f"explainer option translate {translate!r}: give {', '.join(TRANSLATIONS)}")
        if not fps > 0 or max_frames < 1:
            raise UserError(f"explainer options fps {fps}, max_frames {max_frames}: give more than 0")
        for_refiner = {key.removeprefix(REFINER): options.pop(key) for key in list(options) if key.startswith(REFINER)}
        self.model = build_model(self.name, options)
        if refiner is None and for_refiner:
            raise UserError(f"explainer options {', '.join(for_refiner)} of a refiner: name the refiner too")
        self.asking = Asking(
            explainer=self.name,
            version=self.version,
            model=self.model,
            refiner=self.model if refiner is None else build_model(refiner, for_refiner),
            language=language,
            fps=fps,
            max_frames=max_frames,
            cache=AnswerCache(Path(cache) if cache else cache_folder()),
        )
        self.translate = translate
        self.measured = MeasuredExplainer(statistics) if statistics is not None else None
        self.concurrency = self.model.concurrency

    @staticmethod
    def facts(observation: Observation) -> dict[str, float]:
        """What is measured of one clip, by which `fit` finds its statistics."""
        return MeasuredExplainer.facts(observation)

    @classmethod
    def fit(cls, observations: Iterable[Observation]) -> dict[str, Any]:
        """The measured explainer's statistics, by which facts are graded."""
        return MeasuredExplainer.fit(observations)

    def explain(self, observation: Observation) -> Explanation:
        """The two stages for one clip.

        A clue that could not be got is None, and `provenance["failed"]` says why; a clip of which one stage failed
        counts as failed.
        """
        facts = MeasuredExplainer.facts(observation)
        grades = self._grades(facts)
        clip = ClipAnswers(self.asking, observation)
        clues = {
            "video": clip.clue("video", "describe_video") if self.model.sees and clip.has_pictures() else None,
            "audio": self._audio_clue(clip, observation, facts, grades),
            "text": self._text_clue(clip, observation),
        }
        summary, reason = self._conclusion(clip, observation, clues)
        if self.translate and observation.transcript and not observation.transcript_en:
            clip.translate(observation.transcript, self.translate)
        explanation = Explanation(clues["audio"], clues["video"], clues["text"], summary, reason, clip.provenance())
        if self.measured is not None:
            explanation.provenance["checks"] = check(explanation, grades)
        explanation.provenance["flags"] = flags(explanation, self._given(observation, facts, grades, clues))
        return explanation

    def score(self, observation: Observation, score_range: tuple[float, float]) -> tuple[float | None, dict[str, Any]]:
        """The sentiment that the model itself sees in a clip, and the provenance; None where it gave no usable score.

        It is shown frames and sound in one question, with the transcript, and the measured voice where it is deaf.
        """
        low, high = score_range
        clip = ClipAnswers(self.asking, observation)
        voice = None
        if observation.audio is not None and not self.model.hears:
            facts = MeasuredExplainer.facts(observation)
            voice = "\n" + voice_facts(facts, self._grades(facts), observation.duration)
            clip.audio_from = "measured facts"
        clues = clues_text({"audio": voice, "transcript": observation.transcript}, self.asking.language)
        shows = ("video",) * (self.model.sees and clip.has_pictures())
        shows += ("audio",) * (self.model.hears and observation.audio is not None)
        if clip.failed:
            return None, clip.provenance()  # a score without the pictures would be another's
        ends = f"{low:g}", f"{high:g}"
        read = read_score(low, high)
        form = score_form(low, high)
        score = clip.answer("score", "zero_shot", read, shows=shows, form=form, clues=clues, low=ends[0], high=ends[1])
        return score, clip.provenance()

    def _audio_clue(
        self, clip: ClipAnswers, observation: Observation, facts: dict[str, float], grades: dict[str, int]
    ) -> str | None:
        if observation.audio is None:
            return None
        if self.model.hears:
            return clip.clue("audio", "describe_audio")
        voice = voice_facts(facts, grades, observation.duration)
        clip.audio_from = "measured facts"
        return clip.clue("audio", "describe_measured_audio", facts=voice) if voice else None

    def _given(
        self,
        observation: Observation,
        facts: dict[str, float],
        grades: dict[str, int],
        clues: dict[str, str | None],
    ) -> Given:
        """What of the clip there was to tell of."""
        told = "" if self.model.hears else voice_facts(facts, grades, observation.duration)
        heard = clues["audio"] is not None
        return Given(observation.transcript, told, heard=heard, seen=clues["video"] is not None)

    def _text_clue(self, clip: ClipAnswers, observation: Observation) -> str | None:
        if not observation.transcript:
            return None
        return clip.clue("text", "describe_text", by=self.asking.refiner, transcript=observation.transcript)

    def _conclusion(
        self, clip: ClipAnswers, observation: Observation, clues: dict[str, str | None]
    ) -> tuple[str | None, str | None]:
        if clip.failed or not any(clues.values()):
            return None, None  # a conclusion without one of its clues would hide that it failed
        described = clues_text({**clues, "transcript": observation.transcript}, self.asking.language)
        refiner, form = self.asking.refiner, CONCLUSION_FORM
        concluded = clip.answer("refine", "refine", read_conclusion, by=refiner, form=form, clues=described)
        return concluded if concluded is not None else (None, None)

    def _grades(self, facts: dict[str, float]) -> dict[str, int]:
        if self.measured is None:
            return {}
        quantiles = self.measured.statistics["quantiles"]
        return {name: self.measured.grade(name, value) for name, value in facts.items() if name in quantiles}


class ChatEndpointExplainer(StagedExplainer):
    """Explanations by a `ChatEndpoint`."""

    name = "chat_endpoint"
    passing_options = (
        *("cache", "concurrency", "timeout", "retries", "requests_per_minute", "tokens_per_minute"),
        *("price_in", "price_out"),
    )


class VideoLlama3Explainer(StagedExplainer):
    """Explanations by VideoLLaMA 3."""

    name = "videollama3"
    passing_options = ("cache", "batch", "device")


class QwenOmniExplainer(StagedExplainer):
    """Explanations by Qwen-Omni."""

    name = "qwen_omni"
    passing_options = ("cache", "batch", "device")


class EchoExplainer(StagedExplainer):
    """Explanations by the `Echo`: rules, for trying everything without a model."""

    name = "echo"
    passing_options = ("cache", "delay")
