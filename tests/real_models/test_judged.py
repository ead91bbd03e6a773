"""The checks of explanations, held against 133 answers of real models that a person has read (answers.csv)."""

import csv
import json

import pytest
from real_models import judged


@pytest.fixture(scope="module")
def rows():
    return judged.judged()


def test_every_row_says_what_a_reader_found(rows):
    with judged.TABLE.open(encoding="utf-8", newline="") as stream:
        table = list(csv.DictReader(stream))
    assert tuple(table[0]) == judged.COLUMNS
    assert len(rows) == len(table) >= 100
    assert {row["model"] for row in table} == {"smollm2", "qwen-coder-1.5b"}
    assert all(row["wrong"] and row["answer"] and row["shaped_rules"] in ("yes", "no") for row in table)


def test_what_is_flagged_is_wrong(rows):
    found = {kind: (read, checked, both) for kind, read, checked, both in judged.figures(rows)}
    _, checked, both = found["anything"]
    assert both == checked
    for kind in ("contradiction", "echo of the transcript", "echo of the question", "echo of the numbers"):
        assert found[kind][1] == found[kind][2], kind


def test_of_what_is_wrong_half_is_flagged_also_where_the_rules_were_not_made():
    for shaped in (True, False):
        read, _, both = next(
            rest for kind, *rest in judged.figures(judged.judged(shaped_rules=shaped)) if kind == "anything"
        )
        assert both >= read / 2


def test_a_sheet_to_be_read_tells_nothing_of_what_the_checks_say(tmp_path):
    answers = tmp_path / "structured.jsonl"
    told: dict[str, object] = {
        "transcript": "I loved it.",
        "facts": "- pitch 100 Hz",
        "grades": {"pitch": 3},
        "audio": "a low voice",
    }
    told |= {"text": "praise", "summary": None, "reason": None}
    told |= {"provenance": {"model": {"model": "m"}, "flags": [{"kind": "circles"}]}}
    lines = [json.dumps({"id": f"v/{number}", **told}) for number in range(3)]
    answers.write_text("\n".join(lines) + "\n")
    out = tmp_path / "sheet.csv"
    assert judged.write_sheet(out, [answers, answers], answers=100) == 6  # each answer once
    with out.open(newline="") as stream:
        sheet = list(csv.DictReader(stream))
    assert {row["wrong"] for row in sheet} == {""}
    assert "circles" not in out.read_text()
