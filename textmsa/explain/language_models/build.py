"""A language model of the seam, built with options from the command line."""

from typing import Any

from textmsa import seams
from textmsa.errors import UserError
from textmsa.explain.language_models.question import LanguageModel


def build_model(name: str, options: dict[str, Any]) -> LanguageModel:
    """A language model of the seam; UserError, with the options there are, for one that it does not have."""
    import inspect

    class_ = seams.load(seams.LANGUAGE_MODELS, name, what="language model")
    parameters = [p for p in inspect.signature(class_).parameters.values() if p.kind is not p.VAR_KEYWORD]
    if unknown := sorted(set(options) - {p.name for p in parameters}):
        raise UserError(
            f"language model {name!r} has no option {unknown[0]!r}: it has {', '.join(p.name for p in parameters)}"
        )
    if lacking := [p.name for p in parameters if p.default is p.empty and p.name not in options]:
        raise UserError(f"language model {name!r} needs the option {lacking[0]!r}")
    built: LanguageModel = class_(**options)
    return built
