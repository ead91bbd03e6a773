"""What the model "everyday" reads in transcripts that it never saw: python -m benchmarks.everyday_words LABEL_CSV.

The table is MMSA's label.csv of CMU-MOSI or CMU-MOSEI (scores in [-3, 3]); its test rows are scored by words alone.
Nothing is chosen here: read it once for a model.
"""

import csv
import sys
from pathlib import Path

from textmsa import metrics
from textmsa.everyday import EverydayPredictor


def main(table: Path, split: str = "test") -> str:
    """One line of metrics of a split of the table."""
    with table.open(encoding="utf-8-sig", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["mode"] == split and row["text"].strip()]
    scores = EverydayPredictor().scores([row["text"] for row in rows])
    found = metrics.evaluate(scores, [float(row["label"]) for row in rows])
    return f"{len(rows)} rows: " + ", ".join(f"{name} {value:.4f}" for name, value in found.items())


if __name__ == "__main__":
    print(main(Path(sys.argv[1])))
