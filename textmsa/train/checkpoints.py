"""The Trainer's checkpoints: the latest that is whole."""

import json
from pathlib import Path

CHECKPOINTS = "checkpoints"


def last_checkpoint(folder: Path) -> str | None:
    """The latest of the Trainer's checkpoints that is whole: a kill may have left one half-written."""
    whole = [state.parent for state in folder.glob("checkpoint-*/trainer_state.json") if _parses(state)]
    return str(max(whole, key=lambda path: int(path.name.rpartition("-")[2]))) if whole else None


def _parses(state: Path) -> bool:
    """The Trainer writes this file last."""
    try:
        return bool(json.loads(state.read_text()))
    except ValueError:
        return False
