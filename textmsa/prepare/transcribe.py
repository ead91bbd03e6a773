"""The words of clips for which a corpus has none: from subtitles beside them, or by speech recognition."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from textmsa.errors import UserError, reason_of
from textmsa.prepare.work_folder import WorkFolder
from textmsa.runtime.progress import track
from textmsa.runtime.workers import Crew
from textmsa.speech.transcripts import transcript_of
from textmsa.types import Clip, RecogniserSpec, Transcript


@dataclass(frozen=True)
class HearingTask:
    """One clip for a worker."""

    path: Path
    model: str
    """As `--speech-model` has it."""


def hear(task: HearingTask) -> Transcript | str:
    """In a worker: what is said in a clip, or how the recogniser broke down on it. Raises UserError."""
    from textmsa.speech.recognise import shared_recogniser

    try:
        return shared_recogniser(task.model).transcribe(task.path)
    except UserError:
        raise
    except Exception as error:
        return reason_of(error)


def with_words(
    clips: Sequence[Clip], work: WorkFolder, recogniser: RecogniserSpec | None, *, workers: int
) -> Iterator[Clip]:
    """The clips, in their order, with `spoken` and `transcript` set where the corpus gives no words and some are found.

    What was heard by an earlier run is taken over where file and recogniser are the same. Raises UserError for broken
    subtitles, and where the recogniser is not installed.
    """
    silent = [clip for clip in clips if clip.transcript is None]
    if recogniser is None:
        found = {clip.id: transcript_of(clip.path) for clip in silent}
    else:
        found = _heard(silent, work, recogniser, workers=workers)
    for clip in clips:
        spoken = found.get(clip.id)
        told = spoken is not None and spoken.source != "none"
        yield replace(clip, transcript=spoken.text, spoken=spoken) if spoken is not None and told else clip


def _heard(
    clips: Sequence[Clip], work: WorkFolder, recogniser: RecogniserSpec, *, workers: int
) -> dict[str, Transcript]:
    """Clip's id -> what is said in it, of clips whose files are there."""
    keys = {clip.id: key for clip in clips if (key := work.hearing_key(clip, recogniser)) is not None}
    todo = {clip.id: clip for clip in clips if clip.id in keys and (clip.id, keys[clip.id]) not in work.heard}
    tasks = {HearingTask(clip.path, recogniser.model): clip for clip in todo.values()}
    done = len(keys) - len(tasks)
    failed: dict[str, Transcript] = {}
    outcomes = Crew(hear, workers=workers).each(list(tasks)) if tasks else iter(())
    for task, outcome in track(outcomes, total=len(keys), label="listening", done=done) if tasks else ():
        clip = tasks[task]
        if isinstance(outcome, Transcript):
            work.add_transcript(clip, replace(outcome, made_of=keys[clip.id]))
        else:  # tried again by the next run
            reason = f"speech recognition failed: {outcome}"
            failed[clip.id] = Transcript(None, "speech recognition", reason=reason, made_with=recogniser.model)
    return failed | {identity: work.heard[identity, key] for identity, key in keys.items() if identity not in failed}
