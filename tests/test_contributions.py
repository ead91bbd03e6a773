"""Shapley values: by hand, of networks whose answer is known, and of trained ones; what is hidden with what."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from network_fixtures import small_recipe

from benchmarks.generated_store import generate_store
from textmsa.config import InputConfig
from textmsa.contributions import base_of, contributions, sets_of, shapley_values
from textmsa.errors import UserError
from textmsa.inputs.time_grid import standards_of
from textmsa.run import Run
from textmsa.store.reading import Store
from textmsa.train.command import train
from textmsa.types import Explanation, Sample

TEXT, AUDIO, VIDEO = 1, 2, 4


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return generate_store(tmp_path_factory.mktemp("counted") / "store", clips=30)


@pytest.fixture(scope="module")
def run(store, encoder, tmp_path_factory) -> Run:
    out = tmp_path_factory.mktemp("counted") / "run"
    recipe = small_recipe(encoder, InputConfig(text_input="residual"))
    train(recipe, data=store.path, out=out, device="cpu", seeds="1,2")
    return Run.open(out)


class Counting:
    """In place of a network: a score by what is there, and how often it was asked for one."""

    device = "cpu"

    def __init__(self, score):
        self.score, self.rows = score, 0

    def __call__(self, batch):
        self.rows += len(batch)
        return SimpleNamespace(score_B=self.score(*batch.present_BM.float().unbind(dim=1), batch))


def with_network(run: Run, monkeypatch, score) -> Counting:
    network, collator = Counting(score), run.members[0].collator
    monkeypatch.setattr(Run, "load", lambda self, precision="fp32": [(network, collator)])
    return network


def test_three_players_by_hand():
    # Words are worth 6, voice and face 3 more, but only together and whatever the words.
    values = {0: 1, TEXT: 7, AUDIO: 1, VIDEO: 1, TEXT | AUDIO: 7, TEXT | VIDEO: 7, AUDIO | VIDEO: 4, 7: 10}
    found = shapley_values(np.array([[float(values[number]) for number in range(8)]]))
    assert found == pytest.approx(np.array([[6, 1.5, 1.5]]))


def test_values_and_base_sum_to_any_score():
    score_NS = np.random.default_rng(0).normal(size=(50, 8))
    found = shapley_values(score_NS)
    assert found.sum(axis=1) + score_NS[:, 0] == pytest.approx(score_NS[:, -1], abs=1e-9)


def test_of_a_trained_run_they_sum_to_its_score_and_are_the_mean_of_its_networks(run, store):
    indices = store.labelled("test")
    found = contributions(run, store, indices)
    assert found.score_N == pytest.approx(run.score(store, indices).score_N, abs=1e-5)
    assert found.base.score + found.contribution_NM.sum(axis=1) == pytest.approx(found.score_N, abs=1e-5)
    each = [contributions(member, store, indices, base=found.base).contribution_NM for member in run.members]
    assert found.contribution_NM == pytest.approx(np.mean(each, axis=0), abs=1e-5)
    assert np.abs(found.contribution_NM).max() > 1e-3


def test_a_clip_counts_the_same_alone_and_among_others(run, store):
    indices = list(reversed(store.labelled("train")))
    together = contributions(run, store, indices)
    alone = contributions(run, store, indices[4:5])
    assert (together.ids[4], together.contribution_NM[4]) == (
        alone.ids[0],
        pytest.approx(alone.contribution_NM[0], abs=1e-5),
    )


def test_what_a_network_ignores_counts_nothing_and_equals_share(run, store, monkeypatch):
    nothing = base_of(run).score
    with_network(run, monkeypatch, lambda text, audio, video, batch: nothing + 2 * text * video)
    found = contributions(run, store, [0, 1])
    assert found.contribution_NM[:, 1] == pytest.approx([0, 0], abs=1e-9)
    assert found.contribution_NM[:, 0] == pytest.approx(found.contribution_NM[:, 2])
    with_network(run, monkeypatch, lambda text, audio, video, batch: text + video + audio + 3 * text * audio * video)
    found = contributions(run, store, [0])
    assert np.ptp(found.contribution_NM[0]) == pytest.approx(0, abs=1e-9)
    assert found.score_N == pytest.approx([6])


def test_what_a_trained_network_does_not_read_counts_nothing(store, encoder, tmp_path):
    recipe = small_recipe(encoder, InputConfig(text_input="transcript", modalities=("text", "video")))
    train(recipe, data=store.path, out=tmp_path / "run", device="cpu")
    found = contributions(Run.open(tmp_path / "run"), store, store.labelled("test"))
    assert (found.contribution_NM[:, 1] == 0).all()
    assert (np.abs(found.contribution_NM[:, [0, 2]]).max(axis=0) > 1e-4).all()
    assert found.base.score + found.contribution_NM.sum(axis=1) == pytest.approx(found.score_N, abs=1e-5)


def test_what_is_missing_counts_nothing_and_no_set_is_scored_twice(run, store, monkeypatch):
    sample = store[0]
    deaf = replace(sample, observation=replace(sample.observation, audio=None, missing={"audio": "no sound"}))
    network = with_network(run, monkeypatch, lambda text, audio, video, batch: text + 2 * video + 5 * audio)
    found = contributions(run, [deaf], [0])
    assert network.rows == 3
    assert found.contribution_NM[0, 1] == 0
    assert found.contribution_NM[0].sum() + found.base.score == pytest.approx(3)
    network.rows = 0
    contributions(run, store, range(20))
    assert network.rows == 20 * 7


def test_scores_out_of_range_are_kept_within_first(run, store, monkeypatch):
    with_network(run, monkeypatch, lambda text, audio, video, batch: 9 * text)
    found = contributions(run, store, [0], within=(-3.0, 3.0))
    assert found.score_N[0] == 3
    assert found.contribution_NM[0].sum() + found.base.score == pytest.approx(3)


def test_nothing_is_the_mean_label_of_the_training_clips(run, store):
    mean = store.label_N[store.labelled("train")].mean()
    assert base_of(run).score == pytest.approx(mean)
    assert [member.info.training_mean for member in run.members] == pytest.approx([mean] * 2)
    older = Run(run.path, replace(run.info, training_mean=None), run.preparation)
    assert base_of(older).score == pytest.approx(mean)
    gone = Run(run.path, replace(run.info, training_mean=None, store="/nowhere"), run.preparation)
    assert (base_of(gone).score, "middle of the range" in base_of(gone).source) == (0.0, True)


def test_no_clip_is_one_line(run, store):
    with pytest.raises(UserError, match="no clip to score"):
        contributions(run, store, [])


EXPLAINED = Explanation(audio="A loud voice.", video="A smile.", summary="Loud, smiling.", reason="So it is.")


def sets(run: Run, store: Store, **config):
    sample = store[0]
    sample = Sample(
        replace(sample.clip, transcript_en="Good."), replace(sample.observation, transcript="Gut."), EXPLAINED
    )
    settings = run.members[0].model.config
    changed = SimpleNamespace(**{**settings.to_dict(), **config})
    assert run.preparation.statistics is not None
    return sets_of(sample, standards_of(run.preparation.statistics), changed)  # type: ignore[arg-type]


def test_an_explanation_is_hidden_with_what_it_tells_of(run, store):
    found = sets(run, store)
    assert len(found) == 7
    assert found[7].text == "Gut. | Loud, smiling."
    assert {number: example.text for number, example in found.items() if number != 7 and number & TEXT} == {
        TEXT: "Gut.",
        TEXT | AUDIO: "Gut.",
        TEXT | VIDEO: "Gut.",
    }
    for number, example in found.items():
        assert (example.audio_explanation is not None) == (example.audio is not None) == bool(number & AUDIO)
        assert (example.video_explanation is not None) == (example.video is not None) == bool(number & VIDEO)
        assert (example.text is not None) == bool(number & TEXT)


@pytest.mark.parametrize(
    ("config", "texts"),
    [
        ({"text_input": "transcript"}, ["Gut."] * 4),
        ({"text_input": "translated"}, ["Good."] * 4),
        ({"text_input": "both"}, ["Gut. | Good."] * 4),
        ({"text_input": "reason"}, [None, None, None, "So it is."]),
        ({"explanations": "audio"}, ["Gut.", "Gut. | Loud, smiling.", "Gut.", "Gut. | Loud, smiling."]),
        ({"explanations": "transcript"}, ["Gut. | Loud, smiling."] * 4),
    ],
)
def test_the_text_without_what_is_hidden(run, store, config, texts):
    found = sets(run, store, **config)
    shown = [found[n].text if n in found else None for n in (TEXT, TEXT | AUDIO, TEXT | VIDEO, 7)]
    assert shown == texts


def test_equal_texts_of_a_clips_sets_are_encoded_once(run, store, monkeypatch):
    from textmsa.model import packing, text_encoder

    encoded: list[int] = []
    pack = packing.pack

    def counted(*rows):
        packed = pack(*rows)
        encoded.append(len(packed.source_P))
        return packed

    monkeypatch.setattr(text_encoder, "pack", counted)
    contributions(run, store, [0])
    tokenizer, explanation = run.members[0].collator.tokenizer, store[0].explanation
    words = store[0].observation.transcript
    texts = [words, f"{words} | {explanation.summary}", explanation.audio, explanation.video]
    pieces = sum(len(tokenizer(text, truncation=True, max_length=50)["input_ids"]) for text in texts)
    assert encoded == [pieces] * len(run.members)  # one call of each network's encoder for all seven sets
