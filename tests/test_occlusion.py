"""What a score loses without words or moments, told by networks whose answer is known."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from network_fixtures import small_recipe

from benchmarks.generated_store import generate_store
from textmsa.config import InputConfig
from textmsa.contributions import base_of
from textmsa.errors import UserError
from textmsa.occlusion import TimedWord, changes_by_words, changes_over_time, phrases_of
from textmsa.run import Run
from textmsa.train.command import train
from textmsa.types import Explanation, Sample


@pytest.fixture(scope="module")
def run(encoder, tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("occlusion")
    store = generate_store(folder / "store", clips=30)
    train(small_recipe(encoder, InputConfig(text_input="residual")), data=store.path, out=folder / "run", device="cpu")
    return Run.open(folder / "run")


@pytest.fixture
def sample(run) -> Sample:
    from textmsa.store.reading import Store

    sample = Store.open(run.info.store)[0]
    observation = replace(sample.observation, transcript="It is good, not bad.", duration=5.0)
    return replace(sample, observation=observation, explanation=Explanation(summary="Good and calm."))


def with_network(run: Run, monkeypatch, score) -> None:
    network = SimpleNamespace(device="cpu")

    class Network:
        device = network.device

        def __call__(self, batch):
            return SimpleNamespace(score_B=score(batch))

    loaded = [(Network(), run.members[0].collator)]
    monkeypatch.setattr(Run, "load", lambda self, precision="fp32": loaded)


def count_of(run: Run, word: str):
    """A network that counts a word."""
    tokenizer = run.members[0].collator.tokenizer
    number = tokenizer.convert_tokens_to_ids(word)
    return lambda batch: ((batch.text.ids_BL == number) & batch.text.mask_BL).sum(dim=1).float()


def test_words_are_told_with_what_follows_them_and_characters_one_by_one():
    text = "It's good — really, 不错。"
    assert [text[a:b] for a, b in phrases_of(text, 9)] == ["It's ", "good — ", "really, ", "不", "错。"]
    assert [text[a:b] for a, b in phrases_of(text, 2)] == ["It's good — really, ", "不错。"]
    assert phrases_of("...", 3) == []


def test_the_word_that_counts_is_found_and_the_summary_stays(run, sample, monkeypatch):
    with_network(run, monkeypatch, count_of(run, "good"))
    found = changes_by_words(run, sample)
    assert [(part.words, part.change) for part in found] == [
        ("It", 0), ("is", 0), ("good,", 1), ("not", 0), ("bad.", 0),
    ]  # fmt: skip
    with_network(run, monkeypatch, count_of(run, "calm"))
    assert [part.change for part in changes_by_words(run, sample)] == [0] * 5


def test_long_texts_are_told_by_phrases(run, sample, monkeypatch):
    with_network(run, monkeypatch, count_of(run, "good"))
    found = changes_by_words(run, sample, most=2)
    assert [(part.words, part.change) for part in found] == [("It is good,", 1), ("not bad.", 0)]


def test_without_a_text_no_word_is_told_and_with_one_word_alone_the_base_stays(run, sample):
    silent = replace(sample, observation=replace(sample.observation, transcript=None))
    assert changes_by_words(run, silent) == []
    bare = replace(sample.observation, transcript="Good.", audio=None, video=None)
    only = replace(sample, observation=bare, explanation=Explanation())
    (part,) = changes_by_words(run, only)
    assert part.change == pytest.approx(run.score([only], [0]).score_N[0] - base_of(run).score, abs=1e-6)


def test_the_moment_that_counts_is_found(run, sample, monkeypatch):
    with_network(run, monkeypatch, lambda batch: batch.audio.mask_BT[:, 10:15].sum(dim=1).float())
    found = changes_over_time(run, sample, windows=5)
    assert [part.start for part in found] == pytest.approx([0, 1, 2, 3, 4])
    assert [part.end for part in found] == pytest.approx([1, 2, 3, 4, 5])
    assert [part.change["audio"] for part in found] == [0, 5, 0, 0, 0]
    assert [part.change.get("video") for part in found] == [0, 0, 0, 0, None]  # it has 4 s of video


def test_words_with_times_are_hidden_in_their_window(run, sample, monkeypatch):
    with_network(run, monkeypatch, count_of(run, "good"))
    spoken = ["It", "is", "good", "not", "bad"]
    words = [TimedWord(word, float(place), place + 0.9) for place, word in enumerate(spoken)]
    found = changes_over_time(run, sample, windows=5, words=words)
    assert [part.change["text"] for part in found] == [0, 0, 1, 0, 0]


def test_a_trained_network_is_moved_by_something(run, sample):
    found = changes_over_time(run, sample, windows=4)
    assert any(abs(change) > 1e-6 for part in found for change in part.change.values())
    assert any(abs(part.change) > 1e-6 for part in changes_by_words(run, sample))


def test_first_steps_have_no_times(run, sample, monkeypatch):
    monkeypatch.setattr(run.members[0].model.config, "frames", "first")
    with pytest.raises(UserError, match="which have no times"):
        changes_over_time(run, sample)
