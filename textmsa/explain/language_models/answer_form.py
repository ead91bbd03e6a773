"""Answers held to a JSON schema by the server, and what a server was found to take of it.

Chat completions have `response_format` (OpenAI's structured outputs; vLLM, llama.cpp and Ollama have it too). Some
servers refuse lengths and ranges in a schema, some refuse schemas, some have never heard of them: that is found out
with the first question, without which nothing would be answered at all.
"""

import logging
import threading
from collections.abc import Iterator
from typing import Any

from textmsa.errors import AnswerError

REFUSING = (400, 415, 422, 501)
"""Statuses by which servers refuse what they are asked, rather than fail at it."""
BOUNDS = ("minLength", "maxLength", "minimum", "maximum")
"""What not every server knows in a schema."""
NO_FORM = 2
"""The level of a server that takes no schema."""
logger = logging.getLogger(__name__)


class SchemaRefused(AnswerError):
    """A question with a schema was refused; without one it may be answered."""


class FormsTaken:
    """What one server takes: 0 whole schemas, 1 schemas without lengths and ranges, 2 none. Threads may share it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._level = 0

    def to_try(self, form: dict[str, Any]) -> Iterator[tuple[int, dict[str, Any]]]:
        """(level, schema) in turn, from what the server is known to take downwards; nothing where it takes none."""
        yield from list(enumerate((form, without_bounds(form))))[self._level :]

    def learn(self, level: int, where: str, reason: str) -> None:
        """The server answered at this level, having refused those above it; told once."""
        with self._guard:
            if level <= self._level:
                return
            self._level = level
        what = "JSON schemas" if level == NO_FORM else "lengths and ranges in JSON schemas"
        logger.warning("%s refuses %s (%s): asked without from now on", where, what, reason)


def response_format(form: dict[str, Any]) -> dict[str, Any]:
    """The request's `response_format` for a JSON schema."""
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": form}}


def without_bounds(form: dict[str, Any]) -> dict[str, Any]:
    """A schema without lengths and ranges."""
    return {
        name: without_bounds(value) if isinstance(value, dict) else value
        for name, value in form.items()
        if name not in BOUNDS
    }
