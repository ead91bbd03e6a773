"""Where what was fetched or paid for once is kept."""

import os
from pathlib import Path

CACHE_VARIABLE = "TEXTMSA_CACHE"


def cache_folder() -> Path:
    """`$TEXTMSA_CACHE`, else `textmsa` in `$XDG_CACHE_HOME` or `~/.cache`."""
    if given := os.environ.get(CACHE_VARIABLE):
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "textmsa"
