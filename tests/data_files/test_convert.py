"""Published data files in and out."""

import hashlib
import os
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from network_fixtures import save_tiny_encoder, small_recipe

from benchmarks.generated_store import generate_store
from textmsa.cli import main
from textmsa.config import InputConfig, Recipe
from textmsa.data_files.convert import convert
from textmsa.data_files.export import export
from textmsa.errors import UserError
from textmsa.evaluate.command import evaluate
from textmsa.inputs.collator import Collator
from textmsa.inputs.examples import SampleDataset
from textmsa.inputs.time_grid import without_padding
from textmsa.model import TextMsaConfig
from textmsa.model.text_encoder import load_encoder
from textmsa.run import Run
from textmsa.store.reading import Store
from textmsa.store.writing import write_store
from textmsa.train.command import train
from textmsa.types import FeatureSequence

PIECES = ("text_residual_bert", "audio_clue_bert", "visual_clue_bert")
SPLITS = {"train": 8, "valid": 4, "test": 4}


def columns(count: int, split: str = "train", seed: int = 0, steps: tuple[int, int] = (12, 9)) -> dict:
    """A split in MMSA's schema, with right- and left-padded clips, -inf and a clip without any face."""
    rng = np.random.default_rng(seed)
    audio = rng.normal(size=(count, steps[0], 3)).astype(np.float32)
    vision = rng.normal(size=(count, steps[1], 4)).astype(np.float32)
    audio[0, 5:] = 0
    audio[1, :4] = 0
    audio[2, 1, 2] = -np.inf
    vision[3] = 0
    pieces = np.zeros((count, 3, 20), np.float32)
    for row in range(count):
        length = rng.integers(3, 20)
        pieces[row, 0, :length] = [101, *rng.integers(1000, 2000, length - 2), 102]
        pieces[row, 1, :length] = 1
    return {
        "raw_text": np.array([f"utterance {i} of {split}" for i in range(count)], object),
        "id": np.array([f"{split}{i}$_${i}" for i in range(count)], object),
        "text_bert": pieces,
        "audio": audio,
        "vision": vision,
        "audio_lengths": [steps[0]] * count,
        "vision_lengths": [steps[1]] * count,
        "regression_labels": rng.uniform(-3, 3, count).astype(np.float32),
        "classification_labels": np.ones(count, np.float32),
        "annotations": np.array(["Neutral"] * count, object),
    }


def content(**changes) -> dict:
    return {split: columns(count, split, seed) | changes for seed, (split, count) in enumerate(SPLITS.items())}


def values(sequence: FeatureSequence | None) -> np.ndarray:
    assert sequence is not None
    return sequence.values_TF


def written(folder: Path, what: object, protocol: int = 4) -> Path:
    path = folder / "corpus.pkl"
    path.write_bytes(pickle.dumps(what, protocol=protocol))
    return path


@pytest.mark.parametrize("corpus", ["mosi", "sims2"])
def test_frames_first_gives_the_arrays_of_the_reference_loader(shared, tmp_path, corpus):
    folder = shared / "reference" / corpus
    convert(folder / f"{corpus}_unaligned_50_reason.pkl", out=tmp_path / "store")
    store = Store.open(tmp_path / "store")
    expected = np.load(folder / "expected.npz")
    config = TextMsaConfig(frames="first", text_input="residual", pieces="given", mask_padding=False)
    collator = Collator(load_encoder("minilm")[1], config)
    for split in SPLITS:
        dataset = SampleDataset(store, store.indices(split), {}, config)
        batch = collator([dataset[i] for i in range(len(dataset))])
        found = {
            "text": batch.text,
            "audio_clue_bert": batch.audio_explanation,
            "visual_clue_bert": batch.video_explanation,
        }
        for name, tokens in found.items():
            assert tokens is not None
            arrays = np.stack([part.numpy() for part in (tokens.ids_BL, tokens.mask_BL, tokens.segments_BL)], axis=1)
            assert np.array_equal(arrays, expected[f"{split}/{name}"]), name
        for name, steps in {"audio": batch.audio, "vision": batch.video}.items():
            assert steps is not None
            assert np.array_equal(steps.values_BTF.numpy(), expected[f"{split}/{name}"]), name
        assert batch.label_B is not None
        assert np.array_equal(batch.label_B.numpy()[:, None], expected[f"{split}/label"])


def reference_steps(values_TF: np.ndarray, length: int = 50) -> np.ndarray:
    """As the reference's loader does it: 50 steps from the first row that is not all zero, or the last 50."""
    values_TF = np.where(np.isneginf(values_TF), 0, values_TF)
    if len(values_TF) == length:
        return values_TF
    begin = 0
    while begin < len(values_TF) and not values_TF[begin].any():
        begin += 1
    begin = max(min(begin, len(values_TF) - length), 0)
    taken = values_TF[begin : begin + length]
    return np.concatenate([taken, np.zeros((length - len(taken), values_TF.shape[1]), np.float32)])


@pytest.mark.parametrize("steps", [(70, 50), (50, 64)])
def test_frames_first_gives_the_arrays_of_a_loader_as_described(tmp_path, steps):
    pieces = columns(6)["text_bert"]
    texts = {name: np.roll(pieces, shift, axis=0) for shift, name in enumerate(PIECES)}
    prose = {name: np.array(["words"] * 6, object) for name in ("audio_clue", "visual_clue", "clue_summary")}
    splits = {name: columns(6, name, steps=steps) | texts | prose for name in SPLITS}
    split = splits["train"]
    split["audio"][4, :13] = 0
    convert(written(tmp_path, splits), out=tmp_path / "store")
    store = Store.open(tmp_path / "store")
    config = TextMsaConfig(frames="first", text_input="residual", pieces="given", mask_padding=False)
    dataset = SampleDataset(store, store.indices("train"), {}, config)
    batch = Collator(load_encoder("minilm")[1], config)([dataset[i] for i in range(6)])
    for name, tokens in zip(PIECES, (batch.text, batch.audio_explanation, batch.video_explanation), strict=True):
        assert tokens is not None
        found = torch.stack([part.long() for part in tokens[:3]], dim=1).numpy()
        padded = np.pad(texts[name], ((0, 0), (0, 0), (0, 50 - pieces.shape[2])))
        assert np.array_equal(found, padded), name
    for name, stepped in (("audio", batch.audio), ("vision", batch.video)):
        assert stepped is not None
        expected = np.stack([reference_steps(values_TF) for values_TF in split[name]])
        assert np.array_equal(stepped.values_BTF.numpy(), expected), name


def test_a_data_file_becomes_a_store(tmp_path):
    result = convert(written(tmp_path, content()), out=tmp_path / "store")
    store = Store.open(tmp_path / "store")
    assert result.counts == SPLITS == store.manifest.counts
    assert result.not_finite == {"audio": 3, "video": 0}
    assert result.empty == {"audio": 0, "video": 3}
    assert "audio: 3 features, 3 values not finite" in result.text()
    assert store.manifest.score_range == (-3, 3)
    first, second, third, fourth = (store[i] for i in range(4))
    assert (first.clip.id, first.clip.split, first.clip.transcript) == ("train0$_$0", "train", "utterance 0 of train")
    assert [len(values(without_padding(s.observation.audio))) for s in (first, second, third)] == [5, 8, 12]
    assert np.isnan(values(third.observation.audio)[1, 2])
    assert fourth.observation.missing == {"video": "all zeros in the file"}
    assert store.statistics.audio is not None
    assert store.statistics.audio.count_F.tolist() == [5 + 8 + 6 * 12, 5 + 8 + 6 * 12, 5 + 8 + 6 * 12 - 1]


def test_sequences_without_times_are_pooled_by_index_and_missing_ones_are_masked(tmp_path):
    convert(written(tmp_path, content()), out=tmp_path / "store")
    store = Store.open(tmp_path / "store")
    config = TextMsaConfig(max_steps=4)
    dataset = SampleDataset(store, [0, 3], {}, config)
    assert dataset[0].audio is not None
    pooled, mask = dataset[0].audio
    raw = values(store[0].observation.audio)  # 5 steps, then padding
    assert mask.tolist() == [True] * 4
    expected = [raw[0], raw[1], raw[2:4].mean(axis=0), raw[4]]
    assert np.allclose(pooled, expected, atol=1e-6)
    assert dataset[1].video is None


def test_small_labels_are_sims_scores(tmp_path):
    made = content()
    for split in made.values():
        split["regression_labels"] = split["regression_labels"] / 3
        split["regression_labels_T"] = split["regression_labels"]
    convert(written(tmp_path, made), out=tmp_path / "store")
    store = Store.open(tmp_path / "store")
    assert store.manifest.score_range == (-1, 1)
    assert store[0].clip.label_text == pytest.approx(store[0].clip.label)


def test_a_description_beside_the_pickle_names_range_and_corpus(tmp_path):
    made = content()
    for split in made.values():
        split["regression_labels"] = split["regression_labels"] / 3
    path = written(tmp_path, made)
    (tmp_path / "corpus.json").write_text('{"name": "MOSI", "score_range": [-3, 3]}')
    convert(path, out=tmp_path / "store")
    manifest = Store.open(tmp_path / "store").manifest
    assert (manifest.corpus, manifest.score_range, manifest.score_range_source) == ("MOSI", (-3, 3), "corpus.json")
    (tmp_path / "corpus.json").write_text('{"score_range": [-0.5, 0.5]}')
    with pytest.raises(UserError, match=r"is outside \[-0\.5, 0\.5\] \(range from corpus\.json\)"):
        convert(path, out=tmp_path / "narrow")
    (tmp_path / "corpus.json").write_text("{")
    with pytest.raises(UserError, match=r"corpus\.json: not JSON"):
        convert(path, out=tmp_path / "damaged")


def test_a_converted_clip_comes_from_the_content_of_its_file(tmp_path, monkeypatch):
    path = written(tmp_path, content())
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    convert(path, out=tmp_path / "store")
    monkeypatch.chdir(tmp_path)
    convert(Path("corpus.pkl"), out=tmp_path / "same")
    made = content()
    made["train"]["regression_labels"][0] = 0.25
    convert(written(tmp_path, made), out=tmp_path / "other")
    first, same, other = (Store.open(tmp_path / name).row(0).source for name in ("store", "same", "other"))
    assert first == same == before and first != other


def test_a_label_that_is_no_number_is_not_exported(tmp_path):
    store = generate_store(tmp_path / "before", clips=20)
    rows = [store.row(index) for index in range(len(store))]
    gone = store.indices("test")[0]
    clip = replace(rows[gone].sample.clip, label=float("nan"))
    rows[gone] = replace(rows[gone], sample=replace(rows[gone].sample, clip=clip))
    store.preparation.save(tmp_path / "store")
    write_store(tmp_path / "store", rows, manifest=store.manifest, statistics=store.statistics)
    exported = export(tmp_path / "store", out=tmp_path / "there.pkl")
    assert (exported.clips, exported.unlabelled) == (19, 1)
    there = pickle.loads((tmp_path / "there.pkl").read_bytes())
    assert np.isfinite(there["test"]["regression_labels"]).all()


def test_clips_without_a_label_are_converted_counted_and_not_exported(tmp_path):
    made = content()
    made["test"]["regression_labels"][1:3] = np.nan
    made["train"]["regression_labels_T"] = np.full(8, np.nan, np.float32)
    result = convert(written(tmp_path, made), out=tmp_path / "store")
    store = Store.open(tmp_path / "store")
    assert result.unlabelled == store.manifest.unlabelled == {"test": 2}
    assert "without a label, for prediction only: test 2" in result.text()
    assert [clip.label is None for clip in store.clips() if clip.split == "test"] == [False, True, True, False]
    assert len(store.labelled("test")) == 2
    assert {clip.label_text for clip in store.clips()} == {None}
    exported = export(tmp_path / "store", out=tmp_path / "there.pkl")
    assert (exported.clips, exported.unlabelled) == (14, 2)
    assert "14 clips, audio up to 12 steps, video up to 9; 2 without a label left out" in exported.text()
    there = pickle.loads((tmp_path / "there.pkl").read_bytes())
    assert {split: len(columns["id"]) for split, columns in there.items()} == {"train": 8, "valid": 4, "test": 2}
    assert np.isfinite(there["test"]["regression_labels"]).all()


@pytest.mark.parametrize("value", [3.5, -4.0, np.inf, -np.inf])
@pytest.mark.parametrize("column", ["regression_labels", "regression_labels_V"])
def test_labels_beyond_every_range_are_refused_with_their_clip(tmp_path, value, column):
    made = content()
    made["valid"][column] = made["valid"]["regression_labels"].copy()
    made["valid"][column][2] = value
    with pytest.raises(UserError, match=rf"clip 'valid2\$_\$2': {column} .* is outside \[-3, 3\]"):
        convert(written(tmp_path, made), out=tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_labels_that_are_no_numbers_are_refused_with_their_clip(tmp_path):
    made = content()
    made["train"]["regression_labels"] = [["good"]] + [[1.0]] * 7
    with pytest.raises(UserError, match=r"'regression_labels' of the clip 'train0.*' is not one number"):
        convert(written(tmp_path, made), out=tmp_path / "store")


def test_paths_do_not_depend_on_the_working_directory(tmp_path, monkeypatch):
    written(tmp_path, content())
    monkeypatch.chdir(tmp_path)
    convert(Path("corpus.pkl"), out=Path("store"))
    monkeypatch.chdir("/")
    store = Store.open(tmp_path / "store")
    assert store.manifest.corpus_folder == str(tmp_path.resolve())
    assert store.clips()[0].path == store[0].clip.path == tmp_path.resolve() / "train0$_$0"


@pytest.mark.parametrize("absent", ["text_bert", "raw_text", "audio_lengths", "annotations"])
@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_older_files_lack_some_columns(tmp_path, absent, protocol):
    made = content()
    for split in made.values():
        del split[absent]
    convert(written(tmp_path, made, protocol), out=tmp_path / "store")
    assert len(Store.open(tmp_path / "store")) == 16


def test_no_text_is_missing_and_bytes_are_text(tmp_path):
    made = content()
    made["train"]["raw_text"][:3] = [None, float("nan"), np.float64("nan")]
    made["train"]["audio_clue"] = np.array([None, float("nan"), "", *["calm"] * 5], object)
    made["valid"]["raw_text"] = np.array([f"à {i}".encode() for i in range(4)])
    made["valid"]["raw_text_en"] = [b"to 0", None, "to 2", b""]
    for split in made.values():
        del split["text_bert"]
    convert(written(tmp_path, made), out=tmp_path / "store")
    store = Store.open(tmp_path / "store")
    assert [sample.clip.transcript for sample in store][:4] == [None, None, None, "utterance 3 of train"]
    assert [sample.explanation.audio for sample in store][:4] == [None, None, None, "calm"]
    assert store.manifest.missing["text"] == {"no text in the file": 3}
    valid = [store[index].clip for index in store.indices("valid")]
    assert [clip.transcript for clip in valid] == ["à 0", "à 1", "à 2", "à 3"]
    assert [clip.transcript_en for clip in valid] == ["to 0", None, "to 2", None]


def test_ids_in_parts_are_joined(tmp_path):
    made = content()
    for name, split in made.items():
        split["id"] = np.array([[f"{name}-{i}", "1.5", b"2.5"] for i in range(len(split["id"]))], object)
    convert(written(tmp_path, made), out=tmp_path / "store")
    assert Store.open(tmp_path / "store")[0].clip.id == "train-0$_$1.5$_$2.5"


class Hostile:
    def __reduce__(self):
        return os.system, ("touch /tmp/textmsa-was-here",)


def bad_files() -> dict[str, tuple[object, str]]:
    whole = pickle.dumps(content())
    return {
        "hostile": (pickle.dumps({"train": Hostile()}), "it holds posix.system"),
        "truncated": (whole[: len(whole) // 2], "not a data file"),
        "empty": (b"", "not a data file"),
        "other": (b"id,text\n1,hello\n", "; give a pickle of MMSA, MMSA-FET or TEXT"),
        "list": (pickle.dumps([1, 2]), "no dictionary with train, valid and test"),
        "split": (pickle.dumps({"train": [1]}), "train is a list"),
        "label": (
            pickle.dumps({"train": {k: v for k, v in columns(4).items() if k != "regression_labels"}}),
            "'regression_labels'",
        ),
        "text": (
            pickle.dumps({"train": {k: v for k, v in columns(4).items() if k not in ("raw_text", "text_bert")}}),
            "neither 'raw_text' nor 'text_bert'",
        ),
        "rows": (pickle.dumps({"train": columns(4) | {"audio": np.zeros((3, 2, 2))}}), "'audio' has 3 rows for 4 ids"),
        "shape": (pickle.dumps({"train": columns(4) | {"vision": np.zeros((4, 2))}}), "'vision' is no array"),
        "pieces": (
            pickle.dumps({"train": columns(4) | {"text_bert": np.zeros((4, 2, 5))}}),
            "must be (clips, 3, length)",
        ),
        "none": (pickle.dumps({"train": columns(4) | {k: v[:0] for k, v in columns(4).items()}}), "holds no clip"),
        "twice": (pickle.dumps({"train": columns(4), "valid": columns(4)}), "comes twice"),
        "sizes": (
            pickle.dumps({"train": columns(4), "valid": columns(4, "valid") | {"audio": np.zeros((4, 2, 9))}}),
            "'audio' has [3, 9] features",
        ),
        "huge": (
            b"cnumpy._core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I999999999999\nI999999\ntC\x01btR.",
            "not a data file",
        ),
    }


@pytest.mark.parametrize("kind", bad_files())
def test_bad_files_are_refused_in_a_line_and_leave_nothing(tmp_path, capsys, kind):
    data, message = bad_files()[kind]
    path = tmp_path / "bad.pkl"
    path.write_bytes(data)  # type: ignore[arg-type]
    assert main(["convert", str(path), "--out", str(tmp_path / "store")]) == 2
    error = capsys.readouterr().err.strip()
    assert message in error and "\n" not in error
    assert not (tmp_path / "store").exists()
    assert not Path("/tmp/textmsa-was-here").exists()


def recipe(folder: Path, **inputs) -> Recipe:
    if not folder.exists():
        save_tiny_encoder(folder)
    return small_recipe(folder, replace(InputConfig(text_input="transcript"), **inputs))


@pytest.mark.parametrize("pieces", ["given", "tokenize"])
def test_a_converted_file_is_trained_on_and_evaluated(tmp_path, pieces, capsys):
    convert(written(tmp_path, content()), out=tmp_path / "store")
    run = train(
        recipe(tmp_path / "encoder", pieces=pieces), data=tmp_path / "store", out=tmp_path / "run", device="cpu"
    )
    assert evaluate(run.path, data=tmp_path / "store", no_baselines=True).clips == 4
    clip = tmp_path / "x.mp4"
    clip.touch()
    assert main(["predict", str(run.path), str(clip)]) == 2
    assert "trained on the features of a published data file" in capsys.readouterr().err


def test_word_pieces_that_are_not_there_or_of_another_tokenizer_are_refused(tmp_path):
    made = content()
    made["train"]["text_bert"][0, 0, 1] = 99_999
    convert(written(tmp_path, made), out=tmp_path / "store")
    given = recipe(tmp_path / "encoder", pieces="given")
    with pytest.raises(UserError, match=r"up to 99999\) are not of the text encoder's tokenizer"):
        train(given, data=tmp_path / "store", out=tmp_path / "run", device="cpu")
    with pytest.raises(UserError, match="no word pieces of the text 'residual'"):
        train(
            replace(given, inputs=replace(given.inputs, text_input="residual")),
            data=tmp_path / "store",
            out=tmp_path / "other",
            device="cpu",
        )


def test_a_store_goes_out_and_comes_back_the_same(tmp_path):
    before = generate_store(tmp_path / "before", clips=20)
    export(tmp_path / "before", out=tmp_path / "there.pkl")
    convert(tmp_path / "there.pkl", out=tmp_path / "after")
    after = Store.open(tmp_path / "after")
    ours = {sample.clip.id: sample for sample in before}
    assert [sample.clip.split for sample in after] == ["train"] * 14 + ["valid"] * 2 + ["test"] * 4
    for sample in after:
        same = ours[sample.clip.id]
        assert sample.clip.transcript == same.clip.transcript
        assert sample.clip.label == pytest.approx(same.clip.label)
        assert np.array_equal(values(sample.observation.audio), values(same.observation.audio))
        assert np.array_equal(values(sample.observation.video), values(same.observation.video))
        told, once = sample.explanation, same.explanation
        assert (told.audio, told.video, told.summary) == (once.audio, once.video, once.summary)
    content = pickle.loads((tmp_path / "there.pkl").read_bytes())
    mmsa = {"raw_text", "id", "text", "text_bert", "audio", "vision", "audio_lengths", "vision_lengths", "annotations"}
    assert set(content["train"]) > mmsa | {"regression_labels", "classification_labels"}
    assert content["train"]["text"].shape == (14, 50, 384)
    assert content["train"]["text_bert"].shape == (14, 3, 50)
    assert set(content["train"]["classification_labels"].tolist()) <= {0.0, 1.0, 2.0}


def test_long_sequences_are_exported_as_means_of_equal_windows(tmp_path):
    store = generate_store(tmp_path / "store", clips=20, audio=(60, 5))
    export(tmp_path / "store", out=tmp_path / "there.pkl", max_steps=20)
    audio = pickle.loads((tmp_path / "there.pkl").read_bytes())["train"]["audio"]
    first = values(store[store.indices("train")[0]].observation.audio)
    assert audio.shape == (14, 20, 5)
    assert np.allclose(audio[0], first.reshape(20, 3, 5).mean(axis=1), atol=1e-6)


def test_convert_refuses_a_folder_that_holds_something(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store/photo.jpg").touch()
    with pytest.raises(UserError, match=r"holds other files \(photo\.jpg\)"):
        convert(written(tmp_path, content()), out=tmp_path / "store")


def test_export_refuses_what_no_mmsa_file_can_hold(tmp_path):
    generate_store(tmp_path / "store", clips=20)
    with pytest.raises(UserError, match=r"ends in \.pkl"):
        export(tmp_path / "store", out=tmp_path / "there.csv")


def test_a_table_of_transcripts_becomes_a_store_without_audio_and_video(tmp_path):
    rows = ["video_id,clip_id,text,label,annotation,mode"]
    for i, split in enumerate(["train"] * 8 + ["valid"] * 4 + ["test"] * 4):
        rows.append(f"v{i},1,THE FILM WAS NUMBER {i},{i / 8 - 1},Neutral,{split}")
    (tmp_path / "label.csv").write_text("\n".join(rows) + "\n")
    assert convert(tmp_path / "label.csv", out=tmp_path / "store").counts == SPLITS
    assert Store.open(tmp_path / "store").manifest.corpus == tmp_path.name
    run = train(recipe(tmp_path / "encoder"), data=tmp_path / "store", out=tmp_path / "run", device="cpu")
    model = Run.open(run.path).model
    assert model.audio is None and model.video is None
    assert evaluate(run.path, data=tmp_path / "store", no_baselines=True).clips == 4
    assert Store.open(tmp_path / "store").manifest.score_range == (-1, 1)
    (tmp_path / "corpus.json").write_text('{"score_range": [-3, 3]}')
    convert(tmp_path / "label.csv", out=tmp_path / "wide")
    wide = Store.open(tmp_path / "wide").manifest
    assert (wide.score_range, wide.score_range_source) == ((-3, 3), "corpus.json")
    with pytest.raises(UserError, match=r"must be a label\.csv"):
        convert(tmp_path / "other.csv", out=tmp_path / "other")
