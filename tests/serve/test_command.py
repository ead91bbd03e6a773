"""What the command says before it serves: one line for what the user can mend."""

import json
import re
import socket
import subprocess
import sys

import pytest
from serving import ROOT

from textmsa.errors import UserError
from textmsa.serve import command
from textmsa.serve.command import serve
from textmsa.serve.limits import Limits
from textmsa.serve.model_facts import model_facts
from textmsa.serve.samples import Samples


def test_without_the_extra_its_name_is_told(tiny_run, monkeypatch):
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == "fastapi" else object())
    with pytest.raises(UserError, match=r"^needs fastapi, not installed: pip install 'textmsa\[serve\]'$"):
        serve(tiny_run.path)


def test_the_command_and_its_help_need_nothing_of_the_extra():
    program = (
        "import sys; from textmsa.serve.command import NEEDED; sys.modules.update(dict.fromkeys(NEEDED)); "
        "from textmsa.cli import main; sys.exit(main(['serve', '--help']) or main(['serve', 'run']))"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 2 and "usage: textmsa serve [RUN]" in ran.stdout
    assert re.fullmatch(r"textmsa serve: needs fastapi, .*pip install 'textmsa\[serve\]'\n", ran.stderr)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"workers": 0}, "at least 1 worker"),
        ({"port": 70_000}, "port"),
        ({"max_mb": 0.0}, "--max-mb 0: give a number above 0"),
        ({"max_seconds": float("nan")}, "--max-seconds nan"),
        ({"token": "Tür"}, "--token"),
        ({"jobs": 0}, "at least 1 job"),
        ({"job_seconds": 0.0}, "--job-seconds 0: give a number above 0"),
        ({"host": "0.0.0.0"}, r"--host 0\.0\.0\.0: lets others in; ask for a token .*--open-to-all"),
        ({"token": "x", "open_to_all": True}, "--open-to-all: a token is given"),
    ],
)
def test_numbers_that_make_no_sense_are_one_line(tiny_run, options, words):
    with pytest.raises(UserError, match=words):
        serve(tiny_run.path, **options)


def test_the_token_may_stand_in_the_environment(tiny_run, tmp_path, monkeypatch):
    monkeypatch.setenv("TEXTMSA_TOKEN", "Tür")
    with pytest.raises(UserError, match="ASCII"):
        serve(tiny_run.path)
    monkeypatch.setenv("TEXTMSA_TOKEN", "sesame")
    with pytest.raises(UserError, match="no such folder"):
        serve(tiny_run.path, host="0.0.0.0", folder=tmp_path / "nothing")
    monkeypatch.setenv("TEXTMSA_TOKEN", "")
    with pytest.raises(UserError, match="lets others in"):
        serve(tiny_run.path, host="::")


def test_a_folder_that_is_no_run_or_no_folder_is_one_line(tiny_run, tmp_path):
    with pytest.raises(UserError, match="not a run folder"):
        serve(tmp_path)
    with pytest.raises(UserError, match="no such folder"):
        serve(tiny_run.path, folder=tmp_path / "nothing")


def test_a_port_that_is_taken_is_told_before_anything_is_loaded(tiny_run):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(UserError, match=r"--port \d+: .*; give another"):
            serve(tiny_run.path, port=other.getsockname()[1])


def test_a_worker_that_needs_more_memory_than_it_may_is_ended(tiny_run):
    with pytest.raises(UserError, match="no worker starts: needs more than 10 MB of memory"):
        serve(tiny_run.path, port=0, memory_mb=10.0)


def test_hidden_files_and_links_that_lead_out_are_no_samples(tmp_path):
    for name in ("clips/a.mp4", "clips/deep/b.WAV", "clips/.hidden/c.mp4", "clips/d.txt", "out.mp4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "clips/link.mp4").symlink_to(tmp_path / "out.mp4")
    assert list(Samples(tmp_path / "clips").by_name()) == ["a.mp4", "deep/b.WAV"]
    assert Samples(None).by_name() == {}


def test_what_is_said_of_the_model_that_comes_with_the_package():
    facts = model_facts(None, Limits())
    assert facts["needs_words"] is True and facts["score_range"] == [-3, 3] and facts["interval"] == "calibrated"
    assert facts["card"].startswith("---\nlicense: apache-2.0") and str(ROOT) not in json.dumps(facts)
    with pytest.raises(UserError, match="has fp32 only"):
        serve(precision="int8")
