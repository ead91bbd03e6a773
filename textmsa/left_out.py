"""Texts without some of their words: what is left out to see what it did."""

import re
from collections.abc import Callable, Sequence

from textmsa.types import Word

MOST_PARTS = 24  # of words; longer texts are left out phrase by phrase, so that the cost is bounded
WINDOWS = 10  # of time
WORD = re.compile(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+(?:['’-][^\W\u3400-\u9fff]+)*")
"""A word; of Chinese a character."""


def phrases_of(text: str, most: int) -> list[tuple[int, int]]:
    """Where the words of a text begin and end, what follows each included; phrases of several where there are many."""
    starts = [found.start() for found in WORD.finditer(text)]
    if not starts:
        return []
    begins = starts[:: -(-len(starts) // most)]
    return list(zip(begins, [*begins[1:], len(text)], strict=True))


def text_without(text: str, words: Sequence[Word], start: float, end: float) -> str | None:
    """A text without those of its words whose middle lies from `start` to before `end` (s); None where none is left.

    The text itself, as it is, where none of them is spoken then.
    """
    return text_without_words(text, words, lambda word: start <= (word.start + word.end) / 2 < end)


def text_without_words(text: str, words: Sequence[Word], leaves: Callable[[Word], bool]) -> str | None:
    """A text without those of its words that leave; None where none is left, the text as it is where none leaves."""
    shortened, after = text, 0
    for word in words:
        place = shortened.find(word.text, after)
        if place < 0:
            continue
        if leaves(word):
            shortened = shortened[:place] + shortened[place + len(word.text) :]
            after = place
        else:
            after = place + len(word.text)
    return text if shortened == text else " ".join(shortened.split()) or None
