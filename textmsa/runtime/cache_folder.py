"""Where what was fetched or paid for once is kept."""

import os
from pathlib import Path


def default_cache() -> Path:
    """`$TEXTMSA_CACHE`, else textmsa in the user's cache folder."""
    if given := os.environ.get("TEXTMSA_CACHE"):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "textmsa"
