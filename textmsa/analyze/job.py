"""The stages of an analysis: words -> utterances; one decode in which each is scored; a timeline of the records."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from textmsa.analyze.records import REMEDY, Records
from textmsa.analyze.stream import MediaStream, open_stream
from textmsa.analyze.timeline import Timeline, utterance_record
from textmsa.analyze.tracks import joined, tracks_of
from textmsa.analyze.utterances import TENTHS, Utterance, from_speech, from_subtitles
from textmsa.errors import ClipError, MissingModality, UnreadableClip, UserError, reason_of
from textmsa.predict import AnyPredictor
from textmsa.runtime.atomic import understood
from textmsa.runtime.progress import Meter
from textmsa.speech.recognise import NO_SPEECH, UNCLEAR, UNCLEAR_ENGLISH, Heard
from textmsa.speech.subtitles import read_subtitles
from textmsa.types import Prediction, Word

HEARD, SCORED = "heard.jsonl", "scored.jsonl"
STRETCH = 10 * TENTHS  # tenths of what is between utterances that are looked at together


class Listener(Protocol):
    """What hears words in a file: `SpeechRecogniser`, or another's."""

    english_only: bool
    """Whether it knows no other language."""

    def spans(self, path: Path, *, skip: int = 0) -> Iterator[Heard]:
        """The words of each span of speech, in order, without the first `skip` of them."""
        ...


@dataclass(frozen=True)
class Words:
    """The utterances of a file and where they come from."""

    utterances: list[Utterance]
    source: str
    """"subtitles" or "speech recognition"."""
    made_with: str | None
    reason: str | None = None
    """Why there are none."""


def words_of_subtitles(path: Path) -> Words:
    """The utterances of a file of subtitles; UserError where it is broken."""
    transcript = read_subtitles(path)
    return Words(from_subtitles(transcript), transcript.source, path.name)


def words_of_speech(video: Path, listener: Listener, model: str, folder: Path) -> Words:
    """The utterances that are heard; each span of speech is recorded and never heard again.

    Raises UserError where the folder's record is damaged.
    """
    records = Records(folder / HEARD)
    spans, reason, whole = [], None, False
    with understood(records.path, remedy=REMEDY):
        for record in records:
            whole, reason = record.get("done", False), record.get("reason")
            if not whole:
                spans.append(_heard_of(record))
    if not whole:
        unclear = UNCLEAR_ENGLISH if listener.english_only else UNCLEAR
        try:
            spans += _listened(video, listener, records, known=spans)
            reason = None if any(heard.words for heard in spans) else unclear if spans else NO_SPEECH
        except UnreadableClip as error:
            reason = f"no speech can be heard: {error}"
        records.add({"done": True, "reason": reason})
    return Words(from_speech(spans, model), "speech recognition", model, reason)


def _listened(video: Path, listener: Listener, records: Records, *, known: Sequence[Heard]) -> list[Heard]:
    spans = []
    done = int(known[-1].words[-1].end) if known and known[-1].words else 0
    meter = Meter(total=max(round(_claimed(video)), done), label="listening, seconds heard", done=done)
    try:
        for heard in listener.spans(video, skip=len(known)):
            records.add(asdict(heard))
            spans.append(heard)
            if heard.words:
                meter.advance(max(0, min(int(heard.words[-1].end), meter.total) - meter.done))
    except BaseException:
        meter.stop()
        raise
    meter.close()
    return spans


def _heard_of(record: dict[str, Any]) -> Heard:
    return Heard(**{**record, "words": tuple(Word(**word) for word in record["words"])})


def _claimed(video: Path) -> float:
    with open_stream(video) as stream:
        return stream.claimed


class Analysis:
    """One decode of a file in which its utterances are scored and the rest is looked at.

    Parameters
    ----------
    video
        The file.
    words
        Its utterances.
    predictor
        What scores.
    folder
        Where it is recorded; what is recorded there already is not done again.
    """

    def __init__(self, video: Path, words: Words, predictor: AnyPredictor, folder: Path) -> None:
        self.video, self.words, self.predictor = video, words, predictor
        self.records = Records(folder / SCORED)
        self.numbers: set[int] = set()
        self.stretches: set[int] = set()
        """First tenths of the stretches between utterances that are recorded."""
        self.ended = False
        with understood(self.records.path, remedy=REMEDY):
            for record in self.records:
                if "utterance" in record:
                    self.numbers.add(record["utterance"]["number"])
                elif "stretch" in record:
                    self.stretches.add(record["stretch"])
                else:
                    self.ended = True

    def run(self) -> None:
        """Do what is not recorded yet. Raises UnreadableClip where nothing of the file can be decoded."""
        if self.ended:
            return
        to_score = [u for u in self.words.utterances if u.too_long is None and u.number not in self.numbers]
        for utterance in self.words.utterances:
            if utterance.too_long is not None and utterance.number not in self.numbers:
                self._record(utterance, utterance.too_long, None)
        between = [piece for piece in _between(self.words.utterances) if piece[0] not in self.stretches]
        plan: list[tuple[int, int, Utterance | None]] = [(u.first, u.last, u) for u in to_score]
        plan += [(first, last, None) for first, last in between]
        plan.sort(key=lambda part: (part[1], part[0]))
        rest = max([u.last for u in self.words.utterances if u.too_long is None], default=0)
        while rest in self.stretches:
            rest += STRETCH
        begin = min([part[0] for part in plan], default=rest)
        cuts = [utterance.last for utterance in to_score]
        with open_stream(self.video, begin=begin / TENTHS, cuts=cuts) as stream:
            meter = Meter(total=max(1, round(stream.claimed)), label="analyzing, seconds done", done=begin // TENTHS)
            try:
                self._follow(stream, plan, rest, meter)
            except BaseException:
                meter.stop()
                raise
            meter.total = meter.done = max(round(stream.end), 1)
            meter.close()

    def _follow(
        self, stream: MediaStream, plan: Sequence[tuple[int, int, Utterance | None]], rest: int, meter: Meter
    ) -> None:
        """Take the parts of the plan, then all that comes after the last, to the file's end."""
        needed = _needed(plan, rest)
        for (first, last, utterance), before in zip(plan, needed, strict=True):
            if utterance is not None:
                self._score(stream, utterance)
            elif not (stream.finished and first / TENTHS >= stream.end):
                self._look(stream, first, last)
            stream.drop(before)
            meter.advance(max(0, min(last // TENTHS, meter.total) - meter.done))
        while True:
            if stream.finished and rest / TENTHS >= stream.end:
                break
            self._look(stream, rest, rest + STRETCH)
            rest += STRETCH
            stream.drop(rest)
            meter.advance(max(0, min(rest // TENTHS, meter.total) - meter.done))
        if not stream.end:
            raise UnreadableClip("nothing of it could be decoded")
        broken = stream.claimed - stream.end > max(0.5, 0.05 * stream.claimed)
        damage = f"breaks off at {stream.end:.1f} of {stream.claimed:.1f} s" if broken else None
        self.records.add({"end": stream.end, "missing": stream.missing, "damage": damage})
        self.ended = True

    def _score(self, stream: MediaStream, utterance: Utterance) -> None:
        media = stream.take(utterance.first, utterance.last)
        if media.duration <= 0:
            self._record(utterance, f"begins at {utterance.start:.1f} s, and the file ends at {stream.end:.1f} s", None)
            return
        try:
            prediction, observation = self.predictor.scored_media(media, utterance.spoken, contributions="words")
        except ClipError as error:
            self._record(utterance, str(error), None)
            return
        self._record(utterance, prediction, tracks_of(media, observation.audio, observation.video))

    def _record(self, utterance: Utterance, outcome: Prediction | str, tracks: dict[str, Any] | None) -> None:
        record = utterance_record(utterance, outcome)
        self.records.add({"utterance": record, "first": utterance.first, "tracks": tracks or {}})
        self.numbers.add(utterance.number)

    def _look(self, stream: MediaStream, first: int, last: int) -> None:
        """What is heard and seen where nothing is scored."""
        media = stream.take(first, last)
        record: dict[str, Any] = {"stretch": first, "first": first, "tracks": {}, "damage": media.damage}
        if media.duration > 0:
            video = None
            try:
                video = self.predictor.parts.video.extract(media) if media.frames is not None else None
            except MissingModality:
                pass  # nobody is seen: the tracks say so
            except UserError:
                raise
            except Exception as error:
                record["failed"] = reason_of(error)
            record["tracks"] = tracks_of(media, None, video)
        self.records.add(record)
        self.stretches.add(first)

    def timeline(self, model: dict[str, Any]) -> Timeline:
        """The timeline of what is recorded."""
        utterances, damage = [], []
        end: dict[str, Any] = {}
        with understood(self.records.path, remedy=REMEDY):
            for record in self.records:
                if "utterance" in record:
                    utterances.append(record["utterance"])
                elif "end" in record:
                    end = record
                at = f"near {record.get('first', 0) / TENTHS:.1f} s: "
                damage += [at + record[key] for key in ("damage", "failed") if "stretch" in record and record.get(key)]
            damage += [str(end["damage"])] if end["damage"] else []
            steps = math.ceil(end["end"] * TENTHS - 1e-6)
            stretches = ((record["first"], record["tracks"]) for record in self.records if "tracks" in record)
            tracks = joined(stretches, steps)
        words_from = {"source": self.words.source, "made_with": self.words.made_with, "reason": self.words.reason}
        return Timeline(
            file=str(self.video),
            duration=float(end["end"]),
            model=model,
            words_from=words_from,
            utterances=sorted(utterances, key=lambda record: record["number"]),
            tracks=tracks,
            missing=end["missing"],
            damage=damage,
        )


def _between(utterances: Sequence[Utterance]) -> Iterator[tuple[int, int]]:
    """(first, last) tenths of what lies before and between the utterances that are scored, in pieces."""
    reached = 0
    for utterance in sorted((u for u in utterances if u.too_long is None), key=lambda u: u.first):
        for first in range(reached, utterance.first, STRETCH):
            yield first, min(first + STRETCH, utterance.first)
        reached = max(reached, utterance.last)


def _needed(plan: Sequence[tuple[int, int, Utterance | None]], rest: int) -> list[int]:
    """For each part, the tenth from which on something is still needed after it."""
    needed = []
    earliest = rest
    for first, _, _ in reversed(plan):
        needed.append(earliest)
        earliest = min(earliest, first)
    return needed[::-1]
