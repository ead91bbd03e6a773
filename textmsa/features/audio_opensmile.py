"""openSMILE's eGeMAPS low-level descriptors: the 25 features that CH-SIMS v2 uses.

The package `opensmile` (audEERING) is free for research only: `pip install 'textmsa[opensmile]'`.

Shape suffixes: N samples, T frames, F features.
"""

from typing import Any

import numpy as np

from textmsa.errors import MissingModality, UserError
from textmsa.media import Media
from textmsa.types import FeatureSequence

FORMANTS = ("frequency", "bandwidth", "amplitudeLogRelF0")
NAMES = (
    *(f"{name}_sma3" for name in ("Loudness", "alphaRatio", "hammarbergIndex", "slope0-500", "slope500-1500")),
    *(f"{name}_sma3" for name in ("spectralFlux", "mfcc1", "mfcc2", "mfcc3", "mfcc4")),
    *(f"{name}_sma3nz" for name in ("F0semitoneFrom27.5Hz", "jitterLocal", "shimmerLocaldB", "HNRdBACF")),
    *(f"{name}_sma3nz" for name in ("logRelF0-H1-H2", "logRelF0-H1-A3")),
    *(f"F{formant}{what}_sma3nz" for formant in (1, 2, 3) for what in FORMANTS),
)


class OpensmileAudio:
    """eGeMAPS v02 low-level descriptors, every 10 ms; what is not voiced is 0, as openSMILE gives it."""

    name = "opensmile"
    version = "1"
    names: tuple[str, ...] = NAMES

    def __init__(self) -> None:
        try:
            import opensmile
        except ImportError as error:
            raise UserError(
                "audio extractor 'opensmile': needs the package, which is free for research only: "
                "pip install 'textmsa[opensmile]'"
            ) from error
        self._smile: Any = opensmile.Smile(
            feature_set=opensmile.FeatureSet.eGeMAPSv02, feature_level=opensmile.FeatureLevel.LowLevelDescriptors
        )

    def extract(self, media: Media) -> FeatureSequence:
        """Features at the centres of the frames, on the clip's clock. Raises MissingModality without sound."""
        if media.waveform_N is None:
            raise MissingModality(media.missing.get("audio", "no audio"))
        table = self._smile.process_signal(media.waveform_N, media.sample_rate)
        centre_T = [(start + end).total_seconds() / 2 for start, end in table.index]
        values_TF = table[list(NAMES)].to_numpy(np.float32)
        return FeatureSequence(values_TF, media.audio_start + np.array(centre_T), NAMES)
