"""A real browser, and what tests do to a page in it.

Chromium is Debian's; axe-core, which looks for what keeps people out, comes from npm. `.ci/browser` lays both; where CI
runs, a test that lacks one fails.
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from serving import ROOT

AXE = ROOT / ".venv-browser/axe-core/package/axe.min.js"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]
TIME = "document.querySelector('.stage video').currentTime"
LISTENER = """addEventListener("securitypolicyviolation", (event) => console.error(`CSP ${event.violatedDirective}`))"""


def needed(what: str | Path | None, name: str) -> str:
    if what and Path(what).exists():
        return str(what)
    if os.environ.get("CI"):
        pytest.fail(f"{name} is not here: run .ci/browser")
    pytest.skip(f"{name} is not here: run .ci/browser")


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser, closed at the end."""
    program = needed(shutil.which("chromium"), "chromium")
    api = (
        pytest.importorskip("playwright.sync_api")
        if not os.environ.get("CI")
        else __import__("playwright.sync_api").sync_api
    )
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield started
        started.close()


@dataclass
class Seen:
    """A page with what it asked for and complained of."""

    page: Any
    outside: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@contextmanager
def watched(
    browser: Any, own: tuple[str, ...], *, width: int = 1280, height: int = 900, scheme: str = "light"
) -> Iterator[Seen]:
    """A page; at the end it must not have complained, or asked for anything that does not begin with `own`."""
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        reduced_motion="reduce",
        permissions=["camera", "microphone"],
        accept_downloads=True,
    )
    page = context.new_page()
    seen = Seen(page)
    page.on("request", lambda asked: None if asked.url.startswith(own) else seen.outside.append(asked.url))
    page.on("console", lambda said: seen.complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    page.add_init_script(LISTENER)
    yield seen
    context.close()
    assert seen.outside == []
    assert seen.complaints == []


def until(page: Any, expression: str, seconds: float = 60.0) -> None:
    """Wait for something to be so, by asking: Playwright's own waiting runs text, which the page's policy refuses."""
    end = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(50)


def barriers(seen: Seen) -> list[tuple[str, list[str]]]:
    """What axe-core finds that keeps people out."""
    axe = Path(needed(AXE, "axe-core")).read_text(encoding="utf-8")
    complaints = list(seen.complaints)
    seen.page.evaluate(axe)
    found = seen.page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    seen.complaints[:] = complaints  # axe lays a style of its own, which the policy refuses
    return [(one["id"], [node["html"][:80] for node in one["nodes"]]) for one in found]
