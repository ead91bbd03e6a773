"""Pages that hold everything they show: the parts of the served page, bundled, with the data, in one HTML file.

The parts are those of `textmsa/serve/page`, the same files: modules are joined here, since a page that is opened as a
file may not import any.
"""

import base64
import hashlib
import html
import json
import mimetypes
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

ENTRY = "timeline.js"
STYLES = ("vendor/uPlot.min.css", "style.css")
PLAIN_SCRIPTS = ("vendor/uPlot.iife.min.js",)
_IMPORT = re.compile(r'^import (?:(\w+)|\* as (\w+)|(\{[^}]*\})) from "\./([\w./]+)";$', re.M)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:const|let|function|class) (\w+))", re.M)
_DEFAULT = re.compile(r"export\{(\w+) as default\};?\s*$")
_LEFT_OVER = re.compile(r"^\s*(?:import|export)\b", re.M)


@dataclass(frozen=True)
class Shown:
    """One player of a page."""

    place: str
    """The id of the element that it fills."""
    document: dict[str, Any]
    """What `kind` says."""
    kind: str
    """"timeline" (timeline.json), "prediction" (as /v1/predict with tracks), "explained" (as /v1/explain)."""
    address: str | None
    """Of the film or sound, relative to the page, or as data; None where there is none."""
    heard: bool = False
    """Whether it has no pictures."""
    name: str = "clip"
    """Of files that are kept."""


def page_of(title: str, body: str, shown: Sequence[Shown], *, style: str = "") -> str:
    """The HTML of a page with players.

    Parameters
    ----------
    title
        Plain text.
    body
        HTML of ours, already escaped, with an element for the `place` of each player.
    shown
        The players.
    style
        Rules besides those of the served page.
    """
    given = [
        {"place": one.place, "address": one.address, "heard": one.heard, "name": one.name, one.kind: one.document}
        for one in shown
    ]
    data = json.dumps(given, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    script, style = bundle(), "\n".join([*(_part(name) for name in STYLES), style])
    nonce = _sha256(script + style)[:22]
    policy = (
        f"default-src 'none'; script-src 'sha256-{_sha256(script)}'; style-src 'sha256-{_sha256(style)}' "
        f"'nonce-{nonce}'; img-src data: blob:; media-src 'self' file: data: blob:; connect-src 'none'; "
        "base-uri 'none'; form-action 'none'"
    )
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="style-nonce" content="{nonce}">
<title>{html.escape(title)}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
{body}
<script type="application/json" id="data">{_as_text(data)}</script>
<script>{script}</script>
</body>
</html>
"""


def header(title: str, line: str, *, keys: bool = True) -> str:
    """The bar at the top of a page, of plain texts; with a button for the keys where something can be played."""
    button = '<button type="button" id="open-help" aria-keyshortcuts="?">Keys</button>'
    told = f'<nav aria-label="About">{button}</nav>' if keys else ""
    return f'<header><h1>{html.escape(title)}</h1><p dir="auto">{html.escape(line)}</p>{told}</header>'


FOOTER = (
    "<footer><p>A score says how a clip <em>comes across</em> to the people whose ratings the model learnt from, not "
    "what the person feels. It is not for judging applicants, workers, pupils or patients, or for surveillance."
    "</p></footer>"
)


def address_of(media: Path, page: Path) -> str:
    """A film's address in a page: relative where both lie on one drive. Links are not followed, as browsers do not."""
    try:
        return quote(Path(os.path.relpath(media.absolute(), page.absolute().parent)).as_posix())
    except ValueError:  # another drive
        return media.absolute().as_uri()


def as_data(media: Path) -> str:
    """A film as an address that holds it, for small ones."""
    kind = mimetypes.guess_type(media.name)[0] or "video/mp4"
    return f"data:{kind};base64,{base64.b64encode(media.read_bytes()).decode()}"


@cache
def bundle() -> str:
    """One script of the page's modules, in the order in which they need one another."""
    plain = [_part(name) for name in PLAIN_SCRIPTS]
    modules = "\n".join(_module(name) for name in _ordered(ENTRY, []))
    script = "\n".join([*plain, f'(() => {{\n"use strict";\nconst modules = {{}};\n{modules}\n}})();'])
    return script.replace("</script", "<\\/script")


def _ordered(name: str, done: list[str]) -> list[str]:
    for found in _IMPORT.finditer(_part(name)):
        if (needed := found[4]) not in done:
            _ordered(needed, done)
    if name not in done:
        done.append(name)
    return done


def _module(name: str) -> str:
    """A module as a function of its own, so that its names stay its own."""
    source = _part(name)
    exported = [found[1] for found in _EXPORT.finditer(source)]
    if default := _DEFAULT.search(source):
        source, exported = source[: default.start()], [f"default: {default[1]}"]
    source = _IMPORT.sub(_taken, _EXPORT.sub("", source))
    assert not _LEFT_OVER.search(source), f"{name}: imports or exports in a way that is not understood"
    return f'modules["{name}"] = (() => {{\n{source}\nreturn {{ {", ".join(exported)} }};\n}})();'


def _taken(found: re.Match[str]) -> str:
    default, everything, names, module = found.groups()
    taken = f'modules["{module}"]'
    if default:
        return f"const {default} = {taken}.default;"
    return f"const {everything or names.replace(' as ', ': ')} = {taken};"


@cache
def _part(name: str) -> str:
    return (files("textmsa") / "serve" / "page" / name).read_text(encoding="utf-8")


def _sha256(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _as_text(data: str) -> str:
    """JSON within HTML: nothing in it ends the element that holds it."""
    return data.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
