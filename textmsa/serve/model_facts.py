"""What a server says of the model behind it: training data, figures, its card. No place on the disk."""

import math
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from textmsa import __version__
from textmsa.intervals import calibration_of
from textmsa.model.everyday import CARD as EVERYDAY_CARD
from textmsa.model.everyday import FOLDER, EverydayModel
from textmsa.run import MODEL, Run
from textmsa.serve.limits import Limits
from textmsa.serve.worker import without_places

CARD = "README.md"
SPEECH_PACKAGE = "faster_whisper"


def model_facts(run: Run | None, limits: Limits) -> dict[str, Any]:
    """Of a run, or of the model that comes with the package; as JSON has it, figures that are not defined null."""
    facts = _of_everyday() if run is None else _of_run(run)
    can_transcribe = find_spec(SPEECH_PACKAGE) is not None
    return {"textmsa": __version__, **facts, "can_transcribe": can_transcribe, "limits": asdict(limits)}


def _of_everyday() -> dict[str, Any]:
    model = EverydayModel.load()
    return {
        "corpus": "sentences that people rated",
        "score_range": model.record["score"]["range"],
        "valid": {},
        "seeds": [],
        "parameters": None,
        "created": None,
        "parts": {},
        "interval": "calibrated",
        "no_interval": "",
        "needs_words": True,
        "card": (FOLDER / EVERYDAY_CARD).read_text(encoding="utf-8"),
    }


def _of_run(run: Run) -> dict[str, Any]:
    info, preparation = run.info, run.preparation
    calibration, no_interval = calibration_of(run)
    valid = {name: value if math.isfinite(value) else None for name, value in info.valid.items()}
    parts = {name: getattr(preparation, name) for name in ("audio", "video", "explainer")}
    return {
        "corpus": Path(info.corpus).name,
        "score_range": list(info.score_range),
        "valid": valid,
        "seeds": info.seeds or [info.seed],
        "parameters": info.parameters,
        "created": info.created,
        "parts": {
            name: {"name": getattr(part, "extractor", None) or part.explainer, "version": part.version}
            for name, part in parts.items()
            if part is not None
        },
        "interval": None if calibration is None else "calibrated",
        "no_interval": without_places(no_interval, RUN=run.path),
        "needs_words": False,
        "card": _card(run),
    }


def _card(run: Run) -> str:
    """The model card; empty where the run has none."""
    path = run.members[0].path / MODEL / CARD
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
