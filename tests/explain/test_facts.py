"""Measuring never breaks down: whatever was seen and heard, facts are finite, and what cannot be measured is absent."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rare_faces import FACE_NAMES
from small_corpora import write_corpus

from textmsa.explain.measured.explainer import MeasuredExplainer
from textmsa.explain.measured.facts import measure
from textmsa.prepare.command import prepare
from textmsa.store.reading import Store
from textmsa.types import FeatureSequence, Observation

VOICE_NAMES = ("log_f0", "mfcc_0")
RATES = (23.976, 24.0, 25.0, 30.0)


@st.composite
def sequences(draw: st.DrawFn, names: tuple[str, ...], low: float, high: float) -> FeatureSequence:
    """As an extractor may give them: times that ascend, some columns, values constant or not, any of them NaN."""
    kept = tuple(draw(st.lists(st.sampled_from(names), unique=True, min_size=1))) if draw(st.booleans()) else names
    count = draw(st.integers(0, 80))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    if draw(st.booleans()):
        times_T = np.arange(count) / draw(st.sampled_from(RATES))
    else:
        times_T = np.cumsum(rng.exponential(draw(st.sampled_from((0.01, 0.1, 3.0))), count) + 1e-3)
    values_TF = rng.uniform(low, high, (count, len(kept)))
    if draw(st.booleans()):
        values_TF[:] = draw(st.floats(low, high))
    hidden = draw(st.sampled_from((0.0, 0.5, 0.9, 1.0)))
    if draw(st.booleans()):  # whole frames
        values_TF[rng.random(count) < hidden] = np.nan
    else:
        values_TF[rng.random(values_TF.shape) < hidden] = np.nan
    return FeatureSequence(values_TF.astype(np.float32), times_T, kept)


def observations() -> st.SearchStrategy[Observation]:
    faces, voices = (
        sequences((*FACE_NAMES, "face_present", "expression_happy", "expression_sad"), -1.0, 1.0),
        sequences(VOICE_NAMES, -700.0, 300.0),
    )
    return st.builds(
        Observation,
        path=st.just(Path("a.mp4")),
        transcript=st.none() | st.text(max_size=30),
        duration=st.none() | st.floats(0.0, 240.0),
        audio=st.none() | voices,
        video=st.none() | faces,
    )


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(observations())
def test_facts_are_finite_whatever_was_observed(observation: Observation) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        facts = measure(observation)
    assert all(isinstance(value, float) and np.isfinite(value) for value in facts.values())


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(st.lists(observations(), max_size=4))
def test_every_clip_is_fitted_and_explained(clips: list[Observation]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        explainer = MeasuredExplainer(MeasuredExplainer.fit(clips))
        explained = [explainer.explain(clip) for clip in clips]
    assert explainer.statistics["clips"] == len(explained) == len(clips)


@pytest.mark.parametrize("rate", RATES)
def test_a_face_in_single_frames_only_has_no_apex(rate: float) -> None:
    """The moving average wants a third of its frames: one in fifteen gives it nothing."""
    times_T = np.arange(60) / rate
    values_TF = np.full((60, len(FACE_NAMES)), np.nan, np.float32)
    values_TF[::15] = 0.5
    face = FeatureSequence(values_TF, times_T, FACE_NAMES)
    clip = Observation(Path("a.mp4"), None, 60 / rate, None, face)
    facts = measure(clip)
    assert facts["smile"] == pytest.approx(0.5)
    assert not {"apex_at", "expression", "nod"} & set(facts)
    explained = MeasuredExplainer(MeasuredExplainer.fit([clip])).explain(clip)
    assert explained.video is not None
    assert "%" not in explained.video


def test_such_a_corpus_is_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    write_corpus(tmp_path / "corpus", 5)
    parts: dict[str, Any] = {"audio": "outside_parts:Loudness", "video": "rare_faces:RareFace"}
    done = prepare(tmp_path / "corpus", out=tmp_path / "store", **parts)
    assert (done.prepared, done.unexplained) == (5, 0)
    assert all(sample.explanation.video for sample in Store.open(tmp_path / "store"))
