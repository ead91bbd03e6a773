"""A timeline as a page that needs nothing else; the film plays where it lies as it did when the page was written."""

import html
from pathlib import Path

from textmsa.analyze.page import FOOTER, Shown, address_of, header, page_of
from textmsa.analyze.timeline import Timeline

PAGE = "timeline.html"


def as_page(timeline: Timeline, folder: Path) -> str:
    """The page's HTML, for a folder in which it will lie."""
    media = Path(timeline.file)
    name = timeline.file.replace("\\", "/").rpartition("/")[2]
    shown = Shown(
        "viewer",
        timeline.document(),
        "timeline",
        address_of(media, folder / PAGE),
        heard="video" in timeline.missing and "no video stream" in timeline.missing["video"],
        name=Path(name).stem or "timeline",
    )
    body = f'{header("textmsa", name)}\n<main>\n<div id="viewer"><p>{_waiting(name)}</p></div>\n{FOOTER}\n</main>'
    return page_of(f"{name}: timeline", body, [shown])


def _waiting(name: str) -> str:
    """What stands there until the page is drawn, and where scripts are off."""
    return f"{html.escape(name)}: this page is drawn by a script."
