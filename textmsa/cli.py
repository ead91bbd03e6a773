"""The command line: `textmsa COMMAND ...`.

A command is a function with typed arguments: positional ones are positional, keyword-only ones are options, help
comes from its numpydoc. Nothing heavy is imported until a command is chosen.
"""

import errno
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any


@dataclass(frozen=True)
class Command:
    """Where a command lives, and its line in `textmsa --help`."""

    target: str
    summary: str


COMMANDS = {
    "demo": Command("textmsa.demo:demo", "everything at once: render a corpus, prepare, train, evaluate, report"),
    "demo-corpus": Command("textmsa.demo_corpus:render_corpus", "render the known-answer corpus of talking faces"),
    "new-corpus": Command(
        "textmsa.new_corpus.command:new_corpus", "a folder of videos -> its label.csv, to fill in or checked"
    ),
    "label": Command("textmsa.rating.command:label", "a page to rate clips on -> labels, and how far raters agree"),
    "explain": Command("textmsa.prepare.explain:explain", "clips -> what voice and face express, in words"),
    "explain-report": Command(
        "textmsa.report.explanations:explain_report", "explanations -> coverage, failures, checks, cost"
    ),
    "prepare": Command("textmsa.prepare.command:prepare", "clips -> features and explanations in a store"),
    "train": Command("textmsa.train.command:train", "recipe + store -> a trained model in a run folder"),
    "evaluate": Command("textmsa.evaluate.command:evaluate", "run + store -> metrics beside baselines and floors"),
    "calibrate": Command("textmsa.intervals:calibrate", "run + labelled clips that it never saw -> intervals"),
    "predict": Command("textmsa.predict:predict", "a clip -> score, interval, contributions, explanations"),
    "analyze": Command("textmsa.analyze:analyze", "a video of any length -> a timeline of scored utterances"),
    "push": Command("textmsa.hub.command:push_to_hub", "a run -> a repository on a model hub, nothing of its corpus"),
    "serve": Command("textmsa.serve.command:serve", "a page and an API: clips come in, scores and explanations go out"),
    "zero-shot": Command("textmsa.evaluate.zero_shot:zero_shot", "a language model's own scores, as a baseline"),
    "finetune-explainer": Command(
        "textmsa.train.explainer:finetune_explainer", "described clips -> a LoRA for an explainer's model"
    ),
    "finetune-encoder": Command(
        "textmsa.train.encoder:finetune_encoder", "rated sentences -> a text encoder that has learnt to read them"
    ),
    "make-everyday": Command(
        "textmsa.train.everyday:make_everyday", "rated sentences -> the model that comes with the package"
    ),
    "ablate": Command(
        "textmsa.evaluate.ablate:ablate", "a recipe with one change at a time -> one table with intervals"
    ),
    "learning-curve": Command(
        "textmsa.evaluate.learning_curve:learning_curve", "a recipe on ever more training clips, beside baselines"
    ),
    "cross-validate": Command(
        "textmsa.evaluate.cross_validate:cross_validate", "a recipe with one speaker after the other held out"
    ),
    "compare": Command(
        "textmsa.evaluate.compare:compare", "two evaluated runs: interval, permutation and equivalence test"
    ),
    "convert": Command("textmsa.data_files.convert:convert", "a published data file (pickle) -> a store"),
    "export": Command("textmsa.data_files.export:export", "a store -> MMSA's pickle"),
    "import-checkpoint": Command(
        "textmsa.model.published_checkpoint:import_checkpoint_command", "a published .pth -> a model folder"
    ),
}

_REMEDIES = {
    errno.ENOSPC: "make room there and run the same command again to go on",
    errno.EDQUOT: "make room there and run the same command again to go on",
    errno.EACCES: "give a place that you may read and write",
    errno.EPERM: "give a place that you may read and write",
    errno.EROFS: "give a place that can be written to",
    errno.ENOTDIR: "a file stands where a folder is needed; give another place",
    errno.EEXIST: "a file stands where a folder is needed; give another place",
    errno.EISDIR: "a folder stands where a file is needed; give another place",
    errno.ENAMETOOLONG: "give a shorter name",
}
"""What to do about an error of the disk, by its number."""

LOG_VARIABLE = "TEXTMSA_LOG"
LOG_LEVELS = ("debug", "info", "warning")
USAGE = "usage: textmsa COMMAND [ARGUMENTS]    (textmsa COMMAND --help tells a command's arguments)"


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code (0 done, 1 done in part, 2 the user's to mend)."""
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or arguments[0] in ("-h", "--help"):
        _show(help_text())
        return 0
    if arguments[0] == "--version":
        from textmsa import __version__

        _show(f"textmsa {__version__}")
        return 0
    return run(arguments[0], arguments[1:])


def help_text() -> str:
    """The page of `textmsa --help`."""
    width = max(map(len, COMMANDS))
    rows = [f"  {name:<{width}}  {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join([USAGE, "", "Sentiment of a talking person, with explanations (TEXT, AAAI 2026).", "", *rows])


def function_of(name: str) -> Callable[..., Any]:
    """The function behind a command; imports its module."""
    module, _, attribute = COMMANDS[name].target.partition(":")
    return getattr(import_module(module), attribute)  # type: ignore[no-any-return]


def run(name: str, arguments: list[str]) -> int:
    """Parse `arguments` for the command `name`, call it and print its result's `text()`.

    What the user can mend (a UserError, a package that is not installed, a disk that is full) becomes one line and
    exit code 2; any other exception is a defect and stays a traceback.
    """
    from difflib import get_close_matches

    if name not in COMMANDS:
        near = get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "see textmsa --help"
        print(f"textmsa: unknown command {name!r}: {hint}", file=sys.stderr)
        return 2
    try:
        with _logging():
            return _call(name, arguments)
    except KeyboardInterrupt:
        print(f"textmsa {name}: stopped; run the same command again to go on", file=sys.stderr)
        return 130
    except Exception as error:
        line = one_line(error)
        if line is None:
            raise
        print(f"textmsa {name}: {line}", file=sys.stderr)
        return 2


def one_line(error: Exception) -> str | None:
    """What the user is told of an error that is theirs to mend; None for a defect of ours."""
    from textmsa.errors import UserError

    if isinstance(error, UserError):
        return str(error) + (f" ({error.options})" if error.options else "")
    if isinstance(error, ModuleNotFoundError) and error.name and error.name.partition(".")[0] != "textmsa":
        package = error.name.partition(".")[0]
        return f"needs the package {package!r}, which is not installed: {_how_to_install(package)}"
    if isinstance(error, OSError) and error.errno in _REMEDIES:
        places = " -> ".join(str(place) for place in (error.filename, error.filename2) if place is not None)
        reason = f"{places}: {error.strerror}" if places else str(error.strerror)
        return f"{' '.join(reason.split())}; {_REMEDIES[error.errno]}"
    return None


def _how_to_install(package: str) -> str:
    """The command for a package; for one of ours that is optional, the extra that holds it."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        lines = requires("textmsa") or []
    except PackageNotFoundError:
        lines = []
    for line in lines:
        name, _, extra = line.partition("extra ==")
        if re.split(r"[^\w.-]", name)[0].replace("-", "_") == package and extra:
            part = extra.strip(" \"';")
            return f"pip install 'textmsa[{part}]'"
    return f"pip install {package}"


def _call(name: str, arguments: list[str]) -> int:
    from textmsa.arguments import help_page, parse

    function = function_of(name)
    if {"-h", "--help"} & set(arguments):
        _show(help_page(function, prog=f"textmsa {name}"))
        return 0
    result = function(**parse(function, arguments, prog=f"textmsa {name}"))
    if hasattr(result, "text"):
        _show(result.text())
    return int(getattr(result, "exit_code", 0))


def _show(text: str) -> None:
    """Print to standard output; a reader that has gone (`| head`) has read enough."""
    try:
        print(text, end="" if text.endswith("\n") or not text else "\n", flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains once more at its end


class _StandardError(logging.Handler):
    """Writes to what is standard error at that moment: where a line is drawn, what is said stands above it."""

    def emit(self, record: logging.LogRecord) -> None:
        """One message, on a line of its own."""
        try:
            sys.stderr.write(self.format(record) + "\n")
        except Exception:
            self.handleError(record)


@contextmanager
def _logging() -> Iterator[None]:
    """While a command runs, what `textmsa` logs goes to standard error; TEXTMSA_LOG says from which level on."""
    from textmsa.errors import UserError

    level = os.environ.get(LOG_VARIABLE) or "info"
    if level.lower() not in LOG_LEVELS:
        raise UserError(f"environment variable {LOG_VARIABLE}={level}: give one of {', '.join(LOG_LEVELS)}")
    logger, before = logging.getLogger("textmsa"), logging.getLogger("textmsa").level
    handler = _StandardError()
    handler.setFormatter(logging.Formatter("%(message)s"))
    logger.addHandler(handler)
    logger.setLevel(level.upper())
    try:
        yield
    except Exception:
        logger.debug("where it happened:", exc_info=True)
        raise
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
