"""Explanations without a language model: facts measured of a clip, told in graded words, and held against claims."""

from textmsa.explain.measured.explainer import MeasuredExplainer

__all__ = ["MeasuredExplainer"]
