"""What several test files need: few threads, the folder of fixtures that may be absent; and what was skipped, told."""

import json
import os
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("the folder ../shared of outside fixtures is not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def encoder(tmp_path_factory) -> Path:
    """A folder with a text encoder of one layer, random weights, MiniLM's word pieces."""
    from network_fixtures import save_tiny_encoder

    return save_tiny_encoder(tmp_path_factory.mktemp("encoder"))


@dataclass(frozen=True)
class TinyRun:
    """A run trained in a second on real, tiny clips by outside parts."""

    path: Path
    store: Path
    corpus: Path
    recipe: Path


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory, encoder) -> TinyRun:
    import yaml
    from network_fixtures import small_recipe
    from small_corpora import write_corpus

    from textmsa.prepare import prepare
    from textmsa.train import train

    folder = tmp_path_factory.mktemp("tiny")
    write_corpus(folder / "corpus", 15)
    parts = {
        "audio": "outside_parts:Loudness",
        "video": "outside_parts:Brightness",
        "explainer": "outside_parts:Quoting",
    }
    prepare(folder / "corpus", out=folder / "store", workers=1, **parts)  # type: ignore[arg-type]
    recipe = small_recipe(encoder)
    plain = json.loads(json.dumps(asdict(recipe)))
    (folder / "recipe.yaml").write_text(yaml.safe_dump(plain))
    train(recipe, data=folder / "store", out=folder / "run", device="cpu")
    return TinyRun(folder / "run", folder / "store", folder / "corpus", folder / "recipe.yaml")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Which tests were skipped, by reason."""
    names = defaultdict(list)
    for report in terminalreporter.stats.get("skipped", []):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        names[reason.removeprefix("Skipped: ")].append(report.nodeid)
    if not names:
        return
    terminalreporter.section(f"{sum(map(len, names.values()))} tests skipped", yellow=True)
    for reason, skipped in sorted(names.items()):
        terminalreporter.line(f"{reason}:")
        for name in sorted(skipped):
            terminalreporter.line(f"    {name}")
