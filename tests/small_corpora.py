"""Tiny corpora of real clips in the MMSA layout, made by PyAV."""

import csv
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

COLUMNS = ["video_id", "clip_id", "text", "label", "label_T", "label_A", "label_V", "annotation", "mode"]


def write_clip(path: Path, *, seed: int, sound: bool = True, picture: bool = True, seconds: float = 0.6) -> None:
    """A tone over a flickering picture, both of their own for each seed."""
    draw = np.random.default_rng(seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        if picture:
            video = container.add_stream("mpeg4", rate=10)
            video.width = video.height = 32
        if sound:
            audio = container.add_stream("aac", rate=22050, layout="mono")
        if picture:
            for _ in range(round(seconds * 10)):
                frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), draw.integers(20, 230), np.uint8))
                container.mux(video.encode(frame))
            container.mux(video.encode())
        if sound:
            time_N = np.arange(round(seconds * 22050)) / 22050
            tone_N = (0.1 + 0.05 * seed % 0.5) * np.sin(2 * np.pi * (150 + 40 * seed) * time_N)
            heard = av.AudioFrame.from_ndarray(tone_N[None].astype(np.float32), format="fltp", layout="mono")
            heard.sample_rate, heard.time_base, heard.pts = 22050, Fraction(1, 22050), 0
            container.mux(audio.encode(heard))
            container.mux(audio.encode())


def rows_of(count: int) -> list[dict[str, str]]:
    """`count` rows, 5 clips a video; of every 5 clips 3 are for training, one each for validation and test."""
    splits = ["train", "train", "train", "valid", "test"]
    return [
        {
            "video_id": f"{place // 5:03d}",
            "clip_id": str(place % 5),
            "text": f"sentence, number {place}",
            "label": str(round(-3 + 6 * place / max(count - 1, 1), 3)),
            "label_T": "0.5",
            "label_A": "",
            "label_V": "-1",
            "annotation": "",
            "mode": splits[place % 5],
        }
        for place in range(count)
    ]


def write_table(folder: Path, rows: list[dict[str, str]], columns: list[str] = COLUMNS) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "label.csv").open("w", encoding="utf-8", newline="") as stream:
        table = csv.DictWriter(stream, columns, extrasaction="ignore")
        table.writeheader()
        table.writerows(rows)


def media_path(folder: Path, row: dict[str, str]) -> Path:
    return folder / "Raw" / row["video_id"] / f"{row['clip_id']}.mp4"


def write_corpus(folder: Path, count: int) -> list[dict[str, str]]:
    rows = rows_of(count)
    write_table(folder, rows)
    for seed, row in enumerate(rows):
        write_clip(media_path(folder, row), seed=seed)
    return rows
