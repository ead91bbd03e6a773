"""What a test lets the process of a long video do instead of an analysis: the "video" says what, as JSON."""

import json
import os
import signal
import time
from pathlib import Path

from textmsa.serve.child import Answer, Progress


def pretend(connection, task) -> None:
    """Go `steps` steps with a `pause` after each, and end as the file says."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    told = json.loads((task.folder / "clip").read_text())
    (task.folder / "at_work").write_text(str(os.getpid()))
    steps = told.get("steps", 3)
    for step in range(steps):
        connection.send(Progress("analyzing", step, steps, None if step == 0 else 10.0 * (steps - step)))
        time.sleep(told.get("pause", 0.0))
    if told.get("end") == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if told.get("end") == "refuse":
        connection.send(Answer(422, {"reason": "clip: cannot be read (no film)"}))
        return
    if told.get("end") == "grow":
        held = bytearray(os.urandom(1000) * 400_000)
        time.sleep(30)
        assert held
    out = Path(task.folder) / "out"
    out.mkdir()
    words = None if task.subtitles is None else (task.folder / task.subtitles).read_text()
    (out / "timeline.json").write_text(json.dumps({"schema": "textmsa-timeline", "words": words}))
    (out / "timeline.csv").write_text("number,start\n0,0.5\n")
    (out / "claim.json").write_text("{}")
    connection.send(Answer(200, {"duration": 4.0, "utterances": 1, "scored": 1, "failed": 0, "mean": 0.5}))
