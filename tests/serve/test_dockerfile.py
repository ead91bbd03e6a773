"""The Dockerfile as it stands; `.ci/try_dockerfile` executes it, where it can."""

import json
import re
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

import pytest
from serving import ROOT

from textmsa.serve.command import TOKEN


@pytest.fixture(scope="module")
def trying():
    loader = SourceFileLoader("try_dockerfile", str(ROOT / ".ci/try_dockerfile"))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def steps(trying):
    return trying.instructions((ROOT / "Dockerfile").read_text())


def test_it_serves_to_others_as_a_user_without_rights_and_asks_for_a_token(steps):
    names = [name for name, _ in steps]
    last = dict(steps)
    assert last["USER"] not in ("root", "0") and names.index("USER") > max(i for i, n in enumerate(names) if n == "RUN")
    command = json.loads(last["ENTRYPOINT"])
    assert command[command.index("--host") + 1] == "0.0.0.0"
    assert not {"--token", "--open-to-all"} & set(command) and TOKEN not in last["ENV"]
    assert f":{last['EXPOSE']}/health" in last["HEALTHCHECK"] and last["EXPOSE"] in command
    assert not re.search(r"https?://(?!127\.0\.0\.1)", (ROOT / "Dockerfile").read_text())


def test_all_that_is_copied_is_sent_and_nothing_else(trying, steps):
    copied = [source for name, rest in steps if name == "COPY" for source in rest.split()[:-1]]
    assert "textmsa" in copied and all((ROOT / source).exists() for source in copied)
    assert all(trying.sent(ROOT, source) for source in copied)
    assert trying.sent(ROOT, "textmsa/serve/page/index.html")
    for name in (".git", ".venv/bin/python", "runs/demo", "tests/serving.py", "textmsa/__pycache__/cli.pyc"):
        assert not trying.sent(ROOT, name), name


def test_instructions_are_read_over_their_lines(trying):
    text = '# a comment\nFROM x:1\nRUN a \\\n    # of b\n    && b\n\nCMD ["c"]\n'
    assert trying.instructions(text) == [("FROM", "x:1"), ("RUN", "a      && b"), ("CMD", '["c"]')]
