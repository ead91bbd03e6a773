"""OpenFace 2.2's features, from its CSV files or its program.

OpenFace (Baltrusaitis et al. 2018; free for research only) is not part of this package. Either its tables lie beside
the clips (`clip.csv` beside `clip.mp4`), or the environment variable TEXTMSA_OPENFACE names its `FeatureExtraction`.

Shape suffixes: T frames, F features.
"""

import csv
import os
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from textmsa.errors import MissingModality, UserError, first_line
from textmsa.media import Media
from textmsa.types import FeatureSequence

PROGRAM = "TEXTMSA_OPENFACE"
SECONDS = 600  # for one clip
HEAD = ("frame", "face_id", "timestamp", "confidence", "success")
INTENSITIES = ("01", "02", "04", "05", "06", "07", "09", "10", "12", "14", "15", "17", "20", "23", "25", "26", "45")
PRESENCES = (*INTENSITIES[:-1], "28", "45")


def _numbered(prefixes: tuple[str, ...], count: int) -> tuple[str, ...]:
    return tuple(f"{prefix}_{i}" for prefix in prefixes for i in range(count))


NAMES = (
    *(f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"),
    "gaze_angle_x",
    "gaze_angle_y",
    *_numbered(("eye_lmk_x", "eye_lmk_y", "eye_lmk_X", "eye_lmk_Y", "eye_lmk_Z"), 56),
    *(f"pose_{kind}{axis}" for kind in "TR" for axis in "xyz"),
    *_numbered(("x", "y", "X", "Y", "Z"), 68),
    "p_scale",
    *(f"p_{kind}" for kind in ("rx", "ry", "rz", "tx", "ty")),
    *_numbered(("p",), 34),
    *(f"AU{unit}_r" for unit in INTENSITIES),
    *(f"AU{unit}_c" for unit in PRESENCES),
)
"""The 709 columns after `success`, as in CH-SIMS."""


class OpenfaceVideo:
    """Gaze, landmarks, head pose, shape parameters and action units, per frame; NaN where no face was found."""

    name = "openface"
    version = "1"
    names: tuple[str, ...] = NAMES

    @staticmethod
    def sources(path: Path) -> tuple[Path, ...]:
        """The table beside a clip, where there is one."""
        table = table_of(path)
        return (table,) if table.is_file() else ()

    def extract(self, media: Media) -> FeatureSequence:
        """Features at the frames' times. Raises MissingModality where no frame shows a face."""
        if "video" in media.missing:
            raise MissingModality(media.missing["video"])
        table = table_of(media.path)
        if table.is_file():
            return read_table(table)
        program = os.environ.get(PROGRAM)
        if not program:
            raise UserError(
                f"{table}: no such file; run OpenFace's FeatureExtraction on the clips and put its tables beside them, "
                f"or name the program in the environment variable {PROGRAM}"
            )
        return run_openface(Path(program), media.path)


def table_of(clip: Path) -> Path:
    """Where a clip's table lies."""
    return clip.with_suffix(".csv")


def run_openface(program: Path, clip: Path) -> FeatureSequence:
    """What the user's `FeatureExtraction` finds in a clip."""
    with tempfile.TemporaryDirectory() as folder:
        command = [str(program), "-f", str(clip.absolute()), "-out_dir", folder, "-q"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
        except OSError as error:
            raise UserError(
                f"{PROGRAM}={program}: cannot be run ({first_line(error)}); name OpenFace's FeatureExtraction"
            ) from error
        tables = sorted(Path(folder).glob("*.csv"))
        if done.returncode or not tables:
            said = " ".join((done.stderr or done.stdout).split())[-200:]
            raise RuntimeError(f"FeatureExtraction ended with {done.returncode} and {len(tables)} tables: {said}")
        return read_table(tables[0])


def read_table(path: Path) -> FeatureSequence:
    """The features of an OpenFace table; of several faces in a frame the one found with most confidence.

    Raises ValueError where the file is not such a table, MissingModality where no frame shows a face.
    """
    with path.open(encoding="utf-8", newline="") as stream:
        rows = csv.reader(stream)
        header = [name.strip() for name in next(rows, [])]
        lacking = [name for name in (*HEAD, *NAMES) if name not in header]
        if lacking:
            raise ValueError(f"{path}: not a table of OpenFace 2.2: has no column {lacking[0]!r}")
        table = np.array([[float(cell) for cell in row] for row in rows], np.float64).reshape(-1, len(header))
    column = {name: place for place, name in enumerate(header)}
    frame_R, confidence_R = table[:, column["frame"]], table[:, column["confidence"]]
    best_T = [rows[confidence_R[rows].argmax()] for rows in (np.flatnonzero(frame_R == f) for f in np.unique(frame_R))]
    chosen = table[best_T]
    values_TF = chosen[:, [column[name] for name in NAMES]].astype(np.float32)
    found_T = chosen[:, column["success"]] > 0
    if not found_T.any():
        raise MissingModality(f"no face in any of {len(found_T)} frames")
    values_TF[~found_T] = np.nan
    return FeatureSequence(values_TF, chosen[:, column["timestamp"]], NAMES)
