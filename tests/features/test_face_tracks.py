"""One face is followed: never another in its place, and the one whose mouth goes with the sound."""

import numpy as np
import pytest

from textmsa.features.face_tracks import Face, follow, loudness_at

TIMES_T = np.arange(40) / 10.0


def face(x: float, size: float = 100.0, *, mark: float = 0.0, mouth: float = 0.0) -> Face:
    return Face((x, 50.0, x + size, 50.0 + size), np.array([mark], np.float32), mouth)


def marks(kept: list[Face | None]) -> list[float | None]:
    return [None if one is None else float(one.values_F[0]) for one in kept]


def test_the_largest_over_time_is_kept_though_another_is_larger_for_a_moment() -> None:
    faces_T = [[face(0, 100 if t < 30 else 85, mark=1), face(300, 90, mark=2)] for t in range(40)]
    assert marks(follow(faces_T, TIMES_T, None)) == [1.0] * 40


def test_another_face_is_never_put_in_its_place() -> None:
    faces_T = [[face(0, mark=1)] * (t < 25) + [face(400, 80, mark=2)] for t in range(40)]
    faces_T = [sorted(faces, key=lambda one: t % 2 * one.box[0]) for t, faces in enumerate(faces_T)]
    kept = marks(follow(faces_T, TIMES_T, None))
    assert set(kept) == {2.0} or (set(kept[:25]) == {1.0} and set(kept[25:]) == {None})


def test_a_face_that_comes_back_to_its_place_is_the_same() -> None:
    faces_T = [[] if 10 <= t < 25 else [face(0 if t < 10 else 30, mark=1)] for t in range(40)]
    assert marks(follow(faces_T, TIMES_T, None)) == [1.0] * 10 + [None] * 15 + [1.0] * 15


def test_a_cut_to_somebody_elsewhere_is_not_followed() -> None:
    faces_T = [[face(0, mark=1)] if t < 22 else [face(500, 60, mark=2)] for t in range(40)]
    assert marks(follow(faces_T, TIMES_T, None)) == [1.0] * 22 + [None] * 18


@pytest.mark.parametrize("speaker", [1.0, 2.0])
def test_the_one_who_speaks_is_kept_where_the_sound_tells(speaker: float) -> None:
    loud_T = np.where(np.arange(40) // 5 % 2, -20.0, -60.0).astype(np.float32)
    mouth_T = np.where(loud_T > -40, 0.3, 0.02)
    rng = np.random.default_rng(0)
    other_T = rng.uniform(0, 0.05, 40)
    faces_T = [
        [
            face(0, 120, mark=1, mouth=mouth_T[t] if speaker == 1 else other_T[t]),
            face(300, 100, mark=2, mouth=mouth_T[t] if speaker == 2 else other_T[t]),
        ]
        for t in range(40)
    ]
    assert marks(follow(faces_T, TIMES_T, loud_T)) == [speaker] * 40
    assert marks(follow(faces_T, TIMES_T, None)) == [1.0] * 40


def test_no_face_and_no_frame() -> None:
    assert follow([[], []], TIMES_T[:2], None) == [None, None]
    assert follow([], TIMES_T[:0], None) == []


def test_loudness_is_of_the_sound_around_each_frame() -> None:
    waveform_N = np.concatenate([np.zeros(1000), np.full(1000, 0.1)]).astype(np.float32)
    level_T = loudness_at(np.array([0.2, 1.5, 9.0]), waveform_N, 1000, 0.0)
    assert level_T == pytest.approx([-60.0, -20.0, -60.0], abs=0.1)
