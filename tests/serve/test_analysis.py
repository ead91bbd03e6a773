"""A long video over HTTP, analyzed for real: the records are those of `textmsa analyze`, and name no place."""

import json
import re
import subprocess
from pathlib import Path

import httpx
import pytest
from serving import ROOT, Server, serving
from small_corpora import write_clip

from textmsa.analyze import analyze
from textmsa.analyze.command import FILES
from textmsa.serve.analysis import RESULTS

pytestmark = pytest.mark.slow
CUES = """1
00:00:00,500 --> 00:00:02,000
A fine day.

2
00:00:02,400 --> 00:00:04,000
I liked <b>it</b> a lot!

3
00:00:05,000 --> 00:00:06,500
أحببت هذا الفيلم
"""


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """A folder with talk.mp4 and talk.srt."""
    folder = tmp_path_factory.mktemp("film")
    write_clip(folder / "talk.mp4", seed=3, seconds=8.0)
    (folder / "talk.srt").write_text(CUES, encoding="utf-8")
    (folder / "clip.mp4").write_bytes((folder / "talk.mp4").read_bytes())
    return folder


@pytest.fixture(scope="module")
def server(tiny_run, film, tmp_path_factory):
    options = ("--job-mb", "5", "--job-seconds", "20", "--folder", str(film))
    with serving(tiny_run.path, tmp_path_factory.mktemp("temporary"), *options) as running:
        yield running
        assert not [line for line in running.said if "Traceback" in line], "".join(running.said)
    assert running.left_behind() == []  # what is kept for an hour goes with the server


def begun(server: Server, clip: Path | bytes, subtitles: str = CUES) -> dict:
    content = clip.read_bytes() if isinstance(clip, Path) else clip
    files = {"clip": ("x.mp4", content), "subtitles": ("x.srt", subtitles.encode())}
    answer = httpx.post(f"{server.address}/v1/analyze", files=files, timeout=60)
    assert answer.status_code == 202, answer.text
    return answer.json()


def ended(server: Server, job: dict) -> list[dict]:
    """What is told of a job, from where it is to its end."""
    with httpx.stream("GET", server.address + job["events"], timeout=300) as stream:
        return [json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: ")]


def test_what_comes_out_is_what_the_command_writes(server, film, tiny_run, tmp_path, monkeypatch):
    job = begun(server, film / "talk.mp4")
    told = ended(server, job)
    assert told[-1]["state"] == "done", told[-1]
    assert told[-1]["summary"] | {"mean": 0} == {
        "duration": pytest.approx(8, abs=0.2),
        "utterances": 3,
        "scored": 3,
        "failed": 0,
        "mean": 0,
    }
    assert "analyzing" in {document.get("step") for document in told}

    (tmp_path / "clip").write_bytes((film / "talk.mp4").read_bytes())
    (tmp_path / "subtitles.srt").write_text(CUES, encoding="utf-8")
    (tmp_path / "RUN").symlink_to(tiny_run.path)
    monkeypatch.chdir(tmp_path)
    analyze(Path("clip"), out=Path("out"), model="RUN", subtitles=Path("subtitles.srt"))
    for name in ("timeline.json", "timeline.csv", "timeline.srt"):
        assert server.get(f"{job['result']}/{name}").content == (tmp_path / "out" / name).read_bytes()
    assert server.get(job["result"]).json()["utterances"][2]["text"] == "أحببت هذا الفيلم"

    files = [path.rpartition("/")[2] for path in told[-1]["files"]]
    assert set(FILES) <= set(files) <= set(RESULTS)
    for name in files:
        content = server.get(f"{job['result']}/{name}").content
        for place in (server.temporary, tiny_run.path, film):
            assert str(place).encode() not in content, name
    elan = server.get(f"{job['result']}/timeline.eaf").text
    assert 'MEDIA_URL="./clip"' in elan
    assert server.get(f"{job['result']}/timeline.png").content.startswith(b"\x89PNG")
    text = server.get("/metrics").text
    assert float(re.findall(r"^textmsa_analyzed_seconds_total (\S+)", text, flags=re.M)[0]) >= 7.8
    httpx.delete(server.address + job["url"], timeout=60)


def test_a_file_of_the_folder_is_analyzed_where_it_is_and_not_named(server, film):
    form = {"files": {"subtitles": CUES.encode()}, "data": {"sample": "talk.mp4"}}
    job = httpx.post(f"{server.address}/v1/analyze", timeout=60, **form).json()  # type: ignore[arg-type]
    last = ended(server, job)[-1]
    assert last["state"] == "done" and (film / "talk.mp4").is_file()
    for path in last["files"]:
        assert str(film).encode() not in server.get(path).content
    httpx.delete(server.address + job["url"], timeout=60)


def test_what_cannot_be_analyzed_fails_in_one_line_that_names_no_place(server, film, tmp_path):
    write_clip(tmp_path / "long.mp4", seed=1, seconds=30.0)
    odd = {
        "cannot be read": begun(server, b"no film at all, " * 50),
        "lasts 30 s, at most 20 s": begun(server, tmp_path / "long.mp4"),
        "subtitles.srt": begun(server, film / "talk.mp4", "1\n00:00:05,000 --> 00:00:0x,000\nWords.\n"),
    }
    for words, job in odd.items():
        last = ended(server, job)[-1]
        assert last["state"] == "failed" and words in last["reason"], last
        assert "\n" not in last["reason"] and "/" not in last["reason"]
        httpx.delete(server.address + job["url"], timeout=60)


def page() -> str:
    return (ROOT / "docs/serve.md").read_text(encoding="utf-8")


def test_what_curl_sends_in_the_docs_is_answered(server, film, tmp_path):
    blocks = [block for block in re.findall(r"```sh\n(.*?)```", page(), flags=re.S) if "curl" in block]
    assert sum(block.count("curl ") for block in blocks) == 10
    for name in ("clip.mp4", "talk.mp4", "talk.srt"):
        (tmp_path / name).write_bytes((film / name).read_bytes())
    said = ""
    for block in blocks:
        script = 'curl() { command curl -sS --fail "$@"; echo; }\n' + block.replace(
            "http://127.0.0.1:8000", server.address
        )
        done = subprocess.run(["bash", "-euc", script], cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, (block, done.stdout, done.stderr)
        said += done.stdout
    assert "event: done" in said and '{"reason"' not in said
    assert (tmp_path / "timeline.csv").read_text().startswith("number,start")
    assert json.loads((tmp_path / "timeline.json").read_text())["counts"]["scored"] == 3


def test_the_client_in_the_docs_gets_a_score_and_a_timeline(server, film, tmp_path, monkeypatch, capsys):
    program = re.findall(r"```python\n(.*?)```", page(), flags=re.S)[0]
    for name in ("clip.mp4", "talk.mp4", "talk.srt"):
        (tmp_path / name).write_bytes((film / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(program.replace("http://127.0.0.1:8000", server.address), names)
    names["client"].http.close()  # type: ignore[attr-defined]
    prediction, timeline = names["prediction"], names["timeline"]
    assert isinstance(prediction, dict) and prediction["transcript"] == "I loved it."
    assert isinstance(timeline, dict) and timeline["counts"] == {"utterances": 3, "scored": 3, "failed": 0}
    assert "analyzing" in capsys.readouterr().out
