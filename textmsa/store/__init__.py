"""The store: samples <-> disk, as Arrow data that is memory-mapped when read.

A store is a folder:

    preparation.json    extractors and explainer with their versions (see `preparation.py`)
    statistics.json     of the training split; written once, never changed
    data-0001/          clips.arrow: one row a clip; `datasets.Dataset.from_file` reads it too
    explanations.jsonl  the same explanations, for people
    failures.csv        clips that were skipped, with stage and reason
    manifest.json       written last: its presence means that the store is complete; names the data folder
"""

from textmsa.store.manifest import MANIFEST, Manifest
from textmsa.store.preparation import CONVERTED, PREPARATION, STATISTICS, Preparation
from textmsa.store.reading import Store
from textmsa.store.rows import StoredClip
from textmsa.store.writing import explanation_line, write_store

__all__ = [
    "CONVERTED",
    "MANIFEST",
    "PREPARATION",
    "STATISTICS",
    "Manifest",
    "Preparation",
    "Store",
    "StoredClip",
    "explanation_line",
    "write_store",
]
