"""From ratings to label.csv and agreement.json; what a person filled in stays."""

import json
import subprocess
import sys

import numpy as np
import pytest
from small_corpora import media_path, rows_of, write_table

from textmsa.cli import main
from textmsa.corpora import read_corpus
from textmsa.errors import UserError
from textmsa.rating import command
from textmsa.rating.agreement import alpha
from textmsa.rating.ratings import RaterFile
from textmsa.rating.results import results_of

IDS = [f"{n // 5:03d}$_${n % 5}" for n in range(10)]
ANNA = [-3, -2, -1, 0, 1, 2, 3, 0, 1, 2]
BEN = [-2, -2, 0, 0, 1, 3, 3, -1]


@pytest.fixture
def folder(tmp_path):
    rows = rows_of(10)
    for place, row in enumerate(rows):
        row["label"] = "2.5" if place == 0 else ""
        media_path(tmp_path, row).parent.mkdir(parents=True, exist_ok=True)
        media_path(tmp_path, row).touch()
    write_table(tmp_path, rows)
    (tmp_path / "corpus.json").write_text('{"score_range": [-3, 3]}')
    return tmp_path


def rated(folder, **ratings: list[int]) -> None:
    for name, scores in ratings.items():
        file = RaterFile(folder, name, (-3, 3))
        for clip, score in zip(IDS, scores, strict=False):
            file.add(clip, 1, score, 2)


def labels_of(folder) -> list[float | None]:
    return [clip.label for clip in read_corpus(folder).clips]


def test_labels_are_means_and_what_stood_there_stays(folder):
    rated(folder, anna=ANNA, ben=BEN)
    before = (folder / "label.csv").read_text().splitlines()
    results = results_of(read_corpus(folder), folder)
    assert labels_of(folder) == [2.5, -2, -0.5, 0, 1, 2.5, 3, -0.5, 1, 2]
    after = (folder / "label.csv").read_text().splitlines()
    assert [line.split(",")[:3] for line in after] == [line.split(",")[:3] for line in before]
    assert (results.written, results.kept, results.rated) == (9, 1, 10)
    said = results.text()
    assert "10 of 10 clips rated by 2 raters" in said
    assert "1 labels that stood there before were left" in said
    ratings_UR = np.array([ANNA[:8], BEN]).T.astype(float)
    assert f"alpha        {alpha(ratings_UR).value:.3f} [" in said and "of 8 clips and 2 raters" in said
    document = json.loads((folder / "agreement.json").read_text())
    assert document["icc_2_1"]["clips"] == 8 and document["icc_2_k"]["value"] > document["icc_2_1"]["value"]
    assert document["raters"][0] == {
        "name": "anna",
        "rated": 10,
        "skipped": 0,
        "mean": 0.3,
        "again": 0,
        "same": None,
        "difference": None,
    }


def test_our_own_labels_follow_the_ratings_and_a_persons_do_not(folder):
    rated(folder, anna=ANNA)
    results_of(read_corpus(folder), folder)
    assert labels_of(folder)[1] == -2
    text = (folder / "label.csv").read_text().splitlines()
    text[3] = text[3].replace(",-1,", ",0.25,", 1)  # somebody mends the third
    (folder / "label.csv").write_text("\ufeff" + "\r\n".join(text) + "\r\n", encoding="utf-8", newline="")
    rated(folder, ben=BEN)
    file = RaterFile(folder, "anna", (-3, 3))
    file.undo()
    results = results_of(read_corpus(folder), folder)
    assert labels_of(folder) == [2.5, -2, 0.25, 0, 1, 2.5, 3, -0.5, 1, None]
    assert results.kept == 2
    data = (folder / "label.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbfvideo_id") and data.count(b"\r\n") == 11
    written = (folder / "label.csv").stat().st_mtime_ns
    results_of(read_corpus(folder), folder)
    assert (folder / "label.csv").stat().st_mtime_ns == written  # nothing new: not written again


def test_a_stop_between_the_table_and_the_record_loses_no_label(folder, monkeypatch):
    rated(folder, anna=ANNA)
    results_of(read_corpus(folder), folder)
    rated(folder, ben=BEN)
    monkeypatch.setattr("textmsa.rating.results.csv_text", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        results_of(read_corpus(folder), folder)
    monkeypatch.undo()
    assert labels_of(folder)[7] == 0  # as it was
    results_of(read_corpus(folder), folder)
    assert labels_of(folder)[7] == -0.5


def test_clips_shown_twice_tell_how_steady_a_rater_is(folder):
    rated(folder, anna=ANNA)
    file = RaterFile(folder, "anna", (-3, 3))
    for clip, score in zip(IDS, [-3, -1, -1, 0], strict=False):
        file.add(clip, 2, score, 1)
    file.add(IDS[5], 2, None, 1)
    results = results_of(read_corpus(folder), folder)
    (rater,) = results.raters
    assert (rater.again, rater.same, rater.difference) == (4, 0.75, 0.25)
    assert labels_of(folder)[1] == -2  # of the first time only
    assert "of 4 shown twice 75% the same, 0.25 apart on average" in results.text()
    assert "alpha        not to be had: fewer than two clips have two ratings" in results.text()


def test_clips_that_went_and_clips_that_were_skipped_do_not_count(folder):
    rated(folder, anna=ANNA)
    file = RaterFile(folder, "ben", (-3, 3))
    file.add(IDS[1], 1, None, 1)
    file.add("gone$_$1", 1, 3, 1)
    results = results_of(read_corpus(folder), folder)
    assert results.rated == 10 and results.alpha.raters < 2
    assert [(rater.name, rater.skipped) for rater in results.raters] == [("anna", 0), ("ben", 1)]


def test_agreement_without_a_page(folder, capsys):
    assert main(["label", str(folder), "--agreement"]) == 2
    assert "holds no ratings yet; rate clips first" in capsys.readouterr().err
    rated(folder, anna=ANNA, ben=BEN)
    assert main(["label", str(folder), "--agreement"]) == 0
    assert "ICC(2,k)" in capsys.readouterr().out
    assert (folder / "agreement.json").is_file()


def test_the_range_is_written_down_before_labels_can_change_it(folder, capsys):
    (folder / "corpus.json").unlink()
    rated(folder, anna=ANNA)
    assert main(["label", str(folder), "--agreement"]) == 0
    assert json.loads((folder / "corpus.json").read_text())["score_range"] == [-3, 3]
    (folder / "corpus.json").write_text('{"name": "mine"}')
    assert main(["label", str(folder), "--agreement"]) == 2
    assert 'does not name the scale; write "score_range": [-3.0, 3.0]' in capsys.readouterr().err


def test_rating_needs_no_network_to_be_loaded():
    code = "import sys, textmsa.rating.command, textmsa.rating.results, textmsa.new_corpus.command; print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "numpy" in shown and not {"torch", "transformers", "pandas", "sklearn"} & set(shown)


def test_without_the_extra_its_name_is_told(folder, monkeypatch):
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == "fastapi" else object())
    with pytest.raises(UserError, match=r"^needs fastapi, not installed: pip install 'textmsa\[serve\]'$"):
        command.label(folder)


def test_without_a_table_the_next_step_is_told(tmp_path, capsys):
    assert main(["label", str(tmp_path)]) == 2
    assert "have it written first: textmsa new-corpus" in capsys.readouterr().err
    assert main(["label", str(tmp_path / "nothing")]) == 2
    assert main(["label", str(tmp_path), "--port", "70000"]) == 2
    assert main(["label", str(tmp_path), "--repeats", "-1"]) == 2
