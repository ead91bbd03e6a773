"""The requests of the page, without a browser: blind, one window a name, durable, and for this machine only."""

import json

import httpx
import pytest
from media_fixtures import regular, tone, write_clip
from small_corpora import media_path, rows_of, write_table

from textmsa.corpora import read_corpus
from textmsa.errors import UserError
from textmsa.rating.desk import Desk
from textmsa.rating.playable import Copies
from textmsa.rating.ratings import RaterFile

pytest.importorskip("fastapi")


@pytest.fixture
def folder(tmp_path):
    rows = rows_of(6)
    write_table(tmp_path, rows)
    (tmp_path / "corpus.json").write_text('{"score_range": [-3, 3]}')
    for row in rows[:5]:
        media_path(tmp_path, row).parent.mkdir(parents=True, exist_ok=True)
        write_clip(media_path(tmp_path, row), times=regular(5), sound=tone(0.2))
    return tmp_path


class Client:
    """Asks the application directly, as a browser of this machine does."""

    def __init__(self, desk: Desk) -> None:
        from textmsa.rating.service import application

        self.copies = Copies()
        self.transport = httpx.ASGITransport(application(desk, self.copies), raise_app_exceptions=False)

    def __call__(self, method: str, path: str, *, host: str = "127.0.0.1:8001", **options) -> httpx.Response:
        import anyio

        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(transport=self.transport, base_url=f"http://{host}") as client:
                return await client.request(method, path, **options)

        return anyio.run(ask)

    def open(self, name: str, **options) -> dict:
        answer = self("POST", "/v1/sessions", json={"name": name, **options})
        return answer.json() | {"status": answer.status_code}

    def rate(self, state: dict, score, **changes) -> httpx.Response:
        told = {"session": state["session"], "clip": state["clip"]["key"], "round": state["clip"]["round"]}
        return self("POST", "/v1/ratings", json={**told, "score": score, "seconds": 2.5, **changes})


@pytest.fixture
def ask(folder) -> Client:
    return Client(Desk(read_corpus(folder), folder, 1))


def test_a_rater_goes_through_all_clips_and_comes_back(ask, folder):
    state = ask.open("Anna")
    assert (state["done"], state["of"], state["seconds_left"], state["can_undo"]) == (0, 6, None, False)
    seen = []
    for score in (3, -3, None, 0):
        seen.append(state["clip"]["key"])
        following = state["next"]
        state = ask.rate(state, score).json()
        assert state["clip"]["key"] == following
    assert state["done"] == 4 and state["seconds_left"] == pytest.approx(5.0)
    undone = ask("POST", "/v1/undo", json={"session": state["session"]}).json()
    assert undone["clip"]["key"] == seen[-1] and undone["taken"] == 0 and undone["done"] == 3
    state = ask.rate(undone, 1).json()
    ask("POST", "/v1/sessions/end", json={"session": state["session"]})
    later = Client(Desk(read_corpus(folder), folder, 1)).open("anna")  # the server began anew
    assert (later["name"], later["done"], later["clip"]) == ("Anna", 4, state["clip"])
    while later["clip"]:
        after_a_kill = Client(Desk(read_corpus(folder), folder, 1))
        later = after_a_kill.rate(after_a_kill.open("anna"), 2).json()
    assert later["done"] == 6
    assert [said.score for said in RaterFile(folder, "Anna", (-3, 3)).said.values()] == [3, -3, None, 1, 2, 2]


def test_nothing_is_told_of_others_or_of_the_clip(ask, folder):
    RaterFile(folder, "Ben", (-3, 3)).add("000$_$1", 1, -2, 1)
    state = ask.open("Anna")
    desk = ask("GET", "/v1/desk").json()
    assert desk["raters"] == [{"name": "Ben", "done": 1, "of": 6}]  # names and how far, no more
    assert set(state["clip"]) == {"key", "round", "words", "only_sound"}
    told = json.dumps([state, desk])
    assert ".mp4" not in told and "label" not in told and 'score"' not in told
    clip = ask("GET", f"/v1/clips/{state['clip']['key']}")
    assert clip.content[4:8] == b"ftyp" and clip.headers["content-type"] == "video/mp4"
    assert not any(".mp4" in f"{name}: {value}" for name, value in clip.headers.items())
    part = ask("GET", f"/v1/clips/{state['clip']['key']}", headers={"Range": "bytes=2-3"})
    assert (part.status_code, part.content) == (206, clip.content[2:4])


def test_two_of_one_name_at_once_are_not_mixed_up(ask, folder):
    first = ask.open("Anna")
    second = ask.open("anna ")
    assert second["status"] == 409 and second["reason"].startswith("Anna is rating in another window")
    again = ask.open("Anna", before=first["session"])  # the same window, loaded anew
    assert again["status"] == 200
    taken = ask.open("Anna", take_over=True)
    assert taken["status"] == 200
    refused = ask.rate(again, 1)
    assert refused.status_code == 410 and "taken over" in refused.json()["reason"]
    assert ask.rate(taken, 2).status_code == 200
    assert ask.rate(taken, -1).json()["done"] == 1  # the same turn, sent twice: the first counts
    assert [said.score for said in RaterFile(folder, "Anna", (-3, 3)).said.values()] == [2]
    ask("POST", "/v1/sessions/end", json={"session": taken["session"]})
    assert ask.open("Anna")["status"] == 200


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"score": 4}, 422),
        ({"score": 0.5}, 422),
        ({"score": "1"}, 422),
        ({"score": True}, 422),
        ({"seconds": None}, 422),
        ({"round": 3}, 422),
        ({"round": "1"}, 422),
        ({"clip": "../../label.csv"}, 422),
        ({"session": "x"}, 410),
    ],
)
def test_what_cannot_be_is_refused_and_not_written(ask, folder, changes, status):
    answer = ask.rate(ask.open("Anna"), **{"score": 1, **changes})
    assert answer.status_code == status and answer.json()["reason"]
    assert not (folder / "ratings/Anna.csv").exists()


def test_requests_that_are_none(ask):
    state = ask.open("Anna")
    assert ask("POST", "/v1/undo", json={"session": state["session"]}).json()["reason"] == "nothing to take back"
    assert ask("POST", "/v1/ratings", content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415
    for content, status in ((b"{", 400), (b"[]", 400), (b"\xff", 400), (b" " * 20_000, 413)):
        answer = ask("POST", "/v1/sessions", content=content, headers={"Content-Type": "application/json"})
        assert answer.status_code == status
    for path in ("/v1/clips/x", "/v1/clips/..%2f..%2flabel.csv", "/nothing", "/page/../label.csv"):
        assert ask("GET", path).status_code == 404
    for name in ("", "<b>", "../x", "x" * 41):
        assert ask.open(name)["status"] == 422


def test_only_this_machine_and_only_its_own_page_may_ask(ask):
    assert ask("GET", "/v1/desk", host="evil.example").status_code == 421
    crossed = ask("POST", "/v1/sessions", json={"name": "x"}, headers={"Origin": "http://evil.example"})
    assert crossed.status_code == 403
    page = ask("GET", "/")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"] and "{{nonce}}" not in page.text
    for path in ("/page/style.css", "/page/dom.js", "/page/label/label.js", "/page/label/label.css", "/page/icon.svg"):
        assert ask("GET", path).status_code == 200


def test_a_full_disk_is_told_and_nothing_counts(ask, folder, monkeypatch):
    state = ask.open("Anna")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("textmsa.rating.ratings.to_disk", full)
    answer = ask.rate(state, 1)
    assert answer.status_code == 507 and "No space left on device" in answer.json()["reason"]
    monkeypatch.undo()
    assert ask("POST", "/v1/undo", json={"session": state["session"]}).status_code == 422


def test_scales_and_folders_that_cannot_be_rated_are_one_line(folder):
    (folder / "corpus.json").write_text('{"score_range": [-3.5, 3]}')
    with pytest.raises(UserError, match="cannot be rated in whole steps"):
        Desk(read_corpus(folder), folder, 0)
    (folder / "corpus.json").write_text('{"score_range": [-4, 4]}')
    desk = Desk(read_corpus(folder), folder, 0)
    assert desk.scores == list(range(-4, 5)) and desk.absent == 1
