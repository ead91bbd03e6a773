"""The recordings mean what was put into them: a voice of a known pitch, a face that smiles when it was told to."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from media_fixtures import CONTENTS, RECORDINGS, real_clip

from textmsa.errors import MissingModality
from textmsa.explain.measured import MeasuredExplainer
from textmsa.explain.measured.facts import measure
from textmsa.features.audio_librosa import LibrosaAudio
from textmsa.features.video_mediapipe import MediapipeVideo
from textmsa.media import read_media
from textmsa.types import FeatureSequence, Observation


@cache
def observed(name: str) -> Observation:
    """The clip as preparation sees it."""
    media = read_media(real_clip(name))
    missing = dict(media.missing)
    try:
        video = MediapipeVideo().extract(media)
    except MissingModality as reason:
        video, missing = None, missing | {"video": str(reason)}
    audio = LibrosaAudio().extract(media)
    return Observation(media.path, CONTENTS[name]["text"], media.duration, audio, video, missing)


def sequence(name: str, modality: str) -> FeatureSequence:
    found = getattr(observed(name), modality)
    assert isinstance(found, FeatureSequence)
    return found


def test_they_are_small_and_told_of() -> None:
    files = [path for path in RECORDINGS.iterdir() if path.suffix in (".mp4", ".flac")]
    assert {path.name for path in files} == set(CONTENTS)
    assert sum(path.stat().st_size for path in files) < 400_000
    readme = (RECORDINGS / "README.md").read_text()
    assert all(name in readme for name in CONTENTS)


@pytest.mark.parametrize("name", CONTENTS)
def test_the_voice_has_its_own_pitch(name: str) -> None:
    pitch_T = np.exp(sequence(name, "audio").column("log_f0"))
    lowest, highest = CONTENTS[name]["pitch"]
    assert 0.9 * lowest < np.nanmedian(pitch_T) < 1.1 * highest


@pytest.mark.parametrize("name", CONTENTS)
def test_the_voice_is_raised_when_it_was_told_to(name: str) -> None:
    facts = measure(observed(name))
    assert facts["emphasis_at"] * CONTENTS[name]["duration"] == pytest.approx(CONTENTS[name]["voice_apex"], abs=0.3)
    assert facts["emphasis"] > 1


def test_the_face_smiles_and_raises_its_brows_when_it_was_told_to() -> None:
    face, apex = sequence("speaker.mp4", "video"), CONTENTS["speaker.mp4"]["face_apex"]
    assert face.column("face_present").mean() > 0.95
    away_T = np.abs(face.times_T - apex)
    for name, rise in (("mouthSmileLeft", 0.25), ("mouthSmileRight", 0.25), ("browInnerUp", 0.2)):
        values_T = face.column(name)
        assert np.nanmedian(values_T[away_T < 0.2]) > np.nanmedian(values_T[away_T > 0.7]) + rise, name
    assert measure(observed("speaker.mp4"))["apex_at"] * 3.2 == pytest.approx(apex, abs=0.3)


def test_what_is_missing_has_its_reason() -> None:
    assert observed("speaker.mp4").missing == {}
    assert observed("speech.flac").missing == {"video": "the file has no video stream"}
    assert observed("no_face.mp4").missing == {"video": "no face in any of 21 frames"}


def scaled(observation: Observation, factor: float) -> Observation:
    """The same clip, its smile weaker by the factor and its voice higher by as many octaves as it is below 1."""
    assert observation.audio is not None
    assert observation.video is not None
    audio_TF, video_TF = observation.audio.values_TF.copy(), observation.video.values_TF.copy()
    audio_TF[:, observation.audio.names.index("log_f0")] += (1 - factor) * np.log(2)
    for side in ("mouthSmileLeft", "mouthSmileRight"):
        video_TF[:, observation.video.names.index(side)] *= factor
    audio = replace(observation.audio, values_TF=audio_TF)
    return replace(observation, audio=audio, video=replace(observation.video, values_TF=video_TF))


def test_measured_explanations_speak_of_voice_and_face() -> None:
    """Beside clips that smile less and speak higher."""
    clip = observed("speaker.mp4")
    explainer = MeasuredExplainer(MeasuredExplainer.fit([scaled(clip, f) for f in np.linspace(0.2, 0.98, 21)]))
    explanation = explainer.explain(clip)
    assert explanation.audio is not None
    assert explanation.video is not None
    assert "very low" in explanation.audio
    assert "early, at 30%, apart from the head" in explanation.audio
    assert "far more" in explanation.video
    assert "late, at 80%, apart from the voice" in explanation.video
    assert explanation.text == "13 words, 1 exclamation mark, 1 negation; no question mark."
    alone = explainer.explain(observed("speech.flac"))
    assert alone.audio is not None
    assert alone.video is None
    assert alone.text == "10 words, 1 question mark; no exclamation mark, no negation."
    assert explainer.explain(observed("no_face.mp4")).video is None
