"""What is rendered can be read: voice and face from their own streams, and when they peak."""

import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from textmsa.demo_corpus import render_corpus
from textmsa.errors import UserError
from textmsa.inputs.time_grid import STANDARD_LIMIT
from textmsa.types import FeatureSequence

CLIPS = 160
Float = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Rendered:
    """The clips of a corpus as its makers and as its readers see them."""

    rows: list[dict[str, Any]]
    sizes: list[int]
    audio: list[FeatureSequence]
    video: list[FeatureSequence]

    def latent(self, name: str) -> Float:
        return np.array([row[name] for row in self.rows])


def extract(path: Path) -> tuple[FeatureSequence, FeatureSequence]:
    from textmsa.features.audio_librosa import LibrosaAudio
    from textmsa.features.video_mediapipe import MediapipeVideo
    from textmsa.media import read_media

    media = read_media(path)
    return LibrosaAudio().extract(media), MediapipeVideo().extract(media)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    out = tmp_path_factory.mktemp("readable") / "corpus"
    try:
        render_corpus(out, clips=CLIPS, seed=11, workers=2)
    except UserError as error:
        pytest.skip(f"no demo corpus here: {error}")
    rows = json.loads((out / "corpus.json").read_text())["clips"]
    paths = [out / "Raw" / row["video_id"] / f"{row['clip_id']}.mp4" for row in rows]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        audio, video = zip(*pool.map(extract, paths, chunksize=8), strict=True)
    return Rendered(rows, [path.stat().st_size for path in paths], list(audio), list(video))


def pooled(sequence: FeatureSequence) -> Float:
    values_TF = sequence.values_TF.astype(np.float64)
    percentiles = np.nanpercentile(values_TF, [0, 10, 25, 50, 75, 90, 100], axis=0)
    return np.concatenate([np.nanmean(values_TF, axis=0), np.nanstd(values_TF, axis=0), percentiles.ravel()])


def r2(features_NF: Float, target_N: Float, speakers_N: Float) -> float:
    """Of a ridge regression, on speakers that it was not fitted to.

    Features are kept within `STANDARD_LIMIT` deviations, as the network reads them: else one clip of an unheard
    speaker (eSpeak does not speak twice alike) can be predicted far outside the range and decide the figure.
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.metrics import r2_score
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    bounded = FunctionTransformer(np.clip, kw_args={"a_min": -STANDARD_LIMIT, "a_max": STANDARD_LIMIT})
    reader = make_pipeline(StandardScaler(), bounded, RidgeCV(np.logspace(0, 4, 13)))
    predicted = cross_val_predict(reader, features_NF, target_N, groups=speakers_N, cv=GroupKFold(5))
    return float(r2_score(target_N, predicted))


@pytest.mark.slow
@pytest.mark.parametrize(("stream", "latent"), [("audio", "a"), ("video", "v")])
def test_sentiment_is_read_from_its_own_stream(rendered: Rendered, stream: str, latent: str) -> None:
    features_NF = np.stack([pooled(sequence) for sequence in getattr(rendered, stream)])
    found = r2(features_NF, rendered.latent(latent), rendered.latent("speaker"))
    print(f"{latent} from {stream}: R2 {found:.3f}")
    assert found >= 0.8


@pytest.mark.slow
def test_duration_and_size_tell_nothing(rendered: Rendered) -> None:
    known_NF = np.column_stack([rendered.latent("duration"), rendered.sizes, np.log(rendered.sizes)])
    for name in ("label", "t", "a", "v", "k"):
        assert r2(known_NF, rendered.latent(name), rendered.latent("speaker")) < 0.05, name
    assert all(size == round(row["duration"] * 60_000) for row, size in zip(rendered.rows, rendered.sizes, strict=True))


def smoothed(values_T: Float, steps: int) -> Float:
    window = np.hanning(steps + 2)
    padded = np.pad(values_T, steps, mode="edge")
    return np.convolve(padded, window / window.sum(), mode="same")[steps:-steps]


def voice_apex(sequence: FeatureSequence) -> float:
    """Where log F0 and loudness together are highest, against the clip's own."""
    f0_T, loud_T = (sequence.column(name).astype(np.float64) for name in ("log_f0", "mfcc_0"))
    voiced, speech = np.isfinite(f0_T), loud_T > np.percentile(loud_T, 30)
    pitch_T = np.where(voiced, f0_T - np.median(f0_T[voiced]), 0) / np.std(f0_T[voiced])
    volume_T = np.maximum((loud_T - np.median(loud_T[speech])) / np.std(loud_T[speech]), -1)
    steps = round(0.5 / (sequence.times_T[1] - sequence.times_T[0]))
    return float(sequence.times_T[np.argmax(smoothed(pitch_T + volume_T, steps))])


def face_apex(sequence: FeatureSequence) -> float:
    """Where the head is lowest: it nods at the apex, whatever the expression."""
    return float(sequence.times_T[np.argmin(smoothed(sequence.column("translation_y").astype(np.float64), 5))])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stream", "read", "event", "least_share"),
    [("audio", voice_apex, "voice_apex", 0.8), ("video", face_apex, "face_apex", 0.95)],
)
def test_apex_is_read_to_a_fifth_of_a_second(
    rendered: Rendered, stream: str, read: Callable[[FeatureSequence], float], event: str, least_share: float
) -> None:
    times_N = np.array([read(sequence) for sequence in getattr(rendered, stream)])
    error_N = np.abs(times_N - rendered.latent(event))
    share = float(np.mean(error_N <= 0.2))
    print(f"{event}: median error {np.median(error_N):.3f} s, {share:.1%} within 0.2 s")
    assert np.median(error_N) <= 0.2
    assert share >= least_share
