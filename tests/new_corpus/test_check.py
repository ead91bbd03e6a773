"""A label.csv that stands: all that is wrong with it, at once, with lines; and nothing is changed."""

from pathlib import Path

import pytest
from small_corpora import COLUMNS, media_path, rows_of, write_table

from textmsa.cli import main
from textmsa.corpora import read_corpus
from textmsa.errors import UserError
from textmsa.new_corpus.check import check
from textmsa.new_corpus.folder import contents_of

HEADER = "video_id,clip_id,text,label,mode"


def no_trouble(path: Path) -> None:
    """Of empty files that stand for clips."""


def table_of(folder: Path, text: str, *clips: str, encoding: str = "utf-8") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "label.csv").write_bytes(text.encode(encoding))
    for clip in clips:
        (folder / "Raw" / clip).parent.mkdir(parents=True, exist_ok=True)
        (folder / "Raw" / clip).touch()
    return folder


def problems_of(folder: Path) -> list[str]:
    before = (folder / "label.csv").read_bytes()
    found = check(contents_of(folder), probe=no_trouble)
    assert (folder / "label.csv").read_bytes() == before
    return [("" if problem.grave else "know ") + problem.text() for problem in found.problems]


def expect(problems: list[str], *beginnings: str) -> None:
    assert len(problems) == len(beginnings), problems
    for problem, beginning in zip(problems, beginnings, strict=True):
        assert problem.startswith(beginning), (problem, beginning)


def test_every_problem_is_listed_at_once(tmp_path):
    lines = [
        HEADER,
        "a,1,good,1.5,train",
        "a,1,good,2,train",
        "a,2,,9,train",
        "b,1,well,gut,dev",
        "b,2,well,,valid",
        'c,1,"two\nlines","1,5",test',
        "c,2,a,b,c,test",
        "../d,1,x,0,test",
        ",9,x,0,test",
        "a,3,x,0,test",
    ]
    folder = table_of(tmp_path, "\n".join(lines), "a/1.mp4", "a/2.mp4", "b/1.mp4", "c/1.mp4", "a/3.mp4", "e/5.mp4")
    expect(
        problems_of(folder),
        "know no text on line 4: write what is said",
        "know no label on line 6: such clips",
        "know no labelled clip is in the split 'valid'",
        "know Raw/e/5.mp4 is on the disk, not in the table",
        "line 3: video_id 'a', clip_id '1' stood on line 2 already",
        "know line 3: Raw/a/1.mp4 is the clip of line 2 already",
        "line 4: label 9 is outside [-3, 3]",
        "line 5: label 'gut' is not a number: give the sentiment score",
        "line 5: mode 'dev' is not one of train, valid, test",
        "line 6: Raw/b/2.mp4 is not there",
        "line 8: label '1,5' is not a number: write a decimal point",
        "line 9: 6 cells, the header has 5",
        "line 10: video_id '../d' is not a plain name",
        "line 11: video_id is empty",
        "know line 12: video_id 'a' is in test, on line 2 in train",
    )


@pytest.mark.parametrize(
    ("text", "encoding", "beginnings"),
    [
        (f"{HEADER}\na,1,ä,0,train\n", "utf-16", ["not UTF-8 but, as it seems, utf-16"]),
        (f"{HEADER}\na,1,ä,0,train\n", "cp1252", ["not UTF-8 but, as it seems, cp1252"]),
        (f"{HEADER}\na,1,x,0,train\n".replace(",", ";"), "utf-8", ["columns stand between semicolons"]),
        ("", "utf-8", ["empty: its first line"]),
        (f"{HEADER}\n", "utf-8", ["no rows below the header"]),
        (
            "video_id,clip_id,txt,label,mode,label\na,1,x,0,train,0",
            "utf-8",
            ["line 1: no column 'text'", "line 1: column label"],
        ),
        (f'{HEADER}\na,1,x,0,train\na,2,"open,0,train\n', "utf-8", ["line 3: not CSV from here on"]),
    ],
)
def test_tables_of_programs_that_do_otherwise(tmp_path, text, encoding, beginnings):
    folder = table_of(tmp_path, text, "a/1.mp4", encoding=encoding)
    grave = [problem for problem in problems_of(folder) if not problem.startswith("know")]
    expect(grave, *beginnings)
    with pytest.raises(UserError):
        read_corpus(folder)


def test_a_table_that_is_half_filled_needs_no_mending(tmp_path, capsys):
    rows = rows_of(15)
    for place, row in enumerate(rows):
        row["video_id"] = f"{place:03d}"
    for row in rows[5:]:
        row |= {"label": "", "text": ""}
    write_table(tmp_path, rows)
    for row in rows:
        media_path(tmp_path, row).parent.mkdir(parents=True, exist_ok=True)
        media_path(tmp_path, row).touch()
    expect(problems_of(tmp_path), "know no text on line 7-16", "know no label on line 7-16")
    read_corpus(tmp_path)
    assert main(["new-corpus", str(tmp_path)]) == 1  # the files hold nothing
    said = capsys.readouterr().out
    assert "label.csv: 15 clips, 15 problems, 2 to know of; nothing was changed" in said
    assert "Raw/000/0.mp4: not a video or sound file" in said


def test_a_speaker_in_two_splits_is_told_once_for_each(tmp_path):
    lines = [f"{HEADER},speaker", "a,1,x,0,train,Ann", "b,1,x,0,valid,Ann", "c,1,x,0,test,Ann", "d,1,x,0,test,Ann"]
    folder = table_of(tmp_path, "\n".join(lines), *[f"{video}/1.mp4" for video in "abcd"])
    expect(
        problems_of(folder),
        "know line 3: speaker 'Ann' is in valid, on line 2 in train",
        "know line 4: speaker 'Ann' is in test, on line 2 in train",
    )


def test_what_is_wrong_with_corpus_json_is_listed_too(tmp_path):
    folder = table_of(tmp_path, f"{HEADER}\na,1,x,0,train\nb,1,x,7,valid\nc,1,x,0,test", *[f"{v}/1.mp4" for v in "abc"])
    (folder / "corpus.json").write_text("[]")
    expect(problems_of(folder), "corpus.json: must hold a JSON object", "line 3: label 7 is outside [-3, 3]")
    (folder / "corpus.json").write_text('{"score_range": [-9, 9]}')
    expect(problems_of(folder))


def test_options_are_for_new_tables(tmp_path, capsys):
    folder = table_of(tmp_path, f"{HEADER}\na,1,x,0,train\n", "a/1.mp4")
    assert main(["new-corpus", str(folder), "--scale", "1,5"]) == 2
    assert "stands there and is only checked, never written over" in capsys.readouterr().err


@pytest.mark.parametrize("cell", ["nan", "inf", "-4", "x", "1,5", ""])
@pytest.mark.parametrize("column", ["label", "label_T"])
def test_what_prepare_refuses_is_a_problem_and_nothing_else_is(tmp_path, column, cell):
    rows = rows_of(5)
    rows[2][column] = cell
    write_table(tmp_path, rows, COLUMNS)
    for row in rows:
        media_path(tmp_path, row).parent.mkdir(parents=True, exist_ok=True)
        media_path(tmp_path, row).touch()
    grave = [problem for problem in problems_of(tmp_path) if not problem.startswith("know")]
    if cell:
        expect(grave, f"line 4: {column} ")
        with pytest.raises(UserError, match="line 4"):
            read_corpus(tmp_path)
    else:
        expect(grave)
        read_corpus(tmp_path)
