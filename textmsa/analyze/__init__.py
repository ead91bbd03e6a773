"""A video of any length -> a timeline: every utterance scored and explained, with what is heard and seen over time."""

from textmsa.analyze.command import analyze

__all__ = ["analyze"]
