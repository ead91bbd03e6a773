"""Clips with descriptions, to learn from: EMER-fine's table, or VideoLLaMA 3's conversations."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textmsa.errors import UnreadableClip, UserError
from textmsa.explain.clip_answers import SAMPLE_RATE, spread
from textmsa.explain.emer import decoded, emer_parts, read_bytes
from textmsa.explain.language_models.question import Question, Turn
from textmsa.explain.prompts import Language, prompt
from textmsa.media import Media, read_media
from textmsa.runtime.atomic import write_text
from textmsa.runtime.progress import track

SPLITS = ("mode", "split")
"""Columns, or keys of a JSON line, that say which split a clip is of."""
MARKS = ("<video>", "<audio>", "<image>")
"""What stands in a conversation where a clip is shown."""
EXTENSIONS = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".wav", ".mp3", ".flac")


@dataclass(frozen=True)
class Example:
    """An answer to learn."""

    clip: Path
    prompt: str
    answer: str
    shows: tuple[str, ...]
    """Of "video" and "audio", what of the clip the model is given."""
    earlier: tuple[Turn, ...] = ()


def read_examples(data: Path, clips: Path, language: Language, sees: bool, hears: bool) -> list[Example]:
    """The answers to learn; UserError for a file in another form, or one that holds none of the training split."""
    if not clips.is_dir():
        raise UserError(f"--clips {clips}: no such folder")
    text = decoded(data, read_bytes(data))
    if data.suffix.lower() == ".csv":
        found = _of_table(data, text, clips, language, sees, hears)
    elif data.suffix.lower() == ".jsonl":
        found = _of_conversations(data, text, clips, sees, hears)
    else:
        raise UserError(f"--data {data}: give EMER-fine's .csv, or VideoLLaMA 3's .jsonl")
    if not found:
        raise UserError(f"--data {data}: holds nothing to learn (of the training split, with a description)")
    return found


def _of_table(data: Path, text: str, clips: Path, language: Language, sees: bool, hears: bool) -> list[Example]:
    """A description's paragraph on each modality that the model perceives, as the answer to the explainer's prompt."""
    column = {"en": "english", "zh": "chinese"}[language]
    table = csv.DictReader(text.splitlines(keepends=True))
    columns = table.fieldnames or []
    if "name" not in columns or column not in columns:
        raise UserError(f"--data {data}: needs the columns name, {column}; it has {', '.join(columns) or 'none'}")
    files: dict[str, list[Path]] = {}
    for path in sorted(clips.rglob("*")):
        if path.suffix.lower() in EXTENSIONS:
            files.setdefault(path.stem, []).append(path)
    able = (("video", sees), ("audio", hears))
    found = []
    for row in table:
        if not _to_train(row) or not (told := (row[column] or "").strip()):
            continue
        name = Path(row["name"] or "").name
        stem = name.rpartition(".")[0] or name
        if len(named := files.get(stem, [clips / name])) > 1:
            raise UserError(f"--clips {clips}: {named[0]} and {named[1]} may both be {name!r}; leave one of them there")
        clip, parts = named[0], emer_parts(told)
        for modality, perceived in able:
            if perceived and modality in parts:
                asked = prompt(f"describe_{modality}", language).fill()
                found.append(Example(clip, asked, parts[modality], (modality,)))
    return found


def _of_conversations(data: Path, text: str, clips: Path, sees: bool, hears: bool) -> list[Example]:
    """Each answer of each conversation, after what was said before it."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
            if not _to_train(document):
                continue
            name = document["video"]
            clip = clips / (name if isinstance(name, str) else name[0])
            turns = [(turn["from"], turn["value"]) for turn in document["conversations"]]
            asked, answers = [v for who, v in turns if who == "human"], [v for who, v in turns if who == "gpt"]
            if not answers or [who for who, _ in turns] != ["human", "gpt"] * len(answers):
                raise ValueError("human and gpt must take turns")
            if not all(isinstance(words, str) and words.strip() for words in [*asked, *answers]):
                raise ValueError("a turn is empty")
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise UserError(
                f"{data}, line {number}: needs video and conversations of from (human, gpt) and value ({error!r})"
            ) from error
        asked = [_without_marks(words) for words in asked]
        shows = ("video",) * sees + ("audio",) * hears
        for k, answer in enumerate(answers):
            earlier = tuple(Turn(answers[i], asked[i + 1]) for i in range(k))
            found.append(Example(clip, asked[0], answer.strip(), shows, earlier))
    return found


def _to_train(row: dict[str, Any]) -> bool:
    return all((row.get(name) or "train") == "train" for name in SPLITS)


def _without_marks(words: str) -> str:
    for mark in MARKS:
        words = words.replace(mark, "")
    return words.strip()


@dataclass(frozen=True)
class Shown:
    """How much of a clip is shown."""

    fps: float
    max_frames: int

    def media(self, clip: Path) -> Media:
        """The decoded clip; raises UnreadableClip."""
        return read_media(clip, fps=self.fps, sample_rate=SAMPLE_RATE)

    def question(self, example: Example) -> Question:
        """The question that the answer is to; raises UnreadableClip where the clip lacks what should be shown."""
        media = self.media(example.clip)
        shows_video = "video" in example.shows and media.frames is not None
        shows_audio = "audio" in example.shows and media.waveform_N is not None
        if not shows_video and not shows_audio:
            raise UnreadableClip(f"no {' and no '.join(example.shows)}")
        chosen = spread(len(media.frames or ()), self.max_frames) if shows_video else []
        return Question(
            example.prompt,
            tuple((media.frames or ())[i] for i in chosen),
            tuple(round(float(media.frame_times_T[i]), 2) for i in chosen),
            media.waveform_N if shows_audio else None,
            media.sample_rate if shows_audio else 0,
        )


def unreadable(examples: list[Example], shown: Shown, record: Path) -> None:
    """Write down clip -> why it cannot be shown; every clip is decoded once, and never again after a stop."""
    if record.is_file():
        return
    found = {}
    clips = {example.clip: example for example in examples}
    for clip, example in track(sorted(clips.items()), total=len(clips), label="reading clips"):
        try:
            shown.question(example)
        except UnreadableClip as error:
            found[str(clip)] = str(error)
    write_text(record, json.dumps(found, indent=1) + "\n")
