"""Recipes: what a file may hold, and the one line that tells what it may not."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from textmsa.config import Recipe, load_recipe, packaged_recipes
from textmsa.errors import UserError
from textmsa.recipe_checks import check_recipe


def recipe(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "r.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(tmp_path: Path, content: str | bytes) -> str:
    with pytest.raises(UserError) as raised:
        load_recipe(recipe(tmp_path, content))
    (line,) = str(raised.value).splitlines()
    assert "r.yaml" in line
    return line


def test_every_recipe_of_the_package_loads():
    assert "demo" in packaged_recipes()
    for name, path in packaged_recipes().items():
        assert load_recipe(name) == load_recipe(path) == load_recipe(str(path))
        check_recipe(load_recipe(name))


def test_a_recipe_says_what_differs_from_the_defaults(tmp_path):
    assert load_recipe(recipe(tmp_path, "")) == Recipe()
    read = load_recipe(
        recipe(
            tmp_path,
            "model: {num_experts: 8, mask_padding: false, capacity_factor: null, dropout: 1}\n"
            "inputs: {modalities: [text, audio]}\n"
            "training: {learning_rate: 1e-3, patience: 4}\n"
            "try_alignment_queries: []\n",
        )
    )
    assert (read.model.num_experts, read.model.mask_padding, read.model.capacity_factor) == (8, False, None)
    assert (read.model.dropout, type(read.model.dropout)) == (1.0, float)
    assert read.inputs.modalities == ("text", "audio")
    assert (read.training.learning_rate, read.training.patience) == (1e-3, 4)
    assert load_recipe(recipe(tmp_path, ""), overrides={"training.patience": "7"}).training.patience == 7


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("model: {sise: 5}", "unknown key 'model.sise'"),
        ("modle: {}", "did you mean 'model'?"),
        ("2024-01-01: {}", "unknown key '2024-01-01'"),
        ("model: 3", "'model' must be a mapping, not 3"),
        ("model:", "'model' must be a mapping, not null"),
        ("- 1", "must be a mapping"),
        ("model: {num_experts: big}", 'model.num_experts "big": give a whole number'),
        ("model: {num_experts: 2.5}", "model.num_experts 2.5: give a whole number"),
        ("model: {num_experts: true}", "model.num_experts true: give a whole number"),
        ("model: {num_experts: null}", "model.num_experts null: give a whole number"),
        ("model: {num_experts: {a: 1}}", "model.num_experts (a mapping): give a whole number"),
        ("model: {num_experts: 2024-01-01}", 'model.num_experts "2024-01-01": give a whole number'),
        ("model: {text_encoder: 2024-01-01}", 'model.text_encoder "2024-01-01": give text (in YAML: in quotes)'),
        ("model: {text_encoder: on}", "model.text_encoder true: give text"),
        ("model: {mask_padding: 1}", "model.mask_padding 1: give true or false"),
        ("model: {capacity_factor: much}", 'model.capacity_factor "much": give a number, or null'),
        ("training: {learning_rate: .nan}", "training.learning_rate NaN: give a number"),
        ("training: {loss: off}", "training.loss false: give one of mse, l1"),
        ("training: {loss: [mse]}", "training.loss (a list): give one of mse, l1"),
        ("inputs: {modalities: text: audio}", "is not YAML"),
        ("inputs: {modalities: {text: 1}}", "inputs.modalities (a mapping): give a list of some of text, audio, video"),
        ("inputs: {modalities: [text, no]}", "inputs.modalities (a list): give a list of some of text, audio, video"),
        ("model: {top_k: 1, top_k: 2}", "'top_k' comes twice"),
        ("model: {}\nmodel: {top_k: 2}", "'model' comes twice"),
        ("model: {top_k: 2024-13-41}", "is not YAML"),
        (b"model: {text_encoder: \xff\xfe}", "is not YAML"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "is not YAML"),
    ],
)
def test_a_recipe_that_cannot_be_is_one_line_with_the_key(tmp_path, content, told):
    assert told in refusal(tmp_path, content)


def test_what_is_no_file_names_the_recipes_of_the_package(tmp_path):
    with pytest.raises(UserError, match=r"is a folder; give a YAML file, or one of demo, "):
        load_recipe(tmp_path)
    with pytest.raises(UserError, match=r"absent\.yaml: give a YAML file, or one of demo, "):
        load_recipe("absent.yaml")


def test_importing_recipes_is_light():
    code = "import sys, textmsa.config; print(*sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"numpy", "torch", "yaml", "docstring_parser", "argparse"} & set(shown.split())


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        *((f"model.{name}", 0, "at least 1") for name in ("hidden_size", "head_size", "mlp_size", "fusion_size")),
        *((f"model.{name}", 0, "at least 1") for name in ("conv_size", "num_stream_layers", "num_layers", "num_heads")),
        *((f"model.{name}", -1, "at least 0") for name in ("position_std",)),
        ("model.max_text_length", 2, "at least 3"),
        ("model.dropout", 2.0, "from 0 to below 1"),
        ("model.fusion_dropout", -0.1, "from 0 to below 1"),
        ("model.capacity_factor", 0.0, "above 0"),
        ("training.patience", 0, "at least 1"),
        ("training.encoder_learning_rate", 0.0, "above 0"),
        ("training.max_grad_norm", 0.0, "above 0"),
        ("training.warmup_fraction", 1.5, "from 0 to below 1"),
    ],
)
def test_a_number_that_no_network_can_have_names_its_key(key, value, message):
    part, _, name = key.partition(".")
    recipe = Recipe()
    setattr(getattr(recipe, part), name, value)
    with pytest.raises(UserError, match=rf"^{re.escape(key)} .*{message}$"):
        check_recipe(recipe)


def test_every_packaged_recipe_can_be():
    for name in packaged_recipes():
        check_recipe(load_recipe(name))
