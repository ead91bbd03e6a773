import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.generated_store import generate_store
from textmsa.errors import UserError
from textmsa.features.statistics import ModalityStatistics, Statistics, modality_statistics
from textmsa.store.manifest import Manifest
from textmsa.store.preparation import Preparation
from textmsa.store.reading import Store
from textmsa.store.rows import StoredClip
from textmsa.store.writing import ROWS_PER_BATCH, write_store
from textmsa.types import Clip, ExplainerSpec, Explanation, FeatureSequence, FeatureSpec, Observation, Sample, Samples

AUDIO = FeatureSpec("librosa", "1", ("f0", "loudness"))
VIDEO = FeatureSpec("mediapipe", "1", ("smile", "brows", "face"))
STATISTICS = Statistics(
    audio=ModalityStatistics(
        AUDIO.names,
        np.array([0.1, 1 / 3], np.float32),
        np.array([1, 1e-3], np.float32),
        np.array([5, 0]),
    ),
    explainer={"pitch": [0.1, 2]},
    clips=3,
)


def manifest_of(folder: Path, **fields: object) -> Manifest:
    made = Manifest(
        corpus="tiny",
        corpus_folder=str(folder),
        score_range=(-3.0, 3.0),
        score_range_source="given",
        counts={"train": 2, "valid": 1, "test": 1},
        missing={"audio": {"no audio stream": 1}},
        skipped=0,
        audio=AUDIO,
        video=VIDEO,
        explainer=ExplainerSpec("measured", "1", {"times": False}),
        statistics_sha256=STATISTICS.sha256,
        packages={"numpy": "2"},
        created="2026-01-01T00:00:00+00:00",
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def sequence(names: tuple[str, ...], steps: int, seed: int) -> FeatureSequence:
    draw = np.random.default_rng(seed)
    values_TF = draw.normal(size=(steps, len(names))).astype(np.float32)
    values_TF[::2, 0] = np.nan
    return FeatureSequence(values_TF, np.sort(draw.random(steps)), names)


def samples(folder: Path) -> list[Sample]:
    full = Clip("ä$_$01", folder / "Raw/ä/01.mp4", "Ja,\n„gut“ \x00", 1 / 3, "train", "ä", "Yes, good", -0.1, None, 2.5)
    bare = Clip("b$_$2", folder / "Raw/b/2.mov", None, None, "valid", "b")
    silent = Clip("c$_$3", folder / "Raw/c/3.mp4", "words", -3.0, "test", "c")
    still = Clip("d$_$4", folder / "Raw/d/4.wav", "words", 0.0, "train", "d")
    explained = Explanation("a", "v", None, "s", "r", {"explainer": "x", "nested": {"n": [1, None]}})

    def seen(clip: Clip, heard: int | None, watched: int | None, **missing: str) -> Observation:
        return Observation(
            clip.path,
            clip.transcript,
            1 / 7,
            None if heard is None else sequence(AUDIO.names, heard, 1),
            None if watched is None else sequence(VIDEO.names, watched, 2),
            missing,
        )

    return [
        Sample(full, seen(full, 7, 3), explained),
        Sample(bare, seen(bare, 1, 400, text="no transcript"), Explanation()),
        Sample(silent, seen(silent, None, 2, audio="no audio stream"), explained),
        Sample(still, seen(still, 5, None, video='a "cover",\n only'), Explanation(provenance={"failed": "x"})),
    ]


def make(folder: Path, made: list[Sample], **fields: object) -> Path:
    rows = [StoredClip(sample, f"s{place}", f"e{place}") for place, sample in enumerate(made)]
    write_store(folder / "store", rows, manifest=manifest_of(folder, **fields), statistics=STATISTICS)
    return folder / "store"


def assert_same_sequence(one: FeatureSequence | None, other: FeatureSequence | None) -> None:
    assert (one is None) == (other is None)
    if one is not None and other is not None:
        assert one.names == other.names
        for mine, theirs in ((one.values_TF, other.values_TF), (one.times_T, other.times_T)):
            assert mine.dtype == theirs.dtype
            assert mine.shape == theirs.shape
            assert mine.tobytes() == theirs.tobytes()


def test_samples_come_back_exactly(tmp_path: Path) -> None:
    made = samples(tmp_path)
    store = Store.open(make(tmp_path, made))
    assert len(store) == 4
    for before, after in zip(made, store, strict=True):
        assert after.clip == before.clip
        assert after.explanation == before.explanation
        assert_same_sequence(after.observation.audio, before.observation.audio)
        assert_same_sequence(after.observation.video, before.observation.video)
        assert replace(after.observation, audio=None, video=None) == replace(before.observation, audio=None, video=None)
    assert store.row(2).source == "s2"
    assert store.row(-1).explanation_source == "e3"
    assert store.clips() == [sample.clip for sample in made]
    assert store.explanations() == [sample.explanation for sample in made]
    with pytest.raises(IndexError):
        store[4]


def test_manifest_and_statistics_come_back_exactly(tmp_path: Path) -> None:
    store = Store.open(make(tmp_path, samples(tmp_path)))
    assert store.manifest == manifest_of(tmp_path)
    assert store.statistics.sha256 == STATISTICS.sha256
    assert store.statistics.audio is not None
    assert STATISTICS.audio is not None
    assert store.statistics.audio.mean_F.tobytes() == STATISTICS.audio.mean_F.tobytes()
    assert store.statistics.video is None


def test_splits_labels_ids_and_order_across_batches(tmp_path: Path) -> None:
    first = samples(tmp_path)[0]
    count = 2 * ROWS_PER_BATCH + 3
    made = [
        replace(first, clip=replace(first.clip, id=str(place), label=place / 100, split=("train", "test")[place % 2]))
        for place in range(count)
    ]
    store = Store.open(make(tmp_path, made))
    assert [sample.clip.id for sample in store] == [str(place) for place in range(count)]
    assert store.indices("test") == list(range(1, count, 2))
    np.testing.assert_array_equal(store.labels("train"), np.arange(0, count, 2) / 100)
    with pytest.raises(UserError, match="no clip in the split 'valid'"):
        store.indices("valid")
    assert pickle.loads(pickle.dumps(store))[count - 1].clip.id == str(count - 1)


def test_labels_are_nan_where_there_is_none(tmp_path: Path) -> None:
    assert np.isnan(Store.open(make(tmp_path, samples(tmp_path))).labels("valid")).all()


def test_the_labelled_of_a_split_are_found(tmp_path: Path) -> None:
    store = Store.open(make(tmp_path, samples(tmp_path)))
    assert store.labelled("train") == store.indices("train") == [0, 3]
    assert store.indices("valid") == [1]
    with pytest.raises(UserError, match="no clip of the split 'valid' has a label"):
        store.labelled("valid")


def test_a_store_carries_its_preparation(tmp_path: Path) -> None:
    store = Store.open(make(tmp_path, samples(tmp_path)))
    Preparation(AUDIO, VIDEO, ExplainerSpec("measured", "1")).save(store.path)
    assert store.preparation.audio == AUDIO
    assert store.preparation.statistics is not None
    assert store.preparation.statistics.sha256 == STATISTICS.sha256
    assert store.preparation is store.preparation
    as_samples: Samples = store
    assert len(as_samples.clips()) == len(as_samples)


def test_arrays_may_be_written_to(tmp_path: Path) -> None:
    store = Store.open(make(tmp_path, samples(tmp_path)))
    audio = store[0].observation.audio
    assert audio is not None
    audio.values_TF[:] = 0
    assert_same_sequence(store[0].observation.audio, samples(tmp_path)[0].observation.audio)


def test_explanations_are_readable(tmp_path: Path) -> None:
    path = make(tmp_path, samples(tmp_path))
    lines = [json.loads(line) for line in (path / "explanations.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == ["ä$_$01", "b$_$2", "c$_$3", "d$_$4"]
    assert set(lines[0]) == {"id", "audio", "video", "text", "summary", "reason", "provenance"}


def test_the_arrow_file_is_read_by_datasets_alone(tmp_path: Path) -> None:
    from datasets import Dataset

    rows = Dataset.from_file(str(make(tmp_path, samples(tmp_path)) / "data-0001/clips.arrow"))
    assert rows[2]["id"] == "c$_$3"
    assert rows[2]["audio_values"] is None


def test_features_other_than_the_manifest_says_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="audio features are not those of the manifest"):
        make(tmp_path, samples(tmp_path), audio=FeatureSpec("librosa", "1", ("f0", "other")))
    assert not (tmp_path / "store/manifest.json").exists()


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        Store.open(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    assert "no such folder" in refusal(tmp_path / "nothing")
    assert "not a store; give one, made with: textmsa prepare CORPUS --out STORE" in refusal(tmp_path)
    path = make(tmp_path, samples(tmp_path))
    manifest = (path / "manifest.json").read_text()
    (path / "manifest.json").write_text(manifest.replace('"format": 1', '"format": 2'))
    assert "format 2" in refusal(path)
    (path / "manifest.json").write_text(manifest[:50])
    assert "damaged" in refusal(path)
    (path / "manifest.json").unlink()
    (path / "preparation.json").write_text("{}")
    assert "not finished; run textmsa prepare" in refusal(path)


DAMAGE = {
    "manifest.json": [
        {"score_range": None},
        {"score_range": [1]},
        {"counts": None},
        {"audio": {"extractor": "x"}},
        {"explainer": {"tone": "dry"}},
        {"data": 3},
        {"strange": 1},
        {"statistics_sha256": ...},
    ],
    "statistics.json": [{"audio": {"names": ["f0"]}}, {"audio": ...}, {"explainer": None}, {"clips": "many"}],
    "preparation.json": [{"audio": None}, {"audio": ...}, {"video": 3}, {"explainer": []}, {"explainer": {"a": 1}}],
}


@pytest.mark.parametrize(("name", "change"), [(name, change) for name in DAMAGE for change in DAMAGE[name]])
def test_damaged_files_are_one_line_that_names_them(tmp_path: Path, name: str, change: dict[str, object]) -> None:
    path = make(tmp_path, samples(tmp_path))
    Preparation(AUDIO, VIDEO, ExplainerSpec("measured", "1")).save(path)
    document = json.loads((path / name).read_text()) | change
    (path / name).write_text(json.dumps({key: value for key, value in document.items() if value is not ...}))
    with pytest.raises(UserError, match=rf"{name}: damaged \(.*\); make it again, in another folder") as caught:
        _ = Store.open(path).preparation
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("text", ["[]", "3", "null", "", "{"])
def test_a_file_that_holds_no_object_is_damaged(tmp_path: Path, text: str) -> None:
    path = make(tmp_path, samples(tmp_path))
    (path / "manifest.json").write_text(text)
    assert "manifest.json: damaged (" in refusal(path)


def test_unlabelled_clips_are_counted_in_the_manifest_only_where_there_are_some(tmp_path: Path) -> None:
    path = make(tmp_path, samples(tmp_path))
    assert "unlabelled" not in json.loads((path / "manifest.json").read_text())
    manifest_of(tmp_path, unlabelled={"valid": 1}).save(path)
    assert Store.open(path).manifest.unlabelled == {"valid": 1}


def test_relative_paths_are_those_of_the_corpus_folder_wherever_one_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = samples(tmp_path)[0]
    path = Path("Raw/x.mp4")
    moved = replace(first, clip=replace(first.clip, path=path), observation=replace(first.observation, path=path))
    store = Store.open(make(tmp_path, [moved]))
    monkeypatch.chdir("/")
    assert store.clips()[0].path == store[0].clip.path == tmp_path / "Raw/x.mp4"


def test_changed_statistics_are_refused(tmp_path: Path) -> None:
    path = make(tmp_path, samples(tmp_path))
    replace(STATISTICS, clips=4).save(path / "statistics.json")
    assert "changed since" in refusal(path)


def test_statistics_are_those_of_all_frames_together() -> None:
    sequences = [sequence(("a", "b"), steps, seed) for seed, steps in enumerate((3, 50, 1))]
    shifted = [replace(each, values_TF=each.values_TF + np.float32(1000)) for each in sequences]
    all_TF = np.concatenate([each.values_TF for each in shifted]).astype(np.float64)
    found = modality_statistics([None, *shifted, None])
    assert found is not None
    np.testing.assert_allclose(found.mean_F, np.nanmean(all_TF, axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.std_F, np.nanstd(all_TF, axis=0), rtol=1e-5)
    np.testing.assert_array_equal(found.count_F, (~np.isnan(all_TF)).sum(axis=0))


def test_statistics_of_what_never_varies_or_never_is() -> None:
    values_TF = np.array([[1, np.nan], [1, np.nan]], np.float32)
    found = modality_statistics([FeatureSequence(values_TF, np.arange(2.0), ("constant", "never"))])
    assert found is not None
    assert found.mean_F.tolist() == [1, 0]
    assert found.std_F.tolist() == [1, 1]
    assert found.count_F.tolist() == [2, 0]
    assert modality_statistics([None]) is None


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.9])
def test_damaged_data_are_one_line(tmp_path, kept):
    folder = tmp_path / "store"
    shutil.copytree(generate_store(tmp_path / "whole", clips=20).path, folder)
    data = folder / "data-0001" / "clips.arrow"
    content = data.read_bytes()
    data.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(UserError, match=r"clips\.arrow: damaged .*make it again") as error:
        Store.open(folder)
    assert "\n" not in str(error.value)


def test_a_store_is_known_by_its_content_wherever_it_lies(tmp_path):
    store = generate_store(tmp_path / "a", clips=20)
    shutil.copytree(store.path, tmp_path / "b")
    assert Store.open(tmp_path / "b").content_sha256 == store.content_sha256
    assert generate_store(tmp_path / "c", clips=20, seed=1).content_sha256 != store.content_sha256
