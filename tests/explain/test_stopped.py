"""Explaining at scale: faults, kills, and nothing paid twice."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from chat_server import ChatServer
from small_corpora import write_corpus


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TEXTMSA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    )


@pytest.mark.slow
def test_five_hundred_clips_with_faults_and_two_kills(tmp_path):
    """20 % faults, 16 at a time, killed twice: one record a clip, nothing paid twice but what was on its way."""
    clips, at_once = 500, 16
    write_corpus(tmp_path / "corpus", clips)
    # A good answer that a busy machine brings too late would count as paid twice: hence the long wait.
    with ChatServer(rate=0.2, seconds=0.05, slow=5.0) as server:
        given = {"model": "m", "base_url": server.url, "concurrency": at_once, "retries": 6, "timeout": 4.0}
        command = [
            sys.executable,
            "-m",
            "textmsa",
            "explain",
            str(tmp_path / "corpus"),
            "--out",
            str(tmp_path / "e.jsonl"),
        ]
        command += [
            "--explainer",
            "chat_endpoint",
            "--audio",
            "outside_parts:Loudness",
            "--video",
            "outside_parts:Brightness",
        ]
        command += [word for key, value in given.items() for word in (f"--explainer-options.{key}", str(value))]
        for wanted in (300, 900):
            process = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
            while sum(server.answered.values()) < wanted:
                assert process.poll() is None
                time.sleep(0.02)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            assert not (tmp_path / "e.jsonl").exists()
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        paid_twice = sum(count - 1 for count in server.answered.values() if count > 1)
        asked_before = len(server.requests)
        records = [json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines()]
        failed = [record for record in records if "failed" in record["provenance"]]
        again = subprocess.run(command, check=False, capture_output=True, text=True)
        assert sum(count - 1 for count in server.answered.values() if count > 1) == paid_twice
        asked_again = len(server.requests) - asked_before
        most_together = server.most_together
        kinds = dict(server.given)
    print(
        f"{kinds}; paid twice {paid_twice}; failed {len(failed)}; asked again {asked_again}; together {most_together}"
    )
    assert len(records) == len({record["id"] for record in records}) == clips
    assert set(kinds) == {"none", "429", "500", "slow", "cut", "garbage", "refusal", "wrong", "empty", "length"}
    assert paid_twice <= 2 * at_once
    assert most_together <= at_once + sum(kinds[k] for k in ("slow",))  # a slow answer outlives its question
    assert done.returncode == (1 if failed else 0), done.stderr
    assert failed
    assert all(record["provenance"]["failed"] for record in failed)
    table = (tmp_path / "e.store" / "failures.csv").read_text()
    assert again.returncode in (0, 1)
    assert asked_again <= 12 * len(failed) * 2
    for record in records:
        parts = [record[name] for name in ("video", "text", "summary", "reason")]
        assert all(parts) or "failed" in record["provenance"]
    assert table.count("explanation") == sum(
        "failed" in json.loads(line)["provenance"] for line in (tmp_path / "e.jsonl").read_text().splitlines()
    )
