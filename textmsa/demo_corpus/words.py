"""The words of the demo corpus: snippets of film reviews with the sentiment that people read in them."""

from dataclasses import dataclass

from textmsa.rated_sentences import vader_sentences

SOURCE = "movieReviewSnippets"
SHORTEST, LONGEST = 6, 14  # words
SENTENCES = 2949
RATING_TO_SCORE = 0.75
"""Ratings lie in [-4, 4], scores in [-3, 3]."""


@dataclass(frozen=True)
class Sentence:
    """A snippet of a movie review with t, the sentiment people read in it, in [-3, 3]."""

    text: str
    score: float


def load_sentences() -> list[Sentence]:
    """The 2,949 snippets of 6 to 14 words, in the order of the archive; no two are the same.

    Raises UserError where the archive is not in the cache and cannot be fetched.
    """
    rated = [r for r in vader_sentences(SOURCE) if SHORTEST <= len(r.text.split()) <= LONGEST]
    assert len(rated) == SENTENCES, f"{len(rated)} snippets, {SENTENCES} expected"
    return [Sentence(sentence.text, sentence.rating * RATING_TO_SCORE) for sentence in rated]
