"""timeline.html in a real browser, opened as a file: ten minutes that are sought, scrolled, summed up and kept."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import pytest
from browsing import TIME, Seen, barriers, chromium, until, watched
from long_timeline import SECONDS, film, long_timeline

from textmsa.analyze.elan import as_eaf
from textmsa.analyze.tables import as_subtitles
from textmsa.analyze.timeline import Timeline
from textmsa.analyze.timeline_page import PAGE, as_page

pytestmark = pytest.mark.slow
ARABIC, CHINESE, MARKUP = "أحببت هذا الفيلم كثيرا", "我 很 喜欢 这部 电影", "<script>alert(1)</script> <b>bold"
NAME = "<script>alert(1)<b>.mp4"
SMOOTH_MILLISECONDS = 8.0  # of our work a frame, of the 16.7 that 60 frames a second leave; the rest is the painting
OURS = ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration")
SCROLL = """async (frames) => { const bar = document.querySelector(".scroller");
for (let i = 0; i < frames; i++) { await new Promise(requestAnimationFrame); bar.scrollLeft += 12; } }"""
LEGENDS = """() => {
  const over = [...document.querySelectorAll(".over, .over *")];
  const ground = (place) => getComputedStyle(document.querySelector(place)).backgroundColor;
  over.forEach((one) => (one.style.pointerEvents = "auto"));
  const tops = [...document.querySelectorAll(".bare .lane > *")].map((one) => {
    one.scrollIntoView({ block: "center", behavior: "instant" });
    const { x, y, width, height } = one.getBoundingClientRect();
    return one.contains(document.elementFromPoint(x + width / 2, y + height / 2));
  });
  over.forEach((one) => (one.style.pointerEvents = ""));
  scrollTo(0, 0);
  return [tops, ground(".bare"), ground("body")];
}"""
"""Whether each part of a legend lies above what is drawn over the rows, the ground of legends, and the page's."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("timeline")


@pytest.fixture(scope="module")
def timeline(folder) -> Timeline:
    """Of a film with an odd name, in a folder beside the page's."""
    found = long_timeline(str(film(folder / NAME.replace("/", "_"))), {1: ARABIC, 2: CHINESE, 3: MARKUP})
    (folder / "out").mkdir()
    (folder / "out" / PAGE).write_text(as_page(found, folder / "out"), encoding="utf-8")
    return found


@pytest.fixture
def opened(browser, folder, timeline, request) -> Iterator[Seen]:
    with watched(browser, (folder.as_uri(), "blob:", "data:"), **getattr(request, "param", {})) as seen:
        seen.page.set_default_timeout(120_000)
        seen.page.goto((folder / "out" / PAGE).as_uri())
        yield seen


def now(page: Any) -> str:
    return page.locator(".now h2").first.inner_text()


def test_ten_minutes_are_sought_by_click_and_by_keys(opened, timeline):
    page = opened.page
    until(page, "document.querySelector('.stage video').readyState >= 1")
    sound = page.locator(".lane.wave").bounding_box()
    page.mouse.click(sound["x"] + sound["width"] / 2, sound["y"] + 10)
    assert page.evaluate(TIME) == pytest.approx(SECONDS / 2, abs=2)
    lane = page.locator(".lane.utterances").bounding_box()
    one = timeline.utterances[40]
    middle = (one["start"] + one["end"]) / 2
    page.mouse.click(lane["x"] + lane["width"] * middle / SECONDS, lane["y"] + 12)
    assert page.evaluate(TIME) == pytest.approx(one["start"], abs=0.01)
    shown = page.locator(".readout").inner_text().split("\n")
    assert shown[shown.index("score") + 1] == f"{one['score']:+.2f}".replace("-", "\u2212")
    page.keyboard.press("Shift+ArrowRight")
    assert page.evaluate(TIME) == pytest.approx(timeline.utterances[41]["start"], abs=0.01)
    assert page.locator(".lines .now .text").inner_text() == timeline.utterances[41]["text"]
    for key, moved in (("ArrowRight", 0.5), ("j", -2.0), ("l", 2.0), (",", -0.1)):
        before = page.evaluate(TIME)
        page.keyboard.press(key)
        assert page.evaluate(TIME) == pytest.approx(before + moved, abs=0.02), key
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()


def test_a_window_is_summed_up_in_a_sentence(opened, timeline):
    page = opened.page
    lane = page.locator(".lane.wave").bounding_box()
    at = lambda time: lane["x"] + lane["width"] * time / SECONDS  # noqa: E731
    page.mouse.move(at(100), lane["y"] + 20)
    page.mouse.down()
    page.mouse.move(at(150), lane["y"] + 22)
    page.mouse.move(at(200), lane["y"] + 22)
    page.mouse.up()
    on_top, ground, paper = page.evaluate(LEGENDS)
    assert len(on_top) > 10 and all(on_top), "the window and the lines pass behind legends and their buttons"
    assert ground == paper, "and are not seen through them"
    told = page.locator(".sum").inner_text()
    inside = [one for one in timeline.utterances if one["end"] > 101 and one["start"] < 199]
    count = re.search(r"(\d+) utterances", told)
    assert count and int(count[1]) == pytest.approx(len(inside), abs=2)
    assert re.search(r"mean score over the seconds of speech [+\u2212]\d\.\d\d, from ", told)
    assert re.search(r" Counted: words .*most raised by .*a face is seen", told)
    before = page.evaluate(TIME)
    assert before < 100, "to draw a window is not to seek"
    page.click("button:text-is('Show it alone')")
    until(page, "!document.querySelector('.scroller').hidden")
    page.keyboard.press("Escape")
    assert page.locator(".sum").inner_text() == ""
    page.keyboard.press("[")
    page.keyboard.press("End")
    page.keyboard.press("]")
    assert page.locator(".sum").inner_text().startswith("0:0")
    page.keyboard.press("Home")
    page.keyboard.press("[")
    mean = f"{timeline.mean:+.2f}".replace("-", "\u2212")
    assert f"mean score over the seconds of speech {mean}, from" in page.locator(".sum").inner_text()
    assert f"{mean} over the " in page.locator(".panel").inner_text(), "of the whole file, both are one"


def test_ten_minutes_scroll_smoothly(opened):
    """By what scripts, styles and layout take of the page's thread, which other programs change less than the clock."""
    page = opened.page
    for _ in range(4):
        page.keyboard.press("+")
        page.wait_for_timeout(50)
    until(page, "document.querySelector('.scroller > div').offsetWidth > 10_000")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable", {"timeDomain": "threadTicks"})

    def worked() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return sum(one["value"] for one in metrics if one["name"] in OURS)

    page.evaluate(SCROLL, 20)
    before, frames = worked(), 100
    page.evaluate(SCROLL, frames)
    milliseconds = (worked() - before) / frames * 1000
    assert page.evaluate("document.querySelector('.scroller').scrollLeft") > 1000
    assert milliseconds < SMOOTH_MILLISECONDS


def test_words_stand_in_their_own_direction_and_never_become_markup(opened):
    page = opened.page
    lines = page.locator(".lines .text")
    direction = "(place) => getComputedStyle(document.querySelectorAll('.lines .text')[place]).direction"
    assert [page.evaluate(direction, place) for place in (0, 1, 2)] == ["ltr", "rtl", "ltr"]
    first, second = (lines.nth(1).locator(".word").nth(place).bounding_box() for place in (0, 1))
    assert first["x"] > second["x"]
    assert lines.nth(2).inner_text().split() == CHINESE.split()
    assert lines.nth(3).inner_text() == MARKUP
    assert page.locator("h2:text('<script>')").count() == 1
    assert page.evaluate("document.scripts.length") == 2


def test_what_is_kept_is_what_the_files_beside_it_hold(opened, timeline, tmp_path):
    page = opened.page
    kept = {}
    for name in ("JSON", "SRT", "ELAN", "CSV", "PNG"):
        with page.expect_download() as download:
            page.click(f".panel button:text-is('{name}')")
        download.value.save_as(tmp_path / name)
        kept[name] = (tmp_path / name).read_bytes()
    assert json.loads(kept["JSON"])["utterances"] == json.loads(json.dumps(timeline.utterances))
    assert kept["SRT"].decode() == as_subtitles(timeline)
    values = "TIER[@TIER_ID='{}']//ANNOTATION_VALUE"
    ours, theirs = Xml.fromstring(as_eaf(timeline)), Xml.fromstring(kept["ELAN"])
    for tier in ("utterances", "words", "score"):
        of_tier = values.format(tier)
        assert [node.text for node in theirs.findall(of_tier)] == [node.text for node in ours.findall(of_tier)]
    slots = [int(node.attrib["TIME_VALUE"]) for node in theirs.iter("TIME_SLOT")]
    assert slots == sorted(slots) and len(slots) == len(list(ours.iter("TIME_SLOT")))
    assert len(kept["CSV"].decode("utf-8-sig").splitlines()) == SECONDS * 10 + 1
    assert kept["PNG"].startswith(b"\x89PNG") and len(kept["PNG"]) > 10_000


def test_without_its_film_the_page_tells_what_was_found(browser, tmp_path, timeline):
    page_file = tmp_path / "elsewhere" / PAGE
    page_file.parent.mkdir()
    page_file.write_text(as_page(timeline, tmp_path), encoding="utf-8")  # written for another folder
    with watched(browser, ("file://", "blob:")) as seen:
        page = seen.page
        page.goto(page_file.as_uri())
        until(page, "!document.querySelector('.watch [role=note]').hidden")
        assert "the tracks still tell of it" in page.locator(".watch [role=note]").inner_text()
        lane = page.locator(".lane.sentiment").bounding_box()
        page.mouse.click(lane["x"] + lane["width"] / 2, lane["y"] + 10)
        assert page.locator(".time").inner_text().startswith(("4:59", "5:00"))
        page.set_input_files(".watch input[type=file]", timeline.file)
        until(page, "document.querySelector('.stage video').readyState >= 1")
        assert page.evaluate(TIME) == pytest.approx(SECONDS / 2, abs=2)
        seen.complaints[:] = [said for said in seen.complaints if "ERR_FILE_NOT_FOUND" not in said]


@pytest.mark.parametrize(
    "opened",
    [{}, {"width": 390, "height": 844, "scheme": "dark"}],
    ids=["wide", "phone in the dark"],
    indirect=True,
)
def test_nothing_keeps_people_out_and_nothing_stands_out_of_the_page(opened):
    page = opened.page
    page.keyboard.press("+")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert barriers(opened) == []
