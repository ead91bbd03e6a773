"""The process that decodes and scores: it may be killed at any moment, and nothing but its request is lost."""

import json
import resource
import signal
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from textmsa.errors import TextMsaError, UnreadableClip, UserError, first_line, reason_of
from textmsa.serve.child import Answer

if TYPE_CHECKING:
    from textmsa.run import Precision

CLIP = "clip"
"""What the clip is called in an answer: neither the file of ours nor the name that a client gave."""

Kind = Literal["predict", "explain"]


@dataclass(frozen=True)
class Task:
    """What is asked of a worker."""

    kind: Kind
    path: Path
    text: str | None = None
    transcribe: bool = False
    contributions: Literal["modalities", "words", "time", "all"] = "modalities"
    tracks: bool = False


@dataclass(frozen=True)
class WorkerOptions:
    """What a worker is built from."""

    model: str
    """As `textmsa.load` takes it."""
    precision: "Precision"
    speech_model: str
    seconds: float
    streams: int


def work(connection: Connection, options: WorkerOptions) -> None:
    """Build the model, say so, and answer one task after another until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        predicting = _Predicting(options)
    except (TextMsaError, ModuleNotFoundError) as error:
        connection.send(Answer(503, {"reason": first_line(error)}))
        return
    connection.send(Answer(200, {}))
    while True:
        try:
            task: Task = connection.recv()
        except (EOFError, OSError):
            return
        connection.send(_answer(predicting, task))


def _answer(predicting: "_Predicting", task: Task) -> Answer:
    from textmsa.model.everyday import EVERYDAY

    def told(text: str) -> str:
        model = predicting.options.model
        run = {} if model == EVERYDAY else {"RUN": Path(model)}
        return without_places(text, clip=task.path, CLIPS=task.path.parent, **run)

    try:
        document = predicting.predict(task) if task.kind == "predict" else predicting.explain(task)
    except (TextMsaError, ModuleNotFoundError) as error:
        return Answer(422, {"reason": told(first_line(error, limit=500))})
    except Exception as error:
        return Answer(500, {"reason": told(first_line(RuntimeError(reason_of(error))))})
    return Answer(200, json.loads(told(json.dumps(document, ensure_ascii=False))))


def without_places(text: str, **places: Path) -> str:
    """A text that says a file's or folder's name for its place on this machine."""
    for name, place in places.items():
        for known in {str(place), str(place.resolve())}:
            text = text.replace(known, name)
    return text


class _Predicting:
    """A predictor with the checks that a stranger's file needs."""

    def __init__(self, options: WorkerOptions) -> None:
        from textmsa.predict import AnyPredictor, load

        self.options = options
        self.silent: AnyPredictor = load(options.model, precision=options.precision)
        self.silent.parts  # noqa: B018 built before the first clip comes
        self.listening: AnyPredictor | None = None

    def predict(self, task: Task) -> dict[str, Any]:
        """The prediction as `textmsa predict --json` prints it, with `tracks` where they are asked for."""
        from textmsa.analyze.clip_tracks import tracks_of
        from textmsa.prediction_text import as_json

        self._check(task.path)
        predictor = self._for(task)
        prediction, sample = predictor.scored(task.path, text=task.text)
        self._check_length(sample.observation.duration or 0.0)
        notes: list[str] = []
        for shown in ("words", "time"):
            if task.contributions not in (shown, "all"):
                continue
            try:
                prediction = predictor.with_changes(prediction, sample, shown)
            except UserError as error:
                if not task.tracks:
                    raise
                notes.append(first_line(error))
        document: dict[str, Any] = json.loads(as_json(replace(prediction, path=CLIP)))
        if task.tracks:
            document["tracks"] = tracks_of(task.path, sample.observation, prediction) | {"notes": notes}
        return document

    def explain(self, task: Task) -> dict[str, Any]:
        """What voice and face express, the words, and what is missing."""
        from dataclasses import asdict

        self._check(task.path)
        observed, spoken = self._for(task).observe(task.path, text=task.text)
        self._check_length(observed.observation.duration or 0.0)
        return {
            "transcript": observed.observation.transcript,
            "spoken": asdict(spoken),
            "explanation": asdict(observed.explanation),
            "missing": observed.observation.missing,
            "damage": observed.observation.damage,
        }

    def _for(self, task: Task) -> Any:
        """The predictor that listens, where that is asked for; built the first time."""
        if not task.transcribe or task.text is not None:
            return self.silent
        if self.listening is None:
            from textmsa.speech.recognise import SpeechRecogniser

            self.listening = self.silent.listening(SpeechRecogniser(self.options.speech_model))
        return self.listening

    def _check(self, path: Path) -> None:
        check_file(path, seconds=self.options.seconds, streams=self.options.streams)

    def _check_length(self, seconds: float) -> None:
        if seconds > self.options.seconds + 1:
            raise too_long(seconds, self.options.seconds)


def check_file(path: Path, *, seconds: float, streams: int) -> None:
    """Raises UserError for a file that says of itself that it is too much, or that is none; nothing is decoded."""
    from textmsa.media import opened

    try:
        with opened(path) as container:
            claimed, held = (container.duration or 0) / 1e6, len(container.streams)
    except UnreadableClip as error:
        raise UserError(f"cannot be read ({error}); send a video or audio file") from error
    if claimed > seconds + 1:
        raise too_long(claimed, seconds)
    if held > streams:
        raise UserError(
            f"holds {held} streams, at most {streams} are allowed: send one with a sound and a video stream"
        )


def too_long(seconds: float, most: float) -> UserError:
    """What is said of a file that lasts longer than allowed."""
    return UserError(f"lasts {seconds:.0f} s, at most {most:.0f} s are allowed: cut it")
