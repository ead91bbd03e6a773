"""Worker processes, as a script of a user starts them."""

import os
import subprocess
import sys
from pathlib import Path

from small_corpora import write_corpus

SCRIPT = """
import textmsa

print("once")
parts = {"audio": "outside_parts:Loudness", "video": "outside_parts:Brightness", "explainer": "outside_parts:Quoting"}
print(textmsa.prepare("corpus", out="store", workers=2, **parts).text())
"""


def test_a_script_needs_no_guard_around_its_main_part(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus", 5)
    (tmp_path / "script.py").write_text(SCRIPT)
    folders = [str(folder) for folder in Path(__file__).parents[1:3]]
    variables = os.environ | {"PYTHONPATH": os.pathsep.join(folders)}
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, env=variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-1000:]
    assert done.stdout.splitlines()[:1] == ["once"]
    assert "5 of 5 clips prepared" in done.stdout
    assert done.stdout.count("once") == 1
