"""Explanations written earlier: by `textmsa explain`, by other programs, or EMER-fine's.

A clip is found by the last two parts of its path, `<video_id>/<clip_id>`, or by its file's name alone where the file
of explanations gives only that. A name alone that fits clips of two videos fits none of them: `check_clips`.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar

from textmsa.errors import UserError
from textmsa.explain.emer import emer_parts, read_emer_table
from textmsa.runtime.atomic import decoded, read_bytes
from textmsa.types import EXPLANATION_PARTS, ID_SEPARATOR, Explanation, Observation

FIELDS = {field.name for field in fields(Explanation)}
Key = tuple[str, ...]
"""(video id, clip id), or the file's name alone."""
Entry = tuple[str, Key, Explanation]
"""Where it stands in the file, whose it is, what it says."""


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
        data = read_bytes(self.path, remedy="give a file of explanations")
        if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
            raise UserError(
                f"{self.path}: has changed since the store was begun; restore the file, or prepare (and train) again "
                "in another folder"
            )
        entries = self._emer(data, language) if self.path.suffix.lower() == ".csv" else self._lines(data)
        self.explanations: dict[Key, Explanation] = {}
        for place, key, explanation in entries:
            if key in self.explanations:
                raise UserError(f"{self.path}, {place}: a second explanation of {ID_SEPARATOR.join(key)!r}")
            self.explanations[key] = explanation
        if not self.explanations:
            raise UserError(f"{self.path}: holds no explanation; give a file of textmsa explain")

    @staticmethod
    def fit(observations: Sequence[Observation]) -> dict[str, Any]:
        """Nothing: explanations that are there need no statistics."""
        return {}

    def check_clips(self, paths: Sequence[Path]) -> None:
        """Raise UserError where one explanation, given for a file's name alone, would be told of two clips."""
        first: dict[Key, Path] = {}
        for path in paths:
            key = self._key_of(path)
            if key is None or len(key) > 1:
                continue
            if (other := first.setdefault(key, path)) != path:
                raise UserError(
                    f"{self.path}: its explanation of {key[0]!r} fits two clips, {_short(other)} and {_short(path)}; "
                    f"give ids as <video_id>{ID_SEPARATOR}<clip_id>"
                )

    def explain(self, observation: Observation) -> Explanation:
        """The explanation of this clip's file; one that says it failed where there is none."""
        key = self._key_of(observation.path)
        if key is not None:
            return self.explanations[key]
        reason = f"{self.path.name} has no explanation of this clip"
        return Explanation(provenance={"explainer": self.name, "version": self.version, "failed": reason})

    def _key_of(self, path: Path) -> Key | None:
        """Under which key the file has an explanation of a clip; None where it has none."""
        keys: tuple[Key, ...] = (path.parent.name, path.stem), (path.stem,)
        return next((key for key in keys if key in self.explanations), None)

    def _lines(self, data: bytes) -> Iterator[Entry]:
        for number, line in enumerate(decoded(self.path, data).split("\n"), 1):
            if not line.strip():
                continue
            place = f"line {number}"
            try:
                document = json.loads(line)
            except ValueError as error:
                raise UserError(f"{self.path}, {place}: not JSON ({error})") from error
            if not isinstance(document, dict):
                document = {}
            yield place, self._key(document, place), self._explanation(document, place)

    def _key(self, document: dict[str, Any], place: str) -> Key:
        identity = document.get("id")
        if not isinstance(identity, str) or not identity:
            raise UserError(f"{self.path}, {place}: needs an 'id', <video_id>{ID_SEPARATOR}<clip_id> or a file's name")
        video, separator, clip = identity.partition(ID_SEPARATOR)
        return (video, clip) if separator else (identity,)

    def _explanation(self, document: dict[str, Any], place: str) -> Explanation:
        values = {name: value for name, value in document.items() if name in FIELDS and value is not None}
        for name in EXPLANATION_PARTS:
            if not isinstance(values.get(name, ""), str):
                raise UserError(f"{self.path}, {place}: {name!r} must be text or null")
        provenance = values.pop("provenance", {})
        if not isinstance(provenance, dict):
            raise UserError(f"{self.path}, {place}: 'provenance' must be an object")
        parts = {name: text.strip() for name, text in values.items() if text.strip()}
        if not parts and "failed" not in provenance:
            raise UserError(f"{self.path}, {place}: none of {', '.join(EXPLANATION_PARTS)} is there")
        return Explanation(**parts, provenance=provenance)

    def _emer(self, data: bytes, language: str) -> Iterator[Entry]:
        provenance = {"explainer": self.name, "version": self.version, "language": language, "source": "EMER-fine"}
        for described in read_emer_table(self.path, language, data=data):
            explanation = Explanation(**emer_parts(described.text), provenance=dict(provenance))
            yield f"row {described.row}", (described.stem,), explanation


def _short(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
