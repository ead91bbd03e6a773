"""A face that can be moved: a photograph warped around its landmarks.

Shape suffixes: H height, W width, C colour channels, P landmarks, T frames.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Float32 = npt.NDArray[np.float32]

SIZE = 320  # pixels, both ways
CROP_TOP, CROP_LEFT, CROP_SIZE = 8, 128, 200
"""The head in `skimage.data.astronaut()` (NASA, public domain), which is 512 x 512."""
POINTS = {
    "mouth_left": 61,
    "mouth_right": 291,
    "upper_lip": 13,
    "lower_lip": 14,
    "chin": 152,
    "forehead": 10,
    "nose": 1,
    "upper_lid_left": 159,
    "lower_lid_left": 145,
    "upper_lid_right": 386,
    "lower_lid_right": 374,
    "brow_inner_left": 107,
    "brow_inner_right": 336,
    "brow_outer_left": 105,
    "brow_outer_right": 334,
}
"""Name -> index in MediaPipe's 478 landmarks; left and right are the viewer's."""
NAMES = tuple(POINTS)


@dataclass(frozen=True)
class Portrait:
    """A photograph of a face and where its landmarks lie."""

    picture_HWC: Picture
    points_P2: npt.NDArray[np.float64]
    """Pixels (x, y), in the order of `NAMES`."""

    def point(self, name: str) -> npt.NDArray[np.float64]:
        """Pixels (x, y) of one landmark."""
        point_2: npt.NDArray[np.float64] = self.points_P2[NAMES.index(name)]
        return point_2

    @property
    def eye_distance(self) -> float:
        """Pixels between the eyes: the unit in which movements are given."""
        left, right = (self.point(f"upper_lid_{side}") for side in ("left", "right"))
        return float(np.hypot(*(right - left)))


@dataclass(frozen=True)
class Looks:
    """How a speaker differs from the photograph."""

    width: float = 1.0
    height: float = 1.0
    tilt: float = 0.0
    """Radians, clockwise."""
    jaw_width: float = 0.0
    """In eye distances, added on either side."""
    mirrored: bool = False
    brightness: float = 1.0
    warmth: float = 0.0
    """Red against blue, about -0.1 to 0.1."""
    side_light: float = 0.0
    """Light from the left (negative) or right, about -0.25 to 0.25."""


def load_portrait() -> Portrait:
    """The astronaut's head with landmarks found by MediaPipe."""
    import cv2
    import skimage.data

    rows = slice(CROP_TOP, CROP_TOP + CROP_SIZE)
    cropped = skimage.data.astronaut()[rows, CROP_LEFT : CROP_LEFT + CROP_SIZE]
    picture_HWC = cv2.resize(cropped, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC)
    return Portrait(np.asarray(picture_HWC, dtype=np.uint8), _find_points(np.ascontiguousarray(picture_HWC)))


def _find_points(picture_HWC: Picture) -> npt.NDArray[np.float64]:
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    from textmsa.features.video_mediapipe import find_landmarker, quiet

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(find_landmarker())), num_faces=1
    )
    with quiet(), vision.FaceLandmarker.create_from_options(options) as landmarker:
        found = landmarker.detect(mp.Image(image_format=mp.ImageFormat.SRGB, data=picture_HWC))
    assert found.face_landmarks, "the photograph shows a face"
    marks = found.face_landmarks[0]
    return np.array([[marks[index].x * SIZE, marks[index].y * SIZE] for index in POINTS.values()])


def dress(portrait: Portrait, looks: Looks) -> Portrait:
    """The portrait with a speaker's geometry and light."""
    import cv2

    centre = np.array([SIZE / 2, SIZE / 2])
    cos, sin = np.cos(looks.tilt), np.sin(looks.tilt)
    matrix_22 = np.array([[cos, -sin], [sin, cos]]) @ np.diag([looks.width, looks.height])
    affine_23 = np.hstack([matrix_22, (centre - matrix_22 @ centre)[:, None]])
    picture_HWC = cv2.warpAffine(
        portrait.picture_HWC, affine_23, (SIZE, SIZE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    points_P2 = portrait.points_P2 @ matrix_22.T + affine_23[:, 2]
    shaped = _widen_jaw(Portrait(np.asarray(picture_HWC, dtype=np.uint8), points_P2), looks.jaw_width)
    return _light(_mirror(shaped) if looks.mirrored else shaped, looks)


def _widen_jaw(portrait: Portrait, by: float) -> Portrait:
    """Move both sides of the jaw outwards; the landmarks in use lie where the movement is nearly nothing."""
    import cv2

    x_HW, y_HW = _grid()
    unit, chin = portrait.eye_distance, portrait.point("chin")
    shift_HW = np.zeros((SIZE, SIZE), dtype=np.float32)
    for side in (-1, 1):
        at = chin + unit * np.array([side * 0.75, -0.45])
        shift_HW += side * by * unit * _bump(at, 0.35 * unit, 0.45 * unit)
    moved = cv2.remap(portrait.picture_HWC, x_HW - shift_HW, y_HW, cv2.INTER_CUBIC)
    return replace(portrait, picture_HWC=np.asarray(moved, dtype=np.uint8))


def _mirror(portrait: Portrait) -> Portrait:
    order = [NAMES.index(_other_side(name)) for name in NAMES]
    points_P2 = portrait.points_P2[order]
    points_P2[:, 0] = SIZE - 1 - points_P2[:, 0]
    return Portrait(np.ascontiguousarray(portrait.picture_HWC[:, ::-1]), points_P2)


def _other_side(name: str) -> str:
    if name.endswith("left"):
        return name.replace("left", "right")
    return name.replace("right", "left")


def _light(portrait: Portrait, looks: Looks) -> Portrait:
    across_W = 1 + looks.side_light * np.linspace(-1, 1, SIZE)
    colour_C = np.array([1 + looks.warmth, 1.0, 1 - looks.warmth])
    lit = portrait.picture_HWC * (looks.brightness * across_W[None, :, None] * colour_C)
    return replace(portrait, picture_HWC=np.clip(lit, 0, 255).astype(np.uint8))


class Puppet:
    """A portrait with one displacement field per control, computed once; a frame is their weighted sum.

    Controls: `smile` (-1 a frown, 0 neutral, 1 a smile), `brow` (-1 drawn together and down, 1 raised), `jaw`
    (0 closed, 1 open), `blink` (0 open, 1 shut), `nod` (1 is the head lowered), `sway` (sideways).
    """

    def __init__(self, portrait: Portrait) -> None:
        self.portrait = portrait
        fields = [*_mouth_fields(portrait), _brows(portrait), _jaw(portrait), _lids(portrait), *_head(portrait)]
        self._fields_KN = np.stack([field.reshape(-1) for field in fields])
        self._grid_N = np.stack(_grid()).reshape(-1)
        self._source_HWC = np.dstack([portrait.picture_HWC, _inside_mouth(portrait)])

    def frame(self, smile: float, brow: float, jaw: float, blink: float, nod: float, sway: float) -> Picture:
        """One picture (SIZE, SIZE, 3)."""
        import cv2

        rest = REST_MOUTH + smile * (SMILE if smile > 0 else FROWN)
        lift = brow if brow > 0 else BROW_DROP * brow
        weights_K = np.array([rest, max(-smile, 0.0), lift, jaw - JAW_REST, blink, nod, sway], dtype=np.float32)
        map_x, map_y = (self._grid_N - weights_K @ self._fields_KN).reshape(2, SIZE, SIZE)
        warped = cv2.remap(self._source_HWC, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        picture_HWC, inside_HW = cv2.cvtColor(warped, cv2.COLOR_RGBA2RGB), cv2.extractChannel(warped, 3)
        left, top, width, height = cv2.boundingRect(inside_HW)  # nothing darkens elsewhere
        mouth = np.s_[top : top + height, left : left + width]
        dark_HW = 1 - (0.8 * jaw / 255) * inside_HW[mouth].astype(np.float32)
        picture_HWC[mouth] = picture_HWC[mouth] * dark_HW[..., None]
        return np.asarray(picture_HWC, dtype=np.uint8)


REST_MOUTH = -0.13  # the photograph smiles: the corners' way back to a neutral mouth, in eye distances
SMILE, FROWN = 0.16, 0.09  # the corners' way for a full smile and a full frown, in eye distances
BROW_DROP = 1.8  # brows fall further than they rise, or the landmarker hardly sees it
JAW_REST = 0.35  # the mouth of the photograph is this far open


def _grid() -> tuple[Float32, Float32]:
    x_HW, y_HW = np.meshgrid(np.arange(SIZE, dtype=np.float32), np.arange(SIZE, dtype=np.float32))
    return x_HW, y_HW


def _bump(at: npt.NDArray[np.float64], width: float, height: float) -> Float32:
    x_HW, y_HW = _grid()
    exponent_HW = ((x_HW - at[0]) / width) ** 2 + ((y_HW - at[1]) / height) ** 2
    return np.asarray(np.exp(-exponent_HW / 2), dtype=np.float32)


def _move(bump_HW: Float32, x: float, y: float) -> Float32:
    """A displacement field (2, H, W) in pixels."""
    return np.stack([bump_HW * np.float32(x), bump_HW * np.float32(y)])


def _mouth_fields(portrait: Portrait) -> list[Float32]:
    """Corners out and up by one eye distance; and what a frown adds: corners down, the middle lips up."""
    unit = portrait.eye_distance
    corners = np.zeros((2, SIZE, SIZE), dtype=np.float32)
    droop = np.zeros((2, SIZE, SIZE), dtype=np.float32)
    for side, sign in (("left", -1), ("right", 1)):
        at = portrait.point(f"mouth_{side}")
        corners += _move(_bump(at, 0.24 * unit, 0.24 * unit), sign * unit, -0.8 * unit)
        cheek = at + unit * np.array([sign * 0.12, -0.5])
        corners += _move(_bump(cheek, 0.25 * unit, 0.2 * unit), 0.0, -0.3 * unit)
        droop += _move(_bump(at + np.array([0, 0.05 * unit]), 0.2 * unit, 0.2 * unit), 0.0, 0.12 * unit)
    droop += _move(_bump(portrait.point("lower_lip"), 0.18 * unit, 0.14 * unit), 0.0, -0.06 * unit)
    return [corners, droop]


def _brows(portrait: Portrait) -> Float32:
    unit = portrait.eye_distance
    field = np.zeros((2, SIZE, SIZE), dtype=np.float32)
    for side, sign in (("left", -1), ("right", 1)):
        inner, outer = portrait.point(f"brow_inner_{side}"), portrait.point(f"brow_outer_{side}")
        field += _move(_bump(inner, 0.22 * unit, 0.16 * unit), sign * 0.03 * unit, -0.11 * unit)
        field += _move(_bump(outer, 0.25 * unit, 0.16 * unit), 0.0, -0.09 * unit)
    return field


def _jaw(portrait: Portrait) -> Float32:
    """Lower lip and chin down by 0.13 eye distances; between the lips the picture stretches."""
    unit, chin = portrait.eye_distance, portrait.point("chin")
    x_HW, y_HW = _grid()
    top, lip = portrait.point("upper_lip")[1], portrait.point("lower_lip")[1]
    falls = _step((y_HW - top) / (lip - top + 0.04 * unit)) * _step((chin[1] + 0.9 * unit - y_HW) / (0.8 * unit))
    across = np.exp(-0.5 * (np.abs(x_HW - chin[0]) / (0.62 * unit)) ** 3)
    return _move(np.asarray(falls * across, dtype=np.float32), 0.0, 0.13 * unit)


def _lids(portrait: Portrait) -> Float32:
    """Upper lids onto the lower ones; the skin above them stretches."""
    unit = portrait.eye_distance
    x_HW, y_HW = _grid()
    field = np.zeros((2, SIZE, SIZE), dtype=np.float32)
    for side in ("left", "right"):
        upper, lower = portrait.point(f"upper_lid_{side}"), portrait.point(f"lower_lid_{side}")
        opening = lower[1] - upper[1]
        above = _step((y_HW - upper[1] + 2.2 * opening) / (2.2 * opening))
        below = _step((lower[1] + 1.0 * opening - y_HW) / (1.0 * opening))
        across = np.exp(-0.5 * (np.abs(x_HW - (upper[0] + lower[0]) / 2) / (0.2 * unit)) ** 4)
        field[1] += 1.05 * opening * above * below * across
    return field


def _head(portrait: Portrait) -> list[Float32]:
    """The whole head down, and to the right, by 0.1 eye distances; the features a little more than the outline."""
    unit = portrait.eye_distance
    centre = (portrait.point("forehead") + portrait.point("chin")) / 2
    x_HW, y_HW = _grid()
    r_HW = np.hypot((x_HW - centre[0]) / (1.9 * unit), (y_HW - centre[1] + 0.2 * unit) / (2.3 * unit))
    head = np.asarray(np.exp(-0.5 * r_HW**4), dtype=np.float32)
    features = _bump(centre + np.array([0, 0.1 * unit]), 0.5 * unit, 0.6 * unit)
    both = head + np.float32(0.25) * features
    return [_move(both, 0.0, 0.1 * unit), _move(both, 0.1 * unit, 0.0)]


def _step(x_HW: npt.NDArray[np.floating]) -> npt.NDArray[np.floating]:
    """0 up to 0, 1 from 1 on, smooth between."""
    x_HW = np.clip(x_HW, 0, 1)
    smooth_HW: npt.NDArray[np.floating] = x_HW * x_HW * (3 - 2 * x_HW)
    return smooth_HW


def _inside_mouth(portrait: Portrait) -> Picture:
    """255 towards the lower lip between the lips, 0 elsewhere: what darkens when the jaw drops."""
    unit = portrait.eye_distance
    upper, lower = portrait.point("upper_lip"), portrait.point("lower_lip")
    x_HW, y_HW = _grid()
    depth = (y_HW - upper[1]) / max(lower[1] - upper[1], 1)
    inside = _step((depth - 0.1) / 0.6) * _step((1.12 - depth) / 0.25)
    across = np.exp(-0.5 * (np.abs(x_HW - upper[0]) / (0.26 * unit)) ** 4)
    return np.asarray(255 * inside * across, dtype=np.uint8)
