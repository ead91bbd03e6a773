"""The docs stay true: what they name exists, and the README's commands run."""

import re
import shlex
from pathlib import Path

import pytest

from textmsa.cli import COMMANDS, main

ROOT = Path(__file__).parents[1]
DOCS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "runs").glob("*.sh")),
]


def commands_of(path: Path) -> list[list[str]]:
    text = path.read_text()
    blocks = [text] if path.suffix == ".sh" else re.findall(r"```(?:sh|bash)\n(.*?)```", text, flags=re.S)
    joined = [block.replace("\\\n", " ") for block in blocks]
    lines = [line.split("#")[0].strip() for block in joined for line in block.splitlines()]
    return [shlex.split(line) for line in lines if line]


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
        if words[0] != "textmsa":
            continue
        module, _, name = COMMANDS[words[1]].target.partition(":")
        parse(getattr(import_module(module), name), words[2:], prog="textmsa")
        check_explainer_options(words)


def check_explainer_options(words: list[str]) -> None:
    """--explainer-options.KEY is an option of the explainer that --explainer names, or of its language model."""
    import inspect

    from textmsa import seams

    given = [word.split("=")[0].split(".", 1)[1] for word in words if word.startswith("--explainer-options.")]
    if not given:
        return
    name = words[words.index("--explainer") + 1]
    known = set(inspect.signature(seams.load(seams.EXPLAINERS, name, what="explainer")).parameters)
    if name in seams.LANGUAGE_MODELS:
        known |= set(inspect.signature(seams.load(seams.LANGUAGE_MODELS, name, what="model")).parameters)
    for class_ in (seams.load(seams.LANGUAGE_MODELS, model, what="model") for model in seams.LANGUAGE_MODELS):
        known |= {f"refiner_{option}" for option in inspect.signature(class_).parameters}
    assert set(given) <= known, words


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
    clip.with_name("clip.mp4").write_bytes(clip.read_bytes())
    section = (ROOT / "README.md").read_text().split("## Your own folder")[1].split("\n## ")[0]
    lines = re.findall(r"```sh\n(.*?)```", section, flags=re.S)[0].splitlines()
    ran = [shlex.split(line.split("#")[0]) for line in lines if line.startswith("textmsa")]
    assert [words[1] for words in ran] == ["prepare", "train", "evaluate", "predict"]
    for words in ran:
        arguments = [str(ROOT / a) if a.startswith("textmsa/recipes") else a for a in words[1:]]
        if arguments[0] == "predict":
            arguments[2] = str(clip.with_name("clip.mp4"))
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
