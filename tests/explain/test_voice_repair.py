"""Octave jumps are put back, wide gestures are left, and syllables are counted by ear."""

import numpy as np
import pytest

from textmsa.explain.measured.voice_repair import nuclei, without_octave_jumps

STEP = 512 / 22050


@pytest.mark.parametrize("octave", [-12.0, 12.0])
def test_a_short_octave_jump_is_put_back(octave: float) -> None:
    true_T = np.linspace(84, 88, 60)
    heard_T = true_T.copy()
    heard_T[25:31] += octave
    assert without_octave_jumps(heard_T) == pytest.approx(true_T)


def test_what_a_voice_does_itself_is_left() -> None:
    glide_T = np.linspace(78, 98, 60)  # twenty semitones, without a jump
    after_pause_T = np.concatenate([np.full(30, 80.0), np.full(20, np.nan), np.full(30, 92.0)])
    for track_T in (glide_T, after_pause_T, np.full(5, np.nan), np.zeros(0), np.array([80.0])):
        assert np.array_equal(without_octave_jumps(track_T), track_T, equal_nan=True)


@pytest.mark.parametrize("count", [1, 4, 9])
def test_as_many_nuclei_as_bumps(count: int) -> None:
    times_T = np.arange(0, 3, STEP)
    level_T = -25 + 6 * np.sin(2 * np.pi * count / 3 * times_T - np.pi / 2)
    assert nuclei(level_T, level_T > -40, STEP) == count


def test_no_nuclei_in_nothing() -> None:
    for level_T in (np.full(50, np.nan), np.zeros(0), np.full(2, -20.0)):
        assert nuclei(level_T, np.ones(len(level_T), bool), STEP) == 0
    assert nuclei(np.full(50, -20.0), np.zeros(50, bool), STEP) == 0
