"""What of a run is given to others: what is needed to use it, and nothing of the corpus, the machine or its user.

Files are taken by a list of names. Of the texts among them, places on this machine are cut to their last part and clip
ids are dropped; before anything is uploaded all of it is searched for what must not be in it.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from textmsa.errors import UserError
from textmsa.intervals import CALIBRATION
from textmsa.run import HISTORY, MODEL, RECIPE, RUN, Run
from textmsa.runtime.atomic import file_sha256, read_json, write_json, write_text
from textmsa.store.preparation import PREPARATION, STATISTICS

RUN_FILES = (RUN, RECIPE, PREPARATION, STATISTICS, CALIBRATION, HISTORY)
MODEL_FILES = (
    *("config.json", "*.safetensors", "*.safetensors.index.json"),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    *("vocab.txt", "vocab.json", "merges.txt", "*.model"),
)
"""Of a network's folder: what `from_pretrained` reads. README.md is part of the card, which is written anew."""
VOCABULARIES = ("tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "added_tokens.json")
"""Word pieces, of which "/" may be one: they are left as they are."""
PLACE = re.compile(r"(?<![\w:/.\\])(?:~|[A-Za-z]:)?[/\\](?:[^\s'\",;:()/\\]+[/\\])+([^\s'\",;:()/\\]*)")
"""A place on a disk within a text; its last part. No address of the web."""
SECRETS = re.compile(rb"hf_[A-Za-z0-9]{20,}|sk-[A-Za-z0-9_-]{20,}|gh[pousr]_[A-Za-z0-9]{20,}|AKIA[0-9A-Z]{16}")
SECRET_NAMES = ("TOKEN", "KEY", "SECRET", "PASSWORD")
"""How names of environment variables end whose values must not be given away."""
SHORTEST_SECRET = 8  # characters: shorter values occur by chance


@dataclass(frozen=True)
class Contents:
    """What lies in the folder that is uploaded."""

    files: dict[str, int]
    """Path in the repository -> bytes."""
    left_out: tuple[str, ...]
    """Names in the run's own folder that stay behind."""


def write_contents(run: Run, folder: Path) -> Contents:
    """Write all but the card into `folder`; raises UserError where something of it may not be given to others."""
    _check_explainer(run)
    for member in {id(part): part for part in (run, *run.members)}.values():
        below = folder if member is run else folder / member.path.name
        below.mkdir(parents=True, exist_ok=True)
        _write_run(member, below)
    given = {RUN, MODEL, *RUN_FILES, *(member.path.name for member in run.members if member is not run)}
    left_out = sorted(path.name for path in run.path.iterdir() if path.name not in given)
    return Contents(sizes(folder), tuple(left_out))


def sizes(folder: Path) -> dict[str, int]:
    """Path below the folder -> bytes, of every file."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in files}


def check_clean(folder: Path, places: Sequence[Path]) -> None:
    """Raises UserError where a file holds a place on this machine, or something like a password or key.

    Parameters
    ----------
    folder
        All that is to be uploaded.
    places
        Folders whose paths must not be in it, besides the user's own and the one that is worked in.
    """
    known = {str(place) for one in (*places, Path.home(), Path.cwd()) for place in (one.absolute(), one.resolve())}
    forbidden = {place: "a place on this machine" for place in known if len(place) > 1}
    forbidden |= {value: f"the value of {name}" for name, value in _secrets()}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.stat().st_size:
            _check_file(path, path.relative_to(folder).as_posix(), forbidden)


def without_places(document: dict[str, Any]) -> dict[str, Any]:
    """A JSON document whose texts have the last part of a place on a disk in the place's stead."""
    return {key: _without_places(value) for key, value in document.items()}


def _without_places(value: Any) -> Any:
    if isinstance(value, dict):
        return without_places(value)
    if isinstance(value, list):
        return [_without_places(item) for item in value]
    if not isinstance(value, str):
        return value
    if Path(value).is_absolute() or value.startswith("~"):
        return Path(value).name
    if os.sep in value and "\n" not in value and Path(value).exists():
        return Path(value).name
    return PLACE.sub(lambda found: found[1], value)


def _write_run(run: Run, folder: Path) -> None:
    """One run folder, its networks' apart."""
    info = replace(run.info, store=Path(run.info.store).name, corpus=Path(run.info.corpus).name)
    info.save(folder)
    _write_recipe(run.path / RECIPE, folder / RECIPE)
    for name in (PREPARATION, STATISTICS):
        document = read_json(run.path / name)
        if name == STATISTICS:  # those of each speaker of the corpus are of use with its own clips only
            document["explainer"].pop("speakers", None)
        write_json(folder / name, without_places(document))
    if (run.path / HISTORY).is_file():
        shutil.copyfile(run.path / HISTORY, folder / HISTORY)
    if (run.path / CALIBRATION).is_file():
        _write_calibration(run, folder)
    if (run.path / MODEL).is_dir():
        _write_network(run.path / MODEL, folder / MODEL)


def _write_recipe(source: Path, target: Path) -> None:
    import yaml

    if source.is_file():
        recipe = yaml.safe_load(source.read_text(encoding="utf-8"))
        write_text(target, yaml.safe_dump(without_places(recipe), sort_keys=False))


def _write_calibration(run: Run, folder: Path) -> None:
    """The calibration without the clips' ids, where it is the run's, so that it is that of the run as given."""
    document = read_json(run.path / CALIBRATION)
    if document["run_sha256"] == file_sha256(run.path / RUN):
        changed = {"ids": [], "run_sha256": file_sha256(folder / RUN)}
        write_json(folder / CALIBRATION, without_places(document) | changed)


def _write_network(source: Path, target: Path) -> None:
    target.mkdir()
    for path in sorted(source.iterdir()):
        if not path.is_file() or not any(fnmatch(path.name, pattern) for pattern in MODEL_FILES):
            continue
        if path.suffix == ".json" and path.name not in VOCABULARIES:
            document = json.loads(path.read_text(encoding="utf-8"))
            write_text(target / path.name, json.dumps(without_places(document), indent=2, ensure_ascii=False) + "\n")
        else:
            shutil.copyfile(path, target / path.name)


def _check_explainer(run: Run) -> None:
    """Raises UserError where explanations need something that lies on this machine."""
    spec = run.preparation.explainer
    for name, value in spec.options.items():
        if _without_places(value) != value:
            raise UserError(
                f"{run.path}: its explainer {spec.explainer!r} has {name}={value}, a place on this machine that nobody "
                "else has; train on explanations that others can make, or give a hub id there"
            )


def _secrets() -> Iterator[tuple[str, str]]:
    for name, value in os.environ.items():
        if name.upper().endswith(SECRET_NAMES) and len(value) >= SHORTEST_SECRET:
            yield name, value


def _check_file(path: Path, name: str, forbidden: dict[str, str]) -> None:
    content = _words_of(path)
    found = [what for value, what in forbidden.items() if value.encode() in content]
    if path.name not in VOCABULARIES and SECRETS.search(content):
        found.append("what looks like a key")
    if found:
        raise UserError(f"{name}: holds {found[0]}; nothing is given away: take that out of the run and push again")


def _words_of(path: Path) -> bytes:
    """A file's content; of weights their header, since numbers say nothing."""
    with path.open("rb") as stream:
        if path.suffix != ".safetensors":
            return stream.read()
        return stream.read(int.from_bytes(stream.read(8), "little"))  # the format's first 8 bytes: the header's length
