"""Run the benchmarks and print one table: `python -m benchmarks [--out runs/bench] [--only inference training ...]`."""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks import data, inference, preparation, startup, training
from benchmarks.measure import HEADER, THREADS, Row, machine
from textmsa.demo import demo
from textmsa.store.reading import Store

PARTS = ("inference", "training", "data", "preparation", "startup")


def main() -> None:
    """Measure the chosen parts; the table goes to standard output and to OUT/table.md."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder for corpus, stores and table")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--clips", type=int, default=48, help="clips scored in a repetition")
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    small = options.out / "demo"
    if not (small / "summary.json").is_file():
        demo(out=small, clips=60)
    store = Store.open(small / "store")
    clip = store[store.indices("test")[0]].clip
    parts: dict[str, Callable[[], list[Row]]] = {
        "inference": lambda: inference.rows(store, options.clips, options.repeats),
        "training": lambda: training.rows(store, options.repeats),
        "data": lambda: data.rows(options.out / "mosei", options.repeats),
        "preparation": lambda: preparation.rows(options.out / "corpus"),
        "startup": lambda: startup.rows(small / "run", clip.path, clip.transcript or "", options.repeats),
    }
    lines = [HEADER]
    for name in options.only:
        lines += [row.line() for row in parts[name]()]
        table = "\n".join(lines) + f"\n\n{machine()}\n"
        (options.out / "table.md").write_text(table)  # after each part, so that a stop keeps what was measured
    print("\n" + table)


if __name__ == "__main__":
    main()
