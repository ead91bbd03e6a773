"""What a preparation has done so far, clip by clip, so that it can be stopped at any moment and go on.

Observations are kept one file a clip, explanations as lines that are only ever added. Both are looked up by keys that
change with whatever they were made from; a finished store is searched first.
"""

import hashlib
import json
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, overload

import numpy as np

from textmsa import seams
from textmsa.runtime.atomic import replacing, understood
from textmsa.store.preparation import Preparation
from textmsa.store.reading import Store
from textmsa.store.writing import explanation_line
from textmsa.types import Clip, Explanation, FeatureSequence, FeatureSpec, Observation, RecogniserSpec, Transcript

RECORD_VERSION = 1
"""Raise it when `observe` or `media.py` changes what is observed; records and stores are then made anew."""
LINES = "explanations.jsonl"
HEARD = "transcripts.jsonl"


def save_record(path: Path, observation: Observation) -> None:
    """Write what media and extractors gave, at once or not at all; transcript and path stay with the corpus."""
    missing = {modality: reason for modality, reason in observation.missing.items() if modality != "text"}
    about = {"duration": observation.duration, "missing": missing, "damage": observation.damage}
    arrays = {"about": np.array(json.dumps(about))}
    for modality in ("audio", "video"):
        sequence: FeatureSequence | None = getattr(observation, modality)
        if sequence is not None:
            arrays |= {f"{modality}_values": sequence.values_TF, f"{modality}_times": sequence.times_T}
    with replacing(path, shared=True) as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]


def load_record(path: Path, clip: Clip, preparation: Preparation) -> Observation:
    """The observation of `clip` from its record."""
    with np.load(path, allow_pickle=False) as arrays:
        about = json.loads(str(arrays["about"]))

        def sequence(modality: str, spec: FeatureSpec) -> FeatureSequence | None:
            if f"{modality}_values" not in arrays:
                return None
            return FeatureSequence(arrays[f"{modality}_values"], arrays[f"{modality}_times"], spec.names)

        audio, video = sequence("audio", preparation.audio), sequence("video", preparation.video)
    return observation_of(clip, about["duration"], audio, video, about["missing"], about.get("damage"))


def observation_of(
    clip: Clip,
    duration: float | None,
    audio: FeatureSequence | None,
    video: FeatureSequence | None,
    missing: dict[str, str],
    damage: str | None,
) -> Observation:
    """What was measured of a clip, with the transcript that the corpus gives it now."""
    reasons = {modality: reason for modality, reason in missing.items() if modality != "text"}
    why = clip.spoken.reason if clip.spoken is not None else None
    text = {"text": why or "no transcript"} if clip.transcript is None else {}
    return Observation(clip.path, clip.transcript, duration, audio, video, text | reasons, damage)


class WorkFolder:
    """Looks up what is done, in a finished store and in the folder of an unfinished run."""

    def __init__(self, folder: Path, preparation: Preparation, finished: Store | None) -> None:
        self.folder, self.preparation, self.finished = folder, preparation, finished
        self.records = folder / "observations"
        self.records.mkdir(parents=True, exist_ok=True)
        self.stored: dict[tuple[str, str], int] = {}
        self.explained: dict[tuple[str, str], Explanation] = {}
        self.heard: dict[tuple[str, str], Transcript] = {}
        """(id, key) -> what speech recognition heard."""
        self._stored_missing: list[dict[str, str]] = []
        self._sources: dict[str, str | None] = {}
        self._beside = _readers_beside(preparation)
        if finished is not None:
            keys = zip(finished.column("id"), finished.column("source"), strict=True)
            self.stored = {key: index for index, key in enumerate(keys)}
            self.explained = _stored_explanations(finished)
            self._stored_missing = [json.loads(text) for text in finished.column("missing")]
            spoken = {clip.id: clip.spoken for clip in finished.clips() if clip.spoken is not None}
            self.heard = {(identity, said.made_of): said for identity, said in spoken.items() if said.made_of}
        self.explained |= _read_lines(folder / LINES)
        self.heard |= _read_heard(folder / HEARD)

    def source(self, clip: Clip) -> str | None:
        """A key of the clip's media file, of what extractors read beside it and of these; None without a media file."""
        if clip.id not in self._sources:
            self._sources[clip.id] = self._source(clip)
        return self._sources[clip.id]

    def _source(self, clip: Clip) -> str | None:
        try:
            media = os.stat(clip.path)
        except OSError:
            return None
        if not stat.S_ISREG(media.st_mode):
            return None
        extractors = [asdict(self.preparation.audio), asdict(self.preparation.video)]
        beside = [_state(path) for sources in self._beside for path in sources(clip.path)]
        return _key(RECORD_VERSION, media.st_size, media.st_mtime_ns, clip.transcript is None, *extractors, *beside)

    def hearing_key(self, clip: Clip, recogniser: RecogniserSpec) -> str | None:
        """A key of the clip's media file and of who listens to it; None without a media file."""
        name, size, time = _state(clip.path)
        return None if size < 0 else _key(name, size, time, asdict(recogniser))

    def add_transcript(self, clip: Clip, heard: Transcript) -> None:
        """Remember what was heard, under its key `made_of`; it survives the process from here on."""
        assert heard.made_of is not None
        self.heard[clip.id, heard.made_of] = heard
        with (self.folder / HEARD).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps({"id": clip.id, **asdict(heard)}, ensure_ascii=False) + "\n")

    def record(self, clip: Clip) -> Path:
        """The file that holds or will hold the clip's observation."""
        return self.records / f"{_key(clip.id, self.source(clip))}.npz"

    def is_observed(self, clip: Clip) -> bool:
        """Whether the clip needs no more work."""
        return (clip.id, self.source(clip) or "") in self.stored or self.record(clip).is_file()

    def observation(self, clip: Clip) -> Observation:
        """What was observed of a clip for which `is_observed` holds."""
        index = self.stored.get((clip.id, self.source(clip) or ""))
        if index is None or self.finished is None:
            return load_record(self.record(clip), clip, self.preparation)
        stored = self.finished[index].observation
        return observation_of(clip, stored.duration, stored.audio, stored.video, stored.missing, stored.damage)

    def missing(self, clip: Clip) -> dict[str, str]:
        """Modality -> reason, of an observed clip; its features are not read."""
        index = self.stored.get((clip.id, self.source(clip) or ""))
        if index is not None:
            missing = self._stored_missing[index]
        else:
            with np.load(self.record(clip), allow_pickle=False) as arrays:
                missing = json.loads(str(arrays["about"]))["missing"]
        return observation_of(clip, 0.0, None, None, missing, None).missing

    def explanation_source(self, clip: Clip, statistics_sha256: str) -> str:
        """A key of all that an explanation depends on; no label is among it."""
        explainer = asdict(self.preparation.explainer)
        return _key(self.source(clip), clip.transcript, statistics_sha256, explainer)

    def add_explanation(self, clip: Clip, key: str, explanation: Explanation) -> None:
        """Remember a new explanation; it survives the process from here on unless it failed."""
        self.explained[clip.id, key] = explanation
        if "failed" not in explanation.provenance:
            line = key + "\t" + explanation_line(clip.id, explanation)
            with (self.folder / LINES).open("a", encoding="utf-8") as lines:
                lines.write(line)


class Observations(Sequence[Observation]):
    """The observations of some clips, each read from disk when asked for: thousands need not fit in memory."""

    def __init__(self, work: WorkFolder, clips: Sequence[Clip]) -> None:
        self.work, self.clips = work, clips
        self.last_read: str | None = None
        """Id of the clip that was asked for last."""

    def __len__(self) -> int:
        return len(self.clips)

    @overload
    def __getitem__(self, index: int) -> Observation: ...
    @overload
    def __getitem__(self, index: slice) -> "Observations": ...
    def __getitem__(self, index: int | slice) -> "Observation | Observations":
        if isinstance(index, slice):
            return Observations(self.work, self.clips[index])
        clip = self.clips[index]
        self.last_read = clip.id
        return self.work.observation(clip)


def _readers_beside(preparation: Preparation) -> list[Callable[[Path], Sequence[Path]]]:
    """The member `sources` of the extractors that have one."""
    audio = seams.load(seams.AUDIO_EXTRACTORS, preparation.audio.extractor, what="audio extractor")
    video = seams.load(seams.VIDEO_EXTRACTORS, preparation.video.extractor, what="video extractor")
    return [class_.sources for class_ in (audio, video) if hasattr(class_, "sources")]


def _state(path: Path) -> tuple[str, int, int]:
    """What tells that a file has changed: its name, size and time; -1 where it is not there."""
    try:
        state = os.stat(path)
    except OSError:
        return path.name, -1, -1
    return path.name, state.st_size, state.st_mtime_ns


def _stored_explanations(store: Store) -> dict[tuple[str, str], Explanation]:
    """(id, key) -> explanation of those that did not fail."""
    keys = zip(store.column("id"), store.column("explanation_source"), strict=True)
    pairs = zip(keys, store.explanations(), strict=True)
    return {key: explanation for key, explanation in pairs if "failed" not in explanation.provenance}


def _read_lines(path: Path) -> dict[tuple[str, str], Explanation]:
    """(id, key) -> explanation from an unfinished run; raises UserError where the file is damaged."""
    explained = {}
    with understood(path, remedy="remove it and run again: what it holds is then explained anew"):
        for line in _whole_lines(path):
            key, _, text = line.partition("\t")
            document: dict[str, Any] = json.loads(text)
            identity = document.pop("id")
            explained[identity, key] = Explanation(**document)
    return explained


def _read_heard(path: Path) -> dict[tuple[str, str], Transcript]:
    """(id, key) -> what an unfinished run heard; raises UserError where the file is damaged."""
    heard = {}
    with understood(path, remedy="remove it and run again: what it holds is then heard anew"):
        for line in _whole_lines(path):
            document: dict[str, Any] = json.loads(line)
            identity = document.pop("id")
            transcript = Transcript.from_json(document)
            heard[identity, str(transcript.made_of)] = transcript
    return heard


def _whole_lines(path: Path) -> list[str]:
    """The lines of a file that a run adds to; one that was cut short is removed, so that none is joined to it."""
    if not path.is_file():
        return []
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        with path.open("rb+") as lines:
            lines.truncate(whole)
    return data[:whole].decode("utf-8").split("\n")[:-1]


def _key(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:32]
