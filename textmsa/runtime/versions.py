"""What was used: packages with their versions, and the commit where this is a checkout."""

import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PREPARING = ("textmsa", "av", "datasets", "librosa", "mediapipe", "numpy", "pyarrow", "soxr")
"""What decides features and the store's data."""
TRAINING = ("textmsa", "torch", "transformers", "tokenizers", "accelerate", "safetensors", "numpy", "peft")
"""What decides a network's weights and scores."""
GIT_SECONDS = 10


def package_versions(names: Iterable[str]) -> dict[str, str]:
    """Package -> version, of those that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """The commit of this package's own checkout; None where it is no checkout, or git is absent."""
    root = Path(__file__).parents[2]
    if not (root / ".git").exists() or not (root / "textmsa" / "runtime").is_dir():
        return None
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=GIT_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
