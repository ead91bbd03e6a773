"""What language models are asked: one text file a prompt and language, each with a hash that goes into provenance.

A prompt is filled with named values only, and a value is put in as it is: nothing in it is read as a placeholder.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from typing import Literal

FOLDER = Path(__file__).parent
Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")


@dataclass(frozen=True)
class Prompt:
    """One prompt file."""

    id: str
    """Its file's name without ".txt": "describe_video.en"."""
    template: str

    @property
    def sha256(self) -> str:
        """The first 16 digits of the template's hash."""
        return hashlib.sha256(self.template.encode()).hexdigest()[:16]

    def fill(self, **values: str) -> str:
        """The question. KeyError where a value is lacking."""
        return Template(self.template).substitute(values).strip()


@cache
def prompt(name: str, language: Language = "en") -> Prompt:
    """The prompt `name` in a language."""
    identity = f"{name}.{language}"
    return Prompt(identity, (FOLDER / f"{identity}.txt").read_text(encoding="utf-8"))


@cache
def prompts_hash() -> str:
    """One hash (8 digits) of all prompts: it changes when any of them does."""
    digest = hashlib.sha256()
    for path in sorted(FOLDER.glob("*.txt")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:8]
