"""Everything at once: render the known-answer corpus, prepare, train, evaluate, report."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textmsa.errors import UserError
from textmsa.runtime.atomic import read_json, understood, write_text
from textmsa.runtime.progress import duration
from textmsa.runtime.versions import commit

STAGES = "stages.json"
REMEDY = "delete it: only how long the stages took is lost"
NETWORKS = 3  # seeds trained: with a few hundred clips one network's score depends much on its seed


@dataclass(frozen=True)
class DemoResult:
    """What the demo made."""

    summary: dict[str, Any]
    report: Path
    table: str
    """For people: TEXT beside baselines and floors."""

    def text(self) -> str:
        """The table, how long each stage took, and where the page is."""
        seconds: dict[str, float] = self.summary["seconds"]
        stages = ", ".join(f"{name} {duration(spent)}" for name, spent in seconds.items())
        return f"\n{self.table}\n{duration(sum(seconds.values()))}: {stages}\nreport: {self.report}"


def demo(*, out: Path = Path("runs/demo"), clips: int = 600, seed: int = 0, workers: int = 2) -> DemoResult:
    """Render a corpus with known answers, prepare it, train TEXT, compare, and write a report.

    Parameters
    ----------
    out
        Folder for everything; run the demo again to go on after a stop.
    clips
        Clips of the corpus, 30 to 2949.
    seed
        Of the corpus; training takes it and the next ones.
    workers
        Processes that render and prepare; with more than one, the networks are trained side by side on the CPU.

    Examples
    --------
    textmsa demo --out runs/demo
    textmsa demo --out runs/small --clips 60
    """
    from textmsa.config import load_recipe
    from textmsa.demo_corpus import render_corpus
    from textmsa.evaluate.command import evaluate, without_nan
    from textmsa.prepare.command import prepare
    from textmsa.report.run import write_report
    from textmsa.runtime.device import choose_device
    from textmsa.train.command import train

    if clips < 30:
        raise UserError(f"--clips {clips}: the demo needs at least 30, so that every split has a speaker")
    corpus, store, run = out / "corpus", out / "store", out / "run"
    clock = _Clock(out / STAGES)
    recipe = load_recipe("demo")
    seeds = list(range(seed, seed + NETWORKS))
    many = ",".join(map(str, seeds))
    # All at once: three networks on two cores, two by two, would leave a core idle in the end.
    at_once = NETWORKS if workers > 1 and choose_device("auto") == "cpu" else 1
    clock.time("render", lambda: render_corpus(corpus, clips=clips, seed=seed, workers=workers))
    clock.time("prepare", lambda: prepare(corpus, out=store, workers=workers))
    clock.time("train", lambda: train(recipe, data=store, out=run, seeds=many, workers=at_once))
    evaluation = clock.time("evaluate", lambda: evaluate(run, data=store))
    report = out / "report.html"
    clock.time("report", lambda: write_report(report, run=run, store=store, evaluation=evaluation))
    summary = {
        "clips": clips,
        "seeds": seeds,
        "commit": commit(),
        "test": evaluation.metrics,
        "test_by_seed": evaluation.by_seed,
        "baselines": evaluation.baselines,
        "floors": evaluation.floors,
        "difference": evaluation.difference,
        "seconds": clock.seconds,
    }
    write_text(out / "summary.json", json.dumps(without_nan(summary), indent=2, allow_nan=False) + "\n")
    return DemoResult(summary, report, evaluation.table())


class _Clock:
    """Seconds by stage, added up over runs that were stopped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seconds: dict[str, float] = {}
        if path.is_file():
            with understood(path, remedy=REMEDY):
                seconds = read_json(path, remedy=REMEDY, unstamped=True)
                self.seconds = {stage: float(spent) for stage, spent in seconds.items()}

    def time(self, stage: str, work: Callable[[], Any]) -> Any:
        started = time.monotonic()
        try:
            return work()
        finally:
            spent = time.monotonic() - started
            self.seconds[stage] = round(self.seconds.get(stage, 0.0) + spent, 2)
            if self.path.parent.is_dir():
                write_text(self.path, json.dumps(self.seconds, indent=2) + "\n")
