"""Reading a store of MOSEI's size: first batch, memory, and waiting for data while training."""

import multiprocessing
import shutil
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from benchmarks.generated_store import generate_store
from benchmarks.measure import Row, in_turn
from benchmarks.training import step_of
from textmsa.batch import Collator, SampleDataset, standards_of
from textmsa.store import Store

CLIPS, AUDIO, VIDEO = 22_856, (500, 74), (500, 35)
BATCHES, CLIPS_PER_BATCH = 40, 16


def rows(folder: Path, repeats: int) -> list[Row]:
    """The figures of data."""
    store = folder / "store"
    if not (store / "manifest.json").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        generate_store(store, clips=CLIPS, audio=AUDIO, video=VIDEO)
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = pool.submit(_read, store).result()
    step = step_of("none", Store.open(store), folder / "encoded")
    wait = found["batch"] / (found["batch"] + in_turn({"step": step}, repeats)["step"].median)
    size = sum(f.stat().st_size for f in store.rglob("*.arrow")) / 1e9
    return [
        Row(
            f"first batch, {CLIPS:,} clips ({size:.1f} GB)",
            "",
            f"{found['first']:.2f} s",
            "",
            "5 s",
            found["first"] <= 5,
        ),
        Row(
            f"- resident memory after {BATCHES} batches",
            "",
            f"+{found['memory']:.2f} GB",
            "",
            "1 GB",
            found["memory"] <= 1,
        ),
        Row(
            "- data wait, share of a step (encoder_trainable none)",
            "",
            f"{found['batch'] * 1e3:.0f} ms a batch",
            f"{wait:.1%}",
            "5 %",
            wait <= 0.05,
        ),
    ]


def _read(path: Path) -> dict[str, float]:
    """In a process of its own: seconds to the first batch, seconds a batch, gigabytes more than before."""
    from benchmarks.inference import bert_base_network

    store = Store.open(path)
    model, tokenizer = bert_base_network(store)  # the network itself is not counted
    config: Any = model.config
    del model, store
    process = psutil.Process()
    before = process.memory_info().rss
    started = time.perf_counter()
    opened = Store.open(path)
    dataset = SampleDataset(opened, opened.indices("train"), standards_of(opened.statistics), config)
    collator = Collator(tokenizer, config)
    step = len(dataset) // (BATCHES * CLIPS_PER_BATCH)  # spread over the file
    collator([dataset[i * step] for i in range(CLIPS_PER_BATCH)])
    first = time.perf_counter() - started
    seconds = []
    for batch in range(BATCHES):
        began = time.perf_counter()
        collator([dataset[(batch * CLIPS_PER_BATCH + i) * step] for i in range(CLIPS_PER_BATCH)])
        seconds.append(time.perf_counter() - began)
    return {"first": first, "batch": median(seconds), "memory": (process.memory_info().rss - before) / 1e9}
