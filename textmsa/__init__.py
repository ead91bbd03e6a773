"""TEXT for multimodal sentiment analysis: raw clip in, score and explanation out.

    import textmsa

    prediction = textmsa.load("run").predict("clip.mp4", text="I loved it.")
    print(prediction.score, prediction.explanation.audio, prediction.explanation.video)

The way through the program is one folder or file per step: `corpora` -> `media` -> `features` -> `explain` -> `store`
-> `prepare` -> `inputs` -> `model` -> `train` / `evaluate` -> `predict`. See docs/architecture.md and
docs/python-api.md.
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from textmsa import evaluate as evaluate
    from textmsa import metrics as metrics
    from textmsa import prepare as prepare
    from textmsa import train as train
    from textmsa.analyze.iterate import utterances as utterances
    from textmsa.config import Recipe as Recipe
    from textmsa.config import load_recipe as load_recipe
    from textmsa.errors import TextMsaError as TextMsaError
    from textmsa.errors import UserError as UserError
    from textmsa.hub import push_to_hub as push_to_hub
    from textmsa.model import TextMsaConfig as TextMsaConfig
    from textmsa.model import TextMsaModel as TextMsaModel
    from textmsa.model.published_checkpoint import import_checkpoint as import_checkpoint
    from textmsa.predict import load as load
    from textmsa.prediction_table import to_pandas as to_pandas
    from textmsa.run import Run as Run
    from textmsa.run_predictor import Predictor as Predictor
    from textmsa.store import Store as Store
    from textmsa.types import Clip as Clip
    from textmsa.types import Explanation as Explanation
    from textmsa.types import FeatureSequence as FeatureSequence
    from textmsa.types import Observation as Observation
    from textmsa.types import Prediction as Prediction
    from textmsa.types import Sample as Sample

__version__ = "0.1.0"

logging.getLogger(__name__).addHandler(logging.NullHandler())

# Public name -> module that holds it; imported on first use, so that `import textmsa` stays light.
_EXPORTS = {
    "Clip": "textmsa.types",
    "Explanation": "textmsa.types",
    "FeatureSequence": "textmsa.types",
    "Observation": "textmsa.types",
    "Prediction": "textmsa.types",
    "Predictor": "textmsa.run_predictor",
    "Recipe": "textmsa.config",
    "Run": "textmsa.run",
    "Sample": "textmsa.types",
    "Store": "textmsa.store",
    "TextMsaConfig": "textmsa.model",
    "TextMsaError": "textmsa.errors",
    "TextMsaModel": "textmsa.model",
    "UserError": "textmsa.errors",
    "import_checkpoint": "textmsa.model.published_checkpoint",
    "load": "textmsa.predict",
    "load_recipe": "textmsa.config",
    "push_to_hub": "textmsa.hub",
    "to_pandas": "textmsa.prediction_table",
    "utterances": "textmsa.analyze.iterate",
}
_PACKAGES = ("evaluate", "metrics", "prepare", "train")
"""Modules that are public names themselves; all but `metrics` are called like the function they are named for."""

__all__ = [*_EXPORTS, *_PACKAGES, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return import_module(f"textmsa.{name}")
    if name in _EXPORTS:
        return getattr(import_module(_EXPORTS[name]), name)
    raise AttributeError(f"module 'textmsa' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
