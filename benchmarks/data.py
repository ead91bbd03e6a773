"""Reading a store of MOSEI's size: first batch, memory, and waiting for data while training."""

import multiprocessing
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from torch.utils.data import DataLoader

from benchmarks.generated_store import generate_store
from benchmarks.inference import bert_base_network
from benchmarks.measure import Row, in_turn
from benchmarks.training import step_of
from textmsa.inputs.collator import Collator
from textmsa.inputs.examples import SampleDataset
from textmsa.inputs.time_grid import standards_of
from textmsa.store.reading import Store

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
    step_seconds = in_turn({"step": step}, repeats)["step"].median
    waits = {workers: _waiting(store, step, workers) for workers in (0, 1)}
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
            "- data wait, share of a step (encoder_trainable none), data_workers 1",
            f"{waits[0]:.1%} (data_workers 0)",
            f"step {step_seconds:.2f} s",
            f"{waits[1]:.1%}",
            "5 %",
            waits[1] <= 0.05,
        ),
    ]


def _waiting(path: Path, step: Callable[[], object], workers: int) -> float:
    """Share of the time that training steps wait for batches from all over the store."""
    model, tokenizer = bert_base_network(Store.open(path))
    store = Store.open(path)
    spread = np.random.default_rng(workers).permutation(store.indices("train"))[: BATCHES * CLIPS_PER_BATCH]
    dataset = SampleDataset(store, spread.tolist(), standards_of(store.statistics), model.config)
    loader: Any = DataLoader(
        dataset,  # type: ignore[arg-type]
        CLIPS_PER_BATCH,
        collate_fn=Collator(tokenizer, model.config),
        num_workers=workers,
    )
    batches, waited, worked = iter(loader), 0.0, 0.0
    next(batches)  # which starts the workers
    for _ in range(BATCHES - 1):
        began = time.perf_counter()
        next(batches)
        ready = time.perf_counter()
        step()
        waited, worked = waited + ready - began, worked + time.perf_counter() - ready
    return waited / (waited + worked)


def _read(path: Path) -> dict[str, float]:
    """In a process of its own: seconds to the first batch, gigabytes more than before."""
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
    for batch in range(BATCHES):
        collator([dataset[(batch * CLIPS_PER_BATCH + i) * step] for i in range(CLIPS_PER_BATCH)])
    return {"first": first, "memory": (process.memory_info().rss - before) / 1e9}
