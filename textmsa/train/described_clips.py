"""Clips with descriptions, to learn from: EMER-fine's table, or VideoLLaMA 3's conversations."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textmsa.corpora import EXTENSIONS
from textmsa.errors import UnreadableClip, UserError
from textmsa.explain.clip_answers import SAMPLE_RATE, spread
from textmsa.explain.emer import SPLIT_COLUMNS, emer_parts, read_emer_table
from textmsa.explain.language_models.question import Question, Turn
from textmsa.explain.prompts import Language, prompt
from textmsa.media import Media, read_media
from textmsa.runtime.atomic import decoded, read_bytes, write_text
from textmsa.runtime.progress import track

MARKS = ("<video>", "<audio>", "<image>")
"""What stands in a conversation where a clip is shown."""


@dataclass(frozen=True)
class Example:
    """An answer to learn."""

    clip: Path
    prompt: str
    answer: str
    shows: tuple[str, ...]
    """Of "video" and "audio", what of the clip the model is given."""
    earlier: tuple[Turn, ...] = ()


@dataclass(frozen=True)
class DescribedClips:
    """A file of descriptions and the folder that holds its clips.

    Parameters
    ----------
    data
        EMER-fine's .csv, or VideoLLaMA 3's .jsonl; of a file that tells splits only the training split is read.
    clips
        Folder of the clips: searched by name for a table, the root of relative paths for conversations.
    language
        Of a table: its column, and the prompts that are asked.
    """

    data: Path
    clips: Path
    language: Language = "en"

    def read(self, *, sees: bool, hears: bool) -> list[Example]:
        """The answers that a model which sees or hears, or a model of words alone, can learn.

        Raises UserError for a file in another form, or one that holds nothing to learn.
        """
        if not self.clips.is_dir():
            raise UserError(f"--clips {self.clips}: no such folder")
        if self.data.suffix.lower() == ".csv" and not sees and not hears:
            raise UserError(f"--data {self.data}: a model of words alone learns conversations; give a .jsonl")
        if self.data.suffix.lower() == ".csv":
            examples = self._of_table(("video",) * sees + ("audio",) * hears)
        elif self.data.suffix.lower() == ".jsonl":
            examples = self._of_conversations(("video",) * sees + ("audio",) * hears)
        else:
            raise UserError(f"--data {self.data}: give EMER-fine's .csv, or VideoLLaMA 3's .jsonl")
        if not examples:
            raise UserError(f"--data {self.data}: holds nothing to learn (of the training split, with a description)")
        return examples

    def _of_table(self, perceived: tuple[str, ...]) -> list[Example]:
        """A description's paragraph on each modality that the model perceives, as answer to the explainer's prompt."""
        examples = []
        files = self._files()
        for described in read_emer_table(self.data, self.language):
            if not described.training:
                continue
            named = files.get(described.stem, [self.clips / described.name])
            if len(named) > 1:
                raise UserError(
                    f"--clips {self.clips}: {named[0]} and {named[1]} may both be {described.name!r}; leave one of "
                    "them there"
                )
            parts = emer_parts(described.text)
            for modality in perceived:
                if modality in parts:
                    asked = prompt(f"describe_{modality}", self.language).fill()
                    examples.append(Example(named[0], asked, parts[modality], (modality,)))
        return examples

    def _files(self) -> dict[str, list[Path]]:
        """Name without ending -> the media files of that name."""
        files: dict[str, list[Path]] = {}
        for path in sorted(self.clips.rglob("*")):
            if path.suffix.lower() in EXTENSIONS:
                files.setdefault(path.stem, []).append(path)
        return files

    def _of_conversations(self, perceived: tuple[str, ...]) -> list[Example]:
        """Each answer of each conversation, after what was said before it."""
        examples = []
        for number, line in enumerate(decoded(self.data, read_bytes(self.data)).split("\n"), 1):
            if not line.strip():
                continue
            try:
                document = json.loads(line)
                if _to_train(document):
                    examples += _of_conversation(document, self.clips, perceived)
            except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
                raise UserError(
                    f"{self.data}, line {number}: needs video and conversations of from (human, gpt) and value "
                    f"({error!r})"
                ) from error
        return examples


def _of_conversation(document: dict[str, Any], clips: Path, perceived: tuple[str, ...]) -> list[Example]:
    """Raises one of the errors of Python's own types where the document has another form."""
    name = document["video"] if perceived else document.get("video", "")
    clip = clips / (name if isinstance(name, str) else name[0])
    turns = [(turn["from"], turn["value"]) for turn in document["conversations"]]
    asked, answers = [v for who, v in turns if who == "human"], [v for who, v in turns if who == "gpt"]
    if not answers or [who for who, _ in turns] != ["human", "gpt"] * len(answers):
        raise ValueError("human and gpt must take turns")
    if not all(isinstance(words, str) and words.strip() for words in [*asked, *answers]):
        raise ValueError("a turn is empty")
    asked = [_without_marks(words) for words in asked]
    return [
        Example(clip, asked[0], answer.strip(), perceived, tuple(Turn(answers[i], asked[i + 1]) for i in range(place)))
        for place, answer in enumerate(answers)
    ]


def _to_train(row: dict[str, Any]) -> bool:
    return all((row.get(name) or "train") == "train" for name in SPLIT_COLUMNS)


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
        if not example.shows:  # a model of words alone
            return Question(example.prompt)
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
    reasons = {}
    clips = {example.clip: example for example in examples}
    for clip, example in track(sorted(clips.items()), total=len(clips), label="reading clips"):
        try:
            shown.question(example)
        except UnreadableClip as error:
            reasons[str(clip)] = str(error)
    write_text(record, json.dumps(reasons, indent=1) + "\n")
