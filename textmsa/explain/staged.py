"""Explanations by language models in two stages, as in the paper: describe each modality, then refine.

Who describes the face is not told the words, and who describes the words sees nothing, so that each clue is of one
modality. The refiner reads the clues and the transcript and writes summary and reason. An explainer is given an
`Observation`, which holds no label, and a `Question` has no place for one.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Semaphore
from typing import Any, ClassVar, TypeVar

import numpy as np

from textmsa import seams
from textmsa.errors import UnreadableClip, UserError
from textmsa.explain.answer_cache import AnswerCache, default_cache
from textmsa.explain.answers import (
    THOUGHT,
    Read,
    Refused,
    read_clue,
    read_conclusion,
    read_score,
    read_translation,
    usable,
)
from textmsa.explain.checks import check
from textmsa.explain.facts import SEMITONES
from textmsa.explain.language_model import AnswerError, LanguageModel, Question, Turn
from textmsa.explain.measured import MeasuredExplainer
from textmsa.explain.phrases import LOUDNESS, MELODY, PAUSES, PITCH, RATE
from textmsa.explain.prompts import LANGUAGES, Language, prompt, prompts_hash
from textmsa.media import Media, read_media
from textmsa.types import Explanation, Observation

T = TypeVar("T")
REFINER = "refiner_"
"""Begins the options that are for the refiner: `refiner_model`, ..."""
SAMPLE_RATE = 16000  # Hz, what omni models hear
TRANSLATIONS: tuple[Language, ...] = ("en",)
"""Languages that transcripts are translated into: those of the prompts `translate`."""
DECODING = Semaphore(2)
"""Clips decoded at a time, however many answers are waited for."""
CLUES = {
    "en": {"audio": "The voice", "video": "The face", "text": "The words", "transcript": "The subtitle reads"},
    "zh": {"audio": "嗓音", "video": "面部", "text": "文字", "transcript": "字幕内容"},
}


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
    version: ClassVar[str] = f"2.{prompts_hash()}"
    needs_statistics: ClassVar[bool] = True

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
            raise UserError(f"--translate {translate!r}: give {', '.join(TRANSLATIONS)}")
        if not fps > 0 or max_frames < 1:
            raise UserError(f"explainer options fps {fps}, max_frames {max_frames}: give more than 0")
        for_refiner = {key.removeprefix(REFINER): options.pop(key) for key in list(options) if key.startswith(REFINER)}
        self.model = build_model(self.name, options)
        if refiner is None and for_refiner:
            raise UserError(f"explainer options {', '.join(for_refiner)} of a refiner: name the refiner too")
        self.refiner = self.model if refiner is None else build_model(refiner, for_refiner)
        self.language, self.fps, self.max_frames = language, fps, max_frames
        self.translate = translate
        self.measured = MeasuredExplainer(statistics) if statistics is not None else None
        self.cache = AnswerCache(Path(cache) if cache else default_cache())
        self.concurrency = self.model.concurrency

    @classmethod
    def fit(cls, observations: Any) -> dict[str, Any]:
        """The measured explainer's statistics, by which facts are graded."""
        return MeasuredExplainer.fit(observations)

    def explain(self, observation: Observation) -> Explanation:
        """The two stages for one clip.

        A clue that could not be got is None, and `provenance["failed"]` says why; a clip of which one stage failed
        counts as failed.
        """
        facts = MeasuredExplainer.facts(observation)
        grades = self._grades(facts)
        clip = ClipAnswers(self, observation)
        clues = {
            "video": clip.clue("video", "describe_video") if self.model.sees and clip.has_pictures() else None,
            "audio": self._audio_clue(clip, observation, facts, grades),
            "text": self._text_clue(clip, observation),
        }
        summary, reason = self._conclusion(clip, observation, clues)
        if self.translate and observation.transcript and not observation.transcript_en:
            clip.translate(observation.transcript, self.translate)
        told = Explanation(clues["audio"], clues["video"], clues["text"], summary, reason, clip.provenance())
        if self.measured is not None:
            told.provenance["checks"] = check(told, grades)
        return told

    def score(self, observation: Observation, score_range: tuple[float, float]) -> tuple[float | None, dict[str, Any]]:
        """The sentiment that the model itself sees in a clip, and the provenance; None where it gave no usable score.

        It is shown frames and sound in one question, with the transcript, and the measured voice where it is deaf.
        """
        low, high = score_range
        clip = ClipAnswers(self, observation)
        voice = None
        if observation.audio is not None and not self.model.hears:
            facts = MeasuredExplainer.facts(observation)
            voice = "\n" + voice_facts(facts, self._grades(facts), observation.duration)
            clip.audio_from = "measured facts"
        told = clues_text({"audio": voice, "transcript": observation.transcript}, self.language)
        shows = ("video",) * (self.model.sees and clip.has_pictures())
        shows += ("audio",) * (self.model.hears and observation.audio is not None)
        ends = f"{low:g}", f"{high:g}"
        read = read_score(low, high)
        score = clip.answer("score", "zero_shot", read, shows=shows, clues=told, low=ends[0], high=ends[1])
        return score, clip.provenance()

    def _audio_clue(
        self, clip: "ClipAnswers", observation: Observation, facts: dict[str, float], grades: dict[str, int]
    ) -> str | None:
        if observation.audio is None:
            return None
        if self.model.hears:
            return clip.clue("audio", "describe_audio")
        told = voice_facts(facts, grades, observation.duration)
        clip.audio_from = "measured facts"
        return clip.clue("audio", "describe_measured_audio", facts=told) if told else None

    def _text_clue(self, clip: "ClipAnswers", observation: Observation) -> str | None:
        if not observation.transcript:
            return None
        return clip.clue("text", "describe_text", by=self.refiner, transcript=observation.transcript)

    def _conclusion(
        self, clip: "ClipAnswers", observation: Observation, clues: dict[str, str | None]
    ) -> tuple[str | None, str | None]:
        if clip.failed or not any(clues.values()):
            return None, None  # a conclusion without one of its clues would hide that it failed
        told = clues_text({**clues, "transcript": observation.transcript}, self.language)
        concluded = clip.answer("refine", "refine", read_conclusion, by=self.refiner, clues=told)
        return concluded if concluded is not None else (None, None)

    def _grades(self, facts: dict[str, float]) -> dict[str, int]:
        if self.measured is None:
            return {}
        known = self.measured.statistics["quantiles"]
        return {name: self.measured.grade(name, value) for name, value in facts.items() if name in known}


def build_model(name: str, options: dict[str, Any]) -> LanguageModel:
    """A language model of the seam; UserError, with the options there are, for one that it does not have."""
    import inspect

    class_ = seams.load(seams.LANGUAGE_MODELS, name, what="language model")
    known = [p for p in inspect.signature(class_).parameters.values() if p.kind is not p.VAR_KEYWORD]
    if unknown := sorted(set(options) - {p.name for p in known}):
        raise UserError(
            f"language model {name!r} has no option {unknown[0]!r}: it has {', '.join(p.name for p in known)}"
        )
    if lacking := [p.name for p in known if p.default is p.empty and p.name not in options]:
        raise UserError(f"language model {name!r} needs the option {lacking[0]!r}")
    built: LanguageModel = class_(**options)
    return built


@dataclass
class ClipAnswers:
    """The questions on one clip, their answers, and what came of each."""

    explainer: StagedExplainer
    observation: Observation
    failed: dict[str, str] = field(default_factory=dict)
    """Stage -> reason."""
    stages: dict[str, dict[str, Any]] = field(default_factory=dict)
    audio_from: str = "waveform"
    text_en: str | None = None
    _media: Media | None = None
    _content: str | None = None

    def clue(self, modality: str, name: str, *, by: LanguageModel | None = None, **values: str) -> str | None:
        """A description of one modality; None where it failed, with the reason in `failed`."""
        shows = (modality,) if name in ("describe_video", "describe_audio") else ()
        return self.answer(modality, name, read_clue, by=by, shows=shows, language=None, **values)

    def translate(self, transcript: str, language: Language) -> None:
        """Ask for the transcript in another language; the prompt is in that language."""
        by = self.explainer.refiner
        self.text_en = self.answer(
            "translate", "translate", read_translation, by=by, language=language, transcript=transcript
        )

    def answer(
        self,
        stage: str,
        name: str,
        read: Read[T],
        *,
        by: LanguageModel | None = None,
        shows: tuple[str, ...] = (),
        language: Language | None = None,
        **values: str,
    ) -> T | None:
        """What `read` makes of the answer to the prompt `name`: asked once, and once more where it is unusable."""
        model, asked = by or self.explainer.model, prompt(name, language or self.explainer.language)
        text = asked.fill(**values)
        record: dict[str, Any] = {"prompt": asked.id, "prompt_sha256": asked.sha256}
        self.stages[stage] = record
        key = self._key(model, text, shows)
        try:
            known, cached = self.explainer.cache.get_or_make(key, lambda: self._ask(model, text, shows, read))
        except AnswerError as error:
            self.failed[stage] = str(error)
            return None
        except UnreadableClip as error:
            self.failed[stage] = f"the clip cannot be read again: {error}"
            return None
        record |= {name: value for name, value in known.items() if name != "text"} | {"cached": cached}
        return read(known["text"])

    def _ask(self, model: LanguageModel, text: str, shows: tuple[str, ...], read: Read[Any]) -> dict[str, Any]:
        """Ask, and once more where the answer is unusable; what is kept of the usable one."""
        question, frames = self._question(text, shows)
        started, tokens_in, tokens_out = time.monotonic(), 0, 0
        earlier: tuple[Turn, ...] = ()
        while True:
            answer = model.ask(question, earlier)
            tokens_in, tokens_out = tokens_in + answer.tokens_in, tokens_out + answer.tokens_out
            try:
                usable(answer, read)
                break
            except Refused:
                raise
            except AnswerError as error:
                if earlier:
                    raise AnswerError(f"{error} (after one repair)") from error
                complaint = prompt("repair", self.explainer.language).fill(problem=str(error))
                earlier = (Turn(answer.text, complaint),)
        about: dict[str, Any] = {
            "text": _said(answer.text),
            "seconds": round(time.monotonic() - started, 3),
            "tokens_in": tokens_in,
            "tokens_out": tokens_out,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "repaired": bool(earlier),
        }
        cost = model.cost(tokens_in, tokens_out)
        return about | ({} if cost is None else {"cost": cost}) | ({"frames": frames} if frames else {})

    def _question(self, text: str, shows: tuple[str, ...]) -> tuple[Question, list[float]]:
        if not shows:
            return Question(text), []
        media = self._decoded()
        for modality, there in (("video", media.frames), ("audio", media.waveform_N)):
            if modality in shows and there is None:
                raise AnswerError(media.missing.get(modality, f"the clip has no {modality}"))
        chosen = spread(len(media.frames or ()), self.explainer.max_frames) if "video" in shows else []
        times = [round(float(media.frame_times_T[i]), 2) for i in chosen]
        frames = tuple((media.frames or ())[i] for i in chosen)
        waveform_N = media.waveform_N if "audio" in shows else None
        return Question(text, frames, tuple(times), waveform_N, media.sample_rate if "audio" in shows else 0), times

    def has_pictures(self) -> bool:
        """Whether there is something to see, be it without a face that was found."""
        if self.observation.video is not None:
            return True
        try:
            return bool(self._decoded().frames)
        except UnreadableClip:
            return False

    def _decoded(self) -> Media:
        if self._media is None:
            with DECODING:
                self._media = read_media(self.observation.path, fps=self.explainer.fps, sample_rate=SAMPLE_RATE)
        return self._media

    def _key(self, model: LanguageModel, text: str, shows: tuple[str, ...]) -> str:
        """Of all that the answer depends on; the clip's file counts by its content."""
        parts: list[Any] = [model.identity(), text]
        if shows:
            if self._content is None:
                self._content = file_sha256(self.observation.path)
            parts += [self._content, *shows]
        if "video" in shows:
            parts += [self.explainer.fps, self.explainer.max_frames]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    def provenance(self) -> dict[str, Any]:
        """Who said what, to which prompts, at which price."""
        explainer = self.explainer
        made: dict[str, Any] = {
            "explainer": explainer.name,
            "version": explainer.version,
            "model": explainer.model.identity(),
            "language": explainer.language,
            "stages": self.stages,
            "seconds": round(sum(stage.get("seconds", 0.0) for stage in self.stages.values()), 3),
            "tokens_in": sum(stage.get("tokens_in", 0) for stage in self.stages.values()),
            "tokens_out": sum(stage.get("tokens_out", 0) for stage in self.stages.values()),
        }
        if explainer.refiner is not explainer.model:
            made["refiner"] = explainer.refiner.identity()
        if {"audio", "score"} & set(self.stages):
            made["audio_from"] = self.audio_from
        if self.text_en is not None:
            made["text_en"] = self.text_en
        if costs := [stage["cost"] for stage in self.stages.values() if "cost" in stage]:
            made["cost"] = round(sum(costs), 8)
        if self.failed:
            made["failed"] = "; ".join(f"{stage}: {reason}" for stage, reason in self.failed.items())
        return made


def _said(text: str) -> str:
    """An answer without what the model thought aloud."""
    return THOUGHT.sub("", text).strip()


def spread(frames: int, most: int) -> list[int]:
    """At most `most` of so many frames, evenly spread, each in the middle of its share."""
    if frames <= most:
        return list(range(frames))
    return [int((place + 0.5) * frames / most) for place in range(most)]


def file_sha256(path: Path) -> str:
    """The hash of a file's content; UnreadableClip where it is gone."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UnreadableClip(error.strerror or str(error)) from error


def clues_text(clues: dict[str, str | None], language: Language) -> str:
    """What is known of a clip, a line each."""
    return "\n".join(f"- {label}: {clues[name]}" for name, label in CLUES[language].items() if clues.get(name))


def voice_facts(facts: dict[str, float], grades: dict[str, int], duration: float | None) -> str:
    """What was measured of a voice, a line each: numbers, and their grades among other clips where there are any."""
    lines = [f"- {text}" for text in _voice_facts(facts, grades, duration)]
    return "\n".join(lines)


def _voice_facts(facts: dict[str, float], grades: dict[str, int], duration: float | None) -> Iterator[str]:
    def graded(name: str, words: tuple[str, ...]) -> str:
        return f" ({words[grades[name]]} among the clips)" if name in grades else ""

    if "loudness" not in facts:
        if "speech_seconds" in facts:
            yield "no audible voice"
        return
    show: tuple[tuple[str, tuple[str, ...], Callable[[float], str]], ...] = (
        ("pitch", PITCH, lambda v: f"pitch {np.exp(v / SEMITONES):.0f} Hz"),
        ("pitch_range", MELODY, lambda v: f"pitch range {v:.1f} semitones; melody"),
        ("loudness", LOUDNESS, lambda v: f"volume {v:.0f} dB"),
        ("rate", RATE, lambda v: f"pace {v:.1f} syllables a second"),
        ("pauses", PAUSES, lambda v: f"pauses for {v:.0%} of the time"),
    )
    for name, words, tell in show:
        if name in facts:
            yield tell(facts[name]) + graded(name, words)
    if "emphasis_at" in facts and duration:
        yield f"strongest emphasis at {facts['emphasis_at'] * duration:.1f} s of {duration:.1f} s"
