"""A language model without weights: it answers from a few rules, for trying everything that asks a language model.

It needs no package and no network, and the same question always gets the same answer. Every answer says that it is
the echo's, so that none is taken for a model's.
"""

import hashlib
import json
import re
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from textmsa.errors import UserError
from textmsa.explain.language_models.question import Answer, Question, Turn
from textmsa.explain.prompts import all_prompts

POSITIVE, NEGATIVE = (
    re.compile(r"\b(?:good|great|nice|love[ds]?|like[ds]?|happy|joy|fun|best|wonderful)\b|喜欢|爱|开心|高兴|好", re.I),
    re.compile(
        r"\b(?:bad|poor|awful|hate[ds]?|dislike[ds]?|sad|angry|boring|worst|terrible)\b|讨厌|恨|难过|生气|坏", re.I
    ),
)
FULL = 3
"""So many more words of one kind than of the other give the end of the range."""
QUIETEST = 1e-6
"""RMS of a waveform below which it is told as -120 dB."""


@dataclass(frozen=True)
class Phrases:
    """How the echo says it in one language."""

    video: str
    audio: str
    measured: str
    text: str
    summary: str
    reason: str
    translated: str = "[echo, not translated] {transcript}"
    unknown: str = "This is the echo: it knows the prompts of textmsa only."


SAYS = {
    "en": Phrases(
        video="In the video, the echo is shown {frames} frame(s) from {start:.1f} s to {end:.1f} s, of mean brightness "
        "{brightness:.0%}.",
        audio="In the audio, the echo hears {seconds:.1f} s of sound at {decibel:.0f} dB.",
        measured="In the audio, the echo is told: {facts}.",
        text="In the text, the echo counts {words} word(s), {positive} of them positive and {negative} negative.",
        summary="This echo counts {positive} positive and {negative} negative word(s) in {clues} clue(s).",
        reason="This is the echo; it joins the clues. {clues} Therefore, the words lean {percent:+d} % to the good.",
    ),
    "zh": Phrases(
        video="视频中，回声（echo）看到{frames}帧，从{start:.1f}秒到{end:.1f}秒，平均亮度{brightness:.0%}。",
        audio="音频中，回声（echo）听到{seconds:.1f}秒声音，音量{decibel:.0f}分贝。",
        measured="音频中，回声（echo）得知：{facts}。",
        text="文本中，回声（echo）数到{words}个字符，其中积极词{positive}个，消极词{negative}个。",
        summary="回声（echo）在{clues}条线索中数到积极词{positive}个、消极词{negative}个。",
        reason="这是回声（echo），它把线索连在一起。{clues}因此，词语偏向积极的程度为{percent:+d}%。",
    ),
}


class Echo:
    """A rule in the place of a model.

    Descriptions tell what was shown: how many frames and how bright, how long and how loud a sound, or the measured
    facts; how many words, and how many of them are on a short list of positive and of negative ones. The refiner's
    answer joins the clues. The score is the positive words less the negative ones, `FULL` of them for the end of the
    range. A translation is the transcript itself, marked as not translated.

    Parameters
    ----------
    sees
        Whether it takes frames.
    hears
        Whether it takes sound; without, it is told the measured facts.
    delay
        Seconds that each answer takes, for trying what happens when a command is stopped.
    faults
        Share of the questions, 0 to 1, that it refuses, for trying what is made of failures.
    """

    name = "echo"

    def __init__(self, *, sees: bool = True, hears: bool = True, delay: float = 0.0, faults: float = 0.0) -> None:
        if delay < 0 or not 0 <= faults <= 1:
            raise UserError(f"delay {delay}, faults {faults}: give 0 or more seconds, and a share from 0 to 1")
        self.sees, self.hears, self.delay, self.faults = sees, hears, delay, faults
        self.concurrency = 1

    def identity(self) -> dict[str, Any]:
        """The echo, the version of its rules, and how much it refuses."""
        return {"backend": self.name, "model": self.name, "rules": 1, "faults": self.faults}

    def ask(self, question: Question, earlier: tuple[Turn, ...] = ()) -> Answer:
        """What the rules say to one of our prompts; tokens are words."""
        time.sleep(self.delay)
        tokens_in = len(question.prompt.split())
        if _draw(question) < self.faults:
            return Answer("", "refused", tokens_in, 0)
        text = _answer(question)
        return Answer(text, "stop", tokens_in, len(text.split()))

    def cost(self, tokens_in: int, tokens_out: int) -> float | None:
        """Nothing is paid for."""
        return None


def _draw(question: Question) -> float:
    """A number in [0, 1) that is the question's own."""
    digest = hashlib.sha256(question.prompt.encode())
    for picture in question.frames:
        digest.update(picture.tobytes())
    if question.waveform_N is not None:
        digest.update(question.waveform_N.tobytes())
    return int.from_bytes(digest.digest()[:4]) / 2**32


def _answer(question: Question) -> str:
    for prompt in all_prompts():
        values = prompt.values_of(question.prompt)
        if values is not None:
            stage, _, language = prompt.id.rpartition(".")
            return _say(stage, SAYS[language], question, values)
    return SAYS["en"].unknown


def _say(stage: str, says: Phrases, question: Question, values: dict[str, str]) -> str:
    if stage == "describe_video":
        return says.video.format(**_seen(question))
    if stage == "describe_audio":
        return says.audio.format(**_heard(question))
    if stage == "describe_measured_audio":
        return says.measured.format(facts="; ".join(_lines(values["facts"])))
    if stage == "describe_text":
        return says.text.format(words=_words(values["transcript"]), **_leaning(values["transcript"]))
    if stage == "refine":
        return _conclusion(says, values["clues"])
    if stage == "zero_shot":
        return json.dumps({"score": score(values["clues"], float(values["low"]), float(values["high"])), "by": "echo"})
    if stage == "translate":
        return says.translated.format(transcript=values["transcript"])
    return says.unknown


def _conclusion(says: Phrases, clues: str) -> str:
    lines, counts = _lines(clues), _leaning(clues)
    summary = says.summary.format(clues=len(lines), **counts)
    reason = says.reason.format(clues=" ".join(lines), percent=round(100 * score(clues, -1, 1)))
    return json.dumps({"summary": summary, "reason": reason}, ensure_ascii=False)


def score(words: str, low: float, high: float) -> float:
    """Positive less negative words, `FULL` of them for an end of the range; 0 where they balance."""
    counts = _leaning(words)
    share = max(-1.0, min(1.0, (counts["positive"] - counts["negative"]) / FULL))
    return round(share * high if share > 0 else -share * low, 3)


def _leaning(words: str) -> dict[str, int]:
    return {"positive": len(POSITIVE.findall(words)), "negative": len(NEGATIVE.findall(words))}


def _words(transcript: str) -> int:
    spaced = re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", transcript)
    return sum(len(word) if re.match(r"[\u4e00-\u9fff]", word) else 1 for word in spaced)


def _lines(listed: str) -> list[str]:
    """The lines of a list, without their dashes."""
    return [line.removeprefix("- ").strip() for line in listed.splitlines() if line.strip()]


def _seen(question: Question) -> dict[str, float]:
    brightness = float(np.mean([picture.mean() for picture in question.frames])) / 255 if question.frames else 0.0
    times = question.frame_times or (0.0,)
    return {"frames": len(question.frames), "brightness": brightness, "start": times[0], "end": times[-1]}


def _heard(question: Question) -> dict[str, float]:
    if question.waveform_N is None or not len(question.waveform_N):
        return {"seconds": 0.0, "decibel": -120.0}
    loudness = float(np.sqrt(np.mean(np.square(question.waveform_N, dtype=np.float64))))
    return {
        "seconds": len(question.waveform_N) / question.sample_rate,
        "decibel": 20 * np.log10(max(loudness, QUIETEST)),
    }
