"""TEXT for multimodal sentiment analysis: raw clip in, score and explanation out.

The way through the program is one file per step: `corpora` -> `media` -> `features` -> `explain` -> `store`
-> `store` -> `inputs` -> `model` -> `train` / `evaluate` -> `predict`. See docs/architecture.md.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Public name -> module that holds it; imported on first use, so that `import textmsa` stays light.
_EXPORTS = {
    "Clip": "textmsa.types",
    "Explanation": "textmsa.types",
    "FeatureSequence": "textmsa.types",
    "Observation": "textmsa.types",
    "Prediction": "textmsa.types",
    "Sample": "textmsa.types",
    "TextMsaConfig": "textmsa.model",
    "TextMsaModel": "textmsa.model",
    "UserError": "textmsa.errors",
    "import_checkpoint": "textmsa.model.published_checkpoint",
    "metrics": "textmsa",
}

__all__ = [*_EXPORTS, "__version__"]


def __getattr__(name: str) -> Any:
    if name == "metrics":
        return import_module("textmsa.metrics")
    if name in _EXPORTS:
        return getattr(import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module 'textmsa' has no attribute {name!r}")
