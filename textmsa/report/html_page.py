"""Pages that need nothing else: one HTML file with its pictures inside."""

import base64
import html
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from textmsa.analyze.page import FOOTER, Shown, header, page_of
from textmsa.runtime.atomic import write_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STYLE = """
.report{max-width:76rem}.report h2{font-size:1.15rem;margin:1.6rem 0 .5rem}
.report .viewer h2{font-size:.95rem;margin:0 0 .5rem}
.report table{border-collapse:collapse}.report td,.report th{padding:.25rem .8rem;border-bottom:1px solid var(--line)}
.report td,.report th{text-align:left;overflow-wrap:break-word;vertical-align:top}.report th{white-space:nowrap}
.report td.n{text-align:right;font-variant-numeric:tabular-nums}.report tr.us{font-weight:bold;background:var(--sheet)}
.report img{max-width:100%;border-radius:.5rem}.report small{color:var(--faint)}.report .bad{color:var(--bad)}
.report .wide{overflow-x:auto}.clip{border-top:2px solid var(--line);padding-top:1rem;margin:1.5rem 0}
.report .clip h3{font-size:1rem;margin:0 0 .6rem;overflow-wrap:anywhere}.report .clip table{margin-top:.5rem}
@media (max-width:40rem){.report table{font-size:.85rem}
.report td,.report th{padding:.2rem .4rem}.report th{white-space:normal}}
"""


def write_page(path: Path, title: str, sections: Iterable[str], shown: Sequence[Shown] = ()) -> Path:
    """Write sections of HTML as a page, with players in those of its elements that they name."""
    body = "\n".join(sections)
    page = f'{header("textmsa", title, keys=bool(shown))}\n<main class="report">\n{body}\n{FOOTER}\n</main>'
    write_text(path, page_of(title, page, shown, style=STYLE))
    return path


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of escaped cells; numbers stand to the right."""
    top = "".join(f"<th>{html.escape(name)}</th>" for name in header)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    return f"<div class='wide' tabindex='0'><table><tr>{top}</tr>{body}</table></div>"


def _cell(value: object) -> str:
    if isinstance(value, int | float):
        return f"<td class='n'>{value:,}</td>" if isinstance(value, int) else f"<td class='n'>{value:.2f}</td>"
    return f"<td>{html.escape(str(value))}</td>"


def picture(figure: "Figure", words: str) -> str:
    """A matplotlib figure, and what it shows in plain words."""
    data = io.BytesIO()
    figure.savefig(data, format="png")
    return f"<img src='data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}' alt='{html.escape(words)}'>"
