"""OpenFace's tables beside the clips, and its program run on them."""

import stat
import sys

import numpy as np
import pytest
from openface_tables import write_openface
from small_corpora import write_clip, write_corpus

from textmsa.errors import MissingModality, UserError
from textmsa.features.video_openface import NAMES, PROGRAM, OpenfaceVideo, read_table
from textmsa.media import read_media
from textmsa.prepare.command import prepare
from textmsa.store.reading import Store


def test_there_are_709_features_as_in_ch_sims():
    assert len(NAMES) == len(set(NAMES)) == 709
    assert (NAMES[0], NAMES[-1], NAMES.index("pose_Tx")) == ("gaze_0_x", "AU45_c", 288)


@pytest.mark.parametrize("spaces", [True, False])
def test_a_table_is_read_with_the_times_of_its_frames(tmp_path, spaces):
    write_openface(tmp_path / "a.csv", spaces=spaces)
    found = read_table(tmp_path / "a.csv")
    assert found.times_T == pytest.approx(np.arange(6) / 25)
    assert found.values_TF[2] == pytest.approx(3 + np.arange(709) / 1000, abs=1e-3)


def test_frames_without_a_face_are_not_measured_and_a_clip_without_is_missing(tmp_path):
    write_openface(tmp_path / "a.csv", lost=(2, 3))
    values = read_table(tmp_path / "a.csv").values_TF
    assert np.isnan(values).all(axis=1).tolist() == [False, True, True, False, False, False]
    write_openface(tmp_path / "b.csv", lost=tuple(range(1, 7)))
    with pytest.raises(MissingModality, match="no face in any of 6 frames"):
        read_table(tmp_path / "b.csv")


def test_of_several_faces_the_surest_is_taken(tmp_path):
    write_openface(tmp_path / "a.csv", faces=3)
    found = read_table(tmp_path / "a.csv")
    assert len(found.times_T) == 6
    assert found.values_TF.max() < 10


def test_another_table_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("frame, face_id, timestamp\n1, 0, 0\n")
    with pytest.raises(ValueError, match="has no column 'confidence'"):
        read_table(tmp_path / "a.csv")


def test_a_corpus_with_tables_beside_its_clips_is_prepared(tmp_path):
    write_corpus(tmp_path / "corpus", 6)
    for clip in (tmp_path / "corpus" / "Raw").rglob("*.mp4"):
        write_openface(clip.with_suffix(".csv"))
    prepare(tmp_path / "corpus", out=tmp_path / "store", video="openface", workers=1)
    store = Store.open(tmp_path / "store")
    assert store.manifest.video is not None
    assert (store.manifest.video.extractor, len(store.manifest.video.names)) == ("openface", 709)
    assert all(sample.observation.video is not None for sample in store)


def test_the_users_program_is_run_where_there_is_no_table(tmp_path, monkeypatch):
    write_clip(tmp_path / "a.mp4", seed=0)
    write_openface(tmp_path / "made.csv")
    program = tmp_path / "FeatureExtraction"
    program.write_text(
        f"#!{sys.executable}\nimport shutil, sys\n"
        "clip, out = sys.argv[sys.argv.index('-f') + 1], sys.argv[sys.argv.index('-out_dir') + 1]\n"
        f"assert clip.endswith('a.mp4')\nshutil.copy({str(tmp_path / 'made.csv')!r}, out + '/a.csv')\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    media = read_media(tmp_path / "a.mp4")
    with pytest.raises(UserError, match=PROGRAM):
        OpenfaceVideo().extract(media)
    monkeypatch.setenv(PROGRAM, str(program))
    assert len(OpenfaceVideo().extract(media).times_T) == 6
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('no licence')\n")
    with pytest.raises(RuntimeError, match="ended with 1 and 0 tables: no licence"):
        OpenfaceVideo().extract(media)
    monkeypatch.setenv(PROGRAM, str(tmp_path / "absent"))
    with pytest.raises(UserError, match="cannot be run"):
        OpenfaceVideo().extract(media)
