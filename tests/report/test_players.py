"""What a report's player is told of a clip."""

from pathlib import Path

import pytest

from textmsa.report.players import explained_player
from textmsa.types import Clip, Explanation, Observation, Sample


@pytest.mark.parametrize(
    ("missing", "heard"),
    [
        ({"video": "the file has no video stream"}, True),
        ({"video": "the file has cover art only, no video stream"}, True),
        ({"video": "no face in any picture"}, False),
        ({}, False),
    ],
)
def test_a_clip_without_moving_pictures_is_only_heard(tmp_path, missing, heard):
    path = tmp_path / "song.mp3"
    sample = Sample(Clip("a", path, None), Observation(path, None, 1.0, None, None, missing), Explanation())
    assert explained_player("place", sample, Explanation(), Path("page.html")).heard is heard
