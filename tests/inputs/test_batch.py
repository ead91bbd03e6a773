import pickle
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from network_fixtures import tiny_config

from benchmarks.generated_store import generate_store
from textmsa.errors import UserError
from textmsa.inputs.collator import Collator
from textmsa.inputs.examples import SampleDataset, bytes_of, example_of, missing_of, text_of
from textmsa.inputs.time_grid import Standardisation, first_steps, grid_steps, pool_to_grid, standards_of
from textmsa.model import TextMsaConfig
from textmsa.model.text_encoder import encoder_location
from textmsa.types import Clip, Explanation, FeatureSequence, Observation, Sample, Samples


@pytest.mark.parametrize(("seconds", "steps"), [(0.01, 1), (0.1, 1), (0.11, 2), (0.3, 3), (2.0, 20), (5, 50), (60, 50)])
def test_grid_has_a_window_per_tenth_of_a_second(seconds, steps):
    assert grid_steps(seconds, 1000, 50) == steps


def test_a_window_is_the_mean_of_what_falls_inside_and_empty_ones_are_masked():
    values = np.array([[1.0], [3.0], [7.0]], dtype=np.float32)
    pooled, mask = pool_to_grid(values, np.array([0.02, 0.08, 0.25]), 0.3, 50)
    assert pooled[[0, 2], 0].tolist() == [2.0, 7.0]
    assert mask.tolist() == [True, False, True]


def test_missing_values_are_left_out_column_by_column():
    values = np.array([[1.0, np.nan, 5.0], [np.nan, np.nan, 7.0]], dtype=np.float32)
    pooled, mask = pool_to_grid(values, np.array([0.01, 0.02]), 0.1, 50)
    assert (pooled[0, 0], pooled[0, 2], mask[0]) == (1.0, 6.0, True)
    assert np.isnan(pooled[0, 1])
    _, mask = pool_to_grid(values[:, 1:2], np.array([0.01, 0.02]), 0.1, 50)
    assert not mask.any()


@given(st.integers(1, 200), st.floats(0.05, 30))
def test_every_value_falls_into_one_window(length, duration):
    times = (np.arange(length) + 0.5) * duration / length
    ones = np.ones((length, 1), dtype=np.float32)
    pooled, mask = pool_to_grid(ones, times, duration, 50)
    assert np.all(pooled[mask] == 1)
    by_index, by_index_mask = pool_to_grid(ones, None, None, 50)
    assert len(by_index) == min(length, 50)
    assert by_index_mask.all()


def test_first_steps_as_the_reference_cuts():
    long = np.zeros((60, 1), dtype=np.float32)
    long[5:] = 1
    assert first_steps(long, 50)[:, 0].sum() == 50
    long[:] = 0
    long[30:] = 1
    assert first_steps(long, 50)[:, 0].tolist() == [0] * 20 + [1] * 30
    short = np.array([[-np.inf], [2.0]], dtype=np.float32)
    assert first_steps(short, 4)[:, 0].tolist() == [0, 2, 0, 0]


def test_residual_text_is_transcript_and_summary():
    told = Explanation(summary="calm", reason="because")
    assert text_of("hello", "salut", told, "residual") == "hello | calm"
    assert text_of("hello", None, Explanation(), "residual") == "hello"
    assert text_of(None, None, told, "residual") is None
    assert text_of("hello", "salut", told, "translated") == "salut"
    assert text_of("hello", None, told, "reason") == "because"


def test_a_text_in_both_languages_is_what_is_there_of_the_two():
    told = Explanation(summary="calm", reason="because")
    assert text_of("salut", "hello", told, "both") == "salut | hello"
    assert text_of("salut", None, told, "both") == "salut"
    assert text_of(None, "hello", told, "both") == "hello"
    assert text_of(None, None, told, "both") is None


def sample(transcript: str | None, video: bool) -> Sample:
    sequence = FeatureSequence(np.full((4, 2), 3.0, np.float32), np.arange(4) / 10 + 0.05, ("x", "y"))
    seen = Observation(Path("a.mp4"), transcript, 0.4, None, sequence if video else None)
    return Sample(Clip("a", Path("a.mp4"), transcript, 1.0), seen, Explanation(video="a smile", audio="a voice"))


def missing(sample: Sample, **inputs) -> dict[str, str]:
    config = TextMsaConfig(**inputs)
    return missing_of(sample, example_of(sample, {}, config), config)


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({}, None),
        ({"text_input": "translated"}, "no translation (text_en)"),
        ({"text_input": "reason"}, "the explanation has no reason"),
        ({"pieces": "given"}, "no word pieces of the text 'residual'"),
        ({"modalities": ("audio", "video")}, "not read by this network"),
    ],
)
def test_why_a_clips_text_is_not_read_is_told(inputs, reason):
    assert missing(sample("hello", True), **inputs).get("text") == reason


def test_without_a_transcript_the_observation_tells_why():
    assert missing(sample(None, True))["text"] == "no transcript"
    silent = sample(None, True)
    silent.observation.missing["text"] = "no speech"
    assert missing(silent)["text"] == "no speech"


def test_a_modality_without_a_real_window_is_told_as_missing():
    blind = sample("hello", True)
    assert blind.observation.video is not None
    blind.observation.missing["audio"] = "no sound"
    assert missing(blind) == {"audio": "no sound"}
    blind.observation.video.values_TF[:] = np.nan
    assert missing(blind) == {"audio": "no sound", "video": "too little of it could be measured"}


def test_batches_pad_mask_and_standardise():
    from transformers import AutoTokenizer

    config = TextMsaConfig()
    standards = {"video": Standardisation(np.array([1.0, 1.0], np.float32), np.array([2.0, 2.0], np.float32))}
    examples = [example_of(sample("hello there", True), standards, config), example_of(sample("hi", False), {}, config)]
    batch = Collator(AutoTokenizer.from_pretrained(encoder_location("minilm")), config)(examples)
    assert batch.audio is None
    assert batch.audio_explanation is None  # nothing explains a modality that is not there
    assert batch.video is not None
    assert batch.video.values_BTF[0].tolist() == [[1.0, 1.0]] * 4
    assert batch.video.mask_BT.tolist() == [[True] * 4, [False] * 4]
    assert batch.present_BM.tolist() == [[True, False, True], [True, False, False]]


def test_a_clip_with_nothing_is_an_error_that_names_it():
    from transformers import AutoTokenizer

    config = TextMsaConfig()
    collator = Collator(AutoTokenizer.from_pretrained(encoder_location("minilm")), config)
    with pytest.raises(UserError, match="all missing"):
        collator([example_of(sample(None, False), {}, config)])


def test_what_was_made_of_a_clip_is_kept_up_to_a_size_and_changes_are_not(tmp_path):
    store = generate_store(tmp_path / "store", clips=6)
    made: list[int] = []  # in the order of the clips' reading

    class Counted:
        def __getattr__(self, name):
            return getattr(store, name)

        def __getitem__(self, index):
            made.append(index)
            return store[index]

    config, standards = tiny_config(), standards_of(store.statistics)
    size = bytes_of(SampleDataset(store, range(6), standards, config)[0])
    changes = iter(range(100))
    dataset = SampleDataset(
        cast(Samples, Counted()),
        range(6),
        standards,
        config,
        lambda example: replace(example, id=f"{example.id} {next(changes)}"),
        keep_bytes=3 * size,
    )
    first, second = ([dataset[i] for i in range(6)] for _ in range(2))
    assert made[:6] == list(range(6)) and 3 <= len(made) - 6 < 6  # clips differ in length
    assert [example.id.split()[1] for example in first + second] == [str(i) for i in range(12)]
    plain = SampleDataset(store, range(6), standards, config)
    for i, example in enumerate(second):
        again = plain[i].audio
        assert example.audio is not None and again is not None
        assert np.array_equal(example.audio[0], again[0])
    assert len(pickle.loads(pickle.dumps(SampleDataset(store, [0], standards, config, keep_bytes=10**6)))) == 1
