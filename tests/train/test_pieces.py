"""Pieces of sentences: what they are made of."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from textmsa.train.encoder import key
from textmsa.train.pieces import JOINTS, pieces_of

SENTENCES = ["The film was good, and long.", "A poor plot", "Nobody's fault!", "it is", "Well"]


def test_pieces_are_of_the_sentences_and_the_same_for_a_seed():
    pieces = pieces_of(SENTENCES, 500, seed=1)
    assert pieces == pieces_of(SENTENCES, 500, seed=1) != pieces_of(SENTENCES, 500, seed=2)
    assert len(pieces) == len(set(pieces)) > 100
    known = {word for text in (*SENTENCES, *JOINTS) for word in key(text.replace("'", "")).split()}
    assert {word for text in pieces for word in key(text.replace("'", "")).split()} <= known


def test_pieces_are_runs_of_words_also_joined_and_with_gaps():
    words = [f"w{number}" for number in range(30)]
    pieces = [piece.split() for piece in pieces_of([" ".join(words)], 400, seed=0)]
    numbers = [[int(word.strip(",.;")[1:]) for word in piece if word[0] == "w"] for piece in pieces]
    steps = [[b - a for a, b in pairwise(row)] for row in numbers]
    runs = [row for row in steps if set(row) <= {1}]
    gaps = [row for row in steps if len(row) > 20 and min(row) == 1 < max(row) <= 6]
    assert len(runs) > 100 and len(gaps) > 50
    assert any(min(row, default=1) < 0 for row in steps), "of two runs the later one may stand first"


@given(st.lists(st.text(), max_size=4), st.integers(0, 99))
def test_no_piece_is_empty_whatever_the_sentences(sentences, seed):
    pieces = pieces_of(["one", *sentences], 20, seed=seed)
    assert pieces and all(piece.split() for piece in pieces)
