"""One clip, observed and explained: what `textmsa prepare` does to each, and `textmsa predict` to one."""

from dataclasses import replace
from pathlib import Path

from textmsa.features.observe import observe
from textmsa.prepare.parts import BuiltParts
from textmsa.types import Clip, Explanation, Observation


def with_translation(clip: Clip, told: Explanation) -> Clip:
    """The clip with the explainer's translation where the corpus has none."""
    made: str | None = told.provenance.get("text_en")
    return clip if clip.transcript_en or not made else replace(clip, transcript_en=made)


def prepare_clip(path: Path, transcript: str | None, built: BuiltParts) -> tuple[Observation, Explanation]:
    """Observe and explain one clip exactly as `textmsa prepare` does; raises what `observe` raises."""
    observation = observe(path, transcript, audio=built.audio, video=built.video)
    return observation, built.explainer.explain(observation)
