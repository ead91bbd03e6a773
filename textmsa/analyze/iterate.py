"""The utterances of a video of any length, one after the other, scored as they are decoded; nothing is written."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

from textmsa.analyze.command import check_parts, check_video
from textmsa.analyze.job import STRETCH, Listener
from textmsa.analyze.stream import MediaStream, open_stream
from textmsa.analyze.utterances import Utterance, from_speech, from_subtitles
from textmsa.clip_predictor import ClipOutcome, ClipPredictor
from textmsa.errors import ClipError, UnreadableClip, UserError
from textmsa.model.everyday import EVERYDAY
from textmsa.predict import load
from textmsa.speech.recognise import SpeechRecogniser
from textmsa.speech.subtitles import read_subtitles, subtitles_beside


def utterances(
    video: Path | str,
    *,
    predictor: ClipPredictor | None = None,
    subtitles: Path | str | None = None,
    recogniser: Listener | None = None,
) -> Iterator[ClipOutcome]:
    """Score the utterances of a video or sound file of any length, by the ends of their windows.

    The file is decoded once, while what is yielded is asked for; what lies behind is let go, so that memory does not
    grow with its length (`textmsa analyze` writes files and can be stopped and gone on with).

    Gives a `ClipOutcome` with `start`, `end` (s) and `text` for each utterance, none at all where nobody says a word;
    what could not be scored has `failed`.

    Parameters
    ----------
    video
        The file.
    predictor
        What scores, of `textmsa.load`; without it the model that comes with the package.
    subtitles
        What is said and when, a .srt or .vtt file; without it, and without a recogniser, one beside the video.
    recogniser
        Listens to the whole file first, a `textmsa.speech.recognise.SpeechRecogniser`; without it, and without
        subtitles, the default one does.

    Raises UserError, before the first of them, for a file that cannot be read and for broken subtitles.
    """
    video = Path(video)
    check_video(video)
    if subtitles is not None and recogniser is not None:
        raise UserError(f"{subtitles}: subtitles and a recogniser: give one of them")
    predictor = load(EVERYDAY) if predictor is None else predictor
    check_parts(predictor.preparation)
    written = Path(subtitles) if subtitles is not None else None if recogniser else subtitles_beside(video)
    if written is not None:
        return _scored(video, from_subtitles(read_subtitles(written)), predictor)
    try:
        heard = list((recogniser or SpeechRecogniser()).spans(video))
    except UnreadableClip as error:
        raise UserError(f"{video}: no speech can be heard ({error}); give subtitles") from error
    return _scored(video, from_speech(heard, None), predictor)


def _scored(video: Path, spoken: Sequence[Utterance], predictor: ClipPredictor) -> Iterator[ClipOutcome]:
    plan = sorted(spoken, key=lambda utterance: (utterance.last, utterance.first))
    fitting = [utterance for utterance in plan if utterance.too_long is None]
    needed = list(accumulate((utterance.first for utterance in reversed(fitting)), min))
    """From which tenth on something is needed, the last first."""
    reached = 0
    with open_stream(video, cuts=[utterance.last for utterance in fitting]) as stream:
        for utterance in plan:
            if utterance.too_long is None:
                reached = _passed(stream, reached, needed.pop())
            yield _outcome(video, utterance, stream, predictor)


def _passed(stream: MediaStream, reached: int, needed: int) -> int:
    """Decode what nobody needs and let it go, a piece at a time; gives the tenth up to which that is done."""
    while reached + STRETCH <= needed and not stream.finished:
        reached += STRETCH
        stream.take(reached - STRETCH, reached)
        stream.drop(reached)
    stream.drop(needed)
    return max(reached, needed)


def _outcome(video: Path, utterance: Utterance, stream: MediaStream, predictor: ClipPredictor) -> ClipOutcome:
    told = ClipOutcome(
        utterance.number, str(video), start=utterance.start, end=utterance.end, text=utterance.spoken.text
    )
    if utterance.too_long is not None:
        return replace(told, failed=utterance.too_long)
    media = stream.take(utterance.first, utterance.last)
    if media.duration <= 0:
        return replace(told, failed=f"begins at {utterance.start:.1f} s, and the file ends at {stream.end:.1f} s")
    try:
        prediction, _ = predictor.scored_media(media, utterance.spoken)
    except ClipError as error:
        return replace(told, failed=str(error))
    return replace(told, prediction=prediction)
