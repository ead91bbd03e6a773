"""From a command's signature to its arguments, with jsonargparse checking the types.

Positional parameters are positional arguments, keyword-only ones are options. A parameter that is a dataclass (a
`Recipe`) is given as a YAML file; each of its fields is also an option, `--model.num_experts 8`, that overrides the
file.
"""

import inspect
import json
import typing
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from docstring_parser import parse as parse_docstring
from jsonargparse import ArgumentParser, set_parsing_settings

from textmsa.errors import UserError

set_parsing_settings(docstring_parse_attribute_docstrings=True)


class _Parser(ArgumentParser):
    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        raise UserError(f"{' '.join(message.split())} (see {self.prog} --help)") from ex


def parse(function: Callable[..., Any], argv: list[str], *, prog: str) -> dict[str, Any]:
    """The keyword arguments that `argv` gives for `function`.

    Raises UserError naming the argument that is unknown (with the nearest known one), missing or of a wrong type.
    Exits after `--help`.
    """
    hints = typing.get_type_hints(function)
    parser = _Parser(prog=prog, description=_summary(function), allow_abbrev=False)
    recipe_name = _add_arguments(parser, function, hints)
    _refuse_unknown_options(argv, parser)
    if recipe_name is None:
        return dict(vars(parser.instantiate(parser.parse_args(argv))))
    path, rest = _split_recipe(argv, parser)
    given = parser.instantiate(parser.parse_args([*recipe_options(path, hints[recipe_name]), *rest]))
    keys = [field.name for field in fields(hints[recipe_name])]
    recipe = hints[recipe_name](**{key: given[key] for key in keys})
    return {recipe_name: recipe} | {name: given[name] for name in hints if name in given and name != recipe_name}


def load_recipe(path: Path, kind: type[Any]) -> Any:
    """A recipe of dataclass `kind` from a YAML file.

    Raises UserError naming an unknown key and the nearest known one, or a value of a wrong type.
    """
    parser = _Parser(prog=str(path), allow_abbrev=False)
    parser.add_class_arguments(kind, None)
    return kind(**vars(parser.instantiate(parser.parse_args(recipe_options(path, kind)))))


def packaged_recipes() -> dict[str, Path]:
    """Name -> file of the recipes that come with the package."""
    return {path.stem: path for path in sorted((Path(__file__).parent / "recipes").glob("*.yaml"))}


def recipe_options(path: Path, kind: type[Any]) -> list[str]:
    """The YAML file's values as options `--model.num_experts=8`, unknown keys refused."""
    import yaml

    if not path.is_file():
        known = packaged_recipes()
        if str(path) not in known:
            raise UserError(f"recipe {path}: give a YAML file, or one of {', '.join(known)}")
        path = known[str(path)]
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"recipe {path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise UserError(f"recipe {path} must be a mapping such as 'model: {{num_experts: 8}}'")
    return [
        f"--{key}={value if isinstance(value, str) else json.dumps(value)}"
        for key, value in _flatten(content, kind, path)
    ]


def _flatten(content: dict[str, Any], kind: type[Any], path: Path, prefix: str = "") -> Iterator[tuple[str, Any]]:
    hints = typing.get_type_hints(kind)
    for key, value in content.items():
        if key not in hints:
            raise UserError(f"recipe {path}: unknown key {prefix + str(key)!r}{_nearest(str(key), hints)}")
        if is_dataclass(hints[key]) and not isinstance(value, dict):
            raise UserError(f"recipe {path}: {prefix + key!r} must be a mapping, not {value!r}")
        if is_dataclass(hints[key]):
            yield from _flatten(value, typing.cast(type[Any], hints[key]), path, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _nearest(key: str, known: Iterable[str]) -> str:
    near = get_close_matches(key, list(known), n=1, cutoff=0.4)
    return f": did you mean {near[0]!r}?" if near else f": allowed are {', '.join(known)}"


def _summary(function: Callable[..., Any]) -> str:
    return parse_docstring(function.__doc__ or "").short_description or ""


def _add_arguments(parser: _Parser, function: Callable[..., Any], hints: dict[str, Any]) -> str | None:
    """Add each parameter of `function`; returns the name of the one that is a recipe."""
    described = {p.arg_name: p.description or "" for p in parse_docstring(function.__doc__ or "").params}
    recipe_name = None
    for name, parameter in inspect.signature(function).parameters.items():
        help_text = " ".join(described.get(name, "").split())
        if is_dataclass(hints[name]):
            recipe_name = name
            parser.add_class_arguments(typing.cast(type[Any], hints[name]), None)
            parser.usage = f"{parser.prog} {name.upper()}.yaml [options]"
        elif parameter.kind is not parameter.KEYWORD_ONLY:
            parser.add_argument(name, type=hints[name], help=help_text)
        elif hints[name] is bool:
            parser.add_argument(_flag(name), action="store_true", help=help_text)
        else:
            required = parameter.default is parameter.empty
            options = {"required": True} if required else {"default": parameter.default}
            parser.add_argument(_flag(name), type=hints[name], help=help_text, **options)
    return recipe_name


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _refuse_unknown_options(argv: list[str], parser: _Parser) -> None:
    known = [option for action in parser._actions for option in action.option_strings]
    open_ended = [option for action in parser._actions if _is_dict(action) for option in action.option_strings]
    for argument in argv:
        option = argument.partition("=")[0]
        if option.partition(".")[0] in open_ended:
            continue
        if argument.startswith("--") and option not in known:
            raise UserError(f"unknown option {option}{_nearest(option, known)} (see {parser.prog} --help)")


def _is_dict(action: Any) -> bool:
    """Whether it takes `--options.key value` with any key."""
    return "dict" in str(getattr(action, "_typehint", ""))


def _split_recipe(argv: list[str], parser: _Parser) -> tuple[Path, list[str]]:
    """The recipe's path, which comes first, and the options."""
    if argv and argv[0] in ("-h", "--help"):
        parser.parse_args(argv)
    if not argv or argv[0].startswith("-"):
        raise UserError(f"the recipe comes first: {parser.prog} RECIPE.yaml [options] (see {parser.prog} --help)")
    return Path(argv[0]), argv[1:]
