"""Folders as people have them become corpora, and nothing of theirs is touched."""

import csv
import hashlib
import io
import json
import os
from pathlib import Path

import pytest
from small_corpora import write_clip

from textmsa.cli import main
from textmsa.corpora import read_corpus
from textmsa.errors import UserError
from textmsa.new_corpus.command import NewCorpus, new_corpus
from textmsa.new_corpus.splits import splits_of
from textmsa.types import SPLITS


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("clip") / "x.mp4"
    write_clip(path, seed=1, seconds=0.3)
    return path.read_bytes()


def folder_of(folder: Path, clip: bytes, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(clip)
    return folder


def state(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def made(folder: Path, **options) -> tuple[str, dict[str, dict[str, str]]]:
    """What was said, and the rows by the clip's file; nothing that was there may have changed."""
    before = state(folder)
    result = new_corpus(folder, **options)
    assert isinstance(result, NewCorpus)
    after = state(folder)
    assert set(after) - set(before) == {"label.csv", "corpus.json"}
    assert {name: after[name] for name in before} == before
    rows = list(csv.DictReader(io.StringIO((folder / "label.csv").read_text(encoding="utf-8-sig"), newline="")))
    read = read_corpus(folder, must_train=False)
    assert [clip.path.relative_to(folder.resolve()).as_posix() for clip in read.clips] == [
        row.get("file") or f"Raw/{row['video_id']}/{row['clip_id']}.mp4" for row in rows
    ]
    assert read.score_range_source == "corpus.json"
    by_file = {row.get("file") or f"{row['video_id']}/{row['clip_id']}": row for row in rows}
    by_video: dict[str, set[str]] = {}
    for row in rows:
        by_video.setdefault(row["video_id"], set()).add(row["mode"])
    if options.get("split_by") != "clip":
        assert all(len(modes) == 1 for modes in by_video.values())
    return result.text(), by_file


ODD = ["it's 1.mp4", 'a "b".mp4', "Ünï 中文 🙂.mp4", "a;b,c.mp4", "-x.mp4", "$_$.mp4", "..mp4", "new\nline.mp4"]


def test_names_with_spaces_quotes_and_every_letter(tmp_path, clip):
    _, rows = made(folder_of(tmp_path / "it's my “folder”", clip, *ODD, *[f"Raw/{name}" for name in ODD]))
    assert len(rows) == 14  # "..mp4" begins with a point: hidden files are nobody's clips
    assert {row["video_id"] for row in rows.values()} == {"Raw", *(row["video_id"] for row in rows.values())}


def test_a_table_in_utf_16_with_semicolons_and_decimal_commas(tmp_path, clip):
    folder = folder_of(tmp_path, clip, *[f"Aufnahmen/Clip {place}.mp4" for place in range(6)])
    lines = ["Nr;Videodatei;Sprecher;Satz;Wertung"]
    lines += [
        f'{n};C:\\Daten\\Aufnahmen\\clip {n}.MP4;P{n // 2};"So; ist, es: Nummer {n}";-{n / 2:.1f}' for n in range(6)
    ]
    (folder / "Wörter.csv").write_bytes("\r\n".join(lines).replace(".0", ",0").replace(".5", ",5").encode("utf-16"))
    said, rows = made(folder)
    assert "UTF-16" in said and "6 of 6 rows name a clip" in said and "'Wertung'" in said
    row = rows["Aufnahmen/Clip 3.mp4"]
    assert (row["text"], row["label"], row["video_id"]) == ("So; ist, es: Nummer 3", "-1.5", "P1")
    assert {row["mode"] for row in rows.values()} == set(SPLITS)


def test_columns_are_told_by_what_they_hold(tmp_path, clip):
    folder = folder_of(tmp_path, clip, *[f"{n}.mp4" for n in range(8)])
    lines = ["a,b,c,d,e"]
    for n in range(8):
        split = ["Training", "dev", "TEST", "training"][n % 4]
        lines.append(f"{n},{n / 4 - 1},some words that number {n} says,{split},{['joy', 'anger'][n % 2]}")
    (folder / "t.csv").write_text("\n".join(lines))
    said, rows = made(folder)
    assert [rows["5.mp4"][name] for name in ("text", "label", "mode", "annotation")] == [
        *("some words that number 5 says", "0.25", "valid", "anger")
    ]
    assert "clip by 'a'" in said and "label by 'b'" in said


def test_columns_can_be_named_and_denied(tmp_path, clip):
    folder = folder_of(tmp_path, clip, *[f"{n}.mp4" for n in range(4)])
    (folder / "t.csv").write_text("id,x,y_pred,text\n" + "".join(f"{n},{n - 2},{n - 1.5},yes\n" for n in range(4)))
    with pytest.raises(UserError, match=r"--label-column Y_pred: t.csv has no such column.*it has 'id', 'x'"):
        new_corpus(folder, label_column="Y_pred")
    assert not (folder / "label.csv").exists()
    said, rows = made(folder)
    assert "label may be one of 'x', 'y_pred': name it, --label-column NAME" in said
    assert {row["label"] for row in rows.values()} == {""}
    (folder / "label.csv").unlink()
    (folder / "corpus.json").unlink()
    _, rows = made(folder, label_column="x", text_column="none")
    assert [(row["label"], row["text"]) for row in rows.values()] == [("-2", ""), ("-1", ""), ("0", ""), ("1", "")]


def test_labels_of_another_scale_are_left_out_until_it_is_told(tmp_path, clip):
    folder = folder_of(tmp_path, clip, *[f"{n}.mp4" for n in range(1, 6)])
    (folder / "t.csv").write_text("file,valence\n" + "".join(f"{n}.mp4,{n}\n" for n in range(1, 6)))
    said, rows = made(folder)
    assert "labels lie in [1, 5], not in [-3, 3]: left empty; give their scale, such as --scale 1,5" in said
    assert {row["label"] for row in rows.values()} == {""}
    (folder / "label.csv").unlink()
    (folder / "corpus.json").unlink()
    _, rows = made(folder, scale="1,5")
    assert [row["label"] for row in rows.values()] == ["-3", "-1.5", "0", "1.5", "3"]


def test_folders_are_classes_where_they_are_called_by_feelings(tmp_path, clip):
    names = [f"{kind}/{n}.mp4" for kind in ("Happy", "sad", "neutral") for n in range(2)]
    folder = folder_of(tmp_path, clip, *names)
    said, rows = made(folder)
    assert "classes: Happy (2), neutral (2), sad (2)" in said
    assert '--classes "Happy=2,neutral=0,sad=-2"' in said
    assert rows["Happy/1.mp4"]["annotation"] == "Happy" and rows["Happy/1.mp4"]["label"] == ""
    assert len({(row["video_id"], row["clip_id"]) for row in rows.values()}) == 6
    for name in ("label.csv", "corpus.json"):
        (folder / name).unlink()
    _, rows = made(folder, classes="happy=2,sad=-2.5,neutral=0")
    assert (rows["Happy/0.mp4"]["label"], rows["sad/0.mp4"]["label"]) == ("2", "-2.5")
    for name in ("label.csv", "corpus.json"):
        (folder / name).unlink()
    with pytest.raises(
        UserError, match=r"--classes angry: no clip is of that class; the folder has Happy, neutral, sad"
    ):
        new_corpus(folder, classes="angry=1")
    for wrong in ("happy", "happy=9", "=1", "happy=x"):
        with pytest.raises(UserError, match="give a class and a number"):
            new_corpus(folder, classes=wrong)
    _, rows = made(folder, folders="speakers")
    assert rows["sad/0.mp4"]["video_id"] == "sad" and rows["sad/0.mp4"]["annotation"] == ""


def test_files_named_as_ravdess_are_read(tmp_path, clip):
    names = [
        f"Actor_{a:02d}/01-01-{e:02d}-01-{s:02d}-01-{a:02d}.mp4" for a in (1, 2, 3) for e in (3, 4) for s in (1, 2)
    ]
    said, rows = made(folder_of(tmp_path, clip, *names))
    row = rows["Actor_02/01-01-04-01-02-01-02.mp4"]
    assert (row["video_id"], row["text"], row["annotation"]) == ("Actor_02", "Dogs are sitting by the door", "sad")
    assert "as RAVDESS: 12 of 12 files" in said and 'happy=2,sad=-2"' in said
    assert {row["mode"] for row in rows.values()} == set(SPLITS)


@pytest.mark.parametrize(
    ("names", "video", "part"),
    [
        (["v1$_$0", "v1$_$1", "v2$_$0"], "v1", "1"),
        (["dia0_utt0", "dia0_utt1", "dia3_utt1"], "dia0", "utt1"),
        (["1001_IEO_ANG_HI", "1001_DFA_SAD_XX", "1002_TSI_NEU_XX"], "1001", "1001_DFA_SAD_XX"),
        (["_dI_x9-a_1", "_dI_x9-a_2", "0h-zj_1", "0h-zj_2"], "_dI_x9-a", "2"),
        (["take_1", "take_2", "take_3"], "take_2", "take_2"),  # one name for all is no video of its own
    ],
)
def test_names_of_files_tell_the_video(tmp_path, clip, names, video, part):
    _, rows = made(folder_of(tmp_path, clip, *[f"{name}.mp4" for name in names]))
    row = rows[f"{names[1]}.mp4"]
    assert (row["video_id"], row["clip_id"]) == (video, part)


def test_the_layout_of_mmsa_needs_no_file_column(tmp_path, clip):
    _, rows = made(folder_of(tmp_path, clip, "Raw/a/1.mp4", "Raw/a/2.mp4", "Raw/b/1.mp4"))
    assert list(rows) == ["a/1", "a/2", "b/1"]
    assert "file" not in rows["a/1"]


def test_splits_of_folders_and_tables_are_kept(tmp_path, clip):
    folder = folder_of(
        tmp_path, clip, *[f"{s}_splits/dia{d}_utt0.mp4" for s in ("train", "dev", "test") for d in (0, 1)]
    )
    for split in ("train", "dev", "test"):
        (folder / f"{split}.csv").write_text("Dialogue_ID,Utterance_ID,Utterance,Speaker\n0,0,one,Joey\n1,0,two,Ross\n")
    said, rows = made(folder)
    assert [row["mode"] for row in rows.values()] == ["valid", "valid", "test", "test", "train", "train"]
    assert "splits: dev_splits, test_splits, train_splits" in said
    assert len({(row["video_id"], row["clip_id"]) for row in rows.values()}) == 6


def test_words_beside_the_clips_are_taken_and_broken_ones_told(tmp_path, clip):
    folder = folder_of(tmp_path, clip, "a.mp4", "b.mp4", "c.mp4")
    (folder / "a.txt").write_text("Hello there")
    (folder / "b.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nAnd you\n")
    (folder / "c.srt").write_text("nothing of use")
    said, rows = made(folder)
    assert [row["text"] for row in rows.values()] == ["Hello there", "And you", ""]
    assert "c.srt: line 1:" in said and "text of 1 clips: write it" in said


def test_clips_that_cannot_be_used_are_left_out_and_told(tmp_path, clip):
    folder = folder_of(tmp_path / "corpus", clip, "a.mp4", "a.wav", "b.mp4", "._b.mp4", "__MACOSX/b.mp4")
    (folder / "zero.mp4").write_bytes(b"")
    (tmp_path / "out.mp4").write_bytes(clip)
    (folder / "link.mp4").symlink_to(tmp_path / "out.mp4")
    (folder / "linked").symlink_to(tmp_path)
    said, rows = made(folder)
    assert list(rows) == ["a.mp4", "b.mp4"]
    for line in (
        "zero.mp4: left out",
        "link.mp4: a link that leads out",
        "linked: a link to a folder",
        "a.wav: taken as",
    ):
        assert line in said


def test_a_folder_without_clips_is_one_line(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("a,b\n")
    assert main(["new-corpus", str(tmp_path)]) == 2
    assert "holds no video or sound file that can be used; give the folder of clips" in capsys.readouterr().err
    (tmp_path / "x.mp4").write_bytes(b"no film")
    assert main(["new-corpus", str(tmp_path)]) == 2
    assert "(x.mp4: left out" in capsys.readouterr().err
    assert main(["new-corpus", str(tmp_path / "nothing")]) == 2
    assert "not a folder" in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["t.csv", "x.mp4"]


def test_one_speaker_alone_is_told(tmp_path, clip):
    folder = folder_of(tmp_path, clip, *[f"{n}.mp4" for n in range(6)])
    (folder / "t.csv").write_text("file,speaker\n" + "".join(f"{n}.mp4,me\n" for n in range(6)))
    said, rows = made(folder)
    assert "only 1 speakers or videos" in said and {row["mode"] for row in rows.values()} == {"train"}
    (folder / "label.csv").unlink()
    (folder / "corpus.json").unlink()
    _, rows = made(folder, split_by="clip")
    assert {row["mode"] for row in rows.values()} == set(SPLITS)


def test_splits_are_disjoint_and_always_the_same():
    groups = [f"speaker {n % 20}" for n in range(400)]
    splits = splits_of(groups)
    assert splits == splits_of(groups)
    by_group = dict(zip(groups, splits, strict=True))
    assert [by_group[group] for group in groups] == splits
    shares = [splits.count(split) / 400 for split in SPLITS]
    assert shares == pytest.approx([0.7, 0.1, 0.2], abs=0.05)
    assert dict(zip(reversed(groups), splits_of(groups[::-1]), strict=False)) == by_group
    for count in (3, 4, 5):
        assert set(splits_of([str(n) for n in range(count)])) == set(SPLITS)
    assert splits_of(["one"] * 3) == ["train"] * 3
    assert set(splits_of(["big"] * 50 + ["a", "b"])) == set(SPLITS)


def test_a_corpus_json_that_stands_is_left(tmp_path, clip):
    folder = folder_of(tmp_path, clip, "a.mp4", "b.mp4", "c.mp4")
    (folder / "corpus.json").write_text(json.dumps({"name": "mine", "score_range": [-1, 1]}))
    new_corpus(folder)
    assert json.loads((folder / "corpus.json").read_text()) == {"name": "mine", "score_range": [-1, 1]}
