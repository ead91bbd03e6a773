"""`textmsa finetune-explainer`: only answers are learnt, of the training split; it resumes; the adapter explains."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import tiny_checkpoints as tiny
from small_corpora import write_clip

from textmsa.cli import main
from textmsa.corpora import EXTENSIONS
from textmsa.errors import UserError
from textmsa.prepare.explain import explain_clip
from textmsa.runtime.claim import locked
from textmsa.train.checkpoints import last_checkpoint
from textmsa.train.described_clips import DescribedClips
from textmsa.train.explainer import FinetuneRecipe, claim_of, finetune, finetune_explainer

CLIPS = ("sample_1", "sample_2", "sample_3")
TOLD = "In the video, she smiles. In the audio, her voice is bright. Therefore she is happy."


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny.videollama3(tmp_path_factory.mktemp("models") / "videollama3")


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    for number, name in enumerate(CLIPS):
        write_clip(folder / "some" / f"{name}.mp4", seed=number, seconds=1.5)
    return folder


def table(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def emer(tmp_path):
    return table(tmp_path / "emer_fine.csv", [{"name": n, "chinese": "", "english": TOLD} for n in CLIPS])


FAST: dict[str, Any] = {
    "rank": 8,
    "alpha": 16,
    "dropout": 0.0,
    "batch_size": 3,
    "gradient_accumulation": 1,
    "warmup_fraction": 0.0,
}


def test_an_omni_model_learns_from_sound_too(clips, emer, tmp_path, capsys):
    model, out = tiny.qwen_omni(tmp_path / "model"), tmp_path / "adapter"
    done = finetune_explainer(
        data=emer,
        clips=clips,
        out=out,
        recipe=FinetuneRecipe(model=str(model), explainer="qwen_omni", epochs=25, learning_rate=0.01, **FAST),
        device="cpu",
    )
    assert done.examples == 6
    losses = [row["loss"] for row in json.loads((out / "finetune.json").read_text())["losses"]]
    assert losses[-1] < 0.3 * losses[0]
    again = explain_clip(
        clips / "some" / "sample_2.mp4",
        None,
        "qwen_omni",
        {"model": str(model), "adapter": str(out), "device": "cpu", "max_tokens": 40, "cache": str(tmp_path / "cache")},
        audio="outside_parts:Loudness",
        video="outside_parts:Brightness",
    )
    assert again.provenance["audio_from"] == "waveform"
    assert {"audio", "video"} <= set(again.provenance["stages"])


def test_loss_falls_and_the_adapter_says_what_was_learnt(model, clips, emer, tmp_path, capsys):
    out = tmp_path / "adapter"
    recipe = FinetuneRecipe(model=str(model), epochs=60, learning_rate=0.01, **FAST)
    done = finetune_explainer(data=emer, clips=clips, out=out, recipe=recipe, device="cpu")
    assert (done.examples, done.left_out, done.exit_code) == (3, {}, 0)
    record = json.loads((out / "finetune.json").read_text())
    losses = [row["loss"] for row in record["losses"]]
    assert losses[-1] < 0.1 * losses[0]
    assert "learnt from 3 answers; loss" in done.text()
    assert capsys.readouterr().out == ""
    options = {"model": str(model), "device": "cpu", "max_tokens": 40, "cache": str(tmp_path / "cache")}
    clip = clips / "some" / "sample_1.mp4"
    parts: dict[str, Any] = {"audio": "outside_parts:Loudness", "video": "outside_parts:Brightness"}
    untaught = explain_clip(clip, None, "videollama3", options, **parts)
    taught = explain_clip(clip, None, "videollama3", options | {"adapter": str(out)}, **parts)
    assert taught.video == "In the video, she smiles."
    assert untaught.video != taught.video
    assert taught.provenance["model"]["adapter"]
    again = finetune_explainer(data=emer, clips=clips, out=out, recipe=recipe, device="cpu")
    assert again.examples == 3
    assert again.text() == f"{out}: finished before; nothing to do"
    with pytest.raises(UserError, match=r"begun otherwise by textmsa finetune-explainer .*epochs 60 instead of 2"):
        finetune_explainer(data=emer, clips=clips, out=out, recipe=replace(recipe, epochs=2), device="cpu")


def test_only_the_training_split_is_read_and_only_what_the_model_perceives(clips, tmp_path):
    rows = [{"name": n, "english": TOLD, "mode": m} for n, m in zip(CLIPS, ("train", "test", "valid"), strict=True)]
    data = table(tmp_path / "split.csv", rows)
    seen = DescribedClips(data, clips).read(sees=True, hears=False)
    assert [(e.clip.stem, e.answer) for e in seen] == [("sample_1", "In the video, she smiles.")]
    both = DescribedClips(data, clips).read(sees=True, hears=True)
    assert [(e.shows, e.answer) for e in both] == [
        (("video",), "In the video, she smiles."),
        (("audio",), "In the audio, her voice is bright."),
    ]


@pytest.mark.parametrize("ending", EXTENSIONS)
def test_every_clip_that_can_be_prepared_is_found(emer, tmp_path, ending):
    (tmp_path / "clips").mkdir()
    (tmp_path / "clips" / f"sample_1{ending.upper()}").touch()
    examples = DescribedClips(emer, tmp_path / "clips").read(sees=True, hears=False)
    assert examples[0].clip == tmp_path / "clips" / f"sample_1{ending.upper()}"


RECIPE = FinetuneRecipe(model="m", **FAST)


def test_a_folder_of_an_older_textmsa_is_gone_on_with_where_its_options_agree(emer, clips, tmp_path):
    described, out = DescribedClips(emer, clips), tmp_path / "adapter"
    claim = claim_of(RECIPE, described, out)
    out.mkdir()
    old = claim.options | {"data": str(emer), "clips": os.path.relpath(clips)}
    (out / "options.json").write_text(json.dumps(old))
    (out / "finetune.json").write_text('{"examples": 3}')
    (out / "clips.json").write_text("{}")
    assert finetune(RECIPE, described, out, device="cpu").finished_before
    claim.check()
    other = tmp_path / "other"
    other.mkdir()
    (other / "options.json").write_text(json.dumps(old | {"rank": 4}))
    with pytest.raises(UserError, match="rank 4 instead of 8"):
        finetune(RECIPE, described, other, device="cpu")


def test_a_damaged_record_is_one_line(emer, clips, tmp_path):
    described, out = DescribedClips(emer, clips), tmp_path / "adapter"
    claim_of(RECIPE, described, out).take()
    (out / "finetune.json").write_text("{")
    with pytest.raises(UserError, match=r"finetune.json: damaged \(.*\); give another folder"):
        finetune(RECIPE, described, out, device="cpu")


def test_a_second_training_of_one_adapter_waits_for_nobody(emer, clips, tmp_path):
    with (
        locked(tmp_path / "adapter", command="textmsa finetune-explainer"),
        pytest.raises(UserError, match="another textmsa finetune-explainer is at work here"),
    ):
        finetune(RECIPE, DescribedClips(emer, clips), tmp_path / "adapter", device="cpu")


def test_two_clips_of_one_name_are_not_guessed_between(clips, emer, tmp_path):
    for folder in ("a", "b"):
        write_clip(tmp_path / "twice" / folder / "sample_1.mp4", seed=0)
    with pytest.raises(UserError, match="may both be 'sample_1'"):
        DescribedClips(emer, tmp_path / "twice").read(sees=True, hears=False)


def test_conversations_are_learnt_answer_by_answer(clips, tmp_path):
    data = tmp_path / "talks.jsonl"
    turns = [("human", "<video>\nWhat is seen?"), ("gpt", "A smile."), ("human", "Why?"), ("gpt", "Good news.")]
    lines = [
        {"video": ["some/sample_1.mp4"], "conversations": [{"from": who, "value": said} for who, said in turns]},
        {"video": "some/sample_2.mp4", "conversations": [], "split": "test"},
    ]
    data.write_text("\n".join(map(json.dumps, lines)))
    first, second = DescribedClips(data, clips).read(sees=True, hears=False)
    assert (first.prompt, first.answer, first.earlier) == ("What is seen?", "A smile.", ())
    assert (second.prompt, second.answer) == ("What is seen?", "Good news.")
    assert [(turn.answer, turn.complaint) for turn in second.earlier] == [("A smile.", "Why?")]


def test_clips_that_cannot_be_read_are_left_out_and_told(model, clips, emer, tmp_path):
    rows = [*csv.DictReader(emer.read_text().splitlines()), {"name": "gone", "chinese": "", "english": TOLD}]
    (tmp_path / "more").mkdir()
    data, out = table(tmp_path / "more" / "emer.csv", rows), tmp_path / "adapter"
    options = ["--data", str(data), "--clips", str(clips), "--model", str(model), "--out", str(out)]
    assert main(["finetune-explainer", *options, "--device", "cpu", "--epochs", "1", "--rank", "4"]) == 1
    assert list(json.loads((out / "clips.json").read_text()).values()) == ["there is no such file"]
    assert json.loads((out / "finetune.json").read_text())["examples"] == 3


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "clip,text\n1,2\n", "needs the columns name, english; it has clip, text"),
        ("a.csv", "name,english\n", "holds nothing to learn"),
        ("a.csv", "name,english\nx,\n", "holds nothing to learn"),
        ("a.jsonl", "{", "line 1: needs video and conversations"),
        ("a.jsonl", '{"video": "a.mp4", "conversations": [{"from": "gpt", "value": "A."}]}', "must take turns"),
        ("a.txt", "x", "give EMER-fine's .csv"),
    ],
)
def test_files_in_another_form_are_refused_in_one_line(clips, tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(UserError, match=message) as refused:
        DescribedClips(tmp_path / name, clips).read(sees=True, hears=False)
    assert "\n" not in str(refused.value)


def test_a_checkpoint_that_a_kill_left_half_written_is_passed_over(tmp_path):
    for step, state in ((5, '{"global_step": 5}'), (10, '{"global_step": 10}'), (15, '{"glob'), (20, None)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        if state is not None:
            (folder / "trainer_state.json").write_text(state)
    assert last_checkpoint(tmp_path) == str(tmp_path / "checkpoint-10")
    assert last_checkpoint(tmp_path / "nowhere") is None


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_was(model, clips, emer, tmp_path):
    out = tmp_path / "adapter"
    options = ["--data", emer, "--clips", clips, "--model", model, "--out", out, "--device", "cpu", "--epochs", "120"]
    options += ["--rank", "8", "--batch-size", "3", "--gradient-accumulation", "1"]
    command = [sys.executable, "-m", "textmsa", "finetune-explainer", *map(str, options)]
    first = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while not list(out.glob("checkpoints/checkpoint-*/trainer_state.json")) and first.poll() is None:
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert not (out / "finetune.json").exists()
    done = int(next(out.glob("checkpoints/checkpoint-*")).name.rpartition("-")[2])
    assert subprocess.run(command, check=False).returncode == 0
    losses = json.loads((out / "finetune.json").read_text())["losses"]
    steps = [row["step"] for row in losses]
    assert steps == sorted(set(steps))
    assert steps[-1] == 120
    assert 0 < done < 120
    assert losses[-1]["loss"] < losses[0]["loss"]


@pytest.mark.slow
def test_several_processes_learn_together(model, clips, emer, tmp_path):
    out = tmp_path / "adapter"
    options = ["--data", emer, "--clips", clips, "--model", model, "--out", out, "--device", "cpu", "--epochs", "20"]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command += ["-m", "textmsa", "finetune-explainer", *map(str, options), "--learning-rate", "0.01"]
    ran = subprocess.run(
        command, check=False, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert ran.stdout.count("learnt from 3 answers") == 1
    losses = json.loads((out / "finetune.json").read_text())["losses"]
    assert losses[-1]["loss"] < losses[0]["loss"]
    assert (out / "adapter_model.safetensors").is_file()
