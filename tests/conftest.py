"""What several test files need: few threads, the folder of fixtures that may be absent; and what was skipped, told."""

import os
from collections import defaultdict
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
