"""What a user waits for before anything happens."""

import subprocess
import sys
from pathlib import Path

from benchmarks.measure import Row, Timing, in_turn
from textmsa.predict import predict_clip
from textmsa.run import Run


def rows(run: Path, clip: Path, text: str, repeats: int) -> list[Row]:
    """The figures of start-up, with a finished run and one of its clips."""
    help_time = in_turn(
        {"help": lambda: subprocess.run([sys.executable, "-m", "textmsa", "--help"], check=True, capture_output=True)},
        7,
    )["help"]
    opened = Run.open(run)
    found = [predict_clip(opened, clip, text).seconds for _ in range(repeats + 1)]
    load = found[0]["load"]
    warm = Timing([seconds["prepare"] + seconds["score"] for seconds in found[1:]])
    return [
        Row("textmsa --help", "", help_time.text(), "", "0.5 s", help_time.median <= 0.5),
        Row(f"warm prediction of {clip.name}", "", warm.text(), "", "2.5 s for 8 s", warm.median <= 2.5),
        Row("- loading the model and extractors, once", "", f"{load:.1f} s", "", ""),
    ]
