"""What an unfinished preparation has written, after it was stopped in the middle of a line, more than once."""

from pathlib import Path

from textmsa.prepare.parts import installed_preparation
from textmsa.prepare.work_folder import HEARD, LINES, WorkFolder
from textmsa.types import Clip, Explanation, Transcript

CLIPS = [Clip(f"v$_${number}", Path(f"{number}.mp4"), None) for number in range(3)]


def opened(folder: Path) -> WorkFolder:
    """As the next run finds it."""
    preparation = installed_preparation(audio="librosa", video="mediapipe", explainer="measured", options={})
    return WorkFolder(folder, preparation, None)


def cut_short(path: Path) -> None:
    """As a kill, or a full disk, leaves the line that was being written."""
    data = path.read_bytes()
    path.write_bytes(data[: data.index("ä".encode(), data.rfind(b"\n", 0, -1) + 1) + 1])  # in the middle of a letter


def test_what_was_heard_survives_being_stopped_in_a_line_twice(tmp_path):
    work = opened(tmp_path)
    for clip in CLIPS[:2]:
        work.add_transcript(clip, Transcript(f"wär {clip.id}", "speech recognition", made_of="key"))
    cut_short(tmp_path / HEARD)
    work = opened(tmp_path)
    assert [identity for identity, _ in work.heard] == ["v$_$0"]
    for clip in CLIPS[1:]:
        work.add_transcript(clip, Transcript(f"wär {clip.id}", "speech recognition", made_of="key"))
    cut_short(tmp_path / HEARD)
    heard = opened(tmp_path).heard
    assert {identity: said.text for (identity, _), said in heard.items()} == {
        "v$_$0": "wär v$_$0",
        "v$_$1": "wär v$_$1",
    }


def test_what_was_explained_survives_being_stopped_in_a_line_twice(tmp_path):
    for first in (0, 1):
        work = opened(tmp_path)
        for clip in CLIPS[first : first + 2]:
            work.add_explanation(clip, "key", Explanation(text=f"wär {clip.id}"))
        cut_short(tmp_path / LINES)
    assert [identity for identity, _ in opened(tmp_path).explained] == ["v$_$0", "v$_$1"]
