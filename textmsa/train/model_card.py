"""The model card: README.md beside a network's weights, with the header that model hubs read."""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from textmsa.config import Recipe
from textmsa.run import RunInfo
from textmsa.store.manifest import Manifest

CARD = "README.md"
INPUTS = {
    "text": "what is said",
    "audio": "sound",
    "video": "a face that is seen",
}
TEXT_INPUTS = {
    "transcript": "the transcript",
    "residual": "the transcript and the explanation's summary",
    "reason": "the explanation's reason",
    "translated": "the English translation of the transcript",
    "both": "the transcript and its English translation",
}
PACKAGES = ("textmsa", "torch", "transformers")
SHOWN = {
    "model": ("num_layers", "num_experts", "top_k", "hidden_size", "temporal_alignment"),
    "inputs": ("modalities", "text_input", "explanations", "frames", "pieces"),
    "training": ("epochs", "batch_size", "learning_rate", "loss", "unimodal_weight", "encoder_trainable", "seed"),
}
"""The recipe's values that the card repeats; recipe.yaml has them all."""


def model_card(info: RunInfo, recipe: Recipe, manifest: Manifest, before: str = "") -> str:
    """The card of one trained network, in Markdown after a YAML header.

    `before` says what its text encoder had learnt before, if anything.
    """
    import yaml

    low, high = info.score_range
    header = yaml.safe_dump(_header(info, recipe), sort_keys=False)
    sections = [
        f"# TEXT, trained on {info.corpus}",
        "A network for multimodal sentiment analysis (TEXT: text-routed sparse mixture of experts with explanation and "
        f"temporal alignment; Rao, Zeng, Jiang, Lv, AAAI 2026). It reads a clip of one talking person and gives a "
        f"score from {low:g} (negative) to {high:g} (positive), with the weight of each modality and of each expert.",
        "## Use",
        "The folder that holds `model/` is a run: it also says how a clip is made into features and explanations.",
        '```bash\ntextmsa predict RUN clip.mp4 --text "What is said."\n```',
        '```python\nimport textmsa\n\ntextmsa.load("RUN").predict("clip.mp4", text="What is said.")\n```',
        f"It reads {_inputs(recipe)}. What a clip lacks is left out; one of them must be there.",
        "## Training data",
        "\n\n".join(part for part in (_data(info, manifest), before) if part),
        "## Recipe",
        _table(("key", "value"), _values(info, recipe)),
        "## Validation",
        f"Metrics on the validation split, by which epoch {info.best_epoch} of {info.epochs} was chosen: they flatter. "
        "The test split is read by `textmsa evaluate`.",
        _table(("metric", "value"), [(name, _number(value)) for name, value in info.valid.items()]),
        "## What it is not for",
        "It tells how a clip would be labelled by those who labelled its corpus, not what a person feels, and is no "
        "ground for a decision on anyone. Other languages, cultures, recording conditions or kinds of speech than the "
        "corpus' own were not tried; neither was fairness between groups of people.",
        "## Licence and origin",
        "The code is Apache-2.0. The weights also come from the corpus and from the text encoder "
        f"{_encoder(recipe)!r}: their licences hold for them.",
        _origin(info),
    ]
    return f"---\n{header}---\n\n" + "\n\n".join(sections) + "\n"


def _header(info: RunInfo, recipe: Recipe) -> dict[str, Any]:
    encoder = recipe.model.text_encoder
    of_hub = {} if Path(encoder).exists() or "/" not in encoder else {"base_model": encoder}
    return {
        "license": "other",
        "license_name": "of-corpus-and-text-encoder",
        "library_name": "textmsa",
        "tags": ["multimodal-sentiment-analysis", "mixture-of-experts", *recipe.inputs.modalities],
        "metrics": list(info.valid),
        **of_hub,
    }


def _inputs(recipe: Recipe) -> str:
    read = recipe.inputs.modalities
    streams = ", ".join(f"{INPUTS[name]} ({name})" for name in read)
    return streams + (f"; of the text: {TEXT_INPUTS[recipe.inputs.text_input]}" if "text" in read else "")


def _data(info: RunInfo, manifest: Manifest) -> str:
    clips = ", ".join(f"{split} {count}" for split, count in manifest.counts.items())
    parts = {name: getattr(manifest, name) for name in ("audio", "video", "explainer")}
    rows = [("corpus", info.corpus), ("clips", clips), ("statistics, sha256", manifest.statistics_sha256)]
    rows += [
        (name, f"{getattr(part, 'extractor', None) or part.explainer} {part.version}")
        for name, part in parts.items()
        if part is not None
    ]
    return _table(("of the store", ""), rows)


def _values(info: RunInfo, recipe: Recipe) -> list[tuple[str, str]]:
    values = asdict(recipe)
    rows = [("model.text_encoder", _encoder(recipe)), ("model.alignment_query", info.alignment_query)]
    for part, names in SHOWN.items():
        for name in names:
            value = values[part][name]
            rows.append((f"{part}.{name}", ", ".join(value) if isinstance(value, tuple) else str(value)))
    return [*rows, ("parameters", f"{info.parameters:,}")]


def _encoder(recipe: Recipe) -> str:
    """Its name; of a folder only the last part, since the rest tells of a machine."""
    encoder = recipe.model.text_encoder
    return Path(encoder).name if Path(encoder).exists() else encoder


def _origin(info: RunInfo) -> str:
    versions = ", ".join(f"{name} {info.packages[name]}" for name in PACKAGES if name in info.packages)
    commit = f", commit {info.commit}" if info.commit else ""
    return f"Trained {info.created} with {versions}{commit}, {info.precision} on {info.device.partition(':')[0]}."


def _number(value: float) -> str:
    return "not defined" if math.isnan(value) else f"{value:.4f}"


def _table(head: tuple[str, str], rows: list[tuple[str, str]]) -> str:
    return "\n".join(f"| {name} | {value} |" for name, value in [head, ("---", "---"), *rows])
