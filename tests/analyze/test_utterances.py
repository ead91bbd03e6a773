"""Words with times -> utterances: where they are cut, and which window of the file is scored."""

from hypothesis import given
from hypothesis import strategies as st

from textmsa.analyze.utterances import LONGEST, from_speech, from_subtitles
from textmsa.speech.recognise import Heard
from textmsa.types import Transcript, Word


def subtitles(*cues: tuple[float, float, str]) -> Transcript:
    words = tuple(Word(text, start, end) for start, end, text in cues)
    return Transcript(" ".join(word.text for word in words), "subtitles", words, made_with="a.srt")


def spoken(*words: tuple[float, float, str], language: str | None = "en") -> Heard:
    return Heard(tuple(Word(text, start, end, 0.9) for start, end, text in words), language, None)


def texts(utterances):
    return [utterance.spoken.text for utterance in utterances]


def test_cues_are_joined_to_sentences():
    found = from_subtitles(
        subtitles((1.0, 2.5, "I never thought"), (2.5, 4.0, "that I would."), (4.1, 6.0, "But I did!"))
    )
    assert texts(found) == ["I never thought that I would.", "But I did!"]
    assert [(u.start, u.end, u.first, u.last) for u in found] == [(1.0, 4.0, 10, 40), (4.1, 6.0, 41, 60)]
    assert [len(u.spoken.words) for u in found] == [2, 1]


def test_a_sentence_shorter_than_a_second_goes_on_and_a_pause_ends_one():
    found = from_subtitles(
        subtitles((0.0, 0.4, "No."), (0.5, 2.0, "Not that."), (4.0, 5.0, "and then"), (7, 8, "more"))
    )
    assert texts(found) == ["No. Not that.", "and then", "more"]


def test_lines_shown_together_are_of_two_people():
    found = from_subtitles(subtitles((0.0, 3.0, "Are you"), (1.0, 2.0, "Yes I"), (3.5, 4.0, "am")))
    assert texts(found) == ["Are you", "Yes I", "am"]


def test_an_abbreviation_and_a_number_end_no_sentence():
    assert texts(from_subtitles(subtitles((0, 1.5, "I met Mr."), (1.5, 3, "Smith.")))) == ["I met Mr. Smith."]
    assert texts(from_subtitles(subtitles((0, 1.5, 'He said "go."'), (1.5, 3, "We went.")))) == [
        'He said "go."',
        "We went.",
    ]
    assert texts(from_subtitles(subtitles((0, 1.5, "我很高兴。"), (1.5, 3, "真的")))) == ["我很高兴。", "真的"]


def test_recognised_words_are_cut_at_pauses_and_sentence_ends_with_a_margin_that_takes_nothing_of_a_neighbour():
    first = spoken((0.5, 0.8, " I"), (0.8, 1.6, " did."), (1.65, 2.0, " You"), (2.0, 2.6, " did"))
    second = spoken((3.5, 4.0, " Ja"), language="de")
    found = from_speech([first, second], "base")
    assert texts(found) == ["I did.", "You did", "Ja"]
    assert [u.spoken.language for u in found] == ["en", "en", "de"]
    assert [(u.first, u.last) for u in found] == [(3, 17), (16, 28), (33, 42)]
    assert found[0].spoken.words[0] == Word("I", 0.5, 0.8, 0.9)


def test_words_of_a_language_without_spaces_stay_together():
    assert texts(from_speech([spoken((0, 1, "我"), (1, 2, "们"), language="zh")], "base")) == ["我们"]


def test_a_long_stretch_is_cut_at_its_longest_pause():
    words = [(place * 1.0, place + (0.5 if place == 11 else 0.9), f" w{place}") for place in range(20)]
    found = from_speech([spoken(*words)], "tiny.en")
    assert [len(u.spoken.words) for u in found] == [12, 8]


def test_a_cue_of_minutes_is_told_to_be_too_long():
    (long,) = from_subtitles(subtitles((0.0, 95.0, "credits")))
    assert long.too_long == "lasts 95.0 s, and at most 30 s are scored as one: divide its subtitle"


@given(st.lists(st.tuples(st.floats(0, 2), st.floats(0.05, 3), st.sampled_from([" a", " b.", " c,"])), max_size=60))
def test_every_word_is_said_once_in_its_window(parts):
    time, words = 0.0, []
    for gap, length, text in parts:
        words.append((time + gap, time + gap + length, text))
        time += gap + length
    found = from_speech([spoken(*words)], "tiny.en")
    assert [word.start for u in found for word in u.spoken.words] == [start for start, _, _ in words]
    for utterance in found:
        assert utterance.first / 10 <= utterance.start + 1e-6 and utterance.end <= utterance.last / 10 + 1e-6
        assert utterance.end - utterance.start <= LONGEST + 1e-6
    assert [u.number for u in found] == list(range(len(found)))
