"""Tables as people's programs write them."""

import pytest

from textmsa.errors import UserError
from textmsa.new_corpus.tables import guessed_encoding, number_of, read_table

GERMAN = 'Datei;Satz;Wertung\r\na.mp4;"Schön; gut";1,5\r\nb.mp4;Müde;−2\r\n'
CHINESE = "文件,文本,标签\na.mp4,我很高兴，谢谢,1.5\nb.mp4,太糟糕了,-2\n"
FRENCH = "fichier,phrase,note\na.mp4,c'était très léger,1\nb.mp4,à bientôt,-2\n"


@pytest.mark.parametrize(
    ("text", "encoding", "read_as"),
    [
        (GERMAN, "utf-8", "utf-8"),
        (GERMAN, "utf-8-sig", "utf-8-sig"),
        (GERMAN, "utf-16", "utf-16"),
        (GERMAN.replace("−", "-"), "utf-16-le", "utf-16-le"),
        (GERMAN, "utf-16-be", "utf-16-be"),
        (GERMAN.replace("−", "-"), "cp1252", "cp1252"),
        (CHINESE, "gb18030", "gb18030"),
        (CHINESE, "utf-16", "utf-16"),
        (FRENCH, "cp1252", "cp1252"),
    ],
)
def test_encodings_are_told_from_the_bytes(tmp_path, text, encoding, read_as):
    (tmp_path / "t.csv").write_bytes(text.encode(encoding))
    table = read_table(tmp_path / "t.csv")
    assert guessed_encoding(text.encode(encoding)) == table.encoding == read_as
    assert table.header == tuple(text.splitlines()[0].replace(";", ",").split(","))
    assert [row.line for row in table.rows] == [2, 3]
    assert table.faults == ()
    assert table.rows[1][table.header[1]] == {"D": "Müde", "文": "太糟糕了", "f": "à bientôt"}[text[0]]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators_are_told_from_the_rows(tmp_path, separator):
    rows = [["a", "b", "c"], ["1", '"x, y; z | t"', "3"], ["4", "no, never; ever", "6"], ["5", "ä", "6"]]
    if separator in ",;":
        rows[2][1] = f'"{rows[2][1]}"'
    (tmp_path / "t.csv").write_text("\n".join(separator.join(row) for row in rows))
    table = read_table(tmp_path / "t.csv")
    assert table.separator == separator
    assert [row["c"] for row in table.rows] == ["3", "6", "6"]


@pytest.mark.parametrize(
    ("cell", "number"),
    [("1.5", 1.5), ("1,5", 1.5), (" -2 ", -2.0), ("−2", -2.0), ("+.5", 0.5), ("1e1", 10.0)]
    + [(cell, None) for cell in ("", "good", "1,000,000", "nan", "inf", "1e999", "1 2", "--1")],
)
def test_numbers(cell, number):
    assert number_of(cell) == number


def test_what_cannot_be_read_is_told_with_its_line_and_the_rest_is_read(tmp_path):
    text = 'a,b,a\n1,2,3\n\n4,5\n"x\ny",1\n7,8,9\u2028\n'
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    table = read_table(tmp_path / "t.csv")
    assert table.header == ("a", "b", "a (3)") and table.twice == ("a",)
    assert [(row.line, row["b"]) for row in table.rows] == [(2, "2"), (7, "8")]
    assert [line for line, _ in table.faults] == [4, 6]
    assert "the row began on line 5" in table.faults[1][1]
    (tmp_path / "t.csv").write_text('a,b\n1,2\n3,"open\n5,6\n')
    table = read_table(tmp_path / "t.csv")
    assert len(table.rows) == 1 and table.faults[0][0] == 3 and "close its quotes" in table.faults[0][1]


def test_a_table_may_have_no_header_and_no_content(tmp_path):
    (tmp_path / "t.csv").write_text("x.mp4,1\ny.mp4,2\n")
    table = read_table(tmp_path / "t.csv", has_no_header=lambda cells: cells[0].endswith("mp4"))
    assert table.header == ("column 1", "column 2") and len(table.rows) == 2
    (tmp_path / "t.csv").write_bytes(b"")
    assert read_table(tmp_path / "t.csv").header == ()


def test_an_encoding_that_is_given_is_held_to(tmp_path):
    (tmp_path / "t.csv").write_bytes("a,b\nä,1\n".encode("cp1252"))
    with pytest.raises(UserError, match=r"cannot be read as utf-8 .*name its encoding"):
        read_table(tmp_path / "t.csv", encoding="utf-8")
    with pytest.raises(UserError, match="cannot be read as nonsense"):
        read_table(tmp_path / "t.csv", encoding="nonsense")
