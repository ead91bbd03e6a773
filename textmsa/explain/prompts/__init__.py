"""What language models are asked: one text file a prompt and language, each with a hash that goes into provenance.

A prompt is filled with named values only, and a value is put in as it is: nothing in it is read as a placeholder.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from typing import Literal

FOLDER = Path(__file__).parent
Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")
CLUES = {
    "en": {"audio": "The voice", "video": "The face", "text": "The words", "transcript": "The subtitle reads"},
    "zh": {"audio": "嗓音", "video": "面部", "text": "文字", "transcript": "字幕内容"},
}
"""Language -> what is known of a clip -> how a line of it begins."""


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

    def values_of(self, question: str) -> dict[str, str] | None:
        """What this prompt was filled with, where the question is one of it; None where it is not."""
        match = _pattern(self.template).fullmatch(question)
        return None if match is None else match.groupdict()


@cache
def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"\$(\w+)", template.strip())  # words and names of values, in turn
    return re.compile("".join(f"(?P<{p}>.*)" if i % 2 else re.escape(p) for i, p in enumerate(parts)), re.DOTALL)


@cache
def prompt(name: str, language: Language = "en") -> Prompt:
    """The prompt `name` in a language."""
    identity = f"{name}.{language}"
    return Prompt(identity, (FOLDER / f"{identity}.txt").read_text(encoding="utf-8"))


@cache
def all_prompts() -> tuple[Prompt, ...]:
    """Every prompt there is."""
    return tuple(Prompt(path.stem, path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.txt")))


@cache
def prompts_hash() -> str:
    """One hash (8 digits) of all prompts: it changes when any of them does."""
    digest = hashlib.sha256()
    for path in sorted(FOLDER.glob("*.txt")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:8]


def clues_text(clues: Mapping[str, str | None], language: Language) -> str:
    """What is known of a clip, a line each, for the prompts `refine` and `zero_shot`."""
    return "\n".join(f"- {label}: {clues[name]}" for name, label in CLUES[language].items() if clues.get(name))
