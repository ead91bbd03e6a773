"""Where a part can be replaced: tables `name -> "module:Class"`, imported only when used.

The tables are the choices of the command line and the parameters of the tests. Any outside `"module:Class"` is
accepted in place of a name.
"""

from importlib import import_module
from typing import Any

from textmsa.errors import UserError

CORPORA = {"mmsa": "textmsa.corpora:MmsaCorpus"}
AUDIO_EXTRACTORS = {
    "librosa": "textmsa.features.audio_librosa:LibrosaAudio",
    "opensmile": "textmsa.features.audio_opensmile:OpensmileAudio",
}
VIDEO_EXTRACTORS = {
    "mediapipe": "textmsa.features.video_mediapipe:MediapipeVideo",
    "mediapipe_expressions": "textmsa.features.video_expressions:MediapipeExpressionsVideo",
    "openface": "textmsa.features.video_openface:OpenfaceVideo",
}
EXPLAINERS = {
    "measured": "textmsa.explain.measured:MeasuredExplainer",
    "chat_endpoint": "textmsa.explain.staged:ChatEndpointExplainer",
    "videollama3": "textmsa.explain.staged:VideoLlama3Explainer",
    "qwen_omni": "textmsa.explain.staged:QwenOmniExplainer",
    "echo": "textmsa.explain.staged:EchoExplainer",
    "precomputed": "textmsa.explain.precomputed:PrecomputedExplainer",
}
LANGUAGE_MODELS = {
    "chat_endpoint": "textmsa.explain.language_models.chat_endpoint:ChatEndpoint",
    "videollama3": "textmsa.explain.language_models.videollama3:VideoLlama3",
    "qwen_omni": "textmsa.explain.language_models.qwen_omni:QwenOmni",
    "causal_lm": "textmsa.explain.language_models.causal_lm:CausalLm",
    "echo": "textmsa.explain.language_models.echo:Echo",
}
TEMPORAL_ALIGNMENTS = {
    "gated_conv": "textmsa.model.temporal_alignment:GatedConvAlignment",
    "none": "textmsa.model.temporal_alignment:NoAlignment",
    "cross_attention": "textmsa.model.temporal_alignment:CrossAttentionAlignment",
    "mamba": "textmsa.model.temporal_alignment:MambaAlignment",
}


def load(table: dict[str, str], name: str, *, what: str) -> Any:
    """The class behind `name`, which is a key of `table` or a `"module:Class"` of the user's own.

    Raises UserError, naming the choices, where there is none.
    """
    target = table.get(name, name)
    module, _, attribute = target.partition(":")
    if not attribute:
        raise UserError(f"unknown {what} {name!r}: choose one of {', '.join(table)}, or give 'module:Class'")
    try:
        part = getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        if error.name and not module.startswith(error.name):
            raise UserError(f"{what} {name!r} needs the package {error.name!r}: pip install it") from error
        raise UserError(f"{what} {name!r}: there is no module {module!r}") from error
    except AttributeError as error:
        raise UserError(f"{what} {name!r}: {module!r} has no {attribute!r}") from error
    if not isinstance(part, type):
        raise UserError(f"{what} {name!r}: {attribute!r} is a {type(part).__name__}; give 'module:Class'")
    return part


def required(class_: type[Any], attribute: str, name: str, *, what: str) -> Any:
    """An attribute that a part's class must have; UserError, naming the part, where it lacks."""
    try:
        return getattr(class_, attribute)
    except AttributeError:
        raise UserError(f"{what} {name!r}: its class has no {attribute!r}, which every {what} needs") from None


def split_options(
    table: dict[str, str], name: str, options: dict[str, Any], *, what: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(options that decide what comes out, options that only decide how it is got, such as how many at a time).

    The class tells the latter by an attribute `passing_options`, names; those of a refiner begin with `refiner_`.
    """
    names = set(getattr(load(table, name, what=what), "passing_options", ()))
    passing = {key: value for key, value in options.items() if key.removeprefix("refiner_") in names}
    return {key: value for key, value in options.items() if key not in passing}, passing
