"""The process in which one long video is analyzed, as `textmsa analyze` does it, within the job's own folder.

The folder is where the process works, and all that it is given lies in it under names of ours: so no file that comes
out names a place of this machine, or what a client called its file.
"""

import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from textmsa.errors import TextMsaError, first_line, reason_of
from textmsa.runtime.progress import Meter, watched
from textmsa.serve.child import Answer, Progress
from textmsa.serve.worker import CLIP, check_file, too_long, without_places

if TYPE_CHECKING:
    from textmsa.analyze.command import AnalyzeResult
    from textmsa.run import Precision

RUN, SPEECH = "RUN", "SPEECH"  # what a run's and a speech model's folder are called in what comes out
OUT = "out"
TIMELINE = "timeline.json"
RESULTS = (TIMELINE, "timeline.csv", "timeline.srt", "timeline.eaf", "timeline.png", "timeline.html")
"""What may come out; what else lies in `OUT` is the analysis' own. A test holds it against `textmsa.analyze`."""
TEXTS = (".eaf", ".html", ".json")
LOADING, LISTENING, ANALYZING = "loading", "listening", "analyzing"


@dataclass(frozen=True)
class AnalysisTask:
    """What is asked of the process."""

    folder: Path
    """Holds the file, `CLIP`, and takes the results in `OUT`."""
    subtitles: str | None
    """The name of their file in the folder; None where the words are to be recognised."""
    model: str
    """As `textmsa.load` takes it."""
    precision: "Precision"
    speech_model: str
    seconds: float
    """That the file may last."""
    streams: int


def analyze_in_folder(connection: Connection, task: AnalysisTask) -> None:
    """Do it, saying now and then how far it is, and answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection.send(Progress(LOADING, 0.0, 1.0, None))
    try:
        answer = Answer(200, summary(_analyzed(task, connection.send)))
    except (TextMsaError, ModuleNotFoundError) as error:
        answer = Answer(422, {"reason": _told(first_line(error, limit=500), task)})
    except BrokenPipeError:
        return  # nobody waits any longer
    except Exception as error:
        answer = Answer(500, {"reason": _told(first_line(RuntimeError(reason_of(error))), task)})
    connection.send(answer)


def _told(reason: str, task: AnalysisTask) -> str:
    """Without the places of this machine."""
    run = {RUN: Path(task.model)} if Path(task.model).is_absolute() else {}
    return without_places(reason, CLIPS=task.folder, **run)


def summary(result: "AnalyzeResult") -> dict[str, float | int | None]:
    """Of a result, what is told with the job's end."""
    timeline = result.timeline
    return {
        "duration": round(timeline.duration, 3),
        "utterances": len(timeline.utterances),
        "scored": len(timeline.scored),
        "failed": len(timeline.failed),
        "mean": None if timeline.mean is None else round(timeline.mean, 5),
    }


def _analyzed(task: AnalysisTask, tell: Callable[[Progress], None]) -> "AnalyzeResult":
    from textmsa.analyze.command import analyze
    from textmsa.model.everyday import EVERYDAY

    model, speech = task.model, task.speech_model
    if model != EVERYDAY:
        model = _linked(task.folder / RUN, Path(model))
    if task.subtitles is None and Path(speech).is_dir():
        speech = _linked(task.folder / SPEECH, Path(speech))
    sys.path[:] = [os.path.abspath(place) for place in sys.path]  # '' is the folder in which the server was started
    os.chdir(task.folder)
    check_file(Path(CLIP), seconds=task.seconds, streams=task.streams)

    def pass_on(meter: Meter) -> None:
        if meter.done > task.seconds + 1:  # of a file that says it is shorter, or does not say
            raise too_long(meter.done, task.seconds)
        step = LISTENING if meter.label.startswith("listening") else ANALYZING
        tell(Progress(step, meter.done, meter.total, meter.seconds_left))

    with watched(pass_on):
        result = analyze(
            Path(CLIP),
            out=Path(OUT),
            model=model,
            subtitles=None if task.subtitles is None else Path(task.subtitles),
            transcribe=task.subtitles is None,
            speech_model=speech if task.subtitles is None else None,
            precision=task.precision,
        )
    _without_folder(task.folder)
    return result


def _linked(link: Path, place: Path) -> str:
    link.symlink_to(place.resolve())
    return link.name


def _without_folder(folder: Path) -> None:
    """Some files name the media by its whole path: by its name is enough."""
    for path in Path(OUT).iterdir():
        if path.name in RESULTS and path.suffix in TEXTS:
            text = path.read_bytes().decode()
            plain = text.replace(Path(CLIP).resolve().as_uri(), f"./{CLIP}")  # which may be a link
            for place in (folder, folder.resolve()):
                plain = plain.replace(f"{place.as_uri()}/", "./").replace(f"{place}/", "")
            if plain != text:
                path.write_bytes(plain.encode())
