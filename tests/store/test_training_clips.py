"""Which training clips are learnt from, and which are set aside to calibrate on."""

from types import SimpleNamespace
from typing import cast

import pytest

from textmsa.store.reading import Store
from textmsa.store.training_clips import learnt_from, set_aside


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


def test_fewer_clips_are_part_of_more_and_none_is_set_aside():
    store = store_of([f"v{number // 4}" for number in range(40)])
    few, more = learnt_from(store, aside=0.2, most=10), learnt_from(store, aside=0.2, most=25)
    assert len(few) == 10
    assert set(few) < set(more) < set(learnt_from(store, aside=0.2))
    assert not set(learnt_from(store, aside=0.2)) & set(set_aside(store, 0.2))
    assert more == sorted(more)
    assert learnt_from(store, most=400) == learnt_from(store) == list(range(40))


def test_few_clips_are_of_few_videos():
    videos = [f"v{number % 10}" for number in range(40)]
    assert len({videos[place] for place in learnt_from(store_of(videos), most=8)}) == 2
