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
    "openface": "textmsa.features.video_openface:OpenfaceVideo",
}
EXPLAINERS = {"measured": "textmsa.explain.measured:MeasuredExplainer"}
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
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        if error.name and not module.startswith(error.name):
            raise UserError(f"{what} {name!r} needs the package {error.name!r}: pip install it") from error
        raise UserError(f"{what} {name!r}: there is no module {module!r}") from error
    except AttributeError as error:
        raise UserError(f"{what} {name!r}: {module!r} has no {attribute!r}") from error
