"""The questions on one clip, their answers, and what came of each."""

import hashlib
import json
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Semaphore
from typing import Any, TypeVar

from textmsa.errors import AnswerError, UnreadableClip, first_line
from textmsa.explain.answer_cache import AnswerCache
from textmsa.explain.answers import (
    THOUGHT,
    Read,
    Refused,
    read_clue,
    read_translation,
    usable,
)
from textmsa.explain.language_models.question import Answer, LanguageModel, Question, Turn
from textmsa.explain.prompts import Language, prompt
from textmsa.media import Media, read_media
from textmsa.runtime.atomic import file_sha256
from textmsa.types import Observation

T = TypeVar("T")
SAMPLE_RATE = 16000  # Hz, what omni models hear
LONGEST_FAILURE = 1000  # characters
DECODING = Semaphore(2)
"""Clips decoded at a time, however many answers are waited for."""


@dataclass(frozen=True)
class Asking:
    """Who is asked about clips, how, and what is shown of them: the same for all clips of an explainer."""

    explainer: str
    version: str
    model: LanguageModel
    refiner: LanguageModel
    """Who refines and translates; may be the model itself."""
    language: Language
    fps: float
    max_frames: int
    cache: AnswerCache
    """Answers that were got already."""


@dataclass
class ClipAnswers:
    """The questions on one clip, their answers, and what came of each."""

    asking: Asking
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
        return self.answer(modality, name, read_clue, by=by, shows=shows, language=None, form=None, **values)

    def translate(self, transcript: str, language: Language) -> None:
        """Ask for the transcript in another language; the prompt is in that language."""
        by = self.asking.refiner
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
        form: dict[str, Any] | None = None,
        **values: str,
    ) -> T | None:
        """What `read` makes of the answer to the prompt `name`: asked once, and once more where it is unusable.

        A model that can be held to a JSON schema is held to `form`.
        """
        model, template = by or self.asking.model, prompt(name, language or self.asking.language)
        text = template.fill(**values)
        record: dict[str, Any] = {"prompt": template.id, "prompt_sha256": template.sha256}
        self.stages[stage] = record
        key = self._key(model, text, shows, form)

        def still_usable(document: dict[str, Any]) -> bool:
            """Limits may be others than when it was kept: then it is asked again."""
            try:
                usable(Answer(str(document.get("text", ""))), read)
            except AnswerError:
                return False
            return True

        try:
            answer, cached = self.asking.cache.get_or_make(
                key, lambda: self._ask(model, text, shows, form, read), still_usable
            )
        except AnswerError as error:
            self.failed[stage] = first_line(error, limit=LONGEST_FAILURE)
            return None
        except UnreadableClip as error:
            self._cannot_be_read(stage, error)
            return None
        record |= {name: value for name, value in answer.items() if name != "text"} | {"cached": cached}
        return read(answer["text"])

    def _ask(
        self,
        model: LanguageModel,
        text: str,
        shows: tuple[str, ...],
        form: dict[str, Any] | None,
        read: Read[T],
    ) -> dict[str, Any]:
        """Ask, and once more where the answer is unusable; what is kept of the usable one."""
        question, frames = self._question(text, shows)
        question = replace(question, form=form)
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
                complaint = prompt("repair", self.asking.language).fill(problem=str(error))
                earlier = (Turn(answer.text, complaint),)
        about: dict[str, Any] = {
            "text": _said(answer.text),
            "seconds": round(time.monotonic() - started, 3),
            "tokens_in": tokens_in,
            "tokens_out": tokens_out,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "repaired": bool(earlier),
        }
        if answer.held_to_form:
            about["held_to_form"] = True
        cost = model.cost(tokens_in, tokens_out)
        return about | ({} if cost is None else {"cost": cost}) | ({"frames": frames} if frames else {})

    def _question(self, text: str, shows: tuple[str, ...]) -> tuple[Question, list[float]]:
        if not shows:
            return Question(text), []
        media = self._decoded()
        for modality, there in (("video", media.frames), ("audio", media.waveform_N)):
            if modality in shows and there is None:
                raise AnswerError(media.missing.get(modality, f"the clip has no {modality}"))
        chosen = spread(len(media.frames or ()), self.asking.max_frames) if "video" in shows else []
        times = [round(float(media.frame_times_T[i]), 2) for i in chosen]
        frames = tuple((media.frames or ())[i] for i in chosen)
        waveform_N = media.waveform_N if "audio" in shows else None
        return Question(text, frames, tuple(times), waveform_N, media.sample_rate if "audio" in shows else 0), times

    def has_pictures(self) -> bool:
        """Whether there is something to see, be it without a face that was found; a clip that is gone has failed."""
        if self.observation.video is not None:
            return True
        try:
            return bool(self._decoded().frames)
        except UnreadableClip as error:
            self._cannot_be_read("video", error)
            return False

    def _cannot_be_read(self, stage: str, error: UnreadableClip) -> None:
        self.failed[stage] = f"the clip cannot be read again: {first_line(error, limit=LONGEST_FAILURE)}"

    def _decoded(self) -> Media:
        if self._media is None:
            with DECODING:
                self._media = read_media(self.observation.path, fps=self.asking.fps, sample_rate=SAMPLE_RATE)
        return self._media

    def _key(self, model: LanguageModel, text: str, shows: tuple[str, ...], form: dict[str, Any] | None = None) -> str:
        """Of all that the answer depends on; the clip's file counts by its content."""
        parts: list[Any] = [model.identity(), text]
        if form is not None and getattr(model, "takes_form", False):
            parts.append(form)
        if shows:
            if self._content is None:
                self._content = _content_of(self.observation.path)
            parts += [self._content, *shows]
        if "video" in shows:
            parts += [self.asking.fps, self.asking.max_frames]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()

    def provenance(self) -> dict[str, Any]:
        """Who said what, to which prompts, at which price."""
        asking = self.asking
        provenance: dict[str, Any] = {
            "explainer": asking.explainer,
            "version": asking.version,
            "model": asking.model.identity(),
            "language": asking.language,
            "stages": self.stages,
            "seconds": round(sum(stage.get("seconds", 0.0) for stage in self.stages.values()), 3),
            "tokens_in": sum(stage.get("tokens_in", 0) for stage in self.stages.values()),
            "tokens_out": sum(stage.get("tokens_out", 0) for stage in self.stages.values()),
        }
        if asking.refiner is not asking.model:
            provenance["refiner"] = asking.refiner.identity()
        if {"audio", "score"} & set(self.stages):
            provenance["audio_from"] = self.audio_from
        if self.text_en is not None:
            provenance["text_en"] = self.text_en
        if costs := [stage["cost"] for stage in self.stages.values() if "cost" in stage]:
            provenance["cost"] = round(sum(costs), 8)
        if self.failed:
            provenance["failed"] = "; ".join(f"{stage}: {reason}" for stage, reason in self.failed.items())
        return provenance


def _said(text: str) -> str:
    """An answer without what the model thought aloud."""
    return THOUGHT.sub("", text).strip()


def spread(frames: int, most: int) -> list[int]:
    """At most `most` of so many frames, evenly spread, each in the middle of its share."""
    if frames <= most:
        return list(range(frames))
    return [int((place + 0.5) * frames / most) for place in range(most)]


def _content_of(path: Path) -> str:
    """The hash of a clip's file; UnreadableClip where it is gone."""
    try:
        return file_sha256(path)
    except OSError as error:
        raise UnreadableClip(error.strerror or str(error)) from error
