"""A row of a store: its columns, and what it is made of."""

from dataclasses import dataclass

from textmsa.types import Sample

CLIP_TEXTS = ("id", "path", "transcript", "transcript_en", "split", "video_id")
CLIP_LABELS = ("label", "label_text", "label_audio", "label_video")
PIECES = ("transcript", "translated", "residual", "reason", "audio", "video")
"""Texts whose word pieces a published data file may give."""
PROVENANCE = ("source", "explanation_source")


@dataclass(frozen=True)
class StoredClip:
    """A row of the store: a sample, and keys that say what it was made from."""

    sample: Sample
    source: str = ""
    """Changes with the media file and the extractors."""
    explanation_source: str = ""
    """Changes with the above, the transcript, the statistics and the explainer."""
