"""Ablations: every row trains for a step, and the table says what the predictions say."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from network_fixtures import save_tiny_encoder, small_recipe

from benchmarks.generated_store import generate_store
from textmsa.cli import main
from textmsa.config import Recipe, load_recipe
from textmsa.evaluate.ablate import FULL, ROWS, ablate, changed, choose_rows
from textmsa.evaluate.predictions import Predictions
from textmsa.store.reading import Store
from textmsa.train.command import train


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    return generate_store(tmp_path_factory.mktemp("ablate") / "store", clips=40)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Recipe:
    recipe = small_recipe(save_tiny_encoder(tmp_path_factory.mktemp("encoder")), unimodal_weight=0.5)
    return replace(recipe, model=replace(recipe.model, readings=True, probes=True))


NEEDS_MORE = {"timeless": "a store of measured explanations", "no_rating": "an encoder that has learnt ratings"}
"""Rows -> what their full model has, which that of these tests has not."""


@pytest.mark.parametrize("name", [name for name in ROWS if name != FULL and name not in NEEDS_MORE])
def test_every_row_trains_and_is_another_recipe_than_the_full_one(store, base, tmp_path, name):
    variant = changed(base, ROWS[name].values)
    assert variant != base or name == f"query_{base.model.alignment_query}"
    info = train(variant, data=store.path, out=tmp_path / "run", device="cpu").info
    assert np.isfinite(info.valid["mae"])


def test_a_score_that_does_not_begin_with_the_encoders_rating():
    recipe = load_recipe("mosi-text")
    assert recipe.model.rating and not changed(recipe, ROWS["no_rating"].values).model.rating


def test_the_table_holds_what_the_predictions_say(store, base, tmp_path):
    out = tmp_path / "out"
    result = ablate(base, data=store.path, out=out, rows="dense,concat_fusion", seeds="1,2", device="cpu")
    assert [row.name for row in result.rows] == [FULL, "dense", "concat_fusion"]
    rows = {row["row"]: row for row in csv.DictReader((out / "ablation.csv").read_text().splitlines())}
    errors = {}
    for name in rows:
        table = list(csv.DictReader((out / name / "evaluation-test" / "predictions.csv").read_text().splitlines()))
        errors[name] = np.array([[abs(float(r[f"seed_{s}"]) - float(r["label"])) for r in table] for s in (1, 2)])
        assert float(rows[name]["mae"]) == pytest.approx(errors[name].mean(), abs=1e-4)
        assert float(rows[name]["mae_std"]) == pytest.approx(np.std(errors[name].mean(axis=1), ddof=1), abs=1e-4)
    gap = (errors["dense"].mean(axis=0) - errors[FULL].mean(axis=0)).mean()
    assert float(rows["dense"]["difference"]) == pytest.approx(gap, abs=1e-4)
    assert float(rows["dense"]["low"]) <= gap <= float(rows["dense"]["high"])
    assert int(float(rows["dense"]["parameters"])) < int(float(rows[FULL]["parameters"]))
    table = (out / "ablation.md").read_text()
    assert "| sparse experts -> dense transformer |" in table
    equal = float(rows["dense"]["equivalence_p"])
    cell = next(line for line in table.splitlines() if "dense" in line).split(" | ")[5]
    assert cell == ("< .001" if equal < 0.001 else f"{equal:.3f}".replace("0.", "."))
    assert (out / "ablation.png").read_bytes().startswith(b"\x89PNG")


def test_rows_that_are_done_are_not_trained_again(store, base, tmp_path):
    out = tmp_path / "out"
    ablate(base, data=store.path, out=out, rows="dense", seeds="1", device="cpu")
    before = {path: path.stat().st_mtime_ns for path in out.rglob("run.json")}
    assert len(before) == 4  # two rows, each with its seed's run
    result = ablate(base, data=store.path, out=out, rows="dense,top_1", seeds="1", device="cpu")
    assert [row.name for row in result.rows] == [FULL, "dense", "top_1"]
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())


def test_seeds_may_be_added_to_rows_that_are_done(store, base, tmp_path):
    out = tmp_path / "out"
    first = ablate(base, data=store.path, out=out, rows="dense", seeds="1", device="cpu")
    table = out / "dense" / "evaluation-test" / "predictions.csv"
    written = table.stat().st_mtime_ns
    again = ablate(base, data=store.path, out=out, rows="dense", seeds="1", device="cpu")
    assert table.stat().st_mtime_ns == written  # of the same run and store: nothing to do
    assert again.text() == first.text()
    more = ablate(base, data=store.path, out=out, rows="dense", seeds="1,2", device="cpu")
    assert [len(row.mae) for row in more.rows] == [2, 2]
    assert [row.mae[0] for row in more.rows] == pytest.approx([row.mae[0] for row in first.rows])
    assert "2 seed(s)" in more.text()
    saved = Predictions.load(table)
    assert saved.origin is not None and saved.origin.run is not None and saved.origin.run.seeds == [1, 2]


def test_a_table_that_is_not_of_the_run_is_made_again(store, base, tmp_path):
    out = tmp_path / "out"
    ablate(base, data=store.path, out=out, rows=FULL, seeds="1", device="cpu")
    folder = out / FULL / "evaluation-test"
    right = (folder / "predictions.csv").read_bytes()
    (folder / "predictions.csv").write_bytes(right.replace(b".", b".9"))  # not the table of predictions.json
    ablate(base, data=store.path, out=out, rows=FULL, seeds="1", device="cpu")
    assert (folder / "predictions.csv").read_bytes() == right
    (folder / "predictions.csv").write_bytes(right.replace(b".", b".9"))
    (folder / "predictions.json").unlink()  # nothing says what it is
    ablate(base, data=store.path, out=out, rows=FULL, seeds="1", device="cpu")
    assert (folder / "predictions.csv").read_bytes() == right


def test_rows_are_chosen_by_name_or_group():
    assert choose_rows("all") == list(ROWS)
    assert choose_rows("paper")[0] == FULL
    assert len(choose_rows("paper")) == 9
    assert choose_rows("paper,top_1,dense") == [*choose_rows("paper"), "top_1"]
    assert choose_rows("dense, top_1") == [FULL, "dense", "top_1"]


def test_an_unknown_row_is_refused_in_a_line(store, tmp_path, capsys):
    assert main(["ablate", "demo", "--data", str(store.path), "--out", str(tmp_path / "o"), "--rows", "densse"]) == 2
    error = capsys.readouterr().err.strip()
    assert "no row 'densse'" in error and "\n" not in error
    assert not Path(tmp_path / "o").exists()
