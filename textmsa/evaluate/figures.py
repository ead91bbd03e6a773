"""Plots as files."""

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from textmsa.runtime.atomic import UNFINISHED, to_disk

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a png at once or not at all."""
    data = io.BytesIO()
    figure.savefig(data, format="png")
    unfinished = path.with_name(path.name + UNFINISHED)
    with unfinished.open("wb") as stream:
        stream.write(data.getvalue())
        to_disk(stream)
    os.replace(unfinished, path)
