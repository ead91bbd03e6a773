"""Writes docs/commands.md, the reference of all commands, from their `--help`: python docs/make_commands.py."""

from pathlib import Path

from textmsa.arguments import help_page
from textmsa.cli import COMMANDS, function_of, help_text

PAGE = Path(__file__).with_name("commands.md")
COLUMNS = 100
BEGINNING = """# Commands

What `--help` of every command says. Made by `python docs/make_commands.py`; change the docstrings, not this page.
"""


def page() -> str:
    """The page as it should be now."""
    parts = [BEGINNING, f"```text\n{help_text()}\n```\n"]
    for name in COMMANDS:
        shown = help_page(function_of(name), prog=f"textmsa {name}", columns=COLUMNS)
        parts.append(f"## textmsa {name}\n\n```text\n{shown}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
