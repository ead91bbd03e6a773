"""A video extractor that finds a face in single frames only, reached as "rare_faces:RareFace"."""

import numpy as np

from textmsa.explain.measured.facts import ACTION_UNITS
from textmsa.types import FeatureSequence

FACE_NAMES = (*(name for names in ACTION_UNITS.values() for name in names), "translation_y")


class RareFace:
    """A face in every fifteenth frame of 24 a second, whatever is shown."""

    name, version, names = "rare", "1", FACE_NAMES

    def extract(self, media: object) -> FeatureSequence:
        values_TF = np.full((60, len(FACE_NAMES)), np.nan, np.float32)
        values_TF[::15] = 0.5
        return FeatureSequence(values_TF, np.arange(60) / 24.0, FACE_NAMES)
