"""The page in a real browser: upload, seek by click, keys, what it asks for, how it stands on a phone, in the dark."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import TIME, Seen, barriers, chromium, until, watched
from long_timeline import long_timeline
from media_fixtures import RECORDINGS
from serving import Server, serving

from textmsa.errors import UserError
from textmsa.everyday import EverydayPredictor
from textmsa.types import Transcript

pytestmark = pytest.mark.slow
SENTENCE = "I loved it, but the end was bad."


@pytest.fixture(scope="module")
def server(tiny_run, tmp_path_factory) -> Iterator[Server]:
    with serving(tiny_run.path, tmp_path_factory.mktemp("page")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture
def opened(browser, server, request) -> Iterator[Seen]:
    """The page, closed at the end; it must not have complained, or asked for anything of another place."""
    own = (server.address, server.address.replace("127.0.0.1", "localhost"), "blob:", "data:")
    with watched(browser, own, **getattr(request, "param", {})) as seen:
        seen.page.goto(server.address)
        yield seen


def upload(page: Any, *, words: str = SENTENCE, clip: Path = RECORDINGS / "speaker.mp4") -> None:
    page.set_input_files("#file", str(clip))
    page.fill("#words", words)
    page.click("#score")
    page.wait_for_selector(".panel .scale", timeout=120_000)
    until(page, "document.querySelector('.stage video').readyState >= 2")


def test_a_clip_is_uploaded_played_sought_and_read(opened):
    page = opened.page
    upload(page)
    assert page.locator("#status").inner_text().startswith("Score ")
    rows = page.locator(".lane.wave").bounding_box()
    length = page.evaluate("Number(document.querySelector('.controls input').max)")
    page.mouse.click(rows["x"] + rows["width"] * 0.5, rows["y"] + 10)
    assert page.evaluate(TIME) == pytest.approx(length / 2, abs=0.1)
    for key, moved in (("ArrowRight", 0.5), ("j", -2.0), ("l", 2.0), (",", -0.1), ("ArrowLeft", -0.5)):
        before = page.evaluate(TIME)
        page.keyboard.press(key)
        assert page.evaluate(TIME) == pytest.approx(max(0.0, before + moved), abs=0.02), key
    page.keyboard.press("Home")
    page.keyboard.press("Space")
    until(page, f"{TIME} > 0.3")
    page.keyboard.press("k")
    assert page.evaluate("document.querySelector('.stage video').paused")
    page.keyboard.press("End")
    assert page.evaluate(TIME) == pytest.approx(length, abs=0.15)
    page.mouse.move(rows["x"] + rows["width"] * 0.25, rows["y"] + 10)
    shown = page.locator(".readout").inner_text()
    assert f"{length / 4:.2f}"[:3] in shown
    assert {"loudness", "voice counted", "face seen"} <= set(shown.split("\n"))
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#help").is_hidden()


def test_where_words_are_given_nothing_is_to_be_recognised(opened):
    page, box = opened.page, opened.page.locator("#transcribe")
    until(page, "document.querySelector('#model-line').textContent.startsWith('Trained on')")
    page.check("#transcribe")
    page.fill("#words", SENTENCE)
    assert box.is_disabled() and not box.is_checked()
    page.fill("#words", "")
    assert box.is_enabled() and box.is_checked(), "as it was"


def test_of_what_a_model_does_not_score_there_is_no_figure(opened):
    """Voice and face beside words that are scored alone."""
    prediction = {
        "score": 1.25, "interval": None, "base": 0.0, "base_of": "the middle", "missing": {"video": "none"},
        "contributions": {"text": 1.25, "audio": 0.0, "video": 0.0}, "scored_by": ["text"],
    }  # fmt: skip
    counted, beside = opened.page.evaluate(
        """async (prediction) => {
          const [{ counted }, { versus }] = [await import("/page/panel.js"), await import("/page/compare.js")];
          const texts = (element, rows) => [...element.querySelectorAll(rows)].map((row) => row.textContent);
          const clip = { prediction };
          return [texts(counted(prediction), ".bar-of"), texts(versus(clip, clip), "tbody tr")];
        }""",
        prediction,
    )
    assert counted == ["words+1.25", "voiceexplained only", "facemissing"]
    assert beside[2:] == ["words counted+1.25+1.25+0.00", "voice counted\u2013\u2013", "face counted\u2013\u2013"]


def test_of_a_file_without_pictures_no_share_of_faces_is_told(opened):
    page = opened.page
    page.set_input_files("#file", str(RECORDINGS / "speech.flac"))
    page.fill("#words", SENTENCE)
    page.click("#score")
    page.wait_for_selector(".panel .scale", timeout=120_000)
    assert page.locator("[aria-label='Face seen'] .label").inner_text().split("\n") == ["Face seen", "no pictures"]
    shown = page.locator(".readout").inner_text().split("\n")
    assert shown[shown.index("face seen") + 1] == "\u2013"


def test_words_on_the_tracks_are_read_whole_or_end_with_an_ellipsis_or_are_tints_alone(opened):
    drawn = opened.page.evaluate(
        """async () => {
          const { words } = await import("/page/lanes.js");
          const told = { text: "everybody", start: 0, end: 1, change: 0.5 };
          const lane = words([told, { text: "he", start: 1, end: 1.2, change: null }]);
          return [1000, 60, 20].map((width) => {
            const pen = document.createElement("canvas").getContext("2d"), drawn = [];
            pen.fillText = (text) => drawn.push(text);
            lane.onto(pen, { from: 0, wide: 1.2, to: 1.2 }, width);
            return drawn;
          });
        }"""
    )
    whole, cut, tints = drawn
    assert whole == ["everybody", "he"]
    assert len(cut) == 1 and cut[0].startswith("ev") and cut[0].endswith("\u2026")
    assert tints == []


def test_the_model_card_is_read_as_a_text(opened):
    """Its header for hubs is left out, and what it says is never markup."""
    page = opened.page
    page.click("#open-card")
    until(page, "document.querySelector('#card-text h3')")
    shown = page.locator("#card-text").inner_text()
    assert shown.startswith("TEXT, trained on ") and "license" not in shown.split("\n")[0] and "##" not in shown
    assert page.locator("#card-text table").count() >= 2 and page.locator("#card-text pre").count() == 2
    card = (
        "---\nlicense: x\n---\n\n# A <img src=x>\n\none\ntwo `a*b` **three**\n- an\n  item\n- other\n\n"
        "| a | b \\| c |\n|---|---|\n| 1 | |\n```sh\n# no heading\n\nx\n```\n#x\n```\nopen"
    )
    made = page.evaluate(
        """async (card) => {
          const { markdown } = await import("/page/markdown.js");
          return markdown(card).map((one) => one.outerHTML);
        }""",
        card,
    )
    assert made == [
        "<h3>A &lt;img src=x&gt;</h3>",
        "<p>one two <code>a*b</code> <strong>three</strong></p>",
        "<ul><li>an item</li><li>other</li></ul>",
        '<table><thead><tr><th scope="col">a</th><th scope="col">b | c</th></tr></thead>'
        "<tbody><tr><td>1</td><td></td></tr></tbody></table>",
        '<pre tabindex="0"># no heading\n\nx</pre>',
        "<p>#x</p>",
        '<pre tabindex="0">open</pre>',
    ]


@pytest.mark.parametrize("opened", [{}, {"width": 390, "height": 844}], ids=["wide", "phone"], indirect=True)
def test_the_empty_page_is_well_laid_out(opened):
    """What is to be done stands in the middle of its box, and the button that sends beside the choices, not below."""
    page = opened.page
    box, score = page.locator("#drop").bounding_box(), page.locator("#score").bounding_box()
    inner = page.locator("#drop .row").bounding_box()
    said, long = page.locator("#chosen").bounding_box(), page.locator("#long").bounding_box()
    above, below = said["y"] - box["y"], box["y"] + box["height"] - inner["y"] - inner["height"]
    assert above == pytest.approx(below, abs=2) and above < box["height"] / 3
    assert inner["x"] + inner["width"] / 2 == pytest.approx(box["x"] + box["width"] / 2, abs=2)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if page.viewport_size["width"] > 400:
        assert score["y"] < long["y"] + long["height"] < score["y"] + score["height"]


def test_what_is_kept_is_what_was_shown(opened, tmp_path):
    page = opened.page
    upload(page)
    for name, check in (
        ("JSON", lambda data: json.loads(data)["transcript"] == SENTENCE),
        ("CSV", lambda data: data.decode("utf-8-sig").startswith("time,loudness,rms")),
        ("SRT", lambda data: data.decode().endswith(f"] {SENTENCE}\n")),
        ("ELAN", lambda data: f"<ANNOTATION_VALUE>{SENTENCE}<" in data.decode()),
        ("PNG", lambda data: data.startswith(b"\x89PNG") and len(data) > 10_000),
    ):
        with page.expect_download() as download:
            page.click(f".panel button:text-is('{name}')")
        download.value.save_as(tmp_path / name)
        assert check((tmp_path / name).read_bytes()), name


def test_what_is_kept_can_be_read_whatever_was_said(opened):
    """Empty lines end a subtitle, a sign at the front makes a formula, and ELAN's tiers may not overlap."""
    view = {
        "duration": 0.1, "hz": 10, "series": [], "face": None, "moments": [],
        "words": [{"text": "-2+3", "start": 0, "end": 1, "change": -0.5}],
        "utterances": [
            {"start": start, "end": end, "text": text, "words": [], "prediction": None, "failed": "not tried"}
            for start, end, text in ((0, 0, "One\n\ntwo --> three"), (0, 1, "Four"))
        ],
    }  # fmt: skip
    srt, csv, eaf = opened.page.evaluate(
        "view => import('/page/exports.js').then((files) => Promise.all([files.srt, files.csv, files.eaf]"
        ".map((make) => make(view).text())))",
        view,
    )
    assert srt.split("\n\n")[0] == "1\n00:00:00,000 --> 00:00:00,001\n[not scored] One two --> three"
    assert ",'-2+3,-0.5," in csv
    assert 'TIER_ID="utterances 2"' in eaf


def test_two_clips_stand_side_by_side(opened):
    page = opened.page
    upload(page)
    page.check("#beside")
    page.fill("#words", "It was bad.")
    page.click("#score")
    page.wait_for_selector(".versus", timeout=120_000)
    assert page.locator(".viewer").count() == 2
    scores = [page.locator(".figure strong").nth(place).inner_text() for place in (0, 1)]
    assert page.locator(".versus tbody tr").first.inner_text().split()[1:3] == scores
    assert "how sure that is, is not known" in page.locator("#result > .box").inner_text()  # it is not calibrated
    page.locator(".controls").nth(0).click(position={"x": 3, "y": 3})
    page.keyboard.press("End")  # is for the clip that was touched last
    times = "[...document.querySelectorAll('.stage video')].map((video) => video.currentTime)"
    until(page, f"{times}[0] > 1")
    assert page.evaluate(times)[1] == 0
    page.uncheck("#beside")
    page.click("#score")
    until(page, "document.querySelectorAll('.viewer').length === 1")


@pytest.mark.parametrize("opened", [{"width": 390}], indirect=True)
def test_side_by_side_no_word_or_figure_is_broken_on_a_phone(opened):
    """Of two clips that stand together, the one that only sounds keeps no room for pictures."""
    prediction = {
        "score": 1.25, "interval": {"low": 0.35, "high": 2.15}, "contributions": {"text": 0.5, "audio": -0.25}
    }  # fmt: skip
    lines = """async (prediction) => {
      const { versus } = await import("/page/compare.js");
      const clip = { name: "a_rather_long_name_of_a_clip.mp4", prediction };
      const result = document.querySelector("#result");
      result.hidden = false;
      result.className = "two";
      result.replaceChildren(versus(clip, clip));
      result.insertAdjacentHTML("beforeend", "<div class='stage'><video></video><video class='heard'></video></div>");
      const rows = [...result.querySelectorAll("tbody th, tbody td")].map((cell) => {
        const text = document.createRange();
        text.selectNodeContents(cell);
        return [cell.textContent, new Set([...text.getClientRects()].map((part) => part.top)).size];
      });
      const heights = [...result.querySelectorAll("video")].map((video) => video.clientHeight);
      return [rows, heights, document.documentElement.scrollWidth];
    }"""
    rows, heights, width = opened.page.evaluate(lines, prediction)
    assert rows and all(count <= len(text.split()) for text, count in rows), rows
    assert heights[0] > 0 and heights[1] == 0
    assert width <= 390


def test_where_nobody_speaks_voice_and_face_are_told_without_a_score(opened):
    page = opened.page
    with pytest.raises(UserError) as caught:
        EverydayPredictor()._check_words(
            Path("clip"), Transcript(None, "speech recognition", reason="no speech is heard")
        )
    reason = str(caught.value)
    refusal = {"status": 422, "content_type": "application/json", "body": json.dumps({"reason": reason})}
    page.route("**/v1/predict", lambda route: route.fulfill(**refusal))
    page.set_input_files("#file", str(RECORDINGS / "speaker.mp4"))
    page.click("#score")
    page.wait_for_selector(".told dd", timeout=120_000)
    panel = page.locator(".panel").inner_text()
    assert panel.startswith("No score\n\nits words are not known (no speech is heard)")
    assert "Type what is said" in panel and "--" not in panel and "take a run" not in panel
    assert "They say" in page.locator(".told").inner_text()
    page.keyboard.press("End")
    until(page, f"{TIME} > 1")
    opened.complaints[:] = [said for said in opened.complaints if "422" not in said]  # the browser's own line


def test_a_long_video_is_followed_to_its_timeline_and_found_again(opened):
    """Of a server that says what ours does: the job's own tests are in test_jobs.py."""
    page = opened.page
    timeline = long_timeline("clip").document()
    states = [{"state": "waiting", "before": 1}, {"state": "running", "step": "analyzing", "done": 3, "total": 12}]
    sent: list[str] = []

    def answer(route: Any) -> None:
        asked, method = route.request.url.partition("/v1/analyze")[2], route.request.method
        sent.append(f"{method} {asked}")
        state = states.pop(0) if states and method == "GET" else {"state": "done"}
        document = timeline if asked.endswith("/result") else {"id": "job-12345678", **state}
        route.fulfill(json=document, status=202 if method == "POST" else 200)

    page.route("**/v1/analyze**", answer)
    page.route("**/v1/analyze/**", answer)
    page.set_input_files("#file", str(RECORDINGS / "speaker.mp4"))
    cues = b"1\n00:00:01,000 --> 00:00:02,000\nHi.\n"
    page.set_input_files("#file", {"name": "a.srt", "mimeType": "text/plain", "buffer": cues})
    until(page, "document.querySelector('#long').checked")
    page.click("#score")
    until(page, "document.querySelector('#status').textContent.includes('Analyzing 25 %')")
    until(page, "document.querySelectorAll('.lines li').length > 100")
    assert sent[0] == "POST " and sent[-1] == "GET /job-12345678/result"
    assert page.locator(".panel h2").first.inner_text() == "speaker.mp4"
    page.reload()  # as one who closed the tab and comes back
    until(page, "document.querySelectorAll('.lines li').length > 100")


def test_a_long_video_may_be_larger_than_a_clip(opened):
    page = opened.page
    until(page, "document.querySelector('#model-line').textContent.startsWith('Trained on')")
    page.evaluate(
        """() => {
            const files = new DataTransfer();
            const film = new File(["x"], "film.mp4");
            Object.defineProperty(film, "size", { value: 150e6 }); // more than a clip's 100 MB, less than a job's 2000
            const drop = new Event("drop", { bubbles: true, cancelable: true });
            Object.defineProperty(drop, "dataTransfer", { value: { files: [film] } });
            document.dispatchEvent(drop);
        }"""
    )
    until(page, "document.querySelector('#status').textContent.includes('150 MB, at most 100 MB are allowed')")
    assert page.locator("#score").is_disabled()
    page.check("#long")
    assert page.locator("#score").is_enabled() and page.locator("#status").inner_text() == ""
    page.uncheck("#long")
    assert page.locator("#score").is_disabled() and "cannot be sent" in page.locator("#status").inner_text()


def test_a_clip_chosen_while_another_is_scored_does_not_take_its_place(opened, server):
    page, other = opened.page, RECORDINGS / "speaker.mp4"
    prediction = server.post(clip=other, text=SENTENCE, contributions="all", tracks="true").json()
    waiting: list[Any] = []
    page.route("**/v1/predict", lambda route: waiting.append(route))
    page.set_input_files("#file", str(other))
    page.fill("#words", SENTENCE)
    page.click("#score")
    until(page, "document.querySelector('#status').textContent.startsWith('Looking')")
    page.set_input_files("#file", {"name": "second.wav", "mimeType": "audio/wav", "buffer": b"RIFF"})
    until(page, "document.querySelector('#chosen').textContent.startsWith('second.wav')")
    assert page.locator("#score").is_disabled()
    waiting.pop().fulfill(json=prediction)
    page.wait_for_selector(".panel .scale")
    until(page, "document.querySelector('.stage video').readyState >= 2")  # the film that was sent: not RIFF
    assert page.locator("#score").is_enabled()


def test_a_tab_closed_in_the_middle_leaves_nothing_behind(opened, server):
    page = opened.page
    page.set_input_files("#file", str(RECORDINGS / "speaker.mp4"))
    page.fill("#words", SENTENCE)
    page.click("#score")
    page.wait_for_timeout(200)
    page.close()
    assert server.left_behind() == []
    assert server.post(clip=RECORDINGS / "speaker.mp4", text=SENTENCE).status_code == 200


def test_words_from_right_to_left_are_laid_out_so_and_nothing_sent_becomes_markup(opened):
    page = opened.page
    upload(page, words="أحببت هذا الفيلم <img src=x onerror=alert(1)>")
    line = page.locator(".spoken")
    assert page.evaluate("getComputedStyle(document.querySelector('.spoken')).direction") == "rtl"
    first, second = (line.locator(".word").nth(i).bounding_box() for i in range(2))
    assert first["x"] > second["x"]
    assert page.locator(".told img").count() == 0


def test_a_clip_that_cannot_be_used_is_told_and_the_page_goes_on(opened, tmp_path):
    page = opened.page
    (tmp_path / "<script>alert(1)</script>.mp4").parent.mkdir(exist_ok=True)
    odd = tmp_path / "<b>x.mp4"
    odd.write_bytes(b"no film")
    page.set_input_files("#file", str(odd))
    assert page.locator("#chosen").inner_text().startswith("<b>x.mp4")
    page.click("#score")
    until(page, "document.querySelector('#status').textContent.includes('cannot be read')")
    opened.complaints[:] = [said for said in opened.complaints if "422" not in said]  # the browser's own line
    upload(page)


def test_a_token_is_asked_for_once_and_sent_with_every_request(opened, server):
    page, sent = opened.page, []

    def guarded(route: Any) -> None:
        given = route.request.headers.get("authorization")
        sent.append(given)
        refusal = {"status": 401, "content_type": "application/json", "body": '{"reason": "a token is needed"}'}
        route.continue_() if given == "Bearer sesame" else route.fulfill(**refusal)

    page.route("**/v1/**", guarded)
    page.goto(server.address)
    page.fill("#token", "sesame")
    page.click("#ask-form button")
    until(page, "document.querySelector('#model-line').textContent.startsWith('Trained on')")
    upload(page)
    first = sent.index("Bearer sesame")
    assert first in (1, 2)  # what the page asks for to begin with
    assert len(sent) >= first + 3 and set(sent[first:]) == {"Bearer sesame"}
    opened.complaints[:] = [said for said in opened.complaints if "401" not in said]  # the browser's own line


def test_a_token_that_no_header_can_carry_is_asked_for_again(opened, server):
    page, given = opened.page, []

    def guarded(route: Any) -> None:
        given.append(route.request.headers.get("authorization"))
        refusal = {"status": 401, "content_type": "application/json", "body": '{"reason": "a token is needed"}'}
        route.continue_() if given[-1] == "Bearer sesame" else route.fulfill(**refusal)

    page.route("**/v1/**", guarded)
    page.goto(server.address)
    for token in ("“open”", "sesame"):  # a quotation mark that a program made round
        until(page, "document.querySelector('#ask').open")
        page.fill("#token", token)
        asked = len(given)
        page.click("#ask-form button")
        page.wait_for_timeout(300)
        assert len(given) > asked, "the page no longer asks the server"
    until(page, "document.querySelector('#model-line').textContent.startsWith('Trained on')")
    opened.complaints[:] = [said for said in opened.complaints if "401" not in said]


def test_a_clip_is_recorded(opened):
    page = opened.page
    page.click("#record")
    page.wait_for_timeout(2500)
    page.click("#record")
    until(page, "document.querySelector('#chosen').textContent.startsWith('recording.webm')")
    page.click("#score")
    page.wait_for_selector(".panel .scale", timeout=120_000)


@pytest.mark.parametrize(
    "opened",
    [{}, {"width": 390, "height": 844}, {"scheme": "dark"}, {"width": 390, "height": 844, "scheme": "dark"}],
    ids=["wide", "phone", "dark", "phone in the dark"],
    indirect=True,
)
def test_nothing_keeps_people_out_and_nothing_stands_out_of_the_page(opened):
    page = opened.page
    upload(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert barriers(opened) == []
