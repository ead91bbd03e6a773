"""Samples -> the rows of a store.

The data go into a new folder and the manifest comes last, so that the store is whole at any moment.
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import IO, Any

from textmsa.features.statistics import Statistics
from textmsa.runtime.atomic import UNFINISHED, replacing, to_disk
from textmsa.store.manifest import DATA_FILE, Manifest
from textmsa.store.preparation import STATISTICS
from textmsa.store.rows import CLIP_LABELS, CLIP_TEXTS, PIECES, PROVENANCE, StoredClip
from textmsa.types import EXPLANATION_PARTS, Explanation, FeatureSequence

EXPLANATIONS = "explanations.jsonl"
ROWS_PER_BATCH = 64  # about 6 MB of features; what is in memory while writing


def write_store(folder: Path, clips: Iterable[StoredClip], *, manifest: Manifest, statistics: Statistics) -> None:
    """Write data, explanations, statistics and, last, the manifest into `folder`.

    The data goes into the manifest's new data folder; an older one stays untouched until the manifest is
    replaced, so that the store is whole at any moment. Raises ValueError where features differ from the
    manifest's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / (manifest.data + UNFINISHED)
    unfinished.mkdir(exist_ok=True)
    with replacing(folder / EXPLANATIONS) as lines:
        _write_rows(unfinished / DATA_FILE, _with_lines(clips, lines), manifest)
        with (unfinished / DATA_FILE).open("rb+") as data:
            to_disk(data)
    os.rename(unfinished, folder / manifest.data)
    statistics.save(folder / STATISTICS)
    manifest.save(folder)


def _with_lines(clips: Iterable[StoredClip], lines: IO[bytes]) -> Iterator[StoredClip]:
    """Pass `clips` through, writing the readable line of each explanation."""
    for clip in clips:
        lines.write(explanation_line(clip.sample.clip.id, clip.sample.explanation).encode())
        yield clip


def explanation_line(identity: str, explanation: Explanation) -> str:
    """One line of explanations.jsonl."""
    return json.dumps({"id": identity, **asdict(explanation)}, ensure_ascii=False) + "\n"


def _write_rows(path: Path, clips: Iterable[StoredClip], manifest: Manifest) -> None:
    import pyarrow as pa
    from datasets.arrow_writer import ArrowWriter

    features = _columns()
    schema = features.arrow_schema
    source = iter(clips)
    with ArrowWriter(path=str(path), features=features) as writer:
        while batch := [_row(clip, manifest) for clip in islice(source, ROWS_PER_BATCH)]:
            arrays = [pa.array([row[name] for row in batch], schema.field(name).type) for name in schema.names]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
        if not writer.finalize()[0]:
            raise ValueError("a store must hold at least one clip")


def _columns() -> Any:
    from datasets import Features, List, Value

    texts = [
        *CLIP_TEXTS,
        *PROVENANCE,
        "missing",
        "damage",
        "spoken",
        *(f"explanation_{name}" for name in EXPLANATION_PARTS),
    ]
    columns: dict[str, Any] = {name: Value("string") for name in [*texts, "explanation_provenance"]}
    columns |= {name: Value("float64") for name in (*CLIP_LABELS, "duration")}
    for modality in ("audio", "video"):
        columns |= {f"{modality}_values": List(Value("float32")), f"{modality}_times": List(Value("float64"))}
    columns |= {f"pieces_{name}": List(Value("int32")) for name in PIECES}
    return Features(columns)


def _row(stored: StoredClip, manifest: Manifest) -> dict[str, Any]:
    clip, observation, explanation = stored.sample.clip, stored.sample.observation, stored.sample.explanation
    assert (observation.path, observation.transcript) == (clip.path, clip.transcript), (
        f"{clip.id}: observed something else"
    )
    row: dict[str, Any] = {name: getattr(clip, name) for name in (*CLIP_TEXTS, *CLIP_LABELS)}
    inside = clip.path.is_relative_to(manifest.corpus_folder)
    row["path"] = str(clip.path.relative_to(manifest.corpus_folder) if inside else clip.path)
    row |= {f"explanation_{name}": getattr(explanation, name) for name in EXPLANATION_PARTS}
    row["explanation_provenance"] = json.dumps(explanation.provenance, ensure_ascii=False)
    missing = json.dumps(observation.missing, ensure_ascii=False)
    row |= {"duration": observation.duration, "missing": missing, "damage": observation.damage}
    row |= {name: getattr(stored, name) for name in PROVENANCE}
    row["spoken"] = None if clip.spoken is None else json.dumps(asdict(clip.spoken), ensure_ascii=False)
    for modality, spec in (("audio", manifest.audio), ("video", manifest.video)):
        sequence: FeatureSequence | None = getattr(observation, modality)
        if sequence is not None and (spec is None or sequence.names != spec.names):
            raise ValueError(f"{clip.id}: {modality} features are not those of the manifest")
        row[f"{modality}_values"] = None if sequence is None else sequence.values_TF.reshape(-1)
        row[f"{modality}_times"] = None if sequence is None else sequence.times_T
    pieces = stored.sample.pieces
    row |= {f"pieces_{name}": pieces[name].reshape(-1) if name in pieces else None for name in PIECES}
    return row
