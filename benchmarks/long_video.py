"""What `textmsa analyze` takes: memory over a long film, and time and agreement on joined clips.

python -m benchmarks.long_video film --minutes 120 --out film.mp4        # pictures and tones, subtitles beside
python -m benchmarks.long_video join --out joined.mp4 CLIP...            # one film of clips, 1.2 s apart
python -m benchmarks.long_video join --out joined.mp4 --corpus CORPUS --count 40    # of its test clips, subtitles
python -m benchmarks.long_video measure film.mp4 --model RUN --out OUT   # memory, time; [--transcribe]
python -m benchmarks.long_video agree OUT --truth joined.json            # scores against the corpus' labels
"""

import argparse
import csv
import json
import os
import threading
import time
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

FPS, RATE, GAP = 25, 44_100, 1.2  # of joined films; seconds between clips, in which the last picture stands
Picture = npt.NDArray[np.uint8]
Sound = npt.NDArray[np.float32]


class Film:
    """A file that is written picture by picture, with sound that keeps step."""

    def __init__(self, container: av.container.OutputContainer, width: int, height: int, fps: int, rate: int) -> None:
        self.container, self.fps, self.rate = container, fps, rate
        video = container.add_stream("libx264", rate=fps)
        audio = container.add_stream("aac", rate=rate, layout="mono")
        assert isinstance(video, av.VideoStream)
        assert isinstance(audio, av.AudioStream)
        self.video, self.audio = video, audio
        self.video.width, self.video.height, self.video.pix_fmt = width, height, "yuv420p"
        self.video.options = {"crf": "20", "preset": "ultrafast", "g": "50", "bf": "0"}
        self.pictures = self.samples = 0
        self.waiting: Sound = np.zeros(0, np.float32)

    @property
    def seconds(self) -> float:
        """How long it is so far."""
        return self.pictures / self.fps

    def show(self, picture: Picture) -> None:
        """The next picture."""
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts, frame.time_base = self.pictures, Fraction(1, self.fps)
        self.pictures += 1
        self.container.mux(self.video.encode(frame))

    def play(self, sound_N: Sound) -> None:
        """Sound up to the last picture: cut, or filled up with silence."""
        wanted = round(self.seconds * self.rate) - self.samples - len(self.waiting)
        sound_N = np.pad(sound_N[:wanted], (0, max(0, wanted - len(sound_N))))
        self.waiting = np.concatenate([self.waiting, sound_N])
        self._write(len(self.waiting) // 1024 * 1024)

    def _write(self, count: int) -> None:
        for first in range(0, count, 1024):
            part_N = self.waiting[first : min(first + 1024, count)]
            frame = av.AudioFrame.from_ndarray(part_N[None], format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = self.rate, self.samples, Fraction(1, self.rate)
            self.samples += len(part_N)
            self.container.mux(self.audio.encode(frame))
        self.waiting = self.waiting[count:]

    def close(self) -> None:
        """Write what encoders hold back."""
        self.container.mux(self.video.encode(None))
        self._write(len(self.waiting))
        self.container.mux(self.audio.encode(None))


def write_film(path: Path, minutes: float) -> None:
    """Greys at 10 pictures a second and a tone with pauses; a subtitle every ten seconds."""
    time_N = np.arange(16_000) / 16_000
    tone_N = (0.1 * np.sin(2 * np.pi * 150 * time_N)).astype(np.float32)
    cues: list[tuple[float, float, str]] = []
    with av.open(str(path), "w") as container:
        film = Film(container, 160, 120, 10, 16_000)
        for second in range(round(minutes * 60)):
            for tenth in range(10):
                film.show(np.full((120, 160, 3), (second * 10 + tenth) * 3 % 200, np.uint8))
            film.play(tone_N * (second % 4 > 0))
            if second % 10 == 1:
                cues.append((second, second + 6.0, f"This is sentence number {len(cues)}."))
        film.close()
    write_subtitles(path.with_suffix(".srt"), cues)


def join(paths: Sequence[Path], out: Path, size: tuple[int, int]) -> list[tuple[float, float]]:
    """Join clips into one film; gives when each begins and ends."""
    times = []
    with av.open(str(out), "w") as container:
        film = Film(container, *size, FPS, RATE)
        for path in paths:
            start = film.seconds
            sound_N, pictures = _decoded(path, size)
            shown = pictures or [np.zeros((size[1], size[0], 3), np.uint8)] * round(len(sound_N) / RATE * FPS)
            for picture in shown:
                film.show(picture)
            film.play(sound_N)
            times.append((start, film.seconds))
            for _ in range(round(GAP * FPS)):
                film.show(shown[-1])
            film.play(np.zeros(0, np.float32))
        film.close()
    return times


def _decoded(path: Path, size: tuple[int, int]) -> tuple[Sound, list[Picture]]:
    """A clip's sound, and its pictures 25 times a second within black borders."""
    sounds: list[Sound] = [np.zeros(0, np.float32)]
    pictures: list[Picture] = []
    resampler = av.AudioResampler(format="fltp", layout="mono", rate=RATE)
    with av.open(str(path)) as clip:
        for frame in clip.decode():
            if isinstance(frame, av.AudioFrame):
                frame.pts = None
                sounds += [part.to_ndarray()[0] for part in resampler.resample(frame)]
            elif isinstance(frame, av.VideoFrame) and frame.time is not None:
                scale = min(size[0] / frame.width, size[1] / frame.height)
                width, height = (int(side * scale) // 2 * 2 for side in (frame.width, frame.height))
                top, left = (size[1] - height) // 2, (size[0] - width) // 2
                picture = np.zeros((size[1], size[0], 3), np.uint8)
                picture[top : top + height, left : left + width] = frame.reformat(width, height, "rgb24").to_ndarray()
                while len(pictures) / FPS <= frame.time + 1e-3:
                    pictures.append(picture)
    return np.concatenate(sounds), pictures


def join_corpus(corpus: Path, count: int, out: Path) -> None:
    """Join the first test clips of a corpus in the MMSA layout, with subtitles and a table of the truth beside."""
    with (corpus / "label.csv").open(encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["mode"] == "test"][:count]
    paths = [corpus / "Raw" / row["video_id"] / f"{row['clip_id']}.mp4" for row in rows]
    times = join(paths, out, (256, 256))
    cues = [(start, end, row["text"]) for (start, end), row in zip(times, rows, strict=True)]
    write_subtitles(out.with_suffix(".srt"), cues)
    truth = [{"start": start, "label": float(row["label"])} for (start, _), row in zip(times, rows, strict=True)]
    out.with_suffix(".json").write_text(json.dumps(truth))


def write_subtitles(path: Path, cues: Sequence[tuple[float, float, str]]) -> None:
    """SubRip, of (start, end, text)."""

    def clock(seconds: float) -> str:
        return time.strftime("%H:%M:%S", time.gmtime(int(seconds))) + f",{round(seconds % 1 * 1000):03d}"

    blocks = [f"{n}\n{clock(start)} --> {clock(end)}\n{text}\n" for n, (start, end, text) in enumerate(cues, 1)]
    path.write_text("\n".join(blocks), encoding="utf-8")


def measure(video: Path, model: Path, out: Path, transcribe: bool, every: float = 5.0) -> dict[str, Any]:
    """Run the command and watch it: memory (MB) over time, seconds of the clock and of the processors."""
    from textmsa.analyze import analyze

    resident: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(every):
            resident.append(_resident("VmRSS"))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    started = time.monotonic()
    result = analyze(video, model=str(model), out=out, transcribe=transcribe)
    over.set()
    watcher.join()
    seconds, quarters = time.monotonic() - started, np.array_split(np.array(resident or [0]), 4)
    return {
        "video_seconds": round(result.timeline.duration, 1),
        "utterances": len(result.timeline.scored),
        "failed": len(result.timeline.failed),
        "wall_seconds": round(seconds, 1),
        "cpu_seconds": round(time.process_time(), 1),
        "real_time_factor": round(seconds / result.timeline.duration, 3),
        "cpu_per_second": round(time.process_time() / result.timeline.duration, 3),
        "peak_mb": _resident("VmHWM"),
        "peak_mb_by_quarter": [int(part.max()) for part in quarters if len(part)],
        "load": os.getloadavg()[0],
    }


def _resident(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(name))


def agree(out: Path, truth: Path) -> dict[str, float]:
    """Scores of the utterances that begin where clips do, against the clips' labels."""
    labels = {round(clip["start"], 2): clip["label"] for clip in json.loads(truth.read_text())}
    document = json.loads((out / "timeline.json").read_text())
    pairs = list(_pairs(document["utterances"], labels))
    score_N, label_N = np.array(pairs).T
    return {
        "clips": len(pairs),
        "corr": float(np.corrcoef(score_N, label_N)[0, 1]),
        "mae": float(np.abs(score_N - label_N).mean()),
    }


def _pairs(utterances: list[dict[str, Any]], labels: dict[float, float]) -> Iterator[tuple[float, float]]:
    for record in utterances:
        if record["score"] is not None and round(record["start"], 2) in labels:
            yield record["score"], labels[round(record["start"], 2)]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(dest="part", required=True)
    film, joining, measuring, agreeing = (parts.add_parser(name) for name in ("film", "join", "measure", "agree"))
    film.add_argument("--minutes", type=float, default=120)
    joining.add_argument("clips", nargs="*", type=Path)
    joining.add_argument("--corpus", type=Path)
    joining.add_argument("--count", type=int, default=40)
    for part in (film, joining, measuring):
        part.add_argument("--out", type=Path, required=True)
    measuring.add_argument("video", type=Path)
    measuring.add_argument("--model", type=Path, required=True)
    measuring.add_argument("--transcribe", action="store_true")
    agreeing.add_argument("out", type=Path)
    agreeing.add_argument("--truth", type=Path, required=True)
    given = parser.parse_args()
    if given.part == "film":
        write_film(given.out, given.minutes)
    elif given.part == "join" and given.corpus:
        join_corpus(given.corpus, given.count, given.out)
    elif given.part == "join":
        join(given.clips, given.out, (640, 360))
    elif given.part == "measure":
        print(json.dumps(measure(given.video, given.model, given.out, given.transcribe)))
    else:
        print(json.dumps(agree(given.out, given.truth)))


if __name__ == "__main__":
    main()
