"""Pieces of rated sentences: what a small encoder learns from a larger one, beside what people rated.

Nobody rated these texts; a larger encoder that has learnt the same sentences reads them, and the small one learns what
it reads (distillation, Hinton et al. 2015; on augmented texts as Jiao et al. 2020 do it for TinyBERT).
"""

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from textmsa.rated_sentences import as_spoken

JOINTS = (" ", ", ", " and ", " but ", ". ", "; ", " because ", " although ")
MOST_WORDS = 14  # of a run of words; each of two that are joined has at most 10
JOINED_WORDS = 10
LEAST_WORDS = 2
KEPT = 0.85  # of the words of a sentence with gaps
SPOKEN = 0.3  # of all pieces are as speech is written down
LOWER = 0.3  # and in small letters, independently
SHARES = (0.45, 0.3, 0.25)  # runs of words, two runs joined, sentences with gaps


def pieces_of(sentences: Sequence[str], count: int, *, seed: int) -> list[str]:
    """`count` pieces drawn by `seed`, without repetitions, so that there may be fewer; in the order they were drawn."""
    return list(dict.fromkeys(islice(_drawn(sentences, np.random.default_rng(seed)), count)))


def _drawn(sentences: Sequence[str], rng: np.random.Generator) -> Iterator[str]:
    words = [words for sentence in sentences if (words := sentence.split())]

    def some() -> list[str]:
        return words[rng.integers(len(words))]

    def run(most: int) -> str:
        of = some()
        length = min(len(of), int(rng.integers(LEAST_WORDS, most + 1)))
        start = int(rng.integers(len(of) - length + 1))
        return " ".join(of[start : start + length])

    while True:
        kind = rng.choice(len(SHARES), p=SHARES)
        if kind == 0:
            text = run(MOST_WORDS)
        elif kind == 1:
            text = run(JOINED_WORDS) + JOINTS[rng.integers(len(JOINTS))] + run(JOINED_WORDS)
        else:
            whole = some()
            text = " ".join(word for word in whole if rng.random() < KEPT) or whole[0]
        if rng.random() < SPOKEN:
            text = as_spoken(text)
        yield text.lower() if rng.random() < LOWER else text
