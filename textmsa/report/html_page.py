"""Pages that need nothing else: one HTML file with its pictures inside."""

import base64
import html
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from textmsa.media import read_media
from textmsa.runtime.atomic import write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse}td,th{padding:.25rem .8rem;border-bottom:1px solid #ddd;text-align:left}
td.n{text-align:right;font-variant-numeric:tabular-nums}tr.us{font-weight:bold;background:#eef6ff}
td,th{overflow-wrap:anywhere;vertical-align:top}th{white-space:nowrap}
img{max-width:100%}.clip{border:1px solid #ddd;border-radius:.5rem;padding:1rem;margin:1rem 0}
.clip img{border-radius:.3rem;margin-right:.3rem}small{color:#666}.bad{color:#a40000}
"""
FRAMES = 5
FRAME_WIDTH = 150  # pixels


def write_page(path: Path, title: str, sections: Iterable[str]) -> Path:
    """Write sections of HTML as a page."""
    head = f"<meta charset='utf-8'><title>{html.escape(title)}</title><style>{STYLE}</style>"
    write_text(path, f"<!doctype html><html lang='en'>{head}" + "\n".join(sections) + "</html>")
    return path


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of escaped cells; numbers stand to the right."""
    top = "".join(f"<th>{html.escape(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def _cell(value: object) -> str:
    if isinstance(value, int | float):
        return f"<td class='n'>{value:,}</td>" if isinstance(value, int) else f"<td class='n'>{value:.2f}</td>"
    return f"<td>{html.escape(str(value))}</td>"


def picture(figure: "Figure") -> str:
    """A matplotlib figure."""
    data = io.BytesIO()
    figure.savefig(data, format="png")
    return f"<img src='data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}'>"


def frames(path: Path) -> str:
    """Some frames of a clip; raises UnreadableClip."""
    from PIL import Image

    pictures = read_media(path).frames or ()
    tags = []
    for place in np.linspace(0, len(pictures) - 1, min(FRAMES, len(pictures))).astype(int):
        frame, data = pictures[place], io.BytesIO()
        size = FRAME_WIDTH, max(1, FRAME_WIDTH * frame.shape[0] // frame.shape[1])
        Image.fromarray(frame).resize(size).save(data, format="JPEG", quality=80)
        tags.append(f"<img src='data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}'>")
    return "".join(tags)
