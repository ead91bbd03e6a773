"""Files of subtitles as people have them, and what is said of broken ones."""

import pytest

from textmsa.errors import UserError
from textmsa.speech import read_subtitles, subtitles_beside
from textmsa.types import Word

SRT = """1
00:00:01,000 --> 00:00:02,500
<i>Well</i>, {\\an8}I loved it.

2
01:02:03,004 --> 01:02:05,000
Truly &amp; really
so.
"""
VTT = """WEBVTT - a title
Kind: captions

NOTE written
by hand

STYLE
::cue { color: red }

intro
00:01.000 --> 00:02.500 align:start position:0%
<v Ann>Well, <00:01.500><c>I</c> loved it.</v>

100:00:00.000 --> 100:00:01.000
♪ la ♪
"""


ROLLING = """WEBVTT
Kind: captions
Language: en

00:00:00.320 --> 00:00:02.149 align:start position:0%
\x20
hello<00:00:00.640><c> my</c><00:00:00.880><c> friend</c>

00:00:02.149 --> 00:00:02.159 align:start position:0%
hello my friend
\x20

00:00:02.159 --> 00:00:03.000 align:start position:0%
hello my friend
no

00:00:03.000 --> 00:00:03.010 align:start position:0%
no
\x20

00:00:03.010 --> 00:00:04.000 align:start position:0%
no
no

00:00:04.000 --> 00:00:04.010 align:start position:0%
no
\x20

00:00:09.000 --> 00:00:10.000 align:start position:0%
no
how<00:00:09.320><c> are</c>
"""


def written(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_subrip_in_every_encoding(tmp_path, encoding, end):
    read = read_subtitles(written(tmp_path / "a.srt", SRT.replace("\n", end), encoding))
    assert read.words == (Word("Well, I loved it.", 1.0, 2.5), Word("Truly & really so.", 3723.004, 3725.0))
    assert (read.text, read.source, read.made_with) == ("Well, I loved it. Truly & really so.", "subtitles", "a.srt")


def test_webvtt_with_notes_styles_settings_and_hours(tmp_path):
    read = read_subtitles(written(tmp_path / "a.vtt", VTT))
    assert read.words == (Word("Well, I loved it.", 1.0, 2.5), Word("la", 360_000.0, 360_001.0))


def test_lines_that_overlap_are_kept_and_sorted_and_sounds_are_left_out(tmp_path):
    text = (
        "2\n00:00:03.000 --> 00:00:05.000\nsecond\n\n1\n00:00:01,5 --> 00:00:04,000\nfirst\n\n"
        "00:00:09,000 --> 00:00:10,000\n[MUSIC]\n\n4\n00:00:11,000 --> 00:00:12,000\n\n"
    )
    read = read_subtitles(written(tmp_path / "a.srt", text))
    assert read.words == (Word("first", 1.5, 4.0), Word("second", 3.0, 5.0))


def test_captions_that_roll_are_told_once(tmp_path):
    read = read_subtitles(written(tmp_path / "a.vtt", ROLLING))
    assert [(word.text, word.start) for word in read.words] == [
        ("hello my friend", 0.32),
        ("no", 2.159),
        ("no", 3.01),
        ("no how are", 9.0),  # not shown just before: said again
    ]
    sung = "WEBVTT\n\n00:01.000 --> 00:02.000\n{0}\n\n00:02.000 --> 00:03.000\n{0}\n"
    assert read_subtitles(written(tmp_path / "b.vtt", sung.format("Let it be."))).text == "Let it be. Let it be."
    timed = sung.format("Let <00:01.500>it be.")
    assert read_subtitles(written(tmp_path / "c.vtt", timed)).text == "Let it be. Let it be."


def test_a_line_of_spaces_ends_a_cue_below_its_words(tmp_path):
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\none\n \n00:02.000 --> 00:03.000\n \ntwo\n\nlost\n"
    with pytest.raises(UserError, match="line 10: 'lost' stands without a time"):
        read_subtitles(written(tmp_path / "a.vtt", text))
    read = read_subtitles(written(tmp_path / "b.vtt", text.replace("\nlost", "")))
    assert [word.text for word in read.words] == ["one", "two"]


def test_arabic_and_chinese_without_marks_of_direction(tmp_path):
    text = (
        "1\n00:00:01,000 --> 00:00:02,000\n\u202bأحببت الفيلم\u202c\n\n2\n00:00:02,000 --> 00:00:03,000\n我很喜欢。\n"
    )
    assert read_subtitles(written(tmp_path / "a.srt", text, "utf-16")).text == "أحببت الفيلم 我很喜欢。"


def test_plain_text_has_no_times(tmp_path):
    read = read_subtitles(written(tmp_path / "a.txt", "I loved\n\n it. 1 --> 2\n"))
    assert (read.text, read.words) == ("I loved it. 1 --> 2", ())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.srt", b"", "holds no words"),
        ("a.txt", b" \n", "holds no words"),
        ("a.vtt", b"WEBVTT\n", "holds no words"),
        ("a.srt", b"1\n00:00:01,000 -> 00:00:02,000\nhello\n", "line 1: '1' stands without a time"),
        ("a.srt", b"\n1\n00:00:01,000 --> soon\nhello\n", "line 3: '00:00:01,000 --> soon' is no time"),
        ("a.srt", b"1\n00:00:05,000 --> 00:00:02,000\nhello\n", "line 2: ends at 2 s, before it starts at 5 s"),
        ("a.srt", b"1\n00:99:05,000 --> 00:99:06,000\nhello\n", "line 2: '00:99:05,000 --> 00:99:06,000' has more"),
        ("a.srt", b"00:00:01,000 --> 00:00:02,000\na\n00:00:03,000 --> 00:00:04,000\nb\n", "line 3: a time within"),
        ("a.srt", b"1\n00:00:01,000 --> 00:00:02,000\nol\xe9\n", "line 3 is not UTF-8"),
        ("a.srt", b"1\n\0\0\n", "line 2 holds a zero byte"),
        ("a.ass", b"hello", "give one of .srt, .vtt, .txt"),
    ],
)
def test_a_broken_file_is_one_line_with_its_number(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError) as refused:
        read_subtitles(path)
    assert message in str(refused.value)
    assert str(refused.value).startswith(f"{path}: ")
    assert "\n" not in str(refused.value)


def test_the_file_beside_a_clip_is_that_of_its_name(tmp_path):
    clip = tmp_path / "a.b.mp4"
    assert subtitles_beside(clip) is None
    written(tmp_path / "a.txt", "another clip's")
    assert subtitles_beside(clip) is None
    txt, srt = written(tmp_path / "a.b.txt", "x"), tmp_path / "a.b.SRT"
    assert subtitles_beside(clip) == txt
    written(srt, SRT)
    assert subtitles_beside(clip) == srt
    assert subtitles_beside(txt) == srt
