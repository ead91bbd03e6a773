"""A timeline as ELAN's annotation file, EAF 3.0 (Max Planck Institute for Psycholinguistics).

Tiers: `utterances` (aligned with time), and below each utterance its `words` (aligned, within it), `score` and
`explanation` (one each). Annotations of a tier may not overlap: utterances that do stand on a second set of tiers,
`utterances 2`, and so on.
"""

import mimetypes
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

from textmsa.analyze.tables import score_in_words
from textmsa.analyze.timeline import Timeline

SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
CONSTRAINTS = {
    "Time_Subdivision": "Time subdivision of parent annotation's time interval, no time gaps allowed within this "
    "interval",
    "Symbolic_Subdivision": "Symbolic subdivision of a parent annotation. Annotations refering to the same parent are "
    "ordered",
    "Symbolic_Association": "1-1 association with a parent annotation",
    "Included_In": "Time alignable annotations within the parent annotation's time interval, gaps are allowed",
}
"""Those of every EAF, in ELAN's own words."""
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # characters that XML 1.0 has not


def as_eaf(timeline: Timeline) -> str:
    """The file's text. Times are whole milliseconds; an annotation lasts one at least."""
    return _Document(timeline).text()


class _Document:
    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.slots: list[int] = []
        """Times (ms) of the slots, by their numbers from 1."""
        self.annotations = 0

    def text(self) -> str:
        tiers = [
            tier
            for lane, records in enumerate(_lanes(self.timeline.utterances), 1)
            for tier in self._tiers(lane, records)
        ]
        root = Xml.Element(
            "ANNOTATION_DOCUMENT",
            {
                "AUTHOR": "textmsa",
                "DATE": datetime.now(UTC).isoformat(timespec="seconds"),
                "FORMAT": "3.0",
                "VERSION": "3.0",
                "xmlns:xsi": INSTANCE,
                "xsi:noNamespaceSchemaLocation": SCHEMA,
            },
        )
        self._header(root)
        self._times(root)
        root.extend(tiers)
        types = {"utterance": None, "words": "Included_In", "score": "Symbolic_Association"}
        for name, constraint in {**types, "explanation": "Symbolic_Association"}.items():
            attributes = {"GRAPHIC_REFERENCES": "false", "LINGUISTIC_TYPE_ID": name}
            aligned = "true" if constraint in (None, "Included_In") else "false"
            attributes |= {"TIME_ALIGNABLE": aligned} | ({"CONSTRAINTS": constraint} if constraint else {})
            Xml.SubElement(root, "LINGUISTIC_TYPE", attributes)
        for name, words in CONSTRAINTS.items():
            Xml.SubElement(root, "CONSTRAINT", {"DESCRIPTION": words, "STEREOTYPE": name})
        Xml.indent(root, " ")
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"

    def _header(self, root: Xml.Element) -> None:
        header = Xml.SubElement(root, "HEADER", {"MEDIA_FILE": "", "TIME_UNITS": "milliseconds"})
        path = Path(self.timeline.file)
        kind = mimetypes.guess_type(path.name)[0] or "video/mp4"
        Xml.SubElement(header, "MEDIA_DESCRIPTOR", {"MEDIA_URL": path.resolve().as_uri(), "MIME_TYPE": kind})
        last = Xml.SubElement(header, "PROPERTY", {"NAME": "lastUsedAnnotationId"})
        last.text = str(self.annotations)

    def _times(self, root: Xml.Element) -> None:
        """The slots in the order of their times, as ELAN wants them."""
        order = Xml.SubElement(root, "TIME_ORDER")
        for place in sorted(range(len(self.slots)), key=self.slots.__getitem__):
            value = str(self.slots[place])
            Xml.SubElement(order, "TIME_SLOT", {"TIME_SLOT_ID": f"ts{place + 1}", "TIME_VALUE": value})

    def _tiers(self, lane: int, records: list[dict[str, Any]]) -> Iterator[Xml.Element]:
        suffix = "" if lane == 1 else f" {lane}"
        parent = f"utterances{suffix}"
        utterances = Xml.Element("TIER", {"LINGUISTIC_TYPE_REF": "utterance", "TIER_ID": parent})
        below = {
            name: Xml.Element("TIER", {"LINGUISTIC_TYPE_REF": name, "PARENT_REF": parent, "TIER_ID": f"{name}{suffix}"})
            for name in ("words", "score", "explanation")
        }
        for record in records:
            start, end = _milliseconds(record)
            own = self._aligned(utterances, start, end, record["text"])
            reached = start
            for word in record["words"]:
                first = min(max(round(word["start"] * 1000), reached), end - 1)
                reached = min(max(round(word["end"] * 1000), first + 1), end)
                if first < reached:
                    self._aligned(below["words"], first, reached, word["text"])
            self._referring(below["score"], own, score_in_words(record))
            self._referring(below["explanation"], own, _explanation(record))
        yield from (utterances, *below.values())

    def _aligned(self, tier: Xml.Element, start: int, end: int, text: str) -> str:
        self.slots += [start, end]
        attributes = {"TIME_SLOT_REF1": f"ts{len(self.slots) - 1}", "TIME_SLOT_REF2": f"ts{len(self.slots)}"}
        return self._annotation(tier, "ALIGNABLE_ANNOTATION", attributes, text)

    def _referring(self, tier: Xml.Element, parent: str, text: str) -> None:
        self._annotation(tier, "REF_ANNOTATION", {"ANNOTATION_REF": parent}, text)

    def _annotation(self, tier: Xml.Element, kind: str, attributes: dict[str, str], text: str) -> str:
        self.annotations += 1
        identity = f"a{self.annotations}"
        annotation = Xml.SubElement(Xml.SubElement(tier, "ANNOTATION"), kind, {"ANNOTATION_ID": identity, **attributes})
        Xml.SubElement(annotation, "ANNOTATION_VALUE").text = _FORBIDDEN.sub("", text)
        return identity


def _lanes(records: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The utterances in as many rows as are needed for none to overlap within one; one row at least."""
    lanes: list[list[dict[str, Any]]] = [[]]
    for record in sorted(records, key=lambda record: (record["start"], record["number"])):
        start, _ = _milliseconds(record)
        lane = next((lane for lane in lanes if not lane or _milliseconds(lane[-1])[1] <= start), None)
        if lane is None:
            lane = []
            lanes.append(lane)
        lane.append(record)
    return lanes


def _milliseconds(record: dict[str, Any]) -> tuple[int, int]:
    start = round(record["start"] * 1000)
    return start, max(round(record["end"] * 1000), start + 1)


def _explanation(record: dict[str, Any]) -> str:
    """What is said of voice, face and words, and what was missing; or why the utterance has no score."""
    if record["failed"] is not None:
        return f"not scored: {record['failed']}"
    parts = [record["explanation"][name] for name in ("summary", "audio", "video", "text", "reason")]
    parts += [f"{name} missing: {why}" for name, why in record["missing"].items()]
    return "\n".join(part for part in parts if part)
