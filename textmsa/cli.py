"""The command line: `textmsa COMMAND ...`.

A command is a function with typed arguments: positional ones are positional, keyword-only ones are options, help
comes from its numpydoc. Nothing heavy is imported until a command is chosen.
"""

import sys
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
    "explain": Command("textmsa.prepare.explain:explain", "clips -> what voice and face express, in words"),
    "explain-report": Command(
        "textmsa.report.explanations:explain_report", "explanations -> coverage, failures, checks, cost"
    ),
    "prepare": Command("textmsa.prepare.command:prepare", "clips -> features and explanations in a store"),
    "train": Command("textmsa.train.command:train", "recipe + store -> a trained model in a run folder"),
    "evaluate": Command("textmsa.evaluate.command:evaluate", "run + store -> metrics beside baselines and floors"),
    "predict": Command("textmsa.predict:predict", "a clip -> score, explanations, gates, experts"),
    "zero-shot": Command("textmsa.evaluate.zero_shot:zero_shot", "a language model's own scores, as a baseline"),
    "finetune-explainer": Command(
        "textmsa.train.explainer:finetune_explainer", "described clips -> a LoRA for an explainer's model"
    ),
    "ablate": Command(
        "textmsa.evaluate.ablate:ablate", "a recipe with one change at a time -> one table with intervals"
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

USAGE = "usage: textmsa COMMAND [ARGUMENTS]    (textmsa COMMAND --help tells a command's arguments)"


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code (0 done, 1 done in part, 2 the user's to mend)."""
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or arguments[0] in ("-h", "--help"):
        print(help_text())
        return 0
    if arguments[0] == "--version":
        from textmsa import __version__

        print(f"textmsa {__version__}")
        return 0
    return run(arguments[0], arguments[1:])


def help_text() -> str:
    """The page of `textmsa --help`."""
    width = max(map(len, COMMANDS))
    rows = [f"  {name:<{width}}  {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join([USAGE, "", "Sentiment of a talking person, with explanations (TEXT, AAAI 2026).", "", *rows])


def run(name: str, arguments: list[str]) -> int:
    """Parse `arguments` for the command `name` and call it; a UserError becomes one line and exit code 2."""
    from difflib import get_close_matches

    from textmsa.errors import UserError

    if name not in COMMANDS:
        near = get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "see textmsa --help"
        print(f"textmsa: unknown command {name!r}: {hint}", file=sys.stderr)
        return 2
    try:
        from textmsa.arguments import parse

        module, _, attribute = COMMANDS[name].target.partition(":")
        function = getattr(import_module(module), attribute)
        result: Any = function(**parse(function, arguments, prog=f"textmsa {name}"))
        return int(getattr(result, "exit_code", 0))
    except UserError as error:
        print(f"textmsa {name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"textmsa {name}: stopped; run the same command again to go on", file=sys.stderr)
        return 130
