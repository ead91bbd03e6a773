"""The command line: what is printed where, and with which exit code."""

import ast
import errno
import inspect
import logging
import re
import runpy
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from small_corpora import write_clip, write_corpus

from textmsa import cli, seams
from textmsa.arguments import help_page, parse
from textmsa.cli import COMMANDS, Command, function_of, main
from textmsa.errors import UserError

ROOT = Path(__file__).parents[1]


@dataclass
class Result:
    """Of the commands below."""

    words: str
    exit_code: int = 0

    def text(self) -> str:
        """For people."""
        return self.words


def say(words: str, *, code: int = 0) -> Result:
    """Say it."""
    return Result(words, code)


def nothing() -> None:
    """Say nothing."""


def log() -> None:
    """Log at three levels."""
    logger = logging.getLogger("textmsa.somewhere")
    logger.debug("small")
    logger.info("progress")
    logger.warning("odd")


def fail(how: str) -> None:
    """Fail in one of several ways."""
    if how == "package":
        import a_package_nobody_has  # noqa: F401
    if how == "peft":
        raise ModuleNotFoundError("No module named 'peft.tuners'", name="peft.tuners")
    if how == "ours":
        raise ModuleNotFoundError("No module named 'textmsa.absent'", name="textmsa.absent")
    if how == "full":
        raise OSError(errno.ENOSPC, "No space left on device", "store/samples.arrow")
    if how == "connection":
        raise ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
    raise ValueError("a defect")


def make_folder(out: Path) -> None:
    """Make a folder."""
    (out / "deep").mkdir(parents=True)


@pytest.fixture
def commands(monkeypatch):
    for function in (say, nothing, log, fail, make_folder):
        name = function.__name__.replace("_", "-")
        monkeypatch.setitem(COMMANDS, name, Command(f"{__name__}:{function.__name__}", ""))


SERVING_MANY = ("explain", "features", "runtime", "store", "media.py", "corpora.py", "seams.py")
"""What more than one command goes through, by its place in the package."""


def messages_for_users() -> list[tuple[Path, str]]:
    """(file, the constant text) of every UserError that is raised where many commands pass."""
    roots = [ROOT / "textmsa" / place for place in SERVING_MANY]
    files = [file for root in roots for file in (root.rglob("*.py") if root.is_dir() else [root])]
    return [
        (
            file,
            "".join(
                part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)
            ),
        )
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "UserError"
    ]


def test_messages_that_many_commands_can_give_name_an_option_with_its_command_only():
    messages = messages_for_users()
    assert len(messages) > 50
    for file, message in messages:
        for option in re.findall(r"(?<![\w-])--([a-z][a-z-]+)", message):
            command = re.search(r"textmsa ([a-z-]+)", message)
            assert command, f"{file}: --{option}: of which command? {message}"
            assert option.replace("-", "_") in inspect.signature(function_of(command[1])).parameters, message


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_its_arguments(name, capsys):
    assert main([name, "--help"]) == 0
    assert capsys.readouterr().out == help_page(function_of(name), prog=f"textmsa {name}") + "\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_the_examples_of_every_command_can_be_given(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.yaml").write_text("model: {num_experts: 4}")
    page = help_page(function_of(name), prog=f"textmsa {name}", columns=80)
    examples = page.partition("\nexamples:\n")[2].splitlines()
    assert 1 <= len(examples) <= 4
    for line in examples:
        words = shlex.split(line)
        assert words[:2] == ["textmsa", name]
        assert parse(function_of(name), words[2:], prog="p")


def test_the_page_of_commands_says_what_help_says():
    made = runpy.run_path(str(ROOT / "docs/make_commands.py"))
    same = made["PAGE"].read_text(encoding="utf-8") == made["page"]()  # no assert on the texts: pytest would diff them
    assert same, "docs/commands.md is not what --help says: run `python docs/make_commands.py` and commit the page"


def test_help_is_quick_and_imports_nothing_heavy():
    code = "import sys; from textmsa.cli import main; main(['--help']); print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "prepare" in shown
    assert not {"numpy", "torch", "transformers", "argparse", "yaml"} & set(shown.split())
    seconds = []
    for _ in range(3):  # the best of three: the machine may be busy
        started = time.monotonic()
        subprocess.run([sys.executable, "-m", "textmsa", "--help"], capture_output=True, check=True)
        seconds.append(time.monotonic() - started)
    assert min(seconds) < 0.5


def test_errors_are_one_line(capsys, tmp_path):
    assert main(["predct"]) == 2
    assert main(["predict", str(tmp_path), "x.mp4"]) == 2
    assert main(["evaluate", str(tmp_path), "--data", str(tmp_path)]) == 2
    assert main(["train", "absent.yaml", "--data", "x", "--out", "y"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4
    assert "did you mean 'predict'" in lines[0]
    assert "not a run folder" in lines[1]


@pytest.mark.usefixtures("commands")
def test_a_result_is_printed_where_it_has_words(capsys):
    assert main(["say", "one"]) == 0
    assert main(["say", "two\n", "--code", "1"]) == 1
    assert main(["say", ""]) == 0
    assert main(["nothing"]) == 0
    assert capsys.readouterr() == ("one\ntwo\n", "")


@pytest.mark.parametrize("words", [["compare", "--help"], ["--help"]])
def test_a_reader_that_leaves_early_is_no_error(words):
    program = subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.stdin.read(); from textmsa.cli import main; sys.exit(main({words}))"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert program.stdin and program.stdout and program.stderr
    program.stdout.close()  # before it writes: it waits for its standard input
    program.stdin.close()
    assert (program.stderr.read(), program.wait()) == (b"", 0)
    program.stderr.close()


@pytest.mark.usefixtures("commands")
@pytest.mark.parametrize(
    ("level", "lines"),
    [(None, ["progress", "odd"]), ("warning", ["odd"]), ("DEBUG", ["small", "progress", "odd"])],
)
def test_what_is_logged_goes_to_standard_error(capsys, monkeypatch, level, lines):
    monkeypatch.delenv(cli.LOG_VARIABLE, raising=False)
    if level:
        monkeypatch.setenv(cli.LOG_VARIABLE, level)
    before = list(logging.getLogger("textmsa").handlers), logging.getLogger("textmsa").level
    assert main(["log"]) == 0
    assert capsys.readouterr() == ("", "".join(f"{line}\n" for line in lines))
    assert (logging.getLogger("textmsa").handlers, logging.getLogger("textmsa").level) == before


@pytest.mark.usefixtures("commands")
def test_a_level_that_does_not_exist_is_refused(capsys, monkeypatch):
    monkeypatch.setenv(cli.LOG_VARIABLE, "quiet")
    assert main(["log"]) == 2
    assert "TEXTMSA_LOG=quiet: give one of debug, info, warning" in capsys.readouterr().err


def test_importing_the_library_configures_no_logging():
    code = (
        "import logging, textmsa, textmsa.cli, textmsa.config\n"
        "own = logging.getLogger('textmsa')\n"
        "print(logging.getLogger().handlers, own.level, {type(handler) for handler in own.handlers})"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown in ("[] 0 set()\n", "[] 0 {<class 'logging.NullHandler'>}\n")


@pytest.mark.usefixtures("commands")
@pytest.mark.parametrize(
    ("how", "line"),
    [
        (
            "package",
            "needs the package 'a_package_nobody_has', which is not installed: pip install a_package_nobody_has",
        ),
        ("peft", "needs the package 'peft', which is not installed: pip install 'textmsa[lora]'"),
        (
            "full",
            "store/samples.arrow: No space left on device; make room there and run the same command again to go on",
        ),
    ],
)
def test_what_the_user_can_mend_is_one_line(capsys, how, line):
    assert main(["fail", how]) == 2
    assert capsys.readouterr() == ("", f"textmsa fail: {line}\n")


def test_where_words_are_not_known_the_command_names_its_options(capsys, tmp_path):
    clip = str(tmp_path / "a clip.mp4")
    write_clip(Path(clip), seed=0)
    assert main(["predict", clip]) == 2
    said = capsys.readouterr().err
    assert "or take a run that reads voice and face (--text, --transcribe, --model RUN; " in said
    assert said.endswith(f"textmsa explain {shlex.quote(clip)})\n")
    assert main(["predict", clip, "--text", "Fine.", "--contributions", "time"]) == 0
    assert re.search(r"note +over time nothing is told: .* \(--transcribe\)\n", capsys.readouterr().out)


@pytest.mark.usefixtures("commands")
def test_debugging_shows_where_it_happened(capsys, monkeypatch):
    monkeypatch.setenv(cli.LOG_VARIABLE, "debug")
    assert main(["fail", "full"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == ["where it happened:", "Traceback (most recent call last):"]
    assert lines[-1].startswith("textmsa fail: store/samples.arrow: ")


@pytest.mark.usefixtures("commands")
def test_a_file_where_a_folder_is_needed_is_one_line(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    assert main(["make-folder", str(tmp_path / "file")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"textmsa make-folder: {tmp_path / 'file'}")
    assert line.endswith("a file stands where a folder is needed; give another place")


@pytest.mark.usefixtures("commands")
@pytest.mark.parametrize(("how", "kind"), [("other", ValueError), ("ours", ImportError), ("connection", OSError)])
def test_a_defect_stays_a_traceback(how, kind):
    with pytest.raises(kind):
        main(["fail", how])


@pytest.mark.parametrize("table", [seams.AUDIO_EXTRACTORS, seams.VIDEO_EXTRACTORS, seams.EXPLAINERS, seams.CORPORA])
def test_every_name_in_a_seam_can_be_imported(table):
    for name in table:
        assert isinstance(seams.load(table, name, what="part"), type)


def test_seams_accept_outsiders_and_name_the_choices():
    assert seams.load(seams.EXPLAINERS, "textmsa.types:Clip", what="explainer").__name__ == "Clip"
    with pytest.raises(UserError, match="choose one of measured"):
        seams.load(seams.EXPLAINERS, "mesured", what="explainer")
    with pytest.raises(UserError, match="no module"):
        seams.load(seams.EXPLAINERS, "nowhere_at_all:X", what="explainer")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("json:dumps", "audio extractor 'json:dumps': 'dumps' is a function; give 'module:Class'"),
        ("json:JSONDecoder", "audio extractor 'json:JSONDecoder': its class has no 'version'"),
    ],
)
def test_a_part_that_is_none_is_one_line(tmp_path, capsys, name, message):
    write_corpus(tmp_path / "c", 5)
    assert main(["prepare", str(tmp_path / "c"), "--out", str(tmp_path / "s"), "--audio", name]) == 2
    assert message in capsys.readouterr().err
