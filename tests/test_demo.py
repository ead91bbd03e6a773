"""The whole way, on real media: `textmsa demo --clips 60`, then its run on clips of every kind."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from media_fixtures import real_clip, without_sound

from textmsa.cli import main
from textmsa.demo import demo as run_demo
from textmsa.errors import UserError

pytestmark = pytest.mark.slow
MISSING: dict[str, set[str]] = {  # recording, or file of ../shared/clips -> what is missing in it, the text apart
    "speaker.mp4": set(),
    "muted": {"audio"},
    "no_face.mp4": {"video"},
    "speech.flac": {"video"},
    "shared/speaker_a.mp4": set(),
    "shared/speaker_b.mp4": set(),
    "shared/WolfgangLanger_Pexels.mp4": set(),
    "shared/single_face.mp4": set(),
    "shared/muted.mp4": {"audio"},
    "shared/face_noface.mov": set(),
    "shared/no_face.mp4": {"video"},
    "shared/speech_only.wav": {"video"},
}


@pytest.fixture(scope="session")
def demo(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "demo"
    done = subprocess.run(
        [sys.executable, "-m", "textmsa", "demo", "--out", str(out), "--clips", "60"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == f"report: {out / 'report.html'}"
    return out


@pytest.mark.parametrize("content", ["{", "[]", '{"render": "long"}', '{"render": null}'])
def test_damaged_seconds_are_one_line(tmp_path, content):
    (tmp_path / "stages.json").write_text(content)
    with pytest.raises(UserError, match=r"stages\.json: damaged .*; delete it") as refused:
        run_demo(out=tmp_path, clips=60)
    assert "\n" not in str(refused.value)


def test_summary_and_report(demo):
    summary = json.loads((demo / "summary.json").read_text())
    assert summary["clips"] == 60
    assert set(summary["baselines"]) == {
        *("mean", "ridge_text", "ridge_all", "gbm_all", "gbm_facts", "late_fusion"),
        *("stacked_ridge", "stacked_gbm"),
    }
    assert set(summary["seconds"]) == {"render", "prepare", "train", "evaluate", "report"}
    assert np.isfinite(summary["test"]["mae"])
    assert summary["floors"]["mean"] == pytest.approx(1.15, abs=0.02)
    report = (demo / "report.html").read_text()
    assert report.count("data:image/png") == 4  # learning, scores, contributions, experts
    assert report.count("data:video/mp4") == report.count("<div class='clip'>") >= 3
    named = set(
        re.findall(r"https?://[\w.-]+", report)
    )  # a namespace, and the licence of a part: nothing asks for them
    assert named <= {"http://www.w3.org", "https://github.com"}
    assert "connect-src 'none'" in report


def test_predictions_can_be_read_again(demo):
    rows = (demo / "run/evaluation-test/predictions.csv").read_text().splitlines()
    summary = json.loads((demo / "summary.json").read_text())
    label, score = np.array([[float(v) for v in row.split(",")[1:3]] for row in rows[1:]]).T
    assert float(np.abs(label - score).mean()) == pytest.approx(summary["test"]["mae"], abs=1e-4)


def test_again_there_is_nothing_to_do(demo, capsys):
    started = time.monotonic()
    assert main(["prepare", str(demo / "corpus"), "--out", str(demo / "store")]) == 0
    assert main(["demo-corpus", str(demo / "corpus"), "--clips", "60"]) == 0
    assert time.monotonic() - started < 60
    assert "nothing to do" in capsys.readouterr().out


def test_predict_equals_preparation(demo, capsys):
    """The same clip through `predict` and through `prepare` and `evaluate` has the same score."""
    rows = (demo / "run/evaluation-test/predictions.csv").read_text().splitlines()
    identity, _, score, *_ = rows[1].split(",")
    video_id, clip_id = identity.split("$_$")
    corpus = json.loads((demo / "corpus/corpus.json").read_text())
    text = next(c["text"] for c in corpus["clips"] if (c["video_id"], c["clip_id"]) == (video_id, clip_id))
    clip = demo / "corpus/Raw" / video_id / f"{clip_id}.mp4"
    capsys.readouterr()
    assert main(["predict", str(demo / "run"), str(clip), "--text", text, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["score"] == pytest.approx(float(score), abs=1e-4)


@pytest.mark.parametrize("name", MISSING)
@pytest.mark.parametrize("text", [None, "I am so happy with this."])
def test_clips_of_every_kind(demo, tmp_path, capsys, name, text):
    muted = name == "muted"
    clip = without_sound(real_clip("speaker.mp4"), tmp_path / "muted.mp4") if muted else real_clip(name)
    arguments = ["predict", str(demo / "run"), str(clip), "--json"]
    assert main(arguments + (["--text", text] if text else [])) == 0
    found = json.loads(capsys.readouterr().out)
    assert np.isfinite(found["score"])
    assert abs(found["score"]) <= 3
    expected = MISSING[name] | (set() if text else {"text"})
    assert set(found["missing"]) == expected
    assert all(found["missing"].values())
    assert {n for n, gate in found["gates"].items() if gate == 0} == expected
    for modality in {"audio", "video"} - expected:
        assert found["explanation"][modality]


def test_bad_clips_are_one_line(demo, tmp_path, capsys):
    (tmp_path / "text.mp4").write_text("not a video")
    assert main(["predict", str(demo / "run"), str(tmp_path / "text.mp4")]) == 2
    assert main(["predict", str(demo / "run"), str(tmp_path / "absent.mp4")]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "text.mp4" in lines[0]


def test_a_run_made_with_other_features_is_refused(demo, tmp_path, capsys):
    import shutil

    run = tmp_path / "run"
    shutil.copytree(demo / "run", run)
    path = run / "preparation.json"
    path.write_text(path.read_text().replace("mouthSmileLeft", "otherFeature"))
    assert main(["evaluate", str(run), "--data", str(demo / "store")]) == 2
    assert main(["predict", str(run), str(next((demo / "corpus/Raw").rglob("*.mp4")))]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 2
