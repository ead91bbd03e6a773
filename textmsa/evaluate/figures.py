"""Plots as files."""

from pathlib import Path
from typing import TYPE_CHECKING

from textmsa.runtime.atomic import replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save_figure(figure: "Figure", path: Path) -> None:
    """Write a png at once or not at all."""
    with replacing(path) as stream:
        figure.savefig(stream, format="png")
