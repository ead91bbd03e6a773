"""From a signature to arguments and help."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from textmsa.arguments import A_NAME, arguments_of, help_page, parse
from textmsa.cli import COMMANDS, function_of
from textmsa.errors import UserError


@dataclass
class Inner:
    """The inner part."""

    size: int = 3
    """How large."""
    order: tuple[Literal["a", "b"], ...] = ("a",)
    """In which order."""


@dataclass
class Settings:
    """Of the command."""

    inner: Inner = field(default_factory=Inner)


def command(
    settings: Settings,
    *,
    data: Path,
    name: str = "x",
    rate: float | None = None,
    kind: Literal["one", "two"] = "one",
    options: dict[str, Any] | None = None,
    fast: bool = False,
) -> None:
    """Do it.

    Parameters
    ----------
    settings
        A file.
    data
        Folder of the data.
    name, rate
        Both of them.
    kind
        Which.
    options
        Others.
    fast
        Hurry.

    Examples
    --------
    textmsa command r.yaml --data d   # as it stands
    """


def read(tmp_path: Path, text: str, *words: str) -> dict[str, Any]:
    (tmp_path / "r.yaml").write_text(text)
    return parse(command, [str(tmp_path / "r.yaml"), *words], prog="p")


def test_recipe_file_and_overrides(tmp_path):
    values = read(tmp_path, "inner: {size: 5}", "--data", "d", "--fast")
    plain = {"name": "x", "rate": None, "kind": "one", "options": None}
    assert values == {"settings": Settings(Inner(5)), "data": Path("d"), "fast": True} | plain
    changed = read(tmp_path, "inner: {size: 5}", "--data", "d", "--inner.size", "7", "--inner.order=[b, a]")
    assert changed["settings"] == Settings(Inner(7, ("b", "a")))
    assert read(tmp_path, "", "--data", "d", "--inner.order", "b,a")["settings"].inner.order == ("b", "a")
    assert read(tmp_path, "", "--data", "d", "--inner.order", "[]")["settings"].inner.order == ()


def test_the_order_of_words_is_free(tmp_path):
    (tmp_path / "r.yaml").write_text("")
    given = ["--data", "d", "--rate", "1e-3", str(tmp_path / "r.yaml"), "--name=null"]
    values = parse(command, given, prog="p")
    assert (values["rate"], values["name"], values["data"]) == (1e-3, "null", Path("d"))


def test_open_ended_options(tmp_path):
    words = ["--options.model", "m:7b", "--options.base_url", "http://127.0.0.1:8000/v1", "--options.retries=0"]
    words += ["--options.scale", "1e-3", "--options.fast", "true", "--options.seen", "[1, 2]", "--options.none", "null"]
    assert read(tmp_path, "", "--data", "d", *words)["options"] == {
        "model": "m:7b",
        "base_url": "http://127.0.0.1:8000/v1",
        "retries": 0,
        "scale": 1e-3,
        "fast": True,
        "seen": [1, 2],
        "none": None,
    }
    assert read(tmp_path, "", "--data", "d", "--options", '{"a": 1}', "--options.b", "2")["options"] == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "the following arguments are required: --data"),
        (["--data"], "argument --data: expected one argument"),
        (["--data", ""], "--data '': give a path"),
        (["--data", "d", "--inner.sise", "1"], r"did you mean '--inner\.size'"),
        (["--data", "d", "--inner.size", "big"], r"--inner\.size 'big': give a whole number"),
        (["--data", "d", "--inner.order", "a,c"], r"--inner\.order 'a,c': give a list of some of a, b"),
        (["--data", "d", "--rate", "fast"], "--rate 'fast': give a number, or null"),
        (["--data", "d", "--rate", "nan"], "--rate 'nan': give a number, or null"),
        (["--data", "d", "--kind", "three"], "--kind 'three': give one of one, two"),
        (["--data", "d", "--options", "fast"], "--options 'fast': give --options.KEY VALUE"),
        (["--data", "d", "--fast=no"], "--fast: ignored explicit argument 'no'"),
        (["--data", "d", "more"], "unrecognized arguments: more"),
    ],
)
def test_a_wrong_argument_is_named_with_what_may_be_given(tmp_path, words, told):
    with pytest.raises(UserError, match=told) as raised:
        read(tmp_path, "", *words)
    assert len(str(raised.value).splitlines()) == 1


def test_the_help_says_what_may_be_given_and_the_defaults():
    assert help_page(command, prog="textmsa command", columns=80) == (
        """usage: textmsa command SETTINGS --data FOLDER [options]

Do it.

arguments:
  SETTINGS                A file. The package has demo, demo-frozen, lean,
                          mosei, mosi, mosi-best, mosi-text, sims, sims-text,
                          simsv2, text.

options:
  --data FOLDER           Folder of the data. Required.
  --name NAME             Both of them. Default: x.
  --rate NUMBER           Both of them.
  --kind {one,two}        Which. Default: one.
  --options.KEY VALUE     Others.
  --fast                  Hurry.

The inner part:
  --inner.size N          How large. Default: 3.
  --inner.order [a,b]     In which order. Default: [a].

examples:
  textmsa command r.yaml --data d   # as it stands"""
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_argument_of_every_command_is_described(name):
    for argument in arguments_of(function_of(name)):
        assert argument.words, argument
        assert "PATH" not in argument.shown, argument
    page = help_page(function_of(name), prog=f"textmsa {name}", columns=80)
    assert A_NAME not in page
    for noise in ("type:", "<class", "Optional", "Literal", "dict[", "CONFIG"):
        assert noise not in page
    long = [line for line in page.split("examples:")[0].splitlines() if len(line) > 80]
    assert not long


def test_the_help_names_a_seams_parts_and_both_runs():
    prepare = " ".join(help_page(function_of("prepare"), prog="p").split())
    assert 'librosa, opensmile, or "module:Class"; librosa, or with --like what was used there.' in prepare
    train = " ".join(help_page(function_of("train"), prog="p").split())
    assert 'Temporal alignment: gated_conv, none, cross_attention, mamba, or "module:Class".' in train
    assert help_page(function_of("compare"), prog="p").count("Run folders after textmsa evaluate") == 2


@pytest.mark.parametrize("columns", [80, 120])
def test_the_help_is_as_wide_as_the_terminal_within_reason(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    lines = help_page(function_of("train"), prog="textmsa train").split("examples:")[0].splitlines()
    assert columns - 20 < max(map(len, lines)) <= columns


@dataclass(frozen=True, kw_only=True)
class Rates:
    name: str
    """Whose they are."""
    rate: float = 0.5
    """How fast."""
    loud: bool = False
    """Whether it is heard."""


def paced(*, out: Path, rates: Rates) -> None:
    """Go.

    Parameters
    ----------
    out
        A folder.
    rates
        How.
    """


def test_a_keyword_only_dataclass_is_an_option_for_each_value():
    words = ["--out", "o", "--name", "n", "--rate", "2"]
    assert parse(paced, words, prog="p") == {"out": Path("o"), "rates": Rates(name="n", rate=2.0)}
    assert parse(paced, [*words, "--loud"], prog="p")["rates"].loud
    page = help_page(paced, prog="p", columns=100)
    assert "--name NAME" in page and "Whose they are. Required." in page and "How fast. Default: 0.5." in page
    assert "--rates" not in page
    with pytest.raises(UserError, match="--rate 'x': give a number"):
        parse(paced, ["--out", "o", "--name", "n", "--rate", "x"], prog="p")
    with pytest.raises(UserError, match="--name"):
        parse(paced, ["--out", "o"], prog="p")
