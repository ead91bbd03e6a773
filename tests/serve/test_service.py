"""The service as strangers use it: a real server on this machine, a real client, and what should not be sent."""

import asyncio
import hashlib
import io
import json
import os
import re
import signal
import socket
import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from serving import ROOT, serving
from small_corpora import write_clip

import textmsa
from textmsa.prediction_text import as_json
from textmsa.serve.guard import Guard, policy

MULTIPART = b"POST /v1/predict HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=b\r\n"
FILE_PART = b'--b\r\nContent-Disposition: form-data; name="clip"; filename="x.mp4"\r\n\r\n'


def clip_of(tiny_run, number: int = 0) -> Path:
    return sorted(tiny_run.corpus.rglob("*.mp4"))[number]


def zipped() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as written:
        written.writestr("a.mp4", b"film")
    return archive.getvalue()


@pytest.fixture(scope="module")
def server(tiny_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("samples")
    (folder / "one.mp4").write_bytes(clip_of(tiny_run).read_bytes())
    (folder / "notes.txt").write_text("not a clip")
    (folder / "out.mp4").symlink_to(clip_of(tiny_run))
    options = ("--max-mb", "2", "--max-seconds", "3", "--folder", str(folder))
    with serving(tiny_run.path, tmp_path_factory.mktemp("temporary"), *options) as running:
        yield running
        assert running.left_behind() == []
        assert not [line for line in running.said if "Traceback" in line], "".join(running.said)


@pytest.fixture(scope="module")
def slow_server(tiny_run, tmp_path_factory):
    """It takes three seconds for a clip, lets nobody wait, and asks for a token."""
    options = ("--queue", "0", "--token", "sesame", "--timeout", "8")
    with serving(tiny_run.path, tmp_path_factory.mktemp("slow"), *options, OUTSIDE_SLEEP="1.5") as running:
        yield running
        assert running.left_behind() == []


def test_a_clip_gets_the_prediction_that_the_command_prints(server, tiny_run):
    answer = server.post(clip=clip_of(tiny_run), text="Fine.", contributions="words")
    assert answer.status_code == 200
    predicted = textmsa.load(tiny_run.path).predict(clip_of(tiny_run), text="Fine.", contributions="words")
    expected = json.loads(as_json(predicted))
    given = answer.json()
    for document in (given, expected):
        del document["seconds"], document["path"]
    assert given.pop("score") == pytest.approx(expected.pop("score"), abs=1e-6)
    assert given.keys() == expected.keys()
    assert given["words"] == [{"words": "Fine.", "change": pytest.approx(expected["words"][0]["change"], abs=1e-6)}]
    assert (given["transcript"], given["explanation"]) == (expected["transcript"], expected["explanation"])


def test_tracks_are_given_where_they_are_asked_for(server, tiny_run):
    tracks = server.post(clip=clip_of(tiny_run), text="Fine.", contributions="all", tracks="true").json()["tracks"]
    assert {len(series["values"]) for series in tracks["series"]} == {len(tracks["face"])}
    assert [series["name"] for series in tracks["series"]] == ["loudness", "rms", "crossings", "mean", "spread"]
    assert tracks["hz"] == 10 and len(tracks["face"]) == pytest.approx(tracks["duration"] * 10, abs=1)
    assert max(tracks["peaks"]) > 0.05 and all(tracks["face"][:6])
    assert [word["text"] for word in tracks["words"]] == ["Fine."] and tracks["words"][0]["start"] is None


def test_an_explanation_comes_without_a_score(server, tiny_run):
    answer = server.post("/v1/explain", clip=clip_of(tiny_run), text="Fine.").json()
    assert answer["explanation"]["text"] == "They say: Fine."
    assert "score" not in answer and answer["missing"] == {}
    assert server.post("/v1/explain", clip=clip_of(tiny_run), tracks="true").status_code == 422


ODD = {
    "no bytes": (b"", 422, "empty"),
    "a zip of clips": (zipped(), 415, "zip archive"),
    "a page": (b"<!DOCTYPE html><html></html>", 415, "a page"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(64), 415, "a picture"),
    "text": (b"no film at all, " * 50, 422, "cannot be read"),
    "a playlist": (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", 422, "cannot be read"),
    "too large": (bytes(2_300_000), 413, "at most 2 MB"),
}


@pytest.mark.parametrize("odd", ODD)
def test_what_is_no_clip_is_refused_in_one_line(server, odd):
    content, status, words = ODD[odd]
    answer = server.post(clip=content)
    assert answer.status_code == status, answer.text
    assert words in answer.json()["reason"]
    assert "\n" not in answer.json()["reason"] and "textmsa-" not in answer.text and "/tmp" not in answer.text


def test_three_gigabytes_are_refused_when_they_are_announced(server):
    answer = server.raw(MULTIPART + b"Content-Length: 3000000000\r\n\r\n" + FILE_PART)
    assert answer.startswith(b"HTTP/1.1 413") and b"3000 MB or more, at most 2 MB" in answer


def test_what_announces_no_length_is_counted_as_it_comes(server):
    def endless():
        yield FILE_PART
        for _ in range(25):
            yield bytes(100_000)

    import httpx

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    answer = httpx.post(f"{server.address}/v1/predict", content=endless(), headers=headers, timeout=60)
    assert answer.status_code == 413


def test_a_clip_that_lasts_too_long_is_refused(server, tmp_path):
    write_clip(tmp_path / "long.mp4", seed=1, seconds=6.0)
    answer = server.post(clip=tmp_path / "long.mp4")
    assert answer.status_code == 422 and "at most 3 s" in answer.json()["reason"]


def test_what_is_no_form_with_one_clip_is_refused(server, tiny_run):
    import httpx

    content = clip_of(tiny_run).read_bytes()
    post = f"{server.address}/v1/predict"
    assert httpx.post(post, json={"clip": "x"}).status_code == 415
    assert httpx.post(post, files={"film": ("x.mp4", content)}).status_code == 422
    assert httpx.post(post, data={"text": "words"}, files={}).status_code == 415
    two = [("clip", ("a.mp4", content)), ("clip", ("b.mp4", content))]
    assert "one at a time" in httpx.post(post, files=two).json()["reason"]
    assert (
        server.post(clip=content, transcribe="perhaps").json()["reason"] == "transcribe 'perhaps': send true or false"
    )
    both = server.post(clip=content, transcribe="true", text="Fine.")
    assert (both.status_code, "given already" in both.json()["reason"]) == (422, True)
    assert server.post(clip=content, text="w" * 90_000).status_code == 413
    broken = FILE_PART + b"half a film"
    answer = server.raw(MULTIPART + f"Content-Length: {len(broken)}\r\n\r\n".encode() + broken)
    assert answer.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("name", ["<script>alert(1)</script>.mp4", "../../../etc/passwd", "a\x00b.mp4", "فيلم.mp4"])
def test_the_name_of_a_file_is_neither_a_path_nor_said_again(server, tiny_run, name):
    answer = server.post(clip=clip_of(tiny_run), name=name)
    assert answer.status_code == 200 and answer.json()["path"] == "clip"
    refused = server.post(clip=b"no film", name=name)
    assert refused.status_code == 422
    for said in (answer.text, refused.text):
        assert not [part for part in ("alert", "passwd", "فيلم", "x00b", "u0000") if part in said]


@pytest.mark.parametrize("said", ["أحببت هذا الفيلم كثيرا", "我很喜欢这部电影", "<b>Fine</b> & \u202egood"])
def test_words_of_any_script_come_back_as_they_were_sent(server, tiny_run, said):
    answer = server.post(clip=clip_of(tiny_run), text=said, contributions="words", tracks="true").json()
    assert answer["transcript"] == said
    assert answer["tracks"]["words"]
    assert answer["explanation"]["text"] == f"They say: {said}"


def test_two_clips_at_once_are_both_scored(server, tiny_run):
    with ThreadPoolExecutor(2) as both:
        answers = list(both.map(lambda i: server.post(clip=clip_of(tiny_run, i), text=f"clip {i}").json(), range(2)))
    assert [answer["transcript"] for answer in answers] == ["clip 0", "clip 1"]


def test_one_that_leaves_in_the_middle_of_sending_leaves_nothing_behind(server, tiny_run):
    content = FILE_PART + clip_of(tiny_run).read_bytes()
    server.raw(MULTIPART + f"Content-Length: {len(content) + 9000}\r\n\r\n".encode() + content, answered=False)
    assert server.left_behind() == []
    assert server.post(clip=clip_of(tiny_run)).status_code == 200
    assert 'textmsa_requests_total{request="predict",status="499"}' in server.get("/metrics").text


def test_clips_of_the_servers_folder_are_looked_up_and_never_a_path(server):
    assert server.get("/v1/samples").json() == {"samples": ["one.mp4"]}
    assert server.get("/v1/samples/one.mp4").content[4:8] == b"ftyp"
    for name in ("out.mp4", "notes.txt", "..%2f..%2fetc%2fpasswd", "%2fetc%2fpasswd"):
        assert server.get(f"/v1/samples/{name}").status_code == 404

    import httpx

    post = f"{server.address}/v1/predict"
    form = {"sample": (None, "one.mp4")}
    assert httpx.post(post, files=form, timeout=60).status_code == 200
    assert httpx.post(post, files={"sample": (None, "/etc/passwd")}).status_code == 404


def test_what_the_model_is_names_no_place_of_this_machine(server, tiny_run):
    answer = server.get("/v1/model")
    assert answer.json()["score_range"] == [-3.0, 3.0]
    assert answer.json()["limits"]["megabytes"] == 2
    assert answer.json()["card"].startswith("---")
    assert str(tiny_run.path) not in answer.text and str(tiny_run.store) not in answer.text


def test_every_answer_carries_the_headers_and_the_page_runs_only_what_is_ours(server):
    for path in ("/", "/v1/model", "/nothing", "/page/app.js"):
        headers = server.get(path).headers
        nonce = re.findall(r"'nonce-([^']+)'", headers["content-security-policy"])[0]
        assert headers["content-security-policy"] == policy(nonce)
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
    page = server.get("/")
    assert re.findall(r"'nonce-([^']+)'", page.headers["content-security-policy"])[0] in page.text
    assert server.get("/").headers["content-security-policy"] != page.headers["content-security-policy"]
    assert not re.findall(r"https?://|<script>|\son\w+=|style=", page.text)
    assert "unsafe" not in page.headers["content-security-policy"]
    assert server.get("/page/..%2fservice.py").status_code == 404


def test_pages_of_other_sites_and_other_names_are_refused(server):
    assert server.get("/v1/model", Origin="https://elsewhere.example").status_code == 403
    assert server.get("/v1/model", Host="rebound.example").status_code == 421
    assert server.get("/v1/model", Origin=server.address).status_code == 200
    assert server.get("/v1/model", Origin="http://[").status_code == 403  # no addresses at all
    assert server.get("/v1/model", Host="[").status_code == 421


@pytest.mark.parametrize(("host", "status"), [("studio.example:8000", 200), ("other.example", 421), ("[", 421)])
def test_the_servers_own_name_counts_in_any_case(host, status):
    sent = []

    async def answering(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def nothing():
        return {"type": "http.request"}

    async def sending(message):
        sent.append(message)

    guard = Guard(answering, token=None, names=["Studio.example"])  # browsers send it in small letters
    scope = {"type": "http", "path": "/", "headers": [(b"host", host.encode())]}
    asyncio.run(guard(scope, nothing, sending))
    assert sent[0]["status"] == status


@pytest.mark.parametrize("begun", [False, True])
def test_what_is_cut_off_when_the_server_ends_is_an_answer_and_no_defect(begun):
    """Else Ctrl-C while a clip is on its way ends in a page of traceback."""
    sent = []

    async def cut_off(scope, receive, send):
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise asyncio.CancelledError

    async def nothing():
        return {"type": "http.request"}

    async def sending(message):
        sent.append(message)

    guard = Guard(cut_off, token=None, names=[])
    asyncio.run(guard({"type": "http", "path": "/", "headers": []}, nothing, sending))
    assert sent[0]["status"] == (200 if begun else 503)
    assert len(sent) == (1 if begun else 2)


def test_the_description_has_an_example_for_every_answer_of_a_clip(server):
    paths = server.get("/openapi.json").json()["paths"]
    assert {"/health", "/v1/model", "/v1/predict", "/v1/explain", "/metrics"} <= paths.keys()
    for path in ("/v1/predict", "/v1/explain"):
        route = paths[path]["post"]
        fields = route["requestBody"]["content"]["multipart/form-data"]["schema"]["properties"]
        assert {"clip", "text", "transcribe"} <= fields.keys()
        for answer in route["responses"].values():
            assert answer["content"]["application/json"]["example"]


def test_health_and_counts_are_told(server):
    assert server.get("/health").json()["ready"] == 1
    text = server.get("/metrics").text
    assert "textmsa_workers_ready 1.0" in text and "textmsa_clips_inside 0.0" in text
    assert float(re.findall(r'requests_total\{request="predict",status="200"\} (\S+)', text)[0]) >= 1


def test_without_the_token_nothing_but_the_page_is_given(slow_server, tiny_run):
    assert slow_server.get("/").status_code == slow_server.get("/health").status_code == 200
    for path in ("/v1/model", "/metrics", "/openapi.json", "/v1/samples"):
        answer = slow_server.get(path)
        assert answer.status_code == 401 and answer.headers["www-authenticate"] == "Bearer"
    assert slow_server.post(clip=clip_of(tiny_run)).status_code == 401
    assert slow_server.post(clip=clip_of(tiny_run), token="sesam").status_code == 401
    assert slow_server.get("/v1/model", Authorization="Bearer sesame").status_code == 200


def test_one_too_many_is_told_when_to_come_again(slow_server, tiny_run):
    def send(_):
        return slow_server.post(clip=clip_of(tiny_run), token="sesame")

    with ThreadPoolExecutor(2) as both:
        answers = sorted(both.map(send, range(2)), key=lambda answer: answer.status_code)
    assert [answer.status_code for answer in answers] == [200, 429]
    assert int(answers[1].headers["retry-after"]) >= 1 and "busy" in answers[1].json()["reason"]


def test_one_that_leaves_in_the_middle_of_scoring_does_no_harm(slow_server, tiny_run):
    content = FILE_PART + clip_of(tiny_run).read_bytes() + b"\r\n--b--\r\n"
    before = slow_server.workers()
    secret = b"Authorization: Bearer sesame\r\n"
    head = MULTIPART + secret + f"Content-Length: {len(content)}\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", slow_server.port), timeout=60) as line:
        line.sendall(head + content)
        wait_for(lambda: inside(slow_server) == 1)
        time.sleep(0.5)  # it is being scored now
    wait_for(lambda: inside(slow_server) == 0)
    assert slow_server.left_behind() == []
    assert slow_server.post(clip=clip_of(tiny_run), token="sesame").status_code == 200
    assert slow_server.workers() == before


def inside(server) -> float:
    text = server.get("/metrics", Authorization="Bearer sesame").text
    return float(re.findall(r"^textmsa_clips_inside (\S+)", text, flags=re.M)[0])


def wait_for(holds) -> None:
    for _ in range(600):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("it never came")


@pytest.mark.parametrize(("blow", "words"), [(signal.SIGKILL, "the worker died"), (signal.SIGSTOP, "longer than 8 s")])
def test_a_worker_that_dies_or_hangs_is_replaced_and_its_request_told(slow_server, tiny_run, blow, words):
    before = slow_server.workers()
    assert len(before) == 1
    striking = threading.Timer(1.0, os.kill, (before[0], blow))
    striking.start()
    answer = slow_server.post(clip=clip_of(tiny_run), token="sesame")
    assert answer.status_code == 500 and words in answer.json()["reason"]
    for _ in range(600):
        again = slow_server.post(clip=clip_of(tiny_run), token="sesame")
        if again.status_code != 429:
            break
        time.sleep(0.2)
    assert again.status_code == 200
    assert slow_server.workers() != before and len(slow_server.workers()) == 1


def test_the_scripts_that_are_not_ours_are_those_whose_hashes_are_kept():
    folder = ROOT / "textmsa/serve/page/vendor"
    lines = [line.split() for line in (folder / "SHA256SUMS").read_text().splitlines()]
    assert {name for _, name in lines} == {path.name for path in folder.iterdir()} - {"SHA256SUMS"}
    for digest, name in lines:
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
