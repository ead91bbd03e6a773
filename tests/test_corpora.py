import json
import math
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_corpora import COLUMNS, media_path, rows_of, write_table

from textmsa.corpora import read_corpus
from textmsa.errors import UserError


def corpus_of(folder: Path, rows: list[dict[str, str]], columns: list[str] = COLUMNS) -> Path:
    """The reader opens no media, so that empty files do."""
    write_table(folder, rows, columns)
    for row in rows:
        media_path(folder, row).parent.mkdir(parents=True, exist_ok=True)
        media_path(folder, row).touch()
    return folder


def changed(**cells: str) -> list[dict[str, str]]:
    rows = rows_of(10)
    rows[3] |= cells
    return rows


def refusal(folder: Path, **options: str) -> str:
    with pytest.raises(UserError) as caught:
        read_corpus(folder, **options)  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder) in message
    return message


def test_rows_become_clips(tmp_path: Path) -> None:
    corpus = read_corpus(corpus_of(tmp_path, rows_of(10)))
    clip = corpus.clips[8]
    assert (clip.id, clip.video_id, clip.split) == ("001$_$3", "001", "valid")
    assert clip.path == tmp_path.resolve() / "Raw" / "001" / "3.mp4"
    assert clip.transcript == "sentence, number 8"
    assert (clip.label_text, clip.label_audio, clip.label_video) == (0.5, None, -1.0)
    assert clip.label == pytest.approx(-3 + 6 * 8 / 9, abs=1e-3)


def test_excel_quotes_newlines_and_missing_optional_columns(tmp_path: Path) -> None:
    corpus_of(tmp_path, rows_of(3))
    lines = [
        "\ufeffvideo_id,clip_id,text,label,mode",
        '000,0,"TWO\nLINES, ONE ""QUOTE""",-1.0,train',
        "000,1,  ,0,valid",
        "",
        "000,2,,1,test",
    ]
    (tmp_path / "label.csv").write_bytes("\r\n".join(lines).encode())
    first, second, third = read_corpus(tmp_path).clips
    assert first.transcript == 'TWO\nLINES, ONE "QUOTE"'
    assert (second.transcript, third.transcript) == (None, None)
    assert first.label_text is None


@pytest.mark.parametrize("name", ["0.mov", "0.MKV", "0.webm", "0.avi", "0.wav"])
def test_other_containers_are_found(tmp_path: Path, name: str) -> None:
    corpus_of(tmp_path, rows_of(5))
    (tmp_path / "Raw/000/0.mp4").rename(tmp_path / "Raw/000" / name)
    assert read_corpus(tmp_path).clips[0].path.name == name


def test_video_comes_before_sound_of_the_same_name_and_ids_may_hold_dots(tmp_path: Path) -> None:
    corpus_of(tmp_path, changed(clip_id="3.5"))
    (tmp_path / "Raw/000/0.wav").touch()
    clips = read_corpus(tmp_path).clips
    assert clips[0].path.name == "0.mp4"
    assert clips[3].path.name == "3.5.mp4"


def test_score_range(tmp_path: Path) -> None:
    corpus_of(tmp_path, rows_of(10))
    assert read_corpus(tmp_path).score_range == (-3, 3)
    assert read_corpus(tmp_path, score_range="-4,4").score_range == (-4, 4)
    write_table(tmp_path, [row | {"label": "0.5"} for row in rows_of(10)])
    narrow = read_corpus(tmp_path)
    assert (narrow.score_range, narrow.score_range_source) == ((-1, 1), "labels")
    (tmp_path / "corpus.json").write_text(json.dumps({"score_range": [-3, 3], "name": "mine"}))
    described = read_corpus(tmp_path)
    assert (described.score_range, described.score_range_source) == ((-3, 3), "corpus.json")
    assert described.name == "mine"


@pytest.mark.parametrize("text", ["{", "[]", '{"score_range": "wide"}', '{"score_range": [3, -3]}'])
def test_a_wrong_corpus_json_is_refused(tmp_path: Path, text: str) -> None:
    corpus_of(tmp_path, rows_of(5))
    (tmp_path / "corpus.json").write_text(text)
    assert "corpus.json" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (changed(label="good"), ["line 5", "label 'good'", "not a number"]),
        (changed(label="nan"), ["line 5", "not a number"]),
        (changed(label="inf"), ["line 5", "not a number"]),
        (changed(label="3.2"), ["line 5", "outside [-3, 3]"]),
        (changed(label_T="-9"), ["line 5", "label_T", "outside"]),
        (changed(mode="dev"), ["line 5", "'dev'", "train, valid, test"]),
        (changed(clip_id="1"), ["line 5", "line 3 already", "unique"]),
        (changed(video_id=""), ["line 5", "video_id is empty"]),
        ([row | {"mode": "test"} for row in rows_of(5)], ["'train'"]),
        ([], ["no rows"]),
    ],
)
def test_faults_of_rows_are_named(tmp_path: Path, rows: list[dict[str, str]], expected: list[str]) -> None:
    corpus_of(tmp_path, rows)
    message = refusal(tmp_path)
    assert all(part in message for part in expected), message


def test_faults_of_the_table_are_named(tmp_path: Path) -> None:
    assert "not a folder" in refusal(tmp_path / "nothing")
    assert "label.csv: no such file" in (told := refusal(tmp_path)) and f"textmsa new-corpus {tmp_path}" in told
    table = tmp_path / "label.csv"
    table.write_text("")
    assert "empty" in refusal(tmp_path)
    table.write_text("video_id,clip_id,text,Lable,mode\n")
    assert "'label' (is 'Lable' meant?)" in refusal(tmp_path)
    table.write_text("video_id,clip_id,text,label,mode,text\n")
    assert "twice" in refusal(tmp_path)
    table.write_text("video_id,clip_id,text,label,mode\na,1,yes, I do,0,train\n")
    assert "line 2 has 6 fields" in refusal(tmp_path)
    table.write_text('video_id,clip_id,text,label,mode\na,1,"open,0,train\n')
    assert "not CSV" in refusal(tmp_path)
    table.write_bytes("video_id,clip_id,text,label,mode\na,1,é,0,train\n".encode("latin-1"))
    assert "not UTF-8" in refusal(tmp_path)
    with pytest.raises(UserError, match="choose one of mmsa"):
        read_corpus(tmp_path, layout="mosi")


def test_absent_media_are_for_preparation_to_report_unless_all_are(tmp_path: Path) -> None:
    corpus_of(tmp_path, rows_of(5))
    (tmp_path / "Raw/000/2.mp4").unlink()
    assert read_corpus(tmp_path).clips[2].path == tmp_path.resolve() / "Raw/000/2.mp4"
    for path in (tmp_path / "Raw/000").iterdir():
        path.unlink()
    assert "holds none of the 5" in refusal(tmp_path)


def test_a_corpus_without_any_label_is_read(tmp_path: Path) -> None:
    corpus = read_corpus(corpus_of(tmp_path, [row | {"label": "", "label_T": "", "label_V": ""} for row in rows_of(5)]))
    assert {clip.label for clip in corpus.clips} == {None}
    assert corpus.score_range_source == "no labels"


def test_rows_without_a_label_are_read_beside_labelled_ones_and_counted(tmp_path: Path) -> None:
    rows = [row | ({"label": ""} if row["mode"] == "test" else {}) for row in rows_of(10)]
    corpus = read_corpus(corpus_of(tmp_path, rows))
    assert [clip.label is None for clip in corpus.clips] == [row["mode"] == "test" for row in rows]
    assert sum(clip.label is None for clip in corpus.clips) == 2
    assert corpus.score_range_source == "labels"


def test_a_corpus_to_predict_needs_no_training_clips(tmp_path: Path) -> None:
    corpus_of(tmp_path, [row | {"mode": "test"} for row in rows_of(5)])
    assert len(read_corpus(tmp_path, must_train=False).clips) == 5


@pytest.mark.parametrize("column", ["video_id", "clip_id"])
@pytest.mark.parametrize("value", ["..", "../x", "a/../../x", "/etc/x", "a/..", "..\\x", ".", "a//b", "x\0y"])
def test_ids_cannot_leave_the_folder(tmp_path: Path, column: str, value: str) -> None:
    corpus_of(tmp_path, rows_of(5))
    write_table(tmp_path, [row | ({column: value} if row["clip_id"] == "3" else {}) for row in rows_of(5)])
    message = refusal(tmp_path)
    assert "line 5" in message
    assert column in message


def test_links_cannot_leave_the_folder(tmp_path: Path) -> None:
    inside, outside = tmp_path / "corpus", tmp_path / "outside"
    corpus_of(inside, rows_of(5))
    outside.mkdir()
    (outside / "secret.mp4").touch()
    (inside / "Raw/000/3.mp4").unlink()
    (inside / "Raw/000/3.mp4").symlink_to(outside / "secret.mp4")
    assert "leads out of the corpus folder" in refusal(inside)
    (inside / "Raw/000/3.mp4").unlink()
    (inside / "Raw/000/3.mp4").symlink_to(inside / "Raw/000/2.mp4")
    assert len(read_corpus(inside).clips) == 5
    os.rename(inside / "Raw/000", outside / "000")
    (inside / "Raw/000").symlink_to(outside / "000")
    assert "leads out of the corpus folder" in refusal(inside)


def with_files(folder: Path, file: str) -> Path:
    """A corpus whose third clip has a `file`; the others lie in Raw."""
    corpus_of(folder, rows_of(5))
    write_table(
        folder, [row | {"file": file if row["clip_id"] == "2" else ""} for row in rows_of(5)], [*COLUMNS, "file"]
    )
    return folder


@pytest.mark.parametrize("name", ['my clips/it\'s "this" one.mp4', "Ünïcode, 中文.webm", "a\\b.mp4", "deep/er/x.wav"])
def test_a_clip_may_lie_where_the_table_says(tmp_path: Path, name: str) -> None:
    with_files(tmp_path, name)
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).touch()
    clips = read_corpus(tmp_path).clips
    assert clips[2].path == tmp_path.resolve() / name and clips[2].id == "000$_$2"
    assert clips[1].path == tmp_path.resolve() / "Raw/000/1.mp4"


@pytest.mark.parametrize("name", ["../x.mp4", "/etc/passwd", "a//b.mp4", "x\0y", "link.mp4"])
def test_a_file_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    inside = with_files(tmp_path / "corpus", name)
    (tmp_path / "out.mp4").touch()
    (inside / "link.mp4").symlink_to(tmp_path / "out.mp4")
    assert "line 4" in refusal(inside)


names = st.text(st.characters(exclude_categories=["Cs"]), max_size=300) | st.sampled_from(
    ["..", "../..", "/", "~", "C:\\x"]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(video_id=names, clip_id=names, text=st.text(st.characters(exclude_categories=["Cs"])), label=st.text(max_size=5))
def test_wild_cells_are_read_exactly_or_refused_in_one_line(
    tmp_path: Path, video_id: str, clip_id: str, text: str, label: str
) -> None:
    rows = rows_of(2)
    rows[0] |= {"label": "0"}
    rows[1] |= {"video_id": video_id, "clip_id": clip_id, "text": text, "label": label}
    corpus_of(tmp_path, rows_of(1))
    write_table(tmp_path, rows)
    complaint: str | None = None
    try:
        clip = read_corpus(tmp_path).clips[1]
    except UserError as error:
        complaint = str(error)
    if complaint is not None:
        assert len(complaint.splitlines()) == 1
        return
    assert clip.id == f"{video_id}$_${clip_id}"
    assert clip.transcript == (text if text.strip() else None)
    assert (clip.label is None) == (not label.strip())
    assert clip.label is None or math.isfinite(clip.label)
    assert Path(os.path.realpath(clip.path)).is_relative_to(tmp_path.resolve())


MOSI = {"train": 1284, "valid": 229, "test": 686}


def like_mosi() -> str:
    """A table of MOSI's columns, size and ids, with words of our own."""
    rows = ["video_id,clip_id,text,label,annotation,mode"]
    for split, clips in MOSI.items():
        for place in range(clips):
            label = -3 + 0.2 * (place % 31)
            annotation = "Neutral" if abs(label) < 0.1 else "Positive" if label > 0 else "Negative"
            rows.append(f"-{split}_{place // 24},{place % 24 + 1},I SAY {place} WORDS,{label:.1f},{annotation},{split}")
    return "\n".join(rows) + "\n"


@pytest.mark.parametrize("source", ["made", "shared"])
def test_the_labels_of_mosi_are_read(source: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    """Of which one clip's file is there."""
    shared = None if source == "made" else request.getfixturevalue("shared")
    table = like_mosi() if shared is None else (shared / "data/mosi/label.csv").read_text()
    (tmp_path / "label.csv").write_text(table)
    first = tmp_path / "Raw" / table.splitlines()[1].split(",")[0]
    first.mkdir(parents=True)
    (first / "1.mp4").touch()
    corpus = read_corpus(tmp_path)
    assert {split: sum(clip.split == split for clip in corpus.clips) for split in MOSI} == MOSI
    assert corpus.score_range == (-3, 3)
