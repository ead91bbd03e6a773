"""From a command's signature to its arguments and its help.

Positional parameters are positional arguments, keyword-only ones are options; words and examples come from the
numpydoc. A positional parameter that is a dataclass (a `Recipe`) is given as a YAML file; each of its values is also an
option, `--model.num_experts 8`, that overrides the file. A keyword-only one is given by an option for each value.
"""

import argparse
import inspect
import json
import re
import shutil
import textwrap
import typing
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, Literal, NoReturn

from docstring_parser import Docstring, parse_from_object
from docstring_parser import parse as parse_docstring

from textmsa import seams
from textmsa.config import is_recipe, load_recipe, nearest, packaged_recipes, recipe_types, value_of
from textmsa.errors import UserError

SEAMS = {
    "audio": seams.AUDIO_EXTRACTORS,
    "video": seams.VIDEO_EXTRACTORS,
    "explainer": seams.EXPLAINERS,
    "layout": seams.CORPORA,
    "temporal_alignment": seams.TEMPORAL_ALIGNMENTS,
}
A_NAME = 'a name, or "module:Class"'  # in a description: the names of the seam stand there in the help
RECIPE_TITLE = "values of the recipe; an option goes before what the file says"
WIDTHS = (60, 110)  # of the help, in columns: the terminal's within these
WORDS_AT = 26  # column at which the words on an argument begin
WORDS_OF_A_BOOL = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class Argument:
    """One line of the help, and what is read from the command line for it."""

    name: str
    """As the function has it, or the key of a recipe's value, "model.num_experts"."""
    hint: Any
    words: str
    default: Any = MISSING
    positional: bool = False
    group: str = ""
    """Of a recipe's value: the title of its part of the recipe."""
    part_of: str = ""
    """The keyword-only parameter, a dataclass, of which it is a value."""

    @property
    def shown(self) -> str:
        """`SOURCE` or `--out FILE`: how it is written."""
        if self.positional:
            return self.name.upper() if self.default is MISSING else f"[{self.name.upper()}]"
        return f"{self.flag}.KEY VALUE" if self.is_open else f"{self.flag} {self.what}".rstrip()

    @property
    def flag(self) -> str:
        """As an option; a recipe's keys stay as they are in the file."""
        return f"--{self.name}" if self.group else f"--{self.name.replace('_', '-')}"

    @property
    def is_switch(self) -> bool:
        """Whether it stands alone; a recipe's yes or no is given as true or false."""
        return self.hint is bool and not self.group

    @property
    def is_open(self) -> bool:
        """Whether any key may be given, `--explainer-options.KEY VALUE`."""
        return dict in (typing.get_origin(part) for part in (self.hint, *typing.get_args(self.hint)))

    @property
    def what(self) -> str:
        """What may be given, in capitals or as choices."""
        hint = next((part for part in typing.get_args(self.hint) if part in (str, Path, int, float)), self.hint)
        if self.is_switch:
            return ""
        if typing.get_origin(hint) is Literal:
            return "{" + ",".join(typing.get_args(hint)) + "}"
        if typing.get_origin(hint) is tuple:
            return "[" + ",".join(typing.get_args(typing.get_args(hint)[0])) + "]"
        if hint is Path:
            found = re.search(r"\b(folder|store|file|page|table|pickle)\b", self.words, flags=re.I)
            return "PATH" if found is None else "FOLDER" if found[0].lower() in ("folder", "store") else "FILE"
        plain = {int: "N", float: "NUMBER", bool: "{true,false}"}
        last = self.name.rpartition(".")[2]
        return plain.get(hint) or ("NAME" if last in SEAMS else last.upper())

    @property
    def help(self) -> str:
        """Its words, with a seam's names, and its default."""
        table = SEAMS.get(self.name.rpartition(".")[2], {})
        words = self.words.replace(A_NAME, f'{", ".join(table)}, or "module:Class"')
        if is_recipe(self.hint):
            return f"{words} The package has {', '.join(packaged_recipes())}."
        if self.default is MISSING:
            return words if self.positional else f"{words} Required."
        if self.is_switch or (self.default in (None, "") and not self.group):
            return words  # what happens without it is said in the words
        return f"{words} Default: {_written(self.default)}."


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{' '.join(message.split())} (see {self.prog} --help)")


def parse(function: Callable[..., Any], argv: list[str], *, prog: str) -> dict[str, Any]:
    """The keyword arguments that `argv` gives for `function`.

    Raises UserError naming the argument that is unknown (with the nearest known one), missing or of a wrong type.
    """
    arguments = list(arguments_of(function))
    parser = _Parser(prog=prog, add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    for argument in arguments:
        if argument.positional:
            count = None if argument.default is MISSING else "?"
            parser.add_argument(argument.name, metavar=argument.shown, nargs=count)
        elif argument.is_switch:
            parser.add_argument(argument.flag, dest=argument.name, action="store_true")
        else:
            required = argument.default is MISSING and not argument.group
            parser.add_argument(argument.flag, dest=argument.name, required=required)
    for option in sorted(_open_options(argv, arguments)):
        parser.add_argument(option)
    _refuse_unknown_options(argv, parser)
    given = vars(parser.parse_args(argv))
    values: dict[str, Any] = {}
    for argument in arguments:
        if is_recipe(argument.hint):
            overrides = {key: given[key] for key in recipe_types(argument.hint) if key in given}
            values[argument.name] = load_recipe(given[argument.name], argument.hint, overrides=overrides)
        elif argument.part_of:
            values.setdefault(argument.part_of, {})[argument.name] = _value(argument, given)
        elif not argument.group:
            values[argument.name] = _value(argument, given)
    hints = typing.get_type_hints(function)
    parts = {argument.part_of for argument in arguments if argument.part_of}
    return values | {name: hints[name](**values[name]) for name in parts}


def arguments_of(function: Callable[..., Any]) -> Iterator[Argument]:
    """The arguments of a command, in the order of its signature, a recipe's values after the recipe."""
    hints = typing.get_type_hints(function)
    words = _words(parse_docstring(function.__doc__ or ""))
    for name, parameter in inspect.signature(function).parameters.items():
        default = MISSING if parameter.default is parameter.empty else parameter.default
        positional = parameter.kind is not parameter.KEYWORD_ONLY
        if is_recipe(hints[name]) and not positional:
            yield from _values_of(hints[name], name)
            continue
        yield Argument(name, hints[name], words.get(name, ""), default, positional)
        if is_recipe(hints[name]):
            yield from _recipe_arguments(hints[name])


def help_page(function: Callable[..., Any], *, prog: str, columns: int | None = None) -> str:
    """The page of `textmsa COMMAND --help`, as wide as the terminal unless `columns` are given."""
    columns = columns or min(max(shutil.get_terminal_size().columns, WIDTHS[0]), WIDTHS[1])
    document = parse_docstring(function.__doc__ or "")
    arguments = list(arguments_of(function))
    needed = [a.shown for a in arguments if a.default is MISSING or a.positional]
    optional = [a for a in arguments if not a.positional]
    usage = [f"usage: {prog}", *needed, *(["[options]"] if len(optional) + 1 > len(needed) else [])]
    lines = textwrap.wrap(" ".join(usage), columns, subsequent_indent=" " * 7, break_on_hyphens=False)
    for text in (document.short_description, *(document.long_description or "").split("\n\n")):
        lines += ["", *textwrap.wrap(text or "", columns, break_on_hyphens=False)]
    groups: dict[str, list[Argument]] = {"arguments": [a for a in arguments if a.positional]}
    groups["options"] = [a for a in optional if not a.group]
    for argument in optional:
        if argument.group:
            groups.setdefault(argument.group, []).append(argument)
    for title, members in groups.items():
        if members:
            lines += ["", *textwrap.wrap(f"{title.rstrip('.')}:", columns)]
            lines += [line for member in members for line in _row(member.shown, member.help, columns)]
    examples = next((meta.description for meta in document.meta if meta.args == ["examples"]), None)
    if examples:
        lines += ["", "examples:", *(f"  {line}" for line in examples.splitlines())]
    return "\n".join(line for line, before in zip(lines, ["x", *lines], strict=False) if line or before)


def _values_of(kind: type[Any], parameter: str) -> Iterator[Argument]:
    """An option for each value of a keyword-only parameter that is a dataclass."""
    words, hints = _words(parse_from_object(kind)), typing.get_type_hints(kind)
    for part in fields(kind):
        yield Argument(part.name, hints[part.name], words.get(part.name, ""), part.default, part_of=parameter)


def _recipe_arguments(kind: type[Any], prefix: str = "") -> Iterator[Argument]:
    """Values of the recipe itself first, then those of its parts."""
    document = parse_from_object(kind)
    words, hints = _words(document), typing.get_type_hints(kind)
    group = document.short_description if prefix and document.short_description else RECIPE_TITLE
    for part in sorted(fields(kind), key=lambda part: is_recipe(hints[part.name])):
        if is_recipe(hints[part.name]):
            yield from _recipe_arguments(hints[part.name], f"{prefix}{part.name}.")
        else:
            default = part.default_factory() if part.default_factory is not MISSING else part.default
            yield Argument(prefix + part.name, hints[part.name], words.get(part.name, ""), default, group=group)


def _words(document: Docstring) -> dict[str, str]:
    """Parameter -> its words on one line; an entry for several, `run_a, run_b`, is each one's."""
    return {
        name.strip(): " ".join((parameter.description or "").split())
        for parameter in document.params
        for name in parameter.arg_name.split(",")
    }


def _row(shown: str, words: str, columns: int) -> list[str]:
    wrapped = textwrap.wrap(words, columns - WORDS_AT, break_on_hyphens=False, break_long_words=False)
    begin = f"  {shown}"
    first = [f"{begin:<{WORDS_AT}}{wrapped.pop(0)}"] if len(begin) <= WORDS_AT - 2 and wrapped else [begin]
    return [*first, *(" " * WORDS_AT + line for line in wrapped)]


def _written(default: Any) -> str:
    """A default as it is written in a recipe or on the command line."""
    if isinstance(default, tuple):
        return f"[{', '.join(default)}]"
    return json.dumps(default) if default is None or isinstance(default, bool) else str(default)


def _value(argument: Argument, given: dict[str, Any]) -> Any:
    if argument.is_open:
        return _open_value(argument, given)
    if argument.name not in given:
        return False if argument.is_switch else argument.default
    if argument.is_switch:
        return True
    text = given[argument.name]
    try:
        return value_of(argument.hint, text)
    except ValueError as error:
        raise UserError(
            f"{argument.name.upper() if argument.positional else argument.flag} {text!r}: {error}"
        ) from error


def _open_value(argument: Argument, given: dict[str, Any]) -> dict[str, Any] | None:
    """The dict of `--options.KEY VALUE` and `--options '{"KEY": VALUE}'`; the default where neither is given."""
    prefix = f"{argument.flag[2:]}.".replace("-", "_")
    singly = {key.removeprefix(prefix): _guessed(text) for key, text in given.items() if key.startswith(prefix)}
    whole = _guessed(given.get(argument.name, "{}"))
    if not isinstance(whole, dict):
        raise UserError(f"{argument.flag} {given[argument.name]!r}: give {argument.flag}.KEY VALUE for each option")
    return whole | singly or argument.default


def _guessed(text: str) -> Any:
    """A number, truth, null, list or mapping where the text is one; else the text."""
    if text.lower() in WORDS_OF_A_BOOL:
        return WORDS_OF_A_BOOL[text.lower()]
    try:
        return json.loads(text)
    except ValueError:
        return text


def _open_options(argv: list[str], arguments: list[Argument]) -> set[str]:
    """The options in `argv` that an open-ended argument takes."""
    openings = tuple(f"{argument.flag}." for argument in arguments if argument.is_open)
    return {word.partition("=")[0] for word in argv if openings and word.startswith(openings)}


def _refuse_unknown_options(argv: list[str], parser: _Parser) -> None:
    known = [option for action in parser._actions for option in action.option_strings]
    for word in argv:
        option = word.partition("=")[0]
        if word.startswith("--") and option not in known:
            raise UserError(f"unknown option {option}{nearest(option, known)} (see {parser.prog} --help)")
