"""The files of a timeline, from one that is made by hand: read back by what reads such files."""

import csv
import io
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree as Xml

import pytest
from PIL import Image

from textmsa.analyze.command import AnalyzeResult, write
from textmsa.analyze.elan import as_eaf
from textmsa.analyze.picture import picture_of
from textmsa.analyze.records import Records
from textmsa.analyze.tables import COLUMNS, as_csv, as_subtitles
from textmsa.analyze.timeline import Timeline, utterance_record
from textmsa.analyze.tracks import Track
from textmsa.analyze.utterances import Utterance
from textmsa.errors import UserError
from textmsa.runtime.atomic import read_json
from textmsa.serve.analysis import summary
from textmsa.speech import read_subtitles
from textmsa.types import Explanation, Interval, Prediction, Transcript, Word


def said(number: int, start: float, end: float, text: str) -> Utterance:
    middle = (start + end) / 2
    words = (Word(text.split()[0], start, middle, 0.9), Word(text.split()[-1], middle - 0.01, end, 0.8))
    spoken = Transcript(text, "speech recognition", words, "en", made_with="tiny.en")
    return Utterance(number, start, end, spoken, int(start * 10), int(end * 10))


def predicted(score: float) -> Prediction:
    return Prediction(
        path="talk.mp4",
        score=score,
        score_range=(-3.0, 3.0),
        polarity="positive" if score > 0 else "negative",
        transcript=None,
        explanation=Explanation(audio="A loud <voice> & more.\x07", summary="Loud."),
        gates={},
        experts=[],
        missing={"video": "no face in any of 20 frames"},
        seconds={},
        contributions={"text": score - 0.5, "audio": 0.25, "video": 0.0},
        base=0.25,
        base_of="the mean",
        interval=Interval(0.9, score - 1, score + 1, 100, "held-out clips"),
    )


@pytest.fixture
def timeline() -> Timeline:
    utterances = [
        utterance_record(said(0, 0.5, 2.0, "good words"), predicted(1.23456789)),
        utterance_record(said(1, 1.5, 3.0, "words across"), predicted(-0.5)),
        utterance_record(said(2, 3600.0, 3601.0, "far away"), "begins at 3600.0 s, and the file ends at 4.0 s"),
    ]
    tracks: dict[str, Track] = {
        "energy": [-20.0] * 40,
        "pitch": [None] * 20 + [200.0] * 20,
        "face": [1.0] * 40,
        "smile": [0.5] * 40,
    }
    model = {"score_range": [-3.0, 3.0], "path": "run"}
    origin = {"source": "speech recognition", "made_with": "tiny.en", "reason": None}
    return Timeline("talk $1.mp4", 4.0, model, origin, utterances, tracks)


def test_all_files_are_written_and_the_picture_is_one(timeline, tmp_path):
    write(timeline, tmp_path)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".csv", ".eaf", ".html", ".json", ".png", ".srt"]
    with Image.open(tmp_path / "timeline.png") as picture:
        assert picture.format == "PNG" and picture.width > 800
    document = read_json(tmp_path / "timeline.json")
    assert (document["schema"], document["version"]) == ("textmsa-timeline", 1)
    assert document["counts"] == {"utterances": 3, "scored": 2, "failed": 1}
    assert document["utterances"][0]["score"] == 1.23457
    assert document["tracks"]["hertz"] == 10
    assert document["tracks"]["tracks"]["pitch"] == {"unit": "Hz", "values": [None] * 20 + [200.0] * 20}


def test_a_picture_holds_the_whole_of_what_counted(timeline):
    """Also where a modality counted nothing: its bars of height 0 lie on top of the others'."""
    first = timeline.utterances[0] | {"contributions": {"text": 0.54, "audio": 0.0, "video": 0.0}}
    counted = picture_of(replace(timeline, utterances=[first])).axes[1]
    low, high = counted.get_ylim()
    assert low < 0 and high > 0.54 + 0.02


@pytest.mark.parametrize("silent", [True, False])
def test_a_picture_of_a_file_that_has_nothing_is_drawn(timeline, tmp_path, silent):
    missing = {"audio": "the file has no audio stream", "video": "the file has no $video$ stream"}
    write(replace(timeline, utterances=[], tracks={}, missing=missing if silent else {}), tmp_path)
    assert (tmp_path / "timeline.png").stat().st_size > 1000
    assert read_json(tmp_path / "timeline.json")["utterances"] == []
    assert (tmp_path / "timeline.srt").read_text() == ""


def test_the_table_has_a_row_an_utterance_with_empty_cells_where_there_is_nothing(timeline):
    header, *rows = csv.reader(io.StringIO(as_csv(timeline)))
    assert tuple(header) == COLUMNS and len(rows) == 3
    first, last = (dict(zip(header, row, strict=True)) for row in (rows[0], rows[2]))
    assert (first["score"], first["contribution_text"], first["missing_video"]) == (
        "1.23457",
        "0.73457",
        "no face in any of 20 frames",
    )
    assert (last["score"], last["low"], last["failed"]) == ("", "", "begins at 3600.0 s, and the file ends at 4.0 s")


def test_the_subtitles_can_be_read_again(timeline, tmp_path):
    (tmp_path / "timeline.srt").write_text(as_subtitles(timeline))
    lines = read_subtitles(tmp_path / "timeline.srt").words
    assert [(word.text, word.start, word.end) for word in lines] == [
        ("[+1.23] good words", 0.5, 2.0),
        ("[-0.50] words across", 1.5, 3.0),
        ("[not scored] far away", 3600.0, 3601.0),
    ]


def test_elans_file_is_as_its_schema_wants_it(timeline):
    root = Xml.fromstring(as_eaf(timeline))
    assert root.tag == "ANNOTATION_DOCUMENT" and root.attrib["FORMAT"] == "3.0"
    kinds = [child.tag for child in root]
    wanted = ["HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE", "CONSTRAINT"]
    assert sorted(kinds, key=wanted.index) == kinds, "the schema is a sequence"
    order = root.find("TIME_ORDER")
    assert order is not None
    slots = {slot.attrib["TIME_SLOT_ID"]: int(slot.attrib["TIME_VALUE"]) for slot in order}
    assert list(slots.values()) == sorted(slots.values())
    identities = [a.attrib["ANNOTATION_ID"] for a in root.iter() if "ANNOTATION_ID" in a.attrib]
    assert len(identities) == len(set(identities)) == 15
    types = {t.attrib["LINGUISTIC_TYPE_ID"]: t.attrib for t in root.iter("LINGUISTIC_TYPE")}
    constraints = {c.attrib["STEREOTYPE"] for c in root.iter("CONSTRAINT")}
    tiers = {tier.attrib["TIER_ID"]: tier for tier in root.iter("TIER")}
    assert list(tiers) == [f"{n}{s}" for s in ("", " 2") for n in ("utterances", "words", "score", "explanation")]
    for name, tier in tiers.items():
        kind = types[tier.attrib["LINGUISTIC_TYPE_REF"]]
        assert ("PARENT_REF" in tier.attrib) == ("CONSTRAINTS" in kind) == (not name.startswith("utterances"))
        assert kind.get("CONSTRAINTS", "Included_In") in constraints
        spans = sorted(
            (slots[a.attrib["TIME_SLOT_REF1"]], slots[a.attrib["TIME_SLOT_REF2"]])
            for a in tier.iter("ALIGNABLE_ANNOTATION")
        )
        assert all(start < end for start, end in spans)
        assert all(a[1] <= b[0] for a, b in pairwise(spans)), f"{name} overlaps itself"
        assert (kind["TIME_ALIGNABLE"] == "true") == bool(spans)
        assert {a.attrib["ANNOTATION_REF"] for a in tier.iter("REF_ANNOTATION")} <= set(identities)
    texts = ["".join(value.itertext()) for value in tiers["explanation"].iter("ANNOTATION_VALUE")]
    assert texts[0] == "Loud.\nA loud <voice> & more.\nvideo missing: no face in any of 20 frames"
    assert texts[1] == "not scored: begins at 3600.0 s, and the file ends at 4.0 s"
    assert [v.text for v in tiers["score 2"].iter("ANNOTATION_VALUE")] == ["-0.50"]


def test_the_result_tells_people_what_came_out(timeline, tmp_path):
    result = AnalyzeResult(tmp_path, timeline)
    shown = result.text()
    assert result.exit_code == 1 and AnalyzeResult(tmp_path, replace(timeline, utterances=[])).exit_code == 0
    assert "2 utterances scored, 1 not" in shown and "mean over the seconds of speech +0.37, lowest" in shown
    assert "highest +1.23 at 0:00" in shown
    assert "not scored        begins at 3600.0 s" in shown


def test_the_mean_is_over_the_seconds_of_speech_and_one_for_all(timeline, tmp_path):
    short, long, failed = timeline.utterances
    timeline = replace(timeline, utterances=[short, {**long, "end": long["start"] + 4.5}, failed])
    assert timeline.mean == pytest.approx((1.5 * 1.23457 + 4.5 * -0.5) / 6)
    assert "mean over the seconds of speech -0.07," in AnalyzeResult(tmp_path, timeline).text()
    assert timeline.document()["mean"] == summary(AnalyzeResult(tmp_path, timeline))["mean"] == round(timeline.mean, 5)
    moment = {**short, "end": short["start"]}
    assert replace(timeline, utterances=[moment]).mean == pytest.approx(short["score"])
    nothing = replace(timeline, utterances=[failed])
    assert nothing.mean is None and nothing.document()["mean"] is None
    assert "mean over" not in AnalyzeResult(tmp_path, nothing).text()


def test_records_lose_a_line_that_was_cut_short_and_damage_is_told(tmp_path):
    path = tmp_path / "scored.jsonl"
    Records(path).add({"a": "é"})
    with path.open("a") as lines:
        lines.write('{"b": ')
    assert list(Records(path)) == [{"a": "é"}]
    Records(path).add({"c": 1})
    assert list(Records(path)) == [{"a": "é"}, {"c": 1}]
    path.write_text("[]\n")
    with pytest.raises(UserError, match="damaged"):
        list(Records(path))
