"""In a worker process: one clip -> its observation, on disk."""

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from textmsa import seams
from textmsa.errors import ExtractorError, UnreadableClip, UserError, reason_of
from textmsa.features import Extractor
from textmsa.features.observe import observe
from textmsa.prepare.work_folder import save_record


@dataclass(frozen=True)
class ObservationTask:
    """One clip for a worker: small, since it is sent to another process."""

    path: Path
    transcript: str | None
    audio: str
    """Extractors by the names of their seams."""
    video: str
    record: Path
    """Where the observation goes."""


def work_on(task: ObservationTask) -> tuple[str, str] | None:
    """In a worker: observe one clip into its record; (stage, reason) where that fails. Raises UserError."""
    try:
        audio, video = _extractors(task.audio, task.video)
        observation = observe(task.path, task.transcript, audio=audio, video=video)
    except UnreadableClip as error:
        return "media", str(error)
    except ExtractorError as error:
        return error.modality, error.reason
    except UserError:
        raise
    except Exception as error:
        return "media", reason_of(error)
    save_record(task.record, observation)
    return None


@cache
def _extractors(audio: str, video: str) -> tuple[Extractor, Extractor]:
    """Built once in each worker, with OpenCV, which mediapipe brings, held to one thread."""
    built = (
        seams.load(seams.AUDIO_EXTRACTORS, audio, what="audio extractor")(),
        seams.load(seams.VIDEO_EXTRACTORS, video, what="video extractor")(),
    )
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(1)
    return built
