"""One clip -> what is said, heard and seen in it: one decode, both extractors, their contract checked.

Shape suffixes: T time steps, F features.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from textmsa.errors import ExtractorError, MissingModality, UnreadableClip, UserError, reason_of
from textmsa.features import Extractor
from textmsa.types import FeatureSequence, Observation

if TYPE_CHECKING:
    from textmsa.media import Media


def observe(clip: "Path | Media", transcript: str | None, *, audio: Extractor, video: Extractor) -> Observation:
    """What is said, heard and seen in a clip: a file, which is decoded once, or what was decoded of one already.

    A modality that the clip lacks is recorded in `missing`, with the reason.

    Raises
    ------
    UnreadableClip
        The file is absent, cannot be decoded, or neither text nor audio nor video is in it.
    ExtractorError
        An extractor raised something else than MissingModality, or gave what its contract forbids.
    """
    return with_transcript(measure(clip, audio=audio, video=video), transcript)


def measure(clip: "Path | Media", *, audio: Extractor, video: Extractor, together: bool = False) -> Observation:
    """As `observe`, of a clip whose words are not known yet; they are not counted as missing.

    With `together` both extractors work at the same time, each in a thread.
    """
    from textmsa.media import read_media

    media = read_media(clip) if isinstance(clip, Path) else clip
    extractors = {"audio": audio, "video": video}
    if together:
        with ThreadPoolExecutor(len(extractors)) as threads:
            begun = {name: threads.submit(_extracted, media, name, part) for name, part in extractors.items()}
            outcomes = {name: outcome.result() for name, outcome in begun.items()}
    else:
        outcomes = {name: _extracted(media, name, part) for name, part in extractors.items()}
    sequences = {name: outcome for name, outcome in outcomes.items() if not isinstance(outcome, str)}
    missing = {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, str)}
    duration = float(media.duration)
    return Observation(
        media.path, None, duration, sequences.get("audio"), sequences.get("video"), missing, media.damage
    )


def with_transcript(measured: Observation, transcript: str | None) -> Observation:
    """What was measured, with the words; raises UnreadableClip where there is nothing of it."""
    if transcript is None or not transcript.strip():
        transcript, missing = None, {"text": "no transcript", **measured.missing}
    else:
        missing = measured.missing
    if len(missing) == 3:
        raise UnreadableClip("; ".join(f"{modality}: {reason}" for modality, reason in missing.items()))
    return replace(measured, transcript=transcript, missing=missing)


def _extracted(media: "Media", modality: str, extractor: Extractor) -> FeatureSequence | str:
    """What an extractor gives of a clip, or why it lacks that modality."""
    try:
        return _checked(extractor.extract(media), extractor.names)
    except MissingModality as reason:
        return str(reason) or "the extractor gave no reason"
    except UserError:
        raise
    except Exception as error:
        raise ExtractorError(modality, f"{extractor.name}: {reason_of(error)}") from error


def _checked(sequence: FeatureSequence, names: tuple[str, ...]) -> FeatureSequence:
    """`sequence` as float32 over float64 seconds; ValueError where it breaks the contract of `Extractor`."""
    if tuple(sequence.names) != tuple(names):
        raise ValueError("the features it gave are not those it names")
    if not len(sequence.times_T):
        raise MissingModality("the extractor found no frame")
    values_TF = np.ascontiguousarray(sequence.values_TF, dtype=np.float32)
    times_T = np.ascontiguousarray(sequence.times_T, dtype=np.float64)
    if np.isinf(values_TF).any():
        raise ValueError("it gave infinite values")
    if not np.isfinite(times_T).all() or (np.diff(times_T) <= 0).any():
        raise ValueError("its times do not ascend")
    return FeatureSequence(values_TF, times_T, tuple(names))
