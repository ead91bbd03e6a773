"""The docs stay true: what they name exists, and the README's commands run."""

import re
import shlex
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from textmsa.cli import COMMANDS, main

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs").glob("*.md"))
DOCS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *PAGES,
    *sorted((ROOT / "runs").glob("*.sh")),
]


def commands_of(path: Path) -> list[list[str]]:
    text = path.read_text()
    blocks = [text] if path.suffix == ".sh" else shell_blocks(text)
    joined = [block.replace("\\\n", " ") for block in blocks]
    lines = [line.split("#")[0].strip() for block in joined for line in block.splitlines()]
    words = [shlex.split(line) for line in lines if line]
    return [[re.sub(r"^[A-Z]+=\$\(", "", first), *others] for first, *others in words]  # NAME=$(program ...)


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_commands_in_the_docs_have_arguments_that_exist(path):
    from importlib import import_module

    from textmsa.arguments import parse

    for words in commands_of(path):
        if words[0] == "make":
            targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.M)
            assert words[1] in targets, words
        if words[0] == "torchrun":
            words = words[words.index("-m") + 1 :]
        if words[0] != "textmsa" or words[1:] == ["--version"]:
            continue
        module, _, name = COMMANDS[words[1]].target.partition(":")
        parse(getattr(import_module(module), name), words[2:], prog="textmsa")
        check_explainer_options(words)


def check_explainer_options(words: list[str]) -> None:
    """--explainer-options.KEY is an option of the explainer that is named, or of its language model."""
    import inspect

    from textmsa import seams

    given = [word.split("=")[0].split(".", 1)[1] for word in words if word.startswith("--explainer-options.")]
    if not given:
        return
    name = words[words.index("--explainer") + 1] if "--explainer" in words else "measured"
    known = set(inspect.signature(seams.load(seams.EXPLAINERS, name, what="explainer")).parameters)
    if name in seams.LANGUAGE_MODELS:
        known |= set(inspect.signature(seams.load(seams.LANGUAGE_MODELS, name, what="model")).parameters)
    for class_ in (seams.load(seams.LANGUAGE_MODELS, model, what="model") for model in seams.LANGUAGE_MODELS):
        known |= {f"refiner_{option}" for option in inspect.signature(class_).parameters}
    assert set(given) <= known, words


def shell_blocks(text: str) -> list[str]:
    return re.findall(r"```(?:sh|bash)\n(.*?)```", text, flags=re.S)


def test_every_command_has_its_section_in_the_how_to():
    """Under its heading stands a block that uses it; there is no heading of what is no command."""
    sections = re.split(r"^## textmsa ", (ROOT / "docs/howto.md").read_text(), flags=re.M)[1:]
    shown = {section.splitlines()[0].strip(): "".join(shell_blocks(section)) for section in sections}
    assert set(shown) == set(COMMANDS)
    assert not [name for name, commands in shown.items() if f"textmsa {name} " not in commands + " "]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_commands_in_the_pages_begin_with_a_program_that_is_known(path):
    """So that no line of a block escapes the check of its arguments."""
    known = {"textmsa", "make", "python", "pip", "pytest", "vllm", "curl", "cp", "python3", "docker"}
    assert {words[0].rpartition("/")[2] for words in commands_of(path)} <= known


def test_the_navigation_lists_every_page_and_none_twice():
    import yaml

    def pages_of(entry: object) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        values = entry if isinstance(entry, list) else list(entry.values())  # type: ignore[attr-defined]
        return [page for value in values for page in pages_of(value)]

    listed = pages_of(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])
    outside = set(site_hooks().OUTSIDE.values())
    assert sorted(listed) == sorted({path.name for path in PAGES} | outside)


def site_hooks() -> ModuleType:
    pytest.importorskip("mkdocs", reason="needs the extra docs")
    return module_of("site_hooks")


def module_of(name: str) -> ModuleType:
    spec = spec_from_file_location(name, ROOT / f"docs/{name}.py")
    assert spec and spec.loader
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def test_what_a_docstring_says_after_its_parameters_is_none_of_them():
    pytest.importorskip("griffe", reason="needs the extra docs")
    first = module_of("site_docstrings").sentences_first
    section = "Parameters\n----------\nx\n    A number."
    said = "Raises UserError\nfor none."
    assert first(f"One line.\n\n{section}\n\n{said}") == f"One line.\n\n{said}\n\n{section}"
    assert first(f"One line.\n\n{section}") == f"One line.\n\n{section}"


def test_the_reference_has_every_public_name():
    import textmsa

    page = (ROOT / "docs/reference.md").read_text()
    named = {name.rpartition(".")[2] for name in re.findall(r"^::: (textmsa[\w.]+)$", page, flags=re.M)}
    assert named <= {*textmsa.__all__}
    assert not [name for name in textmsa.__all__ if name not in named and f"`textmsa.{name}`" not in page]


def test_the_figure_of_the_method_is_as_its_script_draws_it():
    script = module_of("make_method")
    assert script.FIGURE.read_text(encoding="utf-8") == script.figure()
    assert not [box.module for box in script.BOXES if not (ROOT / "textmsa" / box.module).is_file()]


def tables_of(page: str) -> dict[str, list[list[str]]]:
    """First cell of a table's heading -> its rows; several tables with one heading one after another."""
    found: dict[str, list[list[str]]] = {}
    for table in re.findall(r"((?:^\|.*\|\n)+)", page, flags=re.M):
        heading, _, *rows = [[cell.strip() for cell in line.strip("|\n").split("|")] for line in table.splitlines()]
        found.setdefault(heading[0], []).extend(rows)
    return found


def test_the_worked_examples_are_what_is_computed():
    """docs/numbers.md by `textmsa.metrics`, `contributions` and `intervals`."""
    import numpy as np

    from textmsa import metrics
    from textmsa.contributions import shapley_values
    from textmsa.intervals import conformal_quantile, least_for

    page = (ROOT / "docs/numbers.md").read_text()
    tables = tables_of(page)
    labels, scores = ([float(row[column]) for row in tables["clip"]] for column in (1, 2))
    assert f"labels = {labels}" in page
    assert f"scores = {scores}" in page
    computed = metrics.evaluate(scores, labels)
    assert {row[0].strip("`"): row[1] for row in tables["name"]} == {k: f"{v:.3f}" for k, v in computed.items()}

    constant, negative = [-0.2] * 10, [-0.6] * 7 + [0.4] * 3
    of_a_constant = [metrics.evaluate(constant, negative, "sims")["f1"]]
    of_a_constant.append(metrics.evaluate(constant, negative, "sims", legacy=True)["F1_score"])
    assert [row[1] for row in tables["F1 of a constant model"]] == [f"{value:.3f}" for value in of_a_constant]

    value_of = {row[0]: float(row[1]) for row in tables["visible"]}
    names = ("text", "audio", "video")
    sets = [", ".join(name for bit, name in enumerate(names) if n >> bit & 1) or "nothing" for n in range(8)]
    shapley = shapley_values(np.array([[value_of[name] for name in sets]]))[0]
    assert [(row[0], row[1]) for row in tables["contribution"]] == [
        (name, f"{value:.3f}") for name, value in zip(names, shapley, strict=True)
    ]

    errors = np.array(re.findall(r"^`([\d. ]+)`$", page, flags=re.M)[0].split(), dtype=float)
    for level, place, half in tables["level"]:
        share = float(level.rstrip(" %")) / 100
        assert conformal_quantile(errors, share) == float(half) == errors[int(place.rstrip("th")) - 1]
    assert least_for(0.9) == len(errors) == 9


def homes_of_the_architecture_page() -> list[str]:
    """The last cell of each step of its table."""
    table = (ROOT / "docs/architecture.md").read_text().split("| step |")[1].split("\n\n")[0]
    return [row.split(" | ")[2] for row in table.splitlines()[2:]]


def places_in(cell: str) -> list[str]:
    """The files and folders that a cell names, by their place in the package: after a folder come those inside it."""
    places, home = [], ""
    for name in re.findall(r"`([a-z_0-9/]+(?:\.py|/)|audio_\w+|video_\w+)`", cell):
        top = (ROOT / "textmsa" / name).exists() and not home
        places.append(name if top else home + name)
        home = name if top and name.endswith("/") else home
    return [place if place.endswith(("/", ".py")) else f"{place}.py" for place in places]


def test_what_the_architecture_page_names_is_where_it_says():
    places = [place for cell in homes_of_the_architecture_page() for place in places_in(cell)]
    assert len(places) > 60
    assert not [place for place in places if not (ROOT / "textmsa" / place).exists()]
    folders = {f"{path.parent.name}/" for path in (ROOT / "textmsa").glob("*/__init__.py")}
    assert folders - set(places) == {"runtime/"}, "folders without a row"


def test_a_file_that_moved_to_another_folder_is_not_where_the_page_says():
    assert places_in("`prepare/` (`job.py`, `manifest.py`)") == ["prepare/", "prepare/job.py", "prepare/manifest.py"]
    assert not (ROOT / "textmsa/prepare/manifest.py").exists()


@pytest.mark.parametrize("path", [*DOCS, ROOT / "CHANGELOG.md"], ids=lambda path: path.name)
def test_files_that_the_docs_name_are_there(path):
    """`textmsa/...`, `tests/...`, `docs/...`, and modules by their place in the package (`model/packing.py`)."""
    text = path.read_text(encoding="utf-8")
    named = set(re.findall(r"`(?:pytest (?:-m slow )?)?((?:textmsa|tests|docs|runs)/[\w./-]+\w)", text))
    named |= {f"textmsa/{name}" for name in re.findall(r"`([a-z_]+/(?:[a-z_]+/)*[a-z_0-9]+\.py)`", text)}
    named -= {
        name for name in named if name.startswith("textmsa/") and name.split("/")[1] in ("tests", "docs", "textmsa")
    }
    assert not {name for name in named if not (ROOT / name).exists()}
    linked = re.findall(r"\]\(([\w./-]+\.(?:md|cff))\)", text)
    assert not {name for name in linked if not (path.parent / name).exists()}


def test_documented_defaults_are_the_defaults():
    from textmsa.config import InputConfig, ModelConfig, TrainingConfig

    parts = {"model": ModelConfig(), "inputs": InputConfig(), "training": TrainingConfig()}
    text = (ROOT / "docs/architecture.md").read_text()
    rows = re.findall(r"\| `(model|inputs|training)\.(\w+)` \| `(\w+)`", text)
    assert len(rows) >= 5
    for part, name, value in rows:
        assert str(getattr(parts[part], name)).lower() == value, (part, name)


@pytest.mark.slow
def test_the_commands_for_ones_own_folder_run(tmp_path, monkeypatch, capsys):
    """README's commands on a small corpus in place of the reader's own folder."""
    monkeypatch.chdir(tmp_path)
    assert main(["demo-corpus", "my_clips", "--clips", "40"]) == 0
    clip = next((tmp_path / "my_clips/Raw").rglob("*.mp4"))
    (tmp_path / "clip.mp4").write_bytes(clip.read_bytes())
    section = (ROOT / "README.md").read_text().split("## Your own folder")[1].split("\n## ")[0]
    lines = [line for block in shell_blocks(section)[:2] for line in block.splitlines()]
    ran = [shlex.split(line.split("#")[0]) for line in lines if line.startswith("textmsa")]
    assert [words[1] for words in ran] == ["new-corpus", "label", "prepare", "train", "evaluate", "predict"]
    del ran[1]  # waits for people: tests/rating/test_label_page.py
    for words in ran:
        arguments = [str(ROOT / a) if a.startswith("textmsa/recipes") else a for a in words[1:]]
        if arguments[0] == "train":
            arguments += ["--training.epochs", "1"]
        assert main(arguments) == 0, arguments
    captured = capsys.readouterr()
    assert re.search(r"clip\.mp4: [+-]\d\.\d\d in \[-3, 3\], (negative|neutral|positive)\n", captured.out)
    assert "Traceback" not in captured.err


def test_the_commands_for_explanations_run(tmp_path, monkeypatch):
    """README's commands against a server of our own, on clips without a face."""
    from chat_server import ChatServer
    from small_corpora import write_corpus

    from textmsa.store.reading import Store

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEXTMSA_CACHE", str(tmp_path / "cache"))
    write_corpus(tmp_path / "my_clips", 5)
    section = (ROOT / "README.md").read_text().split("Explanations by multimodal language models")[1]
    with ChatServer() as server:
        block = re.findall(r"```sh\n(.*?)```", section, flags=re.S)[0].replace("http://127.0.0.1:8000/v1", server.url)
        lines = [shlex.split(line.split("#")[0]) for line in block.splitlines()]
        assert [words[1] for words in lines] == ["explain", "explain-report", "prepare"]
        for words in lines:
            assert main(words[1:]) == 0, words
    assert (tmp_path / "explanations.html").is_file()
    assert all(sample.explanation.summary for sample in Store.open(tmp_path / "store"))
