"""Clips of a store to play and read, as the served page shows them."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from textmsa.analyze.clip_tracks import tracks_of
from textmsa.analyze.page import Shown, address_of, as_data
from textmsa.errors import UserError, first_line
from textmsa.occlusion import changes_by_words, changes_over_time
from textmsa.prediction_text import as_json
from textmsa.run import Run
from textmsa.run_predictor import predictions_of
from textmsa.types import Explanation, Sample

EMBEDDED = 500_000
"""Bytes of a clip that a page holds; a larger one is played from where it lies."""


def scored_player(place: str, run: Run, sample: Sample, page: Path) -> Shown:
    """A clip with its score by a run, what counted by modality, word and moment, and its explanation."""
    prediction = predictions_of(run, [sample])[0]
    notes = []
    if sample.observation.duration is not None:
        prediction = replace(prediction, over_time=changes_over_time(run, sample))
    try:
        prediction = replace(prediction, words=changes_by_words(run, sample))
    except UserError as error:
        notes.append(first_line(error))
    document: dict[str, Any] = json.loads(as_json(replace(prediction, path=sample.clip.path.name)))
    tracks = tracks_of(sample.clip.path, sample.observation, prediction)
    return _player(place, "prediction", document | {"tracks": tracks | {"notes": notes}}, sample, page)


def explained_player(place: str, sample: Sample, explanation: Explanation, page: Path) -> Shown:
    """A clip with an explanation, without a score."""
    observation = sample.observation
    told = asdict(explanation) | {"provenance": {"failed": explanation.provenance.get("failed")}}
    document = {
        "transcript": observation.transcript,
        "spoken": None,
        "explanation": told,
        "missing": observation.missing,
        "damage": observation.damage,
        "tracks": tracks_of(sample.clip.path, observation, None),
    }
    return _player(place, "explained", document, sample, page)


def _player(place: str, kind: str, document: dict[str, Any], sample: Sample, page: Path) -> Shown:
    media = sample.clip.path
    there = media.is_file()
    small = there and media.stat().st_size <= EMBEDDED
    address = as_data(media) if small else address_of(media, page) if there else None
    heard = "no video stream" in sample.observation.missing.get("video", "")  # cover art is no video either
    return Shown(place, document, kind, address, heard, sample.clip.path.stem)
