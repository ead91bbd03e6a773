"""One clip, observed and explained: what `textmsa prepare` does to each, and `textmsa predict` to one."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from textmsa.errors import UserError, reason_of
from textmsa.features.observe import measure, with_transcript
from textmsa.prepare.parts import BuiltParts
from textmsa.types import Clip, ExplainerSpec, Explanation, Observation

if TYPE_CHECKING:
    from textmsa.media import Media


@dataclass(frozen=True)
class ObservedClip:
    """What was seen and heard of a clip, and how it is explained."""

    observation: Observation
    explanation: Explanation
    """`provenance["failed"]` holds the reason where the explainer failed."""


def observe_and_explain(
    clip: "Path | Media", transcript: str | None, parts: BuiltParts, *, why_no_text: str | None = None
) -> ObservedClip:
    """Observe and explain one clip exactly as `textmsa prepare` does; an explainer's failure is recorded, not raised.

    `clip` is a file, or what was decoded of one already.
    `why_no_text` is recorded where there is no transcript.

    Raises
    ------
    UnreadableClip
        The file is absent, cannot be decoded, or nothing is in it.
    ExtractorError
        An extractor broke down on it.
    UserError
        An extractor or the explainer lacks something that is the user's to give.
    """
    return explain_measured(measure(clip, audio=parts.audio, video=parts.video), transcript, parts, why_no_text)


def explain_measured(
    measured: Observation, transcript: str | None, parts: BuiltParts, why_no_text: str | None = None
) -> ObservedClip:
    """The rest of `observe_and_explain`, of a clip that was measured before its words were known."""
    observation = with_transcript(measured, transcript)
    if why_no_text is not None and "text" in observation.missing:
        observation = replace(observation, missing=observation.missing | {"text": why_no_text})
    outcome: Explanation | Exception
    try:
        outcome = parts.explainer.explain(observation)
    except Exception as error:
        outcome = error
    return ObservedClip(observation, as_explanation(outcome, parts.spec))


def words_alone(text: str | None) -> ObservedClip:
    """Words without a clip, which are not explained: nothing is heard or seen."""
    gone = dict.fromkeys(("audio", "video"), "no clip was given")
    return ObservedClip(Observation(Path(), text, None, None, None, gone), Explanation())


def as_explanation(outcome: Explanation | Exception, spec: ExplainerSpec) -> Explanation:
    """What an explainer gave; what it raised becomes a failed explanation, a UserError is raised again."""
    if isinstance(outcome, Explanation):
        return outcome
    if isinstance(outcome, UserError):
        raise outcome
    if isinstance(outcome, Exception):
        reason = reason_of(outcome)
    else:
        reason = f"gave a {type(outcome).__name__} instead of an Explanation"
    return Explanation(provenance={"explainer": spec.explainer, "version": spec.version, "failed": reason})


def with_translation(clip: Clip, explanation: Explanation) -> Clip:
    """The clip with the explainer's translation where the corpus has none."""
    translation: str | None = explanation.provenance.get("text_en")
    return clip if clip.transcript_en or not translation else replace(clip, transcript_en=translation)
