"""Tables as OpenFace writes them."""

import csv
from pathlib import Path

from textmsa.features.video_openface import HEAD, NAMES


def write_openface(
    path: Path, *, frames: int = 6, lost: tuple[int, ...] = (), faces: int = 1, spaces: bool = True
) -> None:
    """A table as FeatureExtraction writes it; the value of a feature is frame + column / 1000."""
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([(" " if spaces and i else "") + name for i, name in enumerate((*HEAD, *NAMES))])
        for frame in range(1, frames + 1):
            for face in range(faces):
                found = frame not in lost
                head = [frame, face, (frame - 1) / 25, 0.9 - 0.2 * face if found else 0, int(found)]
                writer.writerow([*head, *(round(frame + i / 1000 + 100 * face, 3) for i in range(len(NAMES)))])
