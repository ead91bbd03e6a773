"""Files are written at once or not at all, whatever happens meanwhile."""

import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from textmsa.runtime.atomic import UNFINISHED, csv_text, file_sha256, replacing, write_text

HALF = """
import sys, time
from pathlib import Path
from textmsa.runtime.atomic import replacing

with replacing(Path(sys.argv[1]), shared=sys.argv[2] == "shared") as stream:
    stream.write(b"new, but only hal")
    stream.flush()
    print("writing", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("how", ["alone", "shared"])
def test_killed_while_writing_the_old_file_stays_and_one_leftover(tmp_path: Path, how: str) -> None:
    path = tmp_path / "table.csv"
    write_text(path, "old\n")
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", HALF, str(path), how]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        process.send_signal(signal.SIGKILL)
    assert path.read_text() == "old\n"
    (leftover,) = (other for other in tmp_path.iterdir() if other != path)
    assert leftover.name.startswith("table.csv.")
    assert leftover.name.endswith(UNFINISHED)
    assert leftover.read_bytes() == b"new, but only hal"
    write_text(path, "new\n")
    assert path.read_text() == "new\n"
    assert list(tmp_path.iterdir()) == [path] or how == "shared"


def test_what_is_raised_while_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_text(path, "old\n")
    with pytest.raises(RuntimeError, match="no ink"), replacing(path) as stream:
        stream.write(b"new")
        raise RuntimeError("no ink")
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "old\n"


def test_the_file_is_whole_only_after_the_block(tmp_path: Path) -> None:
    path = tmp_path / "bytes"
    with replacing(path) as stream:
        stream.write(b"\x00\r\n")
        assert not path.exists()
    assert path.read_bytes() == b"\x00\r\n"


def test_text_is_utf_8_with_the_lines_ends_that_it_has(tmp_path: Path) -> None:
    write_text(tmp_path / "text", "é\n\r\n")
    assert (tmp_path / "text").read_bytes() == b"\xc3\xa9\n\r\n"


def test_a_table_as_text_quotes_what_would_break_it() -> None:
    rows = [("id", "text"), ("a", 'say "no", then\ngo'), ("b", None)]
    assert csv_text(rows) == 'id,text\r\na,"say ""no"", then\ngo"\r\nb,\r\n'
    assert csv_text(rows[::2], end="\n") == "id,text\nb,\n"


def test_a_files_hash_is_of_its_content(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    assert file_sha256(tmp_path / "file") == hashlib.sha256(b"content").hexdigest()
    with pytest.raises(FileNotFoundError):
        file_sha256(tmp_path / "none")
