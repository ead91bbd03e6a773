"""openSMILE's eGeMAPS, where the user has installed it."""

import sys

import numpy as np
import pytest
from small_corpora import write_clip

from textmsa.errors import MissingModality, UserError
from textmsa.features.audio_opensmile import NAMES, OpensmileAudio
from textmsa.media import read_media


def test_there_are_25_features_as_in_ch_sims_v2():
    assert len(NAMES) == len(set(NAMES)) == 25


def test_without_the_package_it_says_what_to_install_and_its_licence(monkeypatch):
    monkeypatch.setitem(sys.modules, "opensmile", None)
    with pytest.raises(UserError, match=r"free for research only: pip install 'textmsa\[opensmile\]'"):
        OpensmileAudio()


def test_a_clips_sound_is_measured_every_ten_milliseconds(tmp_path):
    pytest.importorskip("opensmile", reason="opensmile is not installed: its licence allows research only")
    write_clip(tmp_path / "a.mp4", seed=0, seconds=2.0)
    found = OpensmileAudio().extract(read_media(tmp_path / "a.mp4"))
    assert found.names == NAMES
    assert np.median(np.diff(found.times_T)) == pytest.approx(0.01, abs=1e-4)  # a whole number of samples
    assert 1.5 < found.times_T[-1] <= 2.1
    assert np.isfinite(found.values_TF).all()
    assert found.column("Loudness_sma3").max() > 0.05
    write_clip(tmp_path / "b.mp4", seed=0, sound=False)
    with pytest.raises(MissingModality):
        OpensmileAudio().extract(read_media(tmp_path / "b.mp4"))
