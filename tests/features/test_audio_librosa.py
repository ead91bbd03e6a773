"""Voice features: known pitches are found, silence is no pitch, the clip's clock is kept."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from media_fixtures import CONTENTS, real_clip, regular, tone, write_clip

from textmsa.errors import MissingModality
from textmsa.features.audio_librosa import NAMES, LibrosaAudio
from textmsa.features.pitch import track_pitch
from textmsa.media import Media, read_media
from textmsa.types import FeatureSequence

RATE = 22_050


def media_of(waveform_N: npt.NDArray[np.float32] | None, *, start: float = 0.0) -> Media:
    seconds = 1.0 if waveform_N is None else len(waveform_N) / RATE
    missing = {"audio": "the file has no audio stream"} if waveform_N is None else {}
    return Media(Path("a.wav"), seconds, waveform_N, RATE, None, np.zeros(0), missing, audio_start=start)


def extract(waveform_N: npt.NDArray[np.float32], *, start: float = 0.0) -> FeatureSequence:
    return LibrosaAudio().extract(media_of(waveform_N, start=start))


def test_thirty_three_names() -> None:
    assert len(NAMES) == 33
    assert (NAMES[0], NAMES[1], NAMES[20], NAMES[21], NAMES[32]) == (
        "log_f0",
        "mfcc_0",
        "mfcc_19",
        "chroma_0",
        "chroma_11",
    )


@pytest.mark.parametrize("hertz", [75.0, 110.0, 180.0, 260.0, 440.0])
@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_known_pitch_is_found(hertz: float, noise: float) -> None:
    waveform_N = tone(1.0, hertz=hertz) + noise * np.random.default_rng(0).normal(size=RATE)
    pitch_T = track_pitch(waveform_N.astype(np.float32), sample_rate=RATE, hop=512)
    voiced_T = np.isfinite(pitch_T)
    assert voiced_T[3:-3].mean() > 0.95
    assert np.abs(1200 * np.log2(np.median(pitch_T[voiced_T]) / hertz)) < 15, "cents"


def test_gliding_pitch_is_followed() -> None:
    f0_N = np.linspace(120, 240, 2 * RATE)
    phase_N = 2 * np.pi * np.cumsum(f0_N) / RATE
    waveform_N = 0.1 * np.stack([np.cos(h * phase_N) / h for h in range(1, 11)]).sum(axis=0).astype(np.float32)
    pitch_T = track_pitch(waveform_N, sample_rate=RATE, hop=512)
    true_T = f0_N[np.minimum(np.arange(len(pitch_T)) * 512, len(f0_N) - 1)]
    off_T = np.abs(1200 * np.log2(pitch_T / true_T))[3:-3]
    assert np.nanmax(off_T) < 60
    assert np.isfinite(off_T).mean() > 0.95


def test_noise_and_silence_are_not_voiced() -> None:
    noise_N = (0.1 * np.random.default_rng(0).normal(size=RATE)).astype(np.float32)
    assert np.isfinite(extract(noise_N).column("log_f0")).mean() < 0.05
    half_N = np.concatenate([tone(0.5), np.zeros(RATE // 2, dtype=np.float32)])
    log_f0_T = extract(half_N).column("log_f0")
    assert np.isnan(log_f0_T[len(log_f0_T) // 2 + 3 :]).all()


def test_digital_silence_is_measured_as_a_pause() -> None:
    silent = extract(np.zeros(RATE, dtype=np.float32))
    assert np.isnan(silent.column("log_f0")).all()
    assert np.isnan(silent.column("chroma_0")).all()
    paused = extract(np.concatenate([tone(0.5), np.zeros(RATE // 2, dtype=np.float32)]))
    np.testing.assert_allclose(silent.column("mfcc_0")[0], paused.column("mfcc_0")[-1], rtol=1e-4)


def test_no_sound_is_missing_with_its_reason() -> None:
    with pytest.raises(MissingModality, match="no audio stream"):
        LibrosaAudio().extract(media_of(None))


def test_times_follow_the_clock() -> None:
    sequence = extract(tone(1.0), start=2.5)
    assert sequence.times_T[0] == 2.5
    np.testing.assert_allclose(np.diff(sequence.times_T), 512 / RATE)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("samples", [1, 10, 700, 5000])
def test_short_sounds_do_not_fail_or_warn(samples: int) -> None:
    sequence = extract(tone(1.0)[:samples])
    assert sequence.values_TF.shape == (1 + samples // 512, 33)
    assert np.isfinite(sequence.column("mfcc_0")).all()


def test_louder_is_louder_and_tone_colours_chroma() -> None:
    quiet, loud = extract(tone(1.0, hertz=220, level=0.03)), extract(tone(1.0, hertz=220, level=0.3))
    assert np.median(loud.column("mfcc_0") - quiet.column("mfcc_0")) > 60, "20 dB are 226 in bands that are not silent"
    chroma_TF = loud.values_TF[5:-5, 21:]
    assert np.median(chroma_TF.argmax(axis=1)) == 9, "A is nine semitones above C"


def test_pauses_and_order_of_clips_do_not_matter() -> None:
    extractor, first, second = LibrosaAudio(), media_of(tone(1.0)), media_of(tone(0.7, hertz=300))
    alone = extractor.extract(first).values_TF
    extractor.extract(second)
    np.testing.assert_array_equal(extractor.extract(first).values_TF, alone)


def test_through_a_file(tmp_path: Path) -> None:
    media = read_media(write_clip(tmp_path / "a.mp4", sound=tone(1.5, hertz=200)))
    pitch = np.exp(np.nanmedian(LibrosaAudio().extract(media).column("log_f0")))
    assert pitch == pytest.approx(200, rel=0.01)


OUTSIDE_SPEECH = ["shared/speaker_a.mp4", "shared/speaker_b.mp4", "shared/speech_only.wav"]


@pytest.mark.parametrize("name", ["speaker.mp4", "speech.flac", *OUTSIDE_SPEECH])
def test_real_speech_is_voiced_in_part(name: str) -> None:
    log_f0_T = LibrosaAudio().extract(read_media(real_clip(name))).column("log_f0")
    assert 0.3 < np.isfinite(log_f0_T).mean() < 0.8
    lowest, highest = CONTENTS[name]["pitch"] if name in CONTENTS else (80, 300)
    assert lowest < np.exp(np.nanmedian(log_f0_T)) < highest


@pytest.mark.parametrize("name", ["made", "shared/WolfgangLanger_Pexels.mp4"])
def test_silent_sound_track_of_a_real_clip_is_present(name: str, tmp_path: Path) -> None:
    silence_N = np.zeros(RATE, dtype=np.float32)
    path = write_clip(tmp_path / "a.mp4", times=regular(25), sound=silence_N) if name == "made" else real_clip(name)
    sequence = LibrosaAudio().extract(read_media(path))
    assert np.isnan(sequence.column("log_f0")).all()
    assert np.isfinite(sequence.column("mfcc_0")).all()
