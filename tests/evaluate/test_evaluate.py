"""`textmsa evaluate`: what its tables say of themselves, clips without labels, floors, folders that are read-only."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from network_fixtures import small_recipe

from benchmarks.generated_store import generate_store
from textmsa.cli import main
from textmsa.errors import UserError
from textmsa.evaluate.command import corpus_floors, evaluate
from textmsa.evaluate.compare import compare
from textmsa.evaluate.origin import Origin, StoreRecord
from textmsa.evaluate.predictions import Predictions
from textmsa.evaluate.readings import note_reading
from textmsa.store.reading import Store
from textmsa.store.writing import write_store
from textmsa.train.command import train


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return generate_store(tmp_path_factory.mktemp("evaluate") / "store", clips=40)


@pytest.fixture
def run(store, encoder, tmp_path) -> Path:
    train(small_recipe(encoder), data=store.path, out=tmp_path / "run", device="cpu", seeds="1")
    return tmp_path / "run"


STORE = StoreRecord("/store", "c", (-3.0, 3.0), {"test": 4}, "content", "statistics")


def origin_of(folder: Path) -> Origin:
    origin = Predictions.load(folder / "predictions.csv").origin
    assert origin is not None
    return origin


def scores_in(table: Path) -> dict[str, str]:
    return {row["id"]: row["score"] for row in csv.DictReader(table.read_text().splitlines())}


def test_a_table_says_of_which_run_and_store_it_is(store, run):
    evaluation = evaluate(run, data=store.path, no_baselines=True)
    origin = origin_of(run / "evaluation-test")
    assert (origin.command, origin.split, origin.clips, origin.precision) == ("evaluate", "test", 8, "fp32")
    assert origin.store.path == str(store.path)
    assert origin.store.statistics_sha256 == store.manifest.statistics_sha256
    assert origin.store.counts == store.manifest.counts
    assert origin.run is not None and (origin.run.path, origin.run.seeds) == (str(run), [1])
    assert {"textmsa", "torch", "numpy"} <= set(origin.stamp["packages"])
    document = json.loads((run / "evaluation-test" / "metrics.json").read_text())
    assert document["test"] == pytest.approx(evaluation.metrics)
    assert document["made"]["packages"] == origin.stamp["packages"]
    assert document["made"]["date"].endswith("Z") and "commit" in document["made"]


def test_a_table_is_read_as_it_was_written(tmp_path):
    rng = np.random.default_rng(0)
    label_N, score_N, gate_N = rng.normal(size=(3, 4)).round(6)
    score_N[1] = np.nan
    origin = Origin("evaluate", STORE, "test", 4, 0, None, "fp32", None, {"packages": {}, "commit": None, "date": ""})
    Predictions(["b", "a", "d", "c"], label_N, score_N, {"gate_text": gate_N}, origin).save(tmp_path)
    back = Predictions.load(tmp_path / "predictions.csv")
    assert back.ids == ["a", "b", "c", "d"]
    order = [1, 0, 3, 2]
    for column, expected in ((back.label_N, label_N), (back.score_N, score_N), (back.columns["gate_text"], gate_N)):
        assert np.allclose(column, expected[order], equal_nan=True)
    assert back.origin == origin


def test_a_table_from_elsewhere_needs_id_label_and_score_only(tmp_path):
    (tmp_path / "predictions.csv").write_text("id,who,label,score,more\na,me,1,0.5,2\nb,you,-1,,3\n")
    found = Predictions.load(tmp_path / "predictions.csv")
    assert found.origin is None
    assert list(found.columns) == ["more"]
    assert np.isnan(found.score_N[1])


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"format": 1, "csv_sha256": "", "store": {}}'])
def test_a_damaged_record_is_one_line(tmp_path, content):
    (tmp_path / "predictions.csv").write_text("id,label,score\na,1,0.5\n")
    (tmp_path / "predictions.json").write_text(content)
    with pytest.raises(UserError, match=r"predictions\.json: damaged .*evaluate again") as raised:
        Predictions.load(tmp_path / "predictions.csv")
    assert "\n" not in str(raised.value)


def test_a_table_that_was_changed_since_is_refused(store, run):
    evaluate(run, data=store.path, no_baselines=True)
    table = run / "evaluation-test" / "predictions.csv"
    table.write_text(table.read_text().replace(".", ".1"))
    with pytest.raises(UserError, match=r"is not the table that predictions\.json beside it is about"):
        compare(run, run)
    table.with_suffix(".json").unlink()
    assert compare(run, run).difference == 0


def test_a_table_older_than_its_run_is_not_compared(store, encoder, run):
    evaluate(run, data=store.path, no_baselines=True)
    assert compare(run, run).clips == 8
    train(small_recipe(encoder), data=store.path, out=run, device="cpu", seeds="1,2")
    with pytest.raises(UserError, match=r"of the seeds 1, the run now holds 1, 2; run: textmsa evaluate"):
        compare(run, run)
    evaluate(run, data=store.path, no_baselines=True)
    assert compare(run, run).clips == 8


def test_only_tables_of_one_split_and_corpus_are_compared(store, run, tmp_path):
    evaluate(run, data=store.path, no_baselines=True)
    path = run / "evaluation-test" / "predictions.csv"
    table = Predictions.load(path)
    assert table.origin is not None

    def other(name: str, score_N: np.ndarray = table.score_N, **changes) -> Path:
        assert table.origin is not None
        stored = {
            key: value for key, value in changes.items() if key in ("counts", "content_sha256", "score_range", "path")
        }
        origin = replace(table.origin, store=replace(table.origin.store, **stored), run=None)
        origin = replace(origin, **{key: value for key, value in changes.items() if key not in stored})
        replace(table, score_N=score_N, origin=origin).save(tmp_path / name)
        return tmp_path / name / "predictions.csv"

    for place, words in {
        other("split", split="valid"): "are of the splits test and valid",
        other("counts", counts={"test": 8}): "whose counts differ",
        other("range", score_range=(-1.0, 1.0)): "whose score range differ",
    }.items():
        with pytest.raises(UserError, match=words):
            compare(path, place)
    comparison = compare(path, other("explained", content_sha256="other", path="/elsewhere", precision="int8"))
    assert "A and B read other stores: " in comparison.text() and "/elsewhere" in comparison.text()
    assert "A is scored in fp32, B in int8" in comparison.text()
    few_N = table.score_N.copy()
    few_N[:3] = np.nan
    comparison = compare(path, other("few", few_N))
    assert comparison.clips == 5
    assert "3 clips without a score in A or in B left out" in comparison.text()
    with pytest.raises(UserError, match="no clip has a score in both"):
        compare(path, other("none", np.full(8, np.nan)))


def test_clips_without_label_are_left_out_and_counted(store, run, tmp_path):
    rows = [store.row(index) for index in range(len(store))]
    gone = store.indices("test")[::2]
    for index in gone:
        clip = replace(rows[index].sample.clip, label=None)
        rows[index] = replace(rows[index], sample=replace(rows[index].sample, clip=clip))
    folder = tmp_path / "partly"
    store.preparation.save(folder)
    write_store(folder, rows, manifest=replace(store.manifest, data="data-0001"), statistics=store.statistics)
    whole = evaluate(run, data=store.path, no_baselines=True, out=tmp_path / "whole")
    partly = evaluate(run, data=folder, no_baselines=True, out=tmp_path / "part", missing_rate="0")
    assert (whole.clips, whole.unlabelled, partly.clips, partly.unlabelled) == (8, 0, 4, 4)
    assert "4 without label left out" in partly.text() and "left out" not in whole.text()
    assert partly.robustness[0].mae == pytest.approx(partly.metrics["mae"], abs=1e-5)
    large, small = (scores_in(tmp_path / name / "predictions.csv") for name in ("whole", "part"))
    assert len(small) == 4 and small.items() <= large.items()
    assert origin_of(tmp_path / "part").unlabelled == 4


def test_a_split_without_any_label_is_refused_before_anything_is_scored(store, run, tmp_path):
    rows = [store.row(index) for index in range(len(store))]
    for index in store.indices("test"):
        clip = replace(rows[index].sample.clip, label=None)
        rows[index] = replace(rows[index], sample=replace(rows[index].sample, clip=clip))
    store.preparation.save(tmp_path / "none")
    write_store(tmp_path / "none", rows, manifest=store.manifest, statistics=store.statistics)
    with pytest.raises(UserError, match="no clip of the split 'test' has a label"):
        evaluate(run, data=tmp_path / "none", no_baselines=True)
    assert not (run / "readings.csv").exists()


def test_the_oracle_of_the_test_clips_is_no_floor_of_others(tmp_path):
    (tmp_path / "corpus.json").write_text(json.dumps({"floors": {"words": 0.5}, "oracle_test_mae": 0.25}))
    assert corpus_floors(tmp_path, "test") == {"words": 0.5, "oracle on these clips": 0.25}
    assert corpus_floors(tmp_path, "valid") == {"words": 0.5}


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"floors": 3}', '{"floors": {"words": "low"}}', '{"oracle_test_mae": null}']
)
def test_a_damaged_description_of_the_corpus_is_one_line_before_the_scoring(run, tmp_path, capsys, content):
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "corpus.json").write_text(content)
    store = generate_store(tmp_path / "store", clips=40)
    replace(store.manifest, corpus_folder=str(tmp_path / "corpus")).save(store.path)
    assert main(["evaluate", str(run), "--data", str(store.path), "--no-baselines"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "corpus.json" in error and "mend or remove it" in error
    assert not (run / "readings.csv").exists()


def test_other_splits_say_what_their_figures_are(store, run):
    train_split = evaluate(run, data=store.path, split="train")
    assert train_split.baselines == {} and train_split.difference == {}
    assert "fitted values" in train_split.text()
    assert (
        "epochs were chosen on these clips" in evaluate(run, data=store.path, split="valid", no_baselines=True).text()
    )
    with pytest.raises(UserError, match="--split 'exam': give one of train, valid, test"):
        evaluate(run, data=store.path, split="exam")


def test_a_run_folder_that_cannot_be_written_to_is_evaluated_elsewhere(store, run, tmp_path, capsys):
    (run / "readings.csv.unfinished").mkdir()  # stands in for a read-only disk, which root may write to
    for times in (1, 2):
        options = ["--data", str(store.path), "--out", str(tmp_path / "out"), "--no-baselines"]
        assert main(["evaluate", str(run), *options]) == 0
        words = capsys.readouterr().out
        assert f"this reading is noted in {tmp_path / 'out' / 'readings.csv'}" in words
        assert ("test split was read 2 times" in words) == (times == 2)
    assert (tmp_path / "out" / "metrics.json").is_file()


def test_a_reading_that_can_be_noted_nowhere_is_told(tmp_path):
    reading = note_reading(tmp_path / "none", tmp_path / "neither", tmp_path / "store", "test")
    assert (reading.times, reading.record) == (1, None)
    assert reading.text().endswith("this reading is not noted")
    assert "\n" not in reading.text()


def test_a_folder_that_cannot_be_made_is_refused_before_the_work(store, run, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["evaluate", str(run), "--data", str(store.path), "--out", str(tmp_path / "file")]) == 2
    assert not (run / "readings.csv").exists()
    assert capsys.readouterr().err.count("\n") == 1


def test_a_damaged_record_of_readings_is_told_and_left_as_it_is(tmp_path):
    run, out = tmp_path / "run", tmp_path / "out"
    run.mkdir(), out.mkdir()
    (run / "readings.csv").write_bytes(b"date,split,store\n\xff\xfe")
    reading = note_reading(run, out, tmp_path / "store", "test")
    assert (run / "readings.csv").read_bytes() == b"date,split,store\n\xff\xfe"
    assert reading.record == out / "readings.csv"
    assert "cannot be kept up" in reading.text() and str(run / "readings.csv") in reading.text()
    assert note_reading(run, out, tmp_path / "store", "test").times == 2
