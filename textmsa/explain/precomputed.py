"""Explanations written earlier: by `textmsa explain`, by other programs, or EMER-fine's.

A clip is found by the last two parts of its path, `<video_id>/<clip_id>`, or by its file's name alone where the file
of explanations gives only that.
"""

import csv
import hashlib
import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar

from textmsa.errors import UserError
from textmsa.explain.emer import decoded, emer_parts, read_bytes
from textmsa.types import Explanation, Observation

SEPARATOR = "$_$"  # between video and clip in an id of the MMSA layout
PARTS = ("audio", "video", "text", "summary", "reason")
KNOWN = {field.name for field in fields(Explanation)}


class PrecomputedExplainer:
    """Reads explanations from a file.

    Parameters
    ----------
    explanations
        JSON lines of `id` with any of audio, video, text, summary, reason, provenance; or EMER-fine's table with the
        columns `name`, `english` and/or `chinese`.
    sha256
        What the file's hash must be; None for any.
    language
        Of an EMER-fine table: which column is read, "en" or "zh".
    """

    name: ClassVar[str] = "precomputed"
    version: ClassVar[str] = "1"
    needs_statistics: ClassVar[bool] = False

    def __init__(self, explanations: str, sha256: str | None = None, language: str = "en") -> None:
        self.path = Path(explanations)
        data = read_bytes(self.path)
        found = hashlib.sha256(data).hexdigest()
        if sha256 is not None and found != sha256:
            raise UserError(f"{self.path}: has changed since the store was begun; give another --out")
        text = decoded(self.path, data)
        read = self._emer(text, language) if self.path.suffix.lower() == ".csv" else self._lines(text)
        self.told: dict[tuple[str, ...], Explanation] = {}
        for place, key, explanation in read:
            if key in self.told:
                raise UserError(f"{self.path}, {place}: a second explanation of {SEPARATOR.join(key)!r}")
            self.told[key] = explanation
        if not self.told:
            raise UserError(f"{self.path}: holds no explanation")

    @staticmethod
    def fit(observations: Any) -> dict[str, Any]:
        """Nothing: explanations that are there need no statistics."""
        return {}

    def explain(self, observation: Observation) -> Explanation:
        """The explanation of this clip's file; one that says it failed where there is none."""
        stem = observation.path.stem
        for key in ((observation.path.parent.name, stem), (stem,)):
            if key in self.told:
                return self.told[key]
        made = {"explainer": self.name, "version": self.version}
        return Explanation(provenance={**made, "failed": f"{self.path.name} has no explanation of this clip"})

    def _lines(self, text: str) -> Iterator[tuple[str, tuple[str, ...], Explanation]]:
        for number, line in enumerate(text.split("\n"), 1):
            if not line.strip():
                continue
            place = f"line {number}"
            try:
                document = json.loads(line)
            except ValueError as error:
                raise UserError(f"{self.path}, {place}: not JSON ({error})") from error
            yield place, self._key(document, place), self._explanation(document, place)

    def _key(self, document: Any, place: str) -> tuple[str, ...]:
        identity = document.get("id") if isinstance(document, dict) else None
        if not isinstance(identity, str) or not identity:
            raise UserError(f"{self.path}, {place}: needs an 'id', <video_id>{SEPARATOR}<clip_id> or a file's name")
        video, separator, clip = identity.partition(SEPARATOR)
        return (video, clip) if separator else (identity,)

    def _explanation(self, document: dict[str, Any], place: str) -> Explanation:
        given = {name: value for name, value in document.items() if name in KNOWN and value is not None}
        for name in PARTS:
            if not isinstance(given.get(name, ""), str):
                raise UserError(f"{self.path}, {place}: {name!r} must be text or null")
        provenance = given.pop("provenance", {})
        if not isinstance(provenance, dict):
            raise UserError(f"{self.path}, {place}: 'provenance' must be an object")
        parts = {name: text.strip() for name, text in given.items() if text.strip()}
        if not parts and "failed" not in provenance:
            raise UserError(f"{self.path}, {place}: none of {', '.join(PARTS)} is there")
        return Explanation(**parts, provenance=provenance)

    def _emer(self, text: str, language: str) -> Iterator[tuple[str, tuple[str, ...], Explanation]]:
        column = {"en": "english", "zh": "chinese"}.get(language)
        table = csv.DictReader(text.splitlines(keepends=True))
        columns = table.fieldnames or []
        if column is None or "name" not in columns or column not in columns:
            raise UserError(
                f"{self.path}: an EMER-fine table has the columns name, english, chinese; language en or zh"
            )
        for number, row in enumerate(table, 2):
            if not (told := (row[column] or "").strip()):
                continue
            made = {"explainer": self.name, "version": self.version, "language": language, "source": "EMER-fine"}
            name = Path(row["name"] or "").name
            yield f"row {number}", (name.rpartition(".")[0] or name,), Explanation(**emer_parts(told), provenance=made)
