"""Which clips are set aside to calibrate on."""

from types import SimpleNamespace
from typing import cast

import pytest

from textmsa.store.reading import Store
from textmsa.store.set_aside import set_aside


def store_of(videos: list[str]) -> Store:
    columns = {"video_id": videos, "id": [f"{video}-{number}" for number, video in enumerate(videos)]}
    fake = SimpleNamespace(labelled=lambda split: list(range(len(videos))), column=columns.__getitem__)
    return cast(Store, fake)


def test_whole_videos_are_set_aside_until_the_share_is_reached():
    videos = [f"v{number // 4}" for number in range(40)]
    for share in (0.01, 0.25, 0.5):
        aside = set_aside(store_of(videos), share)
        assert len(aside) == 4 * -(-share * 10 // 1)
        assert len({videos[place] for place in aside}) == len(aside) / 4
    assert set_aside(store_of(videos), 0.25) == set_aside(store_of(videos), 0.25)
    assert set(set_aside(store_of(videos), 0.2)) <= set(set_aside(store_of(videos), 0.5))
    assert set_aside(store_of(videos), 0) == []


def test_something_stays_to_be_learnt_from():
    assert 0 < len(set_aside(store_of(["a"] * 5 + ["b"]), 0.99)) < 6


@pytest.mark.parametrize("video", ["", "all the same"])
def test_without_videos_each_clip_counts_as_one(video):
    assert len(set_aside(store_of([video] * 20), 0.25)) == 5
