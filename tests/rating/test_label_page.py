"""The page in a real browser, by keys: from a folder of clips to ratings, labels, a store and a trained run.

Chromium and axe-core are laid by `.ci/browser`; where CI runs, a test that lacks one fails.
"""

import json
import os
import re
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from media_fixtures import regular, tone, write_clip
from network_fixtures import small_recipe
from serving import ROOT, Server, listening

from textmsa.cli import main
from textmsa.corpora import read_corpus
from textmsa.rating.ratings import RaterFile

pytestmark = pytest.mark.slow
AXE = ROOT / ".venv-browser/axe-core/package/axe.min.js"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
LISTENER = """addEventListener("securitypolicyviolation", (event) => console.error(`CSP ${event.violatedDirective}`))"""
SPEAKERS, EACH = 5, 2
NAME = "Zoë O'Brien"


def needed(what: str | Path | None, name: str) -> str:
    if what and Path(what).exists():
        return str(what)
    if os.environ.get("CI"):
        pytest.fail(f"{name} is not here: run .ci/browser")
    pytest.skip(f"{name} is not here: run .ci/browser")


def clips_in(folder: Path, speakers: int = SPEAKERS) -> Path:
    """A person's folder of clips, as they come, with a table that says what is said."""
    lines = ["Datei;Satz"]
    for number in range(speakers * EACH):
        name = f"Person {number // EACH}/it's “{number}”.mp4"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_clip(folder / name, times=regular(15), sound=tone(0.6, hertz=120 + 20 * number))
        lines.append(f"{name};Sentence, number {number}")
    (folder / "Sätze.csv").write_bytes("\r\n".join(lines).encode("utf-16"))
    return folder


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    chromium = needed(shutil.which("chromium"), "chromium")
    api = (
        pytest.importorskip("playwright.sync_api")
        if not os.environ.get("CI")
        else __import__("playwright.sync_api").sync_api
    )
    with api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    folder = clips_in(tmp_path_factory.mktemp("mine") / "my clips")
    assert main(["new-corpus", str(folder)]) == 0
    return folder


class Window:
    """A window of the browser, with what it asked for and complained of."""

    def __init__(self, browser: Any, server: Server, **options: Any) -> None:
        size = {"width": options.pop("width", 1280), "height": options.pop("height", 900)}
        self.context = browser.new_context(viewport=size, reduced_motion="reduce", **options)
        self.page = self.context.new_page()
        self.outside: list[str] = []
        self.complaints: list[str] = []
        own = (server.address, "blob:", "data:")
        self.page.on("request", lambda asked: None if asked.url.startswith(own) else self.outside.append(asked.url))
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.add_init_script(LISTENER)
        self.page.goto(server.address)
        self.until("document.activeElement.id === 'name'")

    def until(self, expression: str, seconds: float = 90.0) -> None:
        end = time.monotonic() + seconds
        while not self.page.evaluate(expression):
            assert time.monotonic() < end, expression
            self.page.wait_for_timeout(20)

    def says(self, text: str) -> None:
        self.until(f"document.querySelector('#status').textContent.includes({json.dumps(text)})")

    def played(self) -> None:
        """Wait for the clip to run, as one does."""
        self.until("document.querySelector('#stage').dataset.played === 'yes'")

    def count(self) -> int:
        return int(re.match(r"(\d+) of", self.page.locator("#count").inner_text())[1])  # type: ignore[index]

    def rate(self, *keys: str) -> None:
        before = self.count()
        self.played()
        for key in keys:
            self.page.keyboard.press(key)
        self.until(f"document.querySelector('#count').textContent.startsWith('{before + 1} of')")

    def begin(self, name: str) -> None:
        self.page.fill("#name", name)
        self.page.keyboard.press("Enter")

    def close(self) -> None:
        self.context.close()
        assert self.outside == []
        assert self.complaints == []


def scores_of(folder: Path, name: str) -> list[float | None]:
    file = RaterFile(folder, name, (-3, 3))
    return [file.said[turn].score for turn in file.order]


def test_a_folder_of_clips_is_rated_by_keys_killed_gone_on_with_and_learnt_from(
    browser, corpus, tmp_path, encoder, capsys
):
    options = ["label", str(corpus), "--port", "0", "--repeats", "2", "--no-browser"]
    with listening(options, tmp_path / "first") as server:
        window = Window(browser, server)
        window.begin(NAME)
        window.until("!document.querySelector('#rating').hidden")
        assert window.page.locator("#words").is_hidden()
        window.rate("2")
        window.rate("-", "3")
        window.rate("Shift+Digit1")
        window.rate("ArrowRight", "ArrowRight", "Enter")
        assert scores_of(corpus, NAME) == [2, -3, -1, 1]
        window.page.keyboard.press("Backspace")
        window.says("Taken back; it was +1, weakly positive.")
        assert window.page.locator("#scale [aria-pressed=true]").inner_text() == "+1"
        window.rate("0")
        window.page.keyboard.press("t")
        assert window.page.locator("#words").inner_text().startswith("Sentence, number")
        window.page.keyboard.press("9")
        window.says("9 is not on the scale.")
        assert scores_of(corpus, NAME) == [2, -3, -1, 0]
        window.played()
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
        window.page.keyboard.press("1")
        window.says("The server does not answer. What was rated is kept")
        window.complaints[:] = [said for said in window.complaints if "ERR_CONNECTION" not in said]
        window.close()
    assert scores_of(corpus, NAME) == [2, -3, -1, 0]
    with listening(options, tmp_path / "second") as server:
        window = Window(browser, server)
        window.page.click(f'#raters button:has-text("{NAME}: 4 of 12")')
        window.until("!document.querySelector('#rating').hidden")
        assert window.count() == 4
        for score in (3, 2, 1, -1, -2, -3):
            window.rate(*(["-"] if score < 0 else []), str(abs(score)))
        window.until("document.querySelector('#remaining').textContent.includes('left')")
        window.page.keyboard.press("s")
        window.until("document.querySelector('#count').textContent.startsWith('11 of')")
        window.rate("0")
        window.until("!document.querySelector('#done').hidden")
        window.page.click("#another")
        window.begin("Ben")
        window.until("!document.querySelector('#rating').hidden")
        window.rate("1")
        window.rate("2")
        window.close()
        assert not server.said or not any("Traceback" in line for line in server.said)
    files = [RaterFile(corpus, name, (-3, 3)) for name in (NAME, "Ben")]
    for clip in read_corpus(corpus).clips:
        said = [file.said[clip.id, 1].score for file in files if (clip.id, 1) in file.said]
        scores = [score for score in said if score is not None]
        assert clip.label == (pytest.approx(sum(scores) / len(scores)) if scores else None)
    assert [len(file.said) for file in files] == [12, 2] and scores_of(corpus, NAME).count(None) == 1
    assert json.loads((corpus / "agreement.json").read_text())["raters"][1]["name"] == NAME
    capsys.readouterr()
    assert main(["label", str(corpus), "--agreement"]) == 0
    assert "rated by 2 raters" in capsys.readouterr().out
    assert main(["new-corpus", str(corpus)]) == 0
    learn(corpus, tmp_path, encoder)


def learn(corpus: Path, folder: Path, encoder: Path) -> None:
    parts = [
        "--audio",
        "outside_parts:Loudness",
        "--video",
        "outside_parts:Brightness",
        "--explainer",
        "outside_parts:Quoting",
    ]
    assert main(["prepare", str(corpus), "--out", str(folder / "store"), "--workers", "1", *parts]) == 0
    from dataclasses import asdict

    (folder / "recipe.yaml").write_text(yaml.safe_dump(json.loads(json.dumps(asdict(small_recipe(encoder))))))
    words = ["--data", str(folder / "store"), "--out", str(folder / "run"), "--device", "cpu"]
    assert main(["train", str(folder / "recipe.yaml"), *words]) == 0
    assert (folder / "run/run.json").is_file()


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    folder = clips_in(tmp_path_factory.mktemp("look") / "clips", speakers=2)
    (folder / "Person 0/odd.avi").write_bytes((folder / "Person 0/it's “0”.mp4").read_bytes()[:1500])
    write_clip(folder / "Person 1/sound.wav", sound=tone(0.6), audio_codec="pcm_s16le")
    assert main(["new-corpus", str(folder)]) == 0
    with listening(["label", str(folder), "--port", "0", "--no-browser"], tmp_path_factory.mktemp("t")) as running:
        yield running


def test_two_windows_of_one_name(browser, server):
    one, other = Window(browser, server), Window(browser, server)
    one.begin("Anna")
    one.until("!document.querySelector('#rating').hidden")
    other.begin("anna")
    other.says("Anna is rating in another window: close it, or take over here")
    other.page.click("#take-over")
    other.until("!document.querySelector('#rating').hidden")
    one.played()
    one.page.keyboard.press("1")
    one.says("this window has ended: the name was taken over")
    other.rate("1")
    other.page.reload()  # the same window goes on by itself
    other.until("document.querySelector('#count').textContent.startsWith('1 of')")
    for window in (one, other):
        window.complaints[:] = [said for said in window.complaints if "409" not in said and "410" not in said]
        window.close()


def test_a_clip_must_run_before_it_is_rated(browser, server):
    window = Window(browser, server)
    window.page.uncheck("#at-once") if window.page.locator("#at-once").is_visible() else None
    window.page.evaluate("document.querySelector('#at-once').checked = false")
    window.begin("Cleo")
    window.until("!document.querySelector('#rating').hidden")
    window.page.keyboard.press("2")
    window.says("Play the clip first: Space.")
    assert window.count() == 0
    window.page.keyboard.press("Space")
    window.rate("2")
    window.page.click("#scale button:nth-child(1)")
    window.says("Play the clip first")
    window.page.click("#play")
    window.played()
    window.page.click("#scale button:nth-child(1)")
    window.says("Rated \u22123, strongly negative.")
    window.page.keyboard.press("Space")  # plays, and does not press the button that was clicked
    window.played()
    assert window.count() == 2
    window.until("document.querySelector('#video').ended")
    window.page.focus("#position")
    window.page.keyboard.press("Home")
    window.page.keyboard.press("ArrowRight")  # moves the player's position, and chooses no score
    assert window.page.evaluate("document.querySelector('#video').currentTime") == pytest.approx(0.05, abs=0.01)
    assert window.page.locator("#scale [aria-pressed=true]").count() == 0
    window.close()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"width": 390, "height": 844},
        {"color_scheme": "dark"},
        {"width": 390, "height": 844, "color_scheme": "dark"},
    ],
    ids=["wide", "phone", "dark", "phone in the dark"],
)
def test_nothing_keeps_people_out_and_nothing_stands_out_of_the_page(browser, server, options):
    axe = Path(needed(AXE, "axe-core")).read_text(encoding="utf-8")
    window = Window(browser, server, **options)
    name = f"Dora {len(options)} {options.get('color_scheme', '')}".strip()

    def look() -> None:
        assert window.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        complaints = list(window.complaints)
        window.page.evaluate(axe)
        found = window.page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        window.complaints[:] = complaints  # axe lays a style of its own, which the policy refuses
        assert not [(one["id"], [node["html"][:80] for node in one["nodes"]]) for one in found]

    look()
    window.begin(name)
    window.until("!document.querySelector('#rating').hidden")
    window.played()
    window.page.keyboard.press("t")
    window.page.keyboard.press("ArrowRight")
    look()
    while window.page.locator("#done").is_hidden():
        before = window.page.locator("#count").inner_text()
        window.page.keyboard.press("s")
        window.until(f"document.querySelector('#count').textContent !== {json.dumps(before)}")
    look()
    window.page.keyboard.press("?")
    look()
    window.close()
