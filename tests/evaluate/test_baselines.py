"""Baselines on stores as real corpora make them: without a modality, a value, a label; never fitted on what is scored.

MiniLM is exchanged for a tiny encoder with random weights, so that each fit takes a moment.
"""

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from network_fixtures import save_tiny_encoder, small_recipe

from benchmarks.generated_store import generate_store
from textmsa.cli import main
from textmsa.evaluate.baselines import Baselines
from textmsa.evaluate.fine_tuned import FINE_TUNING_BATCH, batches_of
from textmsa.evaluate.labelled import labelled_clips
from textmsa.evaluate.stacking import Stacked
from textmsa.evaluate.tables import FOLDS, Fitting, measured, pool, standardised
from textmsa.model import text_encoder
from textmsa.store.reading import Store
from textmsa.store.rows import StoredClip
from textmsa.store.writing import write_store
from textmsa.train.command import train
from textmsa.types import Clip, FeatureSequence, Observation

OF_MEDIA = {"mean", "ridge_text", "ridge_all", "gbm_all", "gbm_facts", "late_fusion"}
STACKED = {"stacked_ridge", "stacked_gbm"}
OF_TEXT = {"mean", "ridge_text", "fine_tuned", "fine_tuned_seed_3"}
MEDIA_ONLY = ("ridge_all", "gbm_all", "gbm_facts", "late_fusion")
CLIPS = 40


@pytest.fixture(scope="module", autouse=True)
def encoder(tmp_path_factory):
    folder = save_tiny_encoder(tmp_path_factory.mktemp("encoder"))
    located = text_encoder.encoder_location
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_encoder, "encoder_location", lambda name: str(folder) if name == "minilm" else located(name))
        yield folder


Change = Callable[[int, Clip, Observation], tuple[Clip, Observation]]


def changed_store(folder: Path, change: Change, clips: int = CLIPS) -> Store:
    """A generated store, each of whose clips is changed."""
    whole = generate_store(folder, clips=clips, audio=(6, 3), video=(4, 2), words=(2, 6))

    def row(index: int) -> StoredClip:
        stored = whole.row(index)
        clip, observation = change(index, stored.sample.clip, stored.sample.observation)
        return replace(stored, sample=replace(stored.sample, clip=clip, observation=observation))

    rows = [row(index) for index in range(clips)]
    write_store(folder, rows, manifest=replace(whole.manifest, data="data-0002"), statistics=whole.statistics)
    return Store.open(folder)


def without(*modalities: str) -> Change:
    def change(index: int, clip: Clip, seen: Observation) -> tuple[Clip, Observation]:
        gone: dict[str, Any] = dict.fromkeys(modalities)
        if "transcript" in gone:
            clip = replace(clip, transcript=None)
        return clip, replace(seen, **gone)

    return change


def column_is(value: float) -> Change:
    def change(index: int, clip: Clip, seen: Observation) -> tuple[Clip, Observation]:
        assert seen.audio is not None
        seen.audio.values_TF[:, 1] = value
        return clip, seen

    return change


def labels(label: Callable[[int, Clip], float | None]) -> Change:
    return lambda index, clip, seen: (replace(clip, label=label(index, clip)), seen)


def one_of_each(index: int, clip: Clip) -> float | None:
    return clip.label if index in (0, 7, 8) else None


CASES: dict[str, tuple[Change, set[str], dict[str, str]]] = {
    "no video": (without("video"), OF_MEDIA, {}),
    "no audio": (without("audio"), OF_MEDIA, {}),
    "no media": (
        without("audio", "video"),
        OF_TEXT,
        dict.fromkeys(MEDIA_ONLY, "nothing was heard or seen in any training clip"),
    ),
    "no text": (
        without("transcript"),
        OF_MEDIA - {"ridge_text"},
        {"ridge_text": "no training clip has a transcript"},
    ),
    "nothing": (
        without("transcript", "audio", "video"),
        {"mean"},
        {
            "ridge_text": "no training clip has a transcript",
            "fine_tuned": "no training clip has a transcript",
            **dict.fromkeys(MEDIA_ONLY, "nothing was heard or seen in any training clip"),
        },
    ),
    "one constant column": (column_is(2.0), OF_MEDIA, {}),
    "one column without a value": (column_is(np.nan), OF_MEDIA, {}),
    "equal labels": (labels(lambda index, clip: 1.0), OF_MEDIA, {}),
    "one class": (labels(lambda index, clip: 1 + index / CLIPS), OF_MEDIA, {}),
    "some without label": (labels(lambda index, clip: clip.label if index % 3 else None), OF_MEDIA, {}),
}


def run_of(encoder: Path, *, unimodal: bool = False, text_input: str = "residual") -> Any:
    """What baselines ask of a run."""
    run = SimpleNamespace(info=SimpleNamespace(seed=3, seeds=[]))
    config = SimpleNamespace(text_encoder=str(encoder), unimodal_heads=unimodal, text_input=text_input, rating=False)
    run.members = [SimpleNamespace(recipe=None, model=SimpleNamespace(config=config))]
    return run


@pytest.mark.parametrize("split", ["valid", "test"])
@pytest.mark.parametrize("case", CASES)
def test_every_baseline_runs_or_is_left_out_with_a_reason(encoder, tmp_path, case, split):
    change, names, left_out = CASES[case]
    store = changed_store(tmp_path / "store", change)
    clips = labelled_clips(store, split)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = Baselines.fit(run_of(encoder), store, clips)
    assert set(fitted.scores) == names
    assert fitted.left_out == left_out
    for score_N in fitted.scores.values():
        assert score_N.shape == (len(clips.ids),)
        assert np.isfinite(score_N).all()


@pytest.mark.parametrize("split", ["valid", "test"])
def test_one_labelled_clip_a_split_is_enough_for_the_test_split(encoder, tmp_path, split):
    store = changed_store(tmp_path / "store", labels(one_of_each))
    clips = labelled_clips(store, split)
    fitted = Baselines.fit(run_of(encoder), store, clips)
    assert (len(clips.ids), clips.unlabelled) == (1, 3 if split == "valid" else 7)
    if split == "test":
        assert set(fitted.scores) == OF_MEDIA
    else:
        assert set(fitted.scores) == {"mean", "late_fusion"}
        assert set(fitted.left_out.values()) == {"one training clip: nothing to choose its settings by"}


def test_a_store_without_training_labels_has_no_baselines_and_says_so(encoder, tmp_path):
    store = changed_store(tmp_path / "store", labels(lambda i, clip: clip.label if clip.split == "test" else None))
    fitted = Baselines.fit(run_of(encoder), store, labelled_clips(store, "test"))
    assert not fitted.scores
    assert "'train' has a label" in fitted.left_out["baselines"]


def test_baselines_never_see_the_labels_that_they_are_compared_with(encoder, tmp_path):
    """With all labels of the scored split turned round, the scores are the same; and settings were chosen."""
    scores = {}
    for turned in (False, True):
        for split in ("valid", "test"):

            def turn(index: int, clip: Clip, turned: bool = turned, split: str = split) -> float | None:
                assert clip.label is not None
                return -clip.label if turned and clip.split == split else clip.label

            store = changed_store(tmp_path / f"{turned}{split}", labels(turn))
            scores[turned, split] = Baselines.fit(run_of(encoder), store, labelled_clips(store, split)).scores
    for split in ("valid", "test"):
        for name in OF_MEDIA:
            assert np.array_equal(scores[False, split][name], scores[True, split][name]), (split, name)


def test_baselines_read_the_words_that_the_run_reads(encoder, tmp_path):
    """Of a run that reads translations, these; with other transcripts their scores stay, and no others'."""

    def spoken(words: str) -> Any:
        def change(index: int, clip: Clip, seen: Observation) -> tuple[Clip, Observation]:
            said = f"{words} {index % 3}"
            return replace(clip, transcript=said, transcript_en=clip.transcript), replace(seen, transcript=said)

        return change

    scores = {}
    for words in ("rain", "snow falls"):
        store = changed_store(tmp_path / words, spoken(words))
        clips = labelled_clips(store, "test")
        for source in ("translated", "both", "residual", "reason"):
            data = Fitting.of(store, clips, str(encoder), text_input=source)
            scores[words, source] = data.scored.text_NF
            assert data.scored.transcripts[0].startswith(words) == (source != "translated")
    assert np.array_equal(scores["rain", "translated"], scores["snow falls", "translated"])
    for source in ("both", "residual"):
        assert not np.allclose(scores["rain", source], scores["snow falls", source])
    assert np.array_equal(scores["rain", "residual"], scores["rain", "reason"])  # a reason holds none


def test_folds_keep_the_clips_of_a_video_together(encoder, tmp_path):
    store = generate_store(tmp_path / "store", clips=120, audio=(2, 2), video=(2, 2))
    data = Fitting.of(store, labelled_clips(store, "valid"), str(encoder))
    assert data.choose is None
    assert len(list(data.folds(lambda table: table.pooled_NF))) == FOLDS
    fold_by_video = dict(zip(data.train.video_N, data.train.fold_N, strict=True))
    assert [fold_by_video[video] for video in data.train.video_N] == list(data.train.fold_N)
    assert np.bincount(data.train.fold_N).min() > 0


def with_unimodal(index: int, clip: Clip, seen: Observation) -> tuple[Clip, Observation]:
    assert clip.label is not None
    return replace(clip, label_audio=-clip.label, label_text=clip.label if index % 2 else None), seen


@pytest.mark.parametrize("split", ["valid", "test"])
def test_where_text_learns_unimodal_labels_stacked_baselines_do_too(encoder, tmp_path, split):
    store = changed_store(tmp_path / "store", with_unimodal)
    clips = labelled_clips(store, split)
    assert set(Baselines.fit(run_of(encoder, unimodal=True), store, clips).scores) == OF_MEDIA | STACKED
    assert set(Baselines.fit(run_of(encoder), store, clips).scores) == OF_MEDIA


def test_without_such_labels_they_are_left_out_with_the_reason(encoder, tmp_path):
    store = changed_store(tmp_path / "store", lambda index, clip, seen: (clip, seen))
    fitted = Baselines.fit(run_of(encoder, unimodal=True), store, labelled_clips(store, "test"))
    assert set(fitted.scores) == OF_MEDIA
    assert fitted.left_out == dict.fromkeys(STACKED, "fewer than ten training clips have a label of a modality alone")


def test_readings_of_a_training_clip_do_not_depend_on_its_own_label(encoder, tmp_path):
    """Cross-fitting: with one clip's unimodal labels changed, its readings stay, and others' change."""

    def one_changed(index: int, clip: Clip, seen: Observation) -> tuple[Clip, Observation]:
        clip, seen = with_unimodal(index, clip, seen)
        return (replace(clip, label_audio=3.0) if index == 1 else clip), seen

    readings = []
    for change in (with_unimodal, one_changed):
        store = changed_store(tmp_path / change.__name__, change)
        data = Fitting.of(store, labelled_clips(store, "test"), str(encoder))
        readings.append(Stacked.of(data).read[id(data.train)])
        assert store.labelled("train")[1] == 1
    assert np.array_equal(readings[0][1], readings[1][1])
    assert not np.allclose(readings[0], readings[1])


def test_no_unimodal_label_of_other_clips_is_looked_at(encoder, tmp_path):
    def gone_elsewhere(index: int, clip: Clip, seen: Observation) -> tuple[Clip, Observation]:
        changed, seen = with_unimodal(index, clip, seen)
        return (changed if clip.split == "train" else clip), seen

    scores = []
    for change in (with_unimodal, gone_elsewhere):
        store = changed_store(tmp_path / change.__name__, change)
        run = run_of(encoder, unimodal=True)
        scores.append(Baselines.fit(run, store, labelled_clips(store, "test")).scores)
    assert all(np.array_equal(scores[0][name], scores[1][name]) for name in OF_MEDIA | STACKED)


def test_columns_are_scaled_and_left_out_by_the_clips_to_fit_on():
    train_NF = np.array([[np.nan, 1.0, 5.0], [np.nan, 3.0, 5.0]])
    other_NF = np.array([[7.0, 2.0, 6.0], [np.nan, np.nan, np.nan]])
    assert standardised(train_NF, other_NF).tolist() == [[7, 0, 1], [0, 0, 0]]
    assert measured(train_NF, other_NF)[0].tolist() == [2.0, 6.0]


def test_a_corpus_in_which_nobody_is_seen_is_evaluated_to_the_end(encoder, tmp_path, capsys):
    store = changed_store(tmp_path / "store", without("video"))
    train(small_recipe(encoder), data=store.path, out=tmp_path / "run", device="cpu")
    assert main(["evaluate", str(tmp_path / "run"), "--data", str(store.path)]) == 0
    assert "gbm_all" in capsys.readouterr().out


def test_a_clip_is_pooled_over_what_was_measured_of_each_feature():
    rng = np.random.default_rng(0)
    values_TF = rng.normal(size=(30, 5)).astype(np.float32)
    values_TF[3:9, 1] = values_TF[:, 4] = np.nan
    pooled = pool(FeatureSequence(values_TF, np.arange(30) / 10, tuple("abcde")), 5).reshape(6, 5)
    for feature in range(4):
        real = values_TF[np.isfinite(values_TF[:, feature]), feature].astype(np.float64)
        wanted = [real.mean(), real.std(), *np.quantile(real, [0.1, 0.9]), real.min(), real.max()]
        assert pooled[:, feature] == pytest.approx(wanted)
    assert np.isnan(pooled[:, 4]).all()


@pytest.mark.parametrize("clips", [1, 31, 400])
def test_fine_tuning_reads_every_text_once_an_epoch_beside_others_of_like_length(clips):
    lengths = np.random.default_rng(0).integers(1, 90, clips)
    texts = ["x" * length for length in lengths]
    first, second = ([rows.tolist() for rows in batches_of(texts)] for _ in range(2))
    for batches in (first, second):
        assert sorted(row for rows in batches for row in rows) == list(range(clips))
        assert max(len(rows) for rows in batches) <= FINE_TUNING_BATCH
    if clips == 400:
        assert first != second
        padded = sum(max(lengths[rows]) * len(rows) for rows in first)
        assert padded < 0.75 * lengths.max() * clips
