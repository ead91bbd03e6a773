"""Precision and recall of the checks on answers of real models that a person has read: answers.csv.

Each row is one answer with what its model was given. `wrong` is what the reader found, kinds of `KINDS` with "+"
between them, or "-". `shaped_rules` is "yes" for answers that were read before the rules were made what they are, and
"no" for those read after: only these tell how the rules do on others. `python tests/real_models/judged.py` prints the
table for both; the checks are run anew on every row. `python tests/real_models/judged.py --sheet OUT ANSWERS.jsonl ...`
writes a hundred answers of `answer_clips.py` with `wrong` left empty, to be read; without what the checks say, which
must not lead the reader.
"""

import csv
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textmsa.explain.flags import Given, flags
from textmsa.explain.measured.checks import check
from textmsa.types import Explanation

HERE = Path(__file__).resolve().parent
TABLE = HERE / "answers.csv"
COLUMNS = ("model", "form", "id", "part", "transcript", "facts", "grades", "summary", "answer", "shaped_rules", "wrong")
KINDS = (
    "contradiction",
    "echo of the transcript",
    "echo of the question",
    "echo of the numbers",
    "not given",
    "circles",
    "broken off",
    "other",
)
"""What a reader may find wrong; `other` (it misses sarcasm, it is beside the point) no check looks for."""


@dataclass(frozen=True)
class Judged:
    """One answer, as a person read it and as the checks do."""

    read: frozenset[str]
    checked: frozenset[str]


def checked_kinds(row: dict[str, str]) -> frozenset[str]:
    """The kinds that the checks find in a row."""
    answer: dict[str, Any] = {row["part"]: row["answer"]}
    if row["part"] == "reason" and row["summary"]:
        answer["summary"] = row["summary"]
    told = Explanation(**answer)
    given = Given(row["transcript"], row["facts"], heard=bool(row["facts"]), seen=False)
    kinds = {str(flag["kind"]) for flag in flags(told, given) if flag["part"] == row["part"]}
    if any(found["verdict"] == "contradicts" for found in check(told, json.loads(row["grades"]))):
        kinds.add("contradiction")
    return frozenset(kinds)


def judged(table: Path = TABLE, *, shaped_rules: bool | None = None) -> list[Judged]:
    """All rows, or those that shaped the rules, or those that did not."""
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    if shaped_rules is not None:
        rows = [row for row in rows if (row["shaped_rules"] == "yes") == shaped_rules]
    read = []
    for row in rows:
        wrong = frozenset(row["wrong"].split("+")) - {"-"}
        if unknown := wrong - set(KINDS):
            raise ValueError(f"{table}: {row['id']}: unknown {sorted(unknown)}")
        read.append(Judged(wrong, checked_kinds(row)))
    return read


def figures(rows: list[Judged]) -> list[tuple[str, int, int, int]]:
    """Kind, answers in which a person found it, in which the checks did, in which both did; last, anything at all."""
    found = [
        (
            kind,
            sum(kind in row.read for row in rows),
            sum(kind in row.checked for row in rows),
            sum(kind in row.read & row.checked for row in rows),
        )
        for kind in KINDS
    ]
    anything = (
        sum(bool(row.read) for row in rows),
        sum(bool(row.checked) for row in rows),
        sum(bool(row.read) and bool(row.checked) for row in rows),
    )
    return [*found, ("anything", *anything)]


def table_of(rows: list[Judged], which: str) -> list[str]:
    """Lines for people: precision and recall by kind."""
    lines = [f"{len(rows)} answers {which}", "kind | read | checks | both | precision | recall"]
    for kind, read, checked, both in figures(rows):
        precision = f"{both / checked:.2f}" if checked else "-"
        recall = f"{both / read:.2f}" if read else "-"
        lines.append(f"{kind} | {read} | {checked} | {both} | {precision} | {recall}")
    return lines


def write_sheet(out: Path, files: list[Path], *, answers: int = 100) -> int:
    """Evenly spread answers of all parts, each once (clues are the same in both forms), to be read; how many."""
    rows: list[tuple[str, ...]] = []
    known: set[tuple[str, str]] = set()
    for file in files:
        for line in file.read_text(encoding="utf-8").splitlines():
            told = json.loads(line)
            of = told["provenance"]["model"]["model"], file.stem, told["id"]
            given = told["transcript"], told["facts"], json.dumps(told["grades"]), told["summary"] or ""
            rows += [
                (*of, part, *given, told[part], "no", "")
                for part in ("audio", "text", "summary", "reason")
                if told[part] and (told["id"], told[part]) not in known
            ]
            known |= {(row[2], row[-3]) for row in rows}
    count = min(answers, len(rows))
    chosen = [rows[int((place + 0.5) * len(rows) / count)] for place in range(count)]
    with out.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([COLUMNS, *chosen])
    return len(chosen)


def main() -> int:
    """Print precision and recall by kind, or write a sheet to be read."""
    if sys.argv[1:2] == ["--sheet"]:
        print(f"{write_sheet(Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]])} answers: {sys.argv[2]}")
        return 0
    if not TABLE.is_file():
        print(f"{TABLE.name}: not there; nobody has read a sheet yet (see --sheet)")
        return 0
    for shaped in (True, False):
        print(
            "\n".join(table_of(judged(shaped_rules=shaped), "that shaped the rules" if shaped else "read after them"))
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
