"""Long videos as jobs, over HTTP from a real server in this process; what their processes do is pretended."""

import errno
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn
from pretend_analysis import pretend

from textmsa.serve.limits import Limits
from textmsa.serve.pool import Pool
from textmsa.serve.samples import Samples
from textmsa.serve.service import Serving, application
from textmsa.serve.worker import WorkerOptions

CUE = "1\n00:00:00,500 --> 00:00:02,000\nA fine day.\n"
FEW = Limits(jobs=1, job_queue=1, job_megabytes=0.2, heartbeat_seconds=0.2, memory_megabytes=300.0)


@dataclass
class Local:
    """A server of this process."""

    address: str
    folder: Path

    def begin(self, *, name: str = "x.mp4", subtitles: str | None = CUE, **told: object) -> httpx.Response:
        """Send a "video" that says what is to happen."""
        files = {"clip": (name, json.dumps(told).encode())}
        if subtitles is not None:
            files["subtitles"] = (f"{name}.srt", subtitles.encode())
        return httpx.post(f"{self.address}/v1/analyze", files=files, timeout=30)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(self.address + path, headers=headers, timeout=30)

    def events(self, path: str, **headers: str) -> Iterator[tuple[int, str, dict]]:
        """(number, kind, document) of each event, to the end of the stream; 0, "alive" for a heartbeat."""
        with httpx.stream("GET", self.address + path, headers=headers, timeout=30) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            number, kind = 0, ""
            for line in stream.iter_lines():
                field, _, value = line.partition(": ")
                if field == "id":
                    number = int(value)
                elif field == "event":
                    kind = value
                elif field == "data":
                    yield number, kind, json.loads(value)
                elif line.startswith(":"):
                    yield 0, "alive", {}

    def until(self, path: str, *states: str) -> dict:
        """The job when it is in one of these states."""
        for _ in range(600):
            job = self.get(path).json()
            if job["state"] in states:
                return job
            time.sleep(0.05)
        raise AssertionError(f"never {states}: {job}")

    def folders(self) -> list[Path]:
        return sorted(self.folder.glob("textmsa-*"))

    def no_folders(self) -> bool:
        for _ in range(100):
            if not self.folders():
                return True
            time.sleep(0.05)
        return False


@contextmanager
def local(limits: Limits, folder: Path, samples: Path | None = None, *, can_transcribe: bool = True):
    """One, on a thread."""
    options = WorkerOptions("everyday", "fp32", "tiny.en", limits.seconds, limits.streams)
    serving = Serving(Pool(options, limits), limits, {"can_transcribe": can_transcribe}, Samples(samples))
    with socket.socket() as listener, pytest.MonkeyPatch.context() as patched:
        patched.setattr("tempfile.tempdir", str(folder))
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        config = uvicorn.Config(
            application(serving, pretend), log_level="warning", lifespan="on", timeout_graceful_shutdown=2
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield Local(f"http://127.0.0.1:{listener.getsockname()[1]}", folder)
        finally:
            server.should_exit = True
            thread.join(30)
    assert not list(folder.glob("textmsa-*")), "files were left when the server stopped"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    (folder / "film.mp4").write_text('{"steps": 1}')
    with local(FEW, tmp_path_factory.mktemp("jobs"), folder) as running:
        yield running


def test_a_job_is_begun_followed_and_fetched(server):
    answer = server.begin(steps=4, pause=0.7)
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == job["url"] == f"/v1/analyze/{job['id']}"
    early = server.get(job["result"])
    assert early.status_code == 409 and int(early.headers["retry-after"]) > 0
    seen = [event for event in server.events(job["events"]) if event[1] != "alive"]
    numbers = [number for number, _, _ in seen]
    assert numbers == sorted(set(numbers)) and [kind for _, kind, _ in seen[-2:]] == ["progress", "done"]
    steps = [document for _, _, document in seen if document["state"] == "running" and document["step"] == "analyzing"]
    assert [document["done"] for document in steps][-1] == 3 and steps[-1]["seconds_left"] == 10.0
    assert steps[-1]["total"] == 4 and steps[-1]["steps"] == ["loading", "analyzing"]
    done = server.get(job["url"]).json()
    assert done == seen[-1][2] and done["summary"]["scored"] == 1 and done["kept_until"]
    assert done["files"] == [f"{job['result']}/timeline.json", f"{job['result']}/timeline.csv"]
    result = server.get(job["result"])
    assert result.json() == {"schema": "textmsa-timeline", "words": CUE}
    table = server.get(done["files"][1])
    assert table.text.startswith("number,start") and table.headers["content-type"].startswith("text/csv")
    assert table.headers["content-disposition"] == 'attachment; filename="timeline.csv"'
    for name in ("claim.json", "..%2fclip", "timeline.png", "%2fetc%2fpasswd"):
        assert server.get(f"{job['result']}/{name}").status_code == 404
    kept = {path.name for folder in server.folders() for path in folder.iterdir()}
    assert kept == {"out"}, "the video is kept"
    removed = httpx.delete(server.address + job["url"], timeout=60)
    assert removed.status_code == 200
    for path in (job["url"], job["events"], job["result"]):
        assert server.get(path).status_code == 404
    assert server.no_folders()


def test_a_client_that_comes_back_goes_on_where_it_was(server):
    job = server.begin(steps=4, pause=0.6).json()
    begun = []
    for event in server.events(job["events"]):
        if event[1] == "progress":
            begun.append(event)
        if len(begun) == 2:
            break  # the line is cut
    server.until(job["url"], "done")
    rest = list(server.events(job["events"], **{"Last-Event-ID": str(begun[-1][0])}))
    assert rest[0][0] == begun[-1][0] + 1 and rest[-1][1] == "done"
    last = list(server.events(job["events"]))
    assert last == rest[-1:], "one that comes anew gets where it is"
    assert server.get(job["events"], **{"Last-Event-ID": str(rest[-1][0])}).status_code == 204
    assert list(server.events(job["events"], **{"Last-Event-ID": "nonsense"})) == last
    httpx.delete(server.address + job["url"], timeout=60)


def test_where_nothing_happens_the_stream_says_that_it_is_alive(server):
    job = server.begin(steps=1, pause=1.2).json()
    kinds = [kind for _, kind, _ in server.events(job["events"])]
    assert kinds.count("alive") >= 2 and kinds[-1] == "done"
    httpx.delete(server.address + job["url"], timeout=60)


def test_a_job_that_is_cancelled_ends_at_once_and_leaves_nothing(server):
    job = server.begin(steps=100, pause=0.5).json()
    server.until(job["url"], "running")
    for _ in range(200):
        noted = list(server.folder.glob("textmsa-*/at_work"))
        if noted and noted[0].read_text():
            break
        time.sleep(0.05)
    process = Path(f"/proc/{noted[0].read_text()}")
    assert process.exists()
    waiting = server.begin(steps=1).json()
    assert (waiting["state"], waiting["before"]) == ("waiting", 0)
    seen: list[str] = []
    following = threading.Thread(target=lambda: seen.extend(kind for _, kind, _ in server.events(job["events"])))
    following.start()
    time.sleep(0.3)
    started = time.monotonic()
    cancelled = httpx.delete(server.address + job["url"], timeout=60).json()
    assert time.monotonic() - started < 5 and cancelled["state"] == "cancelled"
    assert not process.exists()
    following.join(10)
    assert seen[-1] == "cancelled"
    assert server.get(job["url"]).json()["state"] == "cancelled"
    gone = server.get(job["result"])
    assert gone.status_code == 410 and "cancelled" in gone.json()["reason"]
    assert server.until(waiting["url"], "done"), "the next one has its turn"
    httpx.delete(server.address + waiting["url"], timeout=60)
    assert server.no_folders()


def test_one_too_many_is_told_when_to_come_again_and_one_that_waits_can_be_cancelled(server):
    running = server.begin(steps=60, pause=0.5).json()
    for event in server.events(running["events"]):
        if event[2].get("seconds_left"):
            break
    waiting = server.begin(steps=1).json()
    refused = server.begin(steps=1)
    assert refused.status_code == 503 and "busy: 2 videos" in refused.json()["reason"]
    assert 1 <= int(refused.headers["retry-after"]) <= 600
    text = server.get("/metrics").text
    assert 'textmsa_jobs{state="waiting"} 1.0' in text and 'textmsa_jobs{state="running"} 1.0' in text
    assert httpx.delete(server.address + waiting["url"], timeout=60).json()["state"] == "cancelled"
    again = server.begin(steps=1)
    assert again.status_code == 202, "its place is free"
    for job in (running, again.json()):
        httpx.delete(server.address + job["url"], timeout=60)
    assert server.no_folders()
    assert 'textmsa_requests_total{request="analyze",status="503"}' in server.get("/metrics").text


@pytest.mark.parametrize(
    ("end", "reason"),
    [("die", "the worker died"), ("refuse", "clip: cannot be read (no film)"), ("grow", "more than 300 MB of memory")],
)
def test_a_job_that_fails_says_why_and_leaves_nothing(server, end, reason):
    job = server.begin(steps=1, end=end).json()
    kinds = [(kind, document) for _, kind, document in server.events(job["events"]) if kind != "alive"]
    assert kinds[-1][0] == "failed" and reason in kinds[-1][1]["reason"]
    result = server.get(job["result"])
    assert result.status_code == 410 and reason in result.json()["reason"]
    assert server.no_folders()
    assert float(server.get("/metrics").text.split('textmsa_jobs_ended_total{state="failed"} ')[1].split()[0]) >= 1


def test_what_cannot_be_analyzed_is_refused_before_it_is_a_job(server):
    def sent(**options):
        fields = {"subtitles": CUE} | options.pop("data", {})
        files = {"clip": ("x.mp4", options.pop("clip", b"{}"))}
        return httpx.post(f"{server.address}/v1/analyze", files=files, data=fields, timeout=30)

    assert sent(clip=b"").status_code == 422
    assert sent(clip=b"PK\x03\x04" + bytes(20)).status_code == 415
    assert sent(clip=bytes(300_000)).status_code == 413
    assert sent(data={"transcribe": "true"}).json()["reason"].startswith("transcribe: the words are given already")
    assert sent(data={"transcribe": "maybe"}).status_code == 422
    assert sent(data={"text": "words"}).json()["reason"].startswith("unknown field 'text'")
    assert server.begin(subtitles=None).json()["reason"].startswith("nobody says what is said: send 'subtitles'")
    latin = httpx.post(
        f"{server.address}/v1/analyze", files={"clip": b"{}", "subtitles": "é".encode("latin-1")}, timeout=30
    )
    assert latin.status_code == 422 and "UTF-8" in latin.json()["reason"]
    for characters in (FEW.subtitle_characters + 1, 4_100_000):
        files = {"clip": b"{}", "subtitles": b"w" * characters}
        long = httpx.post(f"{server.address}/v1/analyze", files=files, timeout=30)
        assert long.status_code == 413 and "of more than 1000000 characters" in long.json()["reason"]
    assert server.get("/v1/analyze/nothing").status_code == 404
    assert httpx.delete(f"{server.address}/v1/analyze/nothing", timeout=60).status_code == 404
    assert server.no_folders()


def test_a_file_of_the_servers_folder_can_be_analyzed_and_stays(server, tmp_path):
    post = f"{server.address}/v1/analyze"
    form = {"sample": (None, "film.mp4"), "transcribe": (None, "true")}
    job = httpx.post(post, files=form, timeout=30).json()
    assert server.until(job["url"], "done")
    assert server.get("/v1/samples").json() == {"samples": ["film.mp4"]}
    assert server.get("/v1/samples/film.mp4").text == '{"steps": 1}'
    assert httpx.post(post, files={**form, "sample": (None, "/etc/passwd")}, timeout=30).status_code == 404
    httpx.delete(server.address + job["url"], timeout=60)


def test_a_file_whose_name_is_no_text_does_not_hide_the_others(tmp_path):
    folder = tmp_path / "samples"
    folder.mkdir()
    (folder / "film.mp4").write_text("{}")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.mp4")).write_text("{}")
    with local(FEW, tmp_path, folder) as server:
        assert server.get("/v1/samples").json() == {"samples": ["film.mp4"]}


@pytest.mark.parametrize("route", ["predict", "analyze"])
def test_a_full_disk_is_told_as_other_refusals_are_and_the_place_is_free_again(server, monkeypatch, route):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/secret/place")

    for what in ("_Taker.data", "tempfile.TemporaryDirectory"):
        with monkeypatch.context() as patched:
            patched.setattr(f"textmsa.serve.uploads.{what}", full)
            for _ in range(8):  # more than there are places
                answer = httpx.post(f"{server.address}/v1/{route}", files={"clip": b"x" * 100_000}, timeout=30)
                assert answer.status_code == 507 and answer.json()["reason"].startswith("the server has no room")
                assert "secret" not in answer.text and "content-security-policy" in answer.headers
    assert server.no_folders()
    assert f'textmsa_requests_total{{request="{route}",status="507"}} 16.0' in server.get("/metrics").text


def raw(server: Local, request: bytes, *, answered: bool = True) -> bytes:
    with socket.create_connection(("127.0.0.1", httpx.URL(server.address).port or 0), timeout=30) as line:
        line.sendall(request)
        return b"".join(iter(lambda: line.recv(65_536), b"")) if answered else b""


FORM = b"POST /v1/analyze HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\n"
FILE = b'--b\r\nContent-Disposition: form-data; name="clip"; filename="x.mp4"\r\n\r\n'


def test_three_gigabytes_are_refused_when_they_are_announced(server):
    answer = raw(server, FORM + b"Content-Length: 3000000000\r\n\r\n" + FILE)
    assert answer.startswith(b"HTTP/1.1 413") and b"3000 MB or more, at most 0.2 MB" in answer


def test_one_that_leaves_in_the_middle_of_sending_leaves_its_place(server):
    for _ in range(3):  # one more than there are places
        raw(server, FORM + b"Content-Length: 90000\r\n\r\n" + FILE + bytes(500), answered=False)
        assert server.no_folders()
    job = server.begin(steps=1)
    assert job.status_code == 202
    server.until(job.json()["url"], "done")
    httpx.delete(server.address + job.json()["url"])


def test_two_that_are_sent_at_once_are_both_done_one_after_the_other(server):
    with ThreadPoolExecutor(2) as both:
        answers = list(both.map(lambda day: server.begin(steps=2, pause=0.1, subtitles=f"{CUE}{day}"), ("A", "B")))
    assert [answer.status_code for answer in answers] == [202, 202]
    jobs = [server.until(answer.json()["url"], "done") for answer in answers]
    assert [server.get(job["result"]).json()["words"][-1] for job in jobs] == ["A", "B"]
    for job in jobs:
        httpx.delete(server.address + job["url"], timeout=60)


@pytest.mark.parametrize("name", ["<script>alert(1)</script>.mp4", "../../../etc/passwd", "فيلم.mp4"])
def test_the_names_of_files_are_neither_paths_nor_said_again(server, name):
    job = server.begin(name=name, steps=1).json()
    done = server.until(job["url"], "done")
    said = json.dumps(done) + server.get(job["result"]).text
    assert not [part for part in ("alert", "passwd", "فيلم", "u0641") if part in said]
    httpx.delete(server.address + job["url"], timeout=60)


def test_only_so_many_results_are_kept_and_only_for_their_time(tmp_path):
    with local(Limits(kept=2, keep_seconds=20.0), tmp_path) as server:
        jobs = []
        for _ in range(3):
            jobs.append(server.begin(steps=1).json())
            server.until(jobs[-1]["url"], "done")
        assert [server.get(job["url"]).status_code for job in jobs] == [404, 200, 200]
        assert len(server.folders()) == 2
    with local(Limits(keep_seconds=0.3), tmp_path) as server:
        job = server.begin(steps=1).json()
        assert list(server.events(job["events"]))[-1][1] == "done"
        assert server.no_folders() and server.get(job["url"]).status_code == 404


def test_listeners_are_bounded_and_speech_is_refused_where_nothing_hears_it(tmp_path):
    with local(Limits(listeners=1), tmp_path, can_transcribe=False) as server:
        job = server.begin(steps=100, pause=0.2).json()
        following = server.events(job["events"])
        next(following)
        refused = server.get(job["events"])
        assert refused.status_code == 503 and refused.headers["retry-after"]
        following.close()
        heard = httpx.post(f"{server.address}/v1/analyze", files={"clip": b"{}"}, data={"transcribe": "1"}, timeout=30)
        assert heard.status_code == 422 and "cannot recognise speech" in heard.json()["reason"]


def test_a_server_that_stops_ends_what_is_at_work(tmp_path):
    with local(Limits(), tmp_path) as server:
        job = server.begin(steps=100, pause=0.5).json()
        server.until(job["url"], "running")
        for _ in range(200):
            noted = list(tmp_path.glob("textmsa-*/at_work"))
            if noted and noted[0].read_text():
                break
            time.sleep(0.05)
        process = Path(f"/proc/{noted[0].read_text()}")
        assert process.exists()
    assert not process.exists()


def test_the_description_has_examples_of_every_route_of_jobs(server):
    paths = server.get("/openapi.json").json()["paths"]
    one = "/v1/analyze/{id}"
    routes = {
        ("/v1/analyze", "post"): "202",
        (one, "get"): "200",
        (one, "delete"): "200",
        (f"{one}/result", "get"): "200",
    }
    for (path, method), status in routes.items():
        answers = paths[path][method]["responses"]
        assert answers[status]["content"]["application/json"]["example"]
        assert all("example" in kind for code, a in answers.items() if code != "422" for kind in a["content"].values())
    assert "event: done" in paths[f"{one}/events"]["get"]["responses"]["200"]["content"]["text/event-stream"]["example"]
    assert "text/html" in paths[f"{one}/result/{{file}}"]["get"]["responses"]["200"]["content"]
    form = paths["/v1/analyze"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
    assert form.keys() == {"clip", "sample", "transcribe", "subtitles"}
