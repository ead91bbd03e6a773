"""What a voice does: pitch, timbre and harmony, frame by frame.

Shape suffixes: N samples, T frames, F features.
"""

import numpy as np

from textmsa.errors import MissingModality
from textmsa.features.pitch import track_pitch
from textmsa.media import Media
from textmsa.types import FeatureSequence, FloatArray

HOP = 512  # samples: 23 ms at 22,050 Hz, four frames in a window of the time grid
MFCCS = 20
QUIETEST = 1e-6  # power of a mel band that counts as silence (-60 dB): pauses look alike, digital or recorded
SILENT_CHROMA = 1e-5  # magnitude of a frame's loudest pitch class below which chroma is not defined
NAMES = ("log_f0", *(f"mfcc_{i}" for i in range(MFCCS)), *(f"chroma_{i}" for i in range(12)))


class LibrosaAudio:
    """Natural log of F0 in Hz, 20 MFCCs and 12 constant-Q chroma, every 512 samples at 22,050 Hz.

    F0 is YIN with a best path (`textmsa.features.pitch`), chosen by measurement in docs/features.md: on synthetic
    voices with known pitch it finds as much as pYIN at a twelfth of the time, with a quarter of the false
    voicing. Not voiced: NaN. Chroma is NaN where there is no sound. A sound track of digital silence is a
    measurement as well: its MFCCs are those of a pause, and nothing in it is voiced.
    """

    name = "librosa"
    version = "1"
    names: tuple[str, ...] = NAMES

    def extract(self, media: Media) -> FeatureSequence:
        """Features at the centres of the frames, on the clip's clock. Raises MissingModality without sound."""
        if media.waveform_N is None:
            raise MissingModality(media.missing.get("audio", "no audio"))
        waveform_N, rate = media.waveform_N, media.sample_rate
        values_TF = np.concatenate(
            [_log_f0(waveform_N, rate), _mfcc(waveform_N, rate), _chroma(waveform_N, rate)], axis=1
        )
        times_T = media.audio_start + np.arange(len(values_TF)) * HOP / rate
        return FeatureSequence(values_TF.astype(np.float32), times_T, NAMES)


def _log_f0(waveform_N: FloatArray, rate: int) -> FloatArray:
    return np.log(track_pitch(waveform_N, sample_rate=rate, hop=HOP))[:, None]


def _mfcc(waveform_N: FloatArray, rate: int) -> FloatArray:
    """MFCCs (T, 20) of an absolute level: loudness stays readable in the first."""
    import librosa

    power = librosa.feature.melspectrogram(y=_at_least(waveform_N, 2048), sr=rate, hop_length=HOP)
    decibel = librosa.power_to_db(power, ref=1.0, amin=QUIETEST, top_db=None)
    steps = 1 + len(waveform_N) // HOP
    return np.asarray(librosa.feature.mfcc(S=decibel, n_mfcc=MFCCS).T[:steps], dtype=np.float32)


def _chroma(waveform_N: FloatArray, rate: int) -> FloatArray:
    """Chroma (T, 12), loudest class 1; `tuning=0`, as speech is not tuned and a guess would shift whole clips."""
    import librosa

    steps = 1 + len(waveform_N) // HOP
    padded_N = _at_least(waveform_N, 65_536)  # the length of the lowest filter, below which librosa warns
    chroma = librosa.feature.chroma_cqt(y=padded_N, sr=rate, hop_length=HOP, tuning=0.0, norm=None).T[:steps]
    loudest = chroma.max(axis=1, keepdims=True)
    chroma = np.where(loudest > SILENT_CHROMA, chroma / np.maximum(loudest, SILENT_CHROMA), np.nan)
    return np.asarray(chroma, dtype=np.float32)


def _at_least(waveform_N: FloatArray, samples: int) -> FloatArray:
    return np.pad(waveform_N, (0, max(0, samples - len(waveform_N))))
