"""What a model said is read as what it is, and no more is cut off than what stands around it."""

import pytest

from textmsa.errors import AnswerError
from textmsa.explain.answers import read_clue, read_translation, usable
from textmsa.explain.language_models.question import Answer


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ('"In the audio, a low voice."', "In the audio, a low voice."),
        ("“In the audio,\n a low voice.”", "In the audio, a low voice."),
        ('"In the audio, a low voice.', "In the audio, a low voice."),
        ('It is described as "very low."', 'It is described as "very low."'),
        ('"Low" and "slow."', '"Low" and "slow."'),
        ("In the audio, a low voice.", "In the audio, a low voice."),
    ],
)
def test_quotation_marks_go_from_around_a_clue_and_not_from_within(said, read):
    assert read_clue(said) == read
    assert read_translation(said) == read


@pytest.mark.parametrize("said", ["", '""', "“ ”", "...", "<think>hm</think>"])
def test_no_words_are_no_clue(said):
    with pytest.raises(AnswerError):
        usable(Answer(said), read_clue)
