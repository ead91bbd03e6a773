"""What will be rendered: speakers, sentences, latents, durations and event times, before any file is made.

Shape suffix: N clips.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from textmsa.demo_corpus.face import Looks
from textmsa.demo_corpus.latents import Latents, draw
from textmsa.demo_corpus.voice import SAMPLE_RATE, VARIANTS, Manner, speak
from textmsa.demo_corpus.words import Sentence
from textmsa.types import SPLITS

CLIPS_PER_SPEAKER = (8, 12)
SPLIT_SHARES = {"train": 0.60, "valid": 0.15, "test": 0.25}
PLAIN_RATE = 178  # words a minute
RATE_PER_A, PITCH_PER_A, RANGE_PER_A, DECIBEL_PER_A = 12, 7, 14, 2.2
APEX_ROOM = (0.27, 0.73)  # where apexes lie, as shares of the clip
APART = 0.26  # of the clip; more than the quarter that the label asks for


@dataclass(frozen=True)
class Speaker:
    """One rendered person, the same in all clips of a video_id."""

    video_id: str
    split: str
    variant: str
    base_pitch: float
    looks: Looks


@dataclass(frozen=True)
class ClipPlan:
    """One clip: its sentence, latents, label and event times (seconds)."""

    speaker: int
    clip_id: str
    text: str
    t: float
    s: float
    a: float
    v: float
    k: float
    label: float
    duration: float
    voice_apex: float
    face_apex: float
    lead: float
    """Share of the silence that lies before the speech."""
    seed: int


@dataclass(frozen=True)
class Plan:
    """All that a corpus will hold; the same for the same number of clips and seed."""

    speakers: list[Speaker]
    clips: list[ClipPlan]
    latents: Latents

    def rows(self) -> list[dict[str, Any]]:
        """The clips with their speaker's video_id and split, for corpus.json."""
        return [
            {"video_id": self.speakers[c.speaker].video_id, "split": self.speakers[c.speaker].split, **asdict(c)}
            for c in self.clips
        ]


def manner(speaker: Speaker, a: float) -> Manner:
    """How a speaker says a sentence with voice sentiment `a`."""
    return Manner(
        variant=speaker.variant,
        pitch=speaker.base_pitch + PITCH_PER_A * a,
        range=50 + RANGE_PER_A * a,
        rate=PLAIN_RATE + RATE_PER_A * a,
    )


def make_plan(sentences: list[Sentence], *, clips: int, seed: int, durations: list[float] | None = None) -> Plan:
    """Choose sentences, latents, speakers and event times.

    A clip's duration comes from how long its sentence takes at the plain rate, and chance: neither label nor
    latents can be read from it. `durations` (seconds) are those of an earlier plan that is gone on with: eSpeak NG
    carries a few samples over from sentence to sentence, so that measuring again may differ by a frame.
    """
    rng = np.random.default_rng([seed, clips])
    chosen = [sentences[i] for i in rng.permutation(len(sentences))[:clips]]
    latents = draw(np.array([sentence.score for sentence in chosen]), rng)
    sizes = _sizes(clips, rng)
    speakers = _speakers(sizes, rng)
    owners = np.repeat(np.arange(len(sizes)), sizes)
    names = {owner: iter(rng.permutation(99)[:size] + 1) for owner, size in enumerate(sizes)}
    plans = []
    for i, sentence in enumerate(chosen):
        owner = int(owners[i])
        plain = len(speak(sentence.text, manner(speakers[owner], 0.0))) / SAMPLE_RATE
        measured = round((1.25 * plain + 0.3 + rng.uniform(0, 0.4)) * 25) / 25  # whole frames
        duration = durations[i] if durations else measured
        voice, face = _apexes(bool(latents.k[i] == 1), rng)
        plans.append(
            ClipPlan(
                speaker=owner,
                clip_id=f"{next(names[owner]):02d}",
                text=sentence.text,
                t=float(latents.t[i]),
                s=float(latents.s[i]),
                a=float(latents.a[i]),
                v=float(latents.v[i]),
                k=float(latents.k[i]),
                label=float(latents.label[i]),
                duration=duration,
                voice_apex=voice * duration,
                face_apex=face * duration,
                lead=float(rng.uniform(0.45, 0.55)),
                seed=int(rng.integers(2**31)),
            )
        )
    return Plan(speakers, plans, latents)


def _apexes(together: bool, rng: np.random.Generator) -> tuple[float, float]:
    """Where voice and face peak, as shares of the clip.

    Both cases draw from the same pairs, so that neither apex alone tells whether they coincide.
    """
    while True:
        voice, face = rng.uniform(*APEX_ROOM, size=2)
        if abs(voice - face) >= APART:
            break
    if not together:
        return float(voice), float(face)
    both = float(voice if rng.random() < 0.5 else face)
    return both, both


def _sizes(clips: int, rng: np.random.Generator) -> list[int]:
    """Clips of each speaker, 8 to 12, summing to `clips`."""
    low, high = CLIPS_PER_SPEAKER
    count = max(-(-clips // high), min(round(clips / 10), clips // low))
    sizes = np.full(count, clips // count)
    sizes[: clips - sizes.sum()] += 1
    for _ in range(count):  # spread them, keeping the sum
        giver, taker = rng.integers(count, size=2)
        if giver != taker and sizes[giver] > low and sizes[taker] < high:
            sizes[giver] -= 1
            sizes[taker] += 1
    return [int(size) for size in sizes]


def _speakers(sizes: list[int], rng: np.random.Generator) -> list[Speaker]:
    count = len(sizes)
    least = 1 if count >= len(SPLITS) else 0
    valid = max(least, round(SPLIT_SHARES["valid"] * count))
    test = max(least, round(SPLIT_SHARES["test"] * count))
    splits = ["valid"] * valid + ["test"] * test + ["train"] * (count - valid - test)
    names = rng.permutation(9000)[:count] + 1000
    return [
        Speaker(f"speaker{name}", split, str(rng.choice(VARIANTS)), float(rng.uniform(44, 56)), _looks(rng))
        for name, split in zip(names, rng.permutation(splits).tolist(), strict=True)
    ]


def _looks(rng: np.random.Generator) -> Looks:
    return Looks(
        width=float(rng.uniform(0.93, 1.07)),
        height=float(rng.uniform(0.95, 1.05)),
        tilt=float(rng.uniform(-0.06, 0.06)),
        jaw_width=float(rng.uniform(-0.05, 0.06)),
        mirrored=bool(rng.random() < 0.5),
        brightness=float(rng.uniform(0.75, 1.15)),
        warmth=float(rng.uniform(-0.08, 0.08)),
        side_light=float(rng.uniform(-0.2, 0.2)),
    )
