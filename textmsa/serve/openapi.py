"""What the description of the service (OpenAPI) says of each request, with examples."""

import json
from typing import Any

from textmsa.serve.uploads import FILE_FIELD

PREDICTION = {
    "path": "clip",
    "score": 1.42,
    "score_range": [-3.0, 3.0],
    "polarity": "positive",
    "transcript": "I loved it.",
    "explanation": {"audio": "The voice is high and lively.", "video": "The person smiles.", "summary": "Pleased."},
    "contributions": {"text": 0.9, "audio": 0.2, "video": 0.3},
    "base": 0.02,
    "interval": {"level": 0.9, "low": 0.4, "high": 2.4, "clips": 200, "source": "clips of training set aside"},
    "missing": {},
    "seconds": {"prepare": 1.1, "score": 0.2},
}
EXPLAINED = {
    "transcript": "I loved it.",
    "explanation": {"audio": "The voice is high and lively.", "video": "The person smiles."},
    "missing": {},
    "damage": None,
}
FIELDS: dict[str, dict[str, Any]] = {
    FILE_FIELD: {"type": "string", "format": "binary", "description": "A video or audio file."},
    "sample": {"type": "string", "description": "Instead of a file: a name of /v1/samples."},
    "text": {"type": "string", "description": "What is said in it.", "example": "I loved it."},
    "transcribe": {"type": "boolean", "default": False, "description": "Recognise what is said."},
}
SHOWN = {
    "type": "string",
    "enum": ["modalities", "words", "time", "all"],
    "default": "modalities",
    "description": "What counted: text, audio and video alone, or also each of the words, each moment, or all.",
}
REASONS = {
    400: "The form is not whole.",
    401: "A token is needed.",
    408: "The clip took too long to arrive.",
    413: "The clip is too large.",
    415: "Not a clip: a form without one, an archive, a picture.",
    422: "The clip cannot be used: empty, damaged, too long, too many streams.",
    429: "Busy; Retry-After says when to try again.",
    500: "The worker died on the clip, took too long or too much memory.",
    503: "No worker can be started.",
    507: "The server's disk is full.",
}
LIMITED = (429, 503)  # answers with Retry-After
RETRY_AFTER = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
KINDS = {
    ".json": "application/json",
    ".csv": "text/csv",
    ".srt": "application/x-subrip",
    ".eaf": "application/xml",
    ".png": "image/png",
    ".html": "text/html",
}
"""Of the files of an analysis."""


def described(example: dict[str, Any], **more: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a route that takes a form with a clip and answers as in the example."""
    form = {"type": "object", "properties": FIELDS | more}
    return {
        "openapi_extra": {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}}},
        "responses": {200: {"content": {"application/json": {"example": example}}}} | reasons(*REASONS),
    }


def reasons(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Answers that are one reason."""
    found: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        found[status] = {
            "description": REASONS[status],
            "content": {"application/json": {"example": {"reason": REASONS[status]}}},
        }
        if status in LIMITED:
            found[status]["headers"] = RETRY_AFTER
    return found


_URL = "/v1/analyze/Zk3v9Q2xT1"
WAITING = {
    "id": "Zk3v9Q2xT1",
    "state": "waiting",
    "created": "2026-11-25T12:00:00+00:00",
    "url": _URL,
    "events": f"{_URL}/events",
    "result": f"{_URL}/result",
}
RUNNING = {
    **WAITING,
    "state": "running",
    "step": "analyzing",
    "steps": ["loading", "listening", "analyzing"],
    "done": 120,
    "total": 600,
    "seconds_left": 84.0,
}
DONE = {
    **WAITING,
    "state": "done",
    "summary": {"duration": 600.0, "utterances": 88, "scored": 87, "failed": 1, "mean": 0.31},
    "files": [f"{_URL}/result/timeline.csv", f"{_URL}/result/timeline.json"],
    "kept_until": "2026-11-25T13:04:10+00:00",
}
CANCELLED = {**WAITING, "state": "cancelled", "kept_until": "2026-11-25T13:04:10+00:00"}
TIMELINE = {
    "schema": "textmsa-timeline",
    "version": 1,
    "file": "clip",
    "duration": 600.0,
    "counts": {"utterances": 88, "scored": 87, "failed": 1},
    "mean": 0.31,
    "utterances": [{"number": 0, "start": 0.5, "end": 2.0, "text": "I loved it.", "score": 1.42}],
    "tracks": {"hertz": 10, "start": 0.0, "tracks": {"pitch": {"unit": "Hz", "values": [None, 201.5]}}},
}
STREAM = f"id: 7\nevent: progress\ndata: {json.dumps(RUNNING)}\n\nid: 8\nevent: done\ndata: {json.dumps(DONE)}\n\n"
SUBTITLES = {"type": "string", "format": "binary", "description": "What is said and when: a file .srt or .vtt."}
JOB_REASONS = {
    404: "No such job, or no such file.",
    409: "The job has not ended.",
    410: "The job has failed or was cancelled.",
    503: "Busy; Retry-After says when to try again.",
}


def of_a_job(example: dict[str, Any], *refusals: int) -> dict[str, Any]:
    """The arguments of a route that tells of a job as in the example."""
    told = {"content": {"application/json": {"example": example}}}
    return {"responses": {200: told} | _job_reasons(*refusals)}


def _job_reasons(*statuses: int) -> dict[int | str, dict[str, Any]]:
    found = reasons(*(status for status in statuses if status in REASONS and status not in JOB_REASONS))
    for status in statuses:
        if status in JOB_REASONS:
            reason = JOB_REASONS[status]
            found[status] = {"description": reason, "content": {"application/json": {"example": {"reason": reason}}}}
    for status in {409, 503} & set(found):
        found[status]["headers"] = RETRY_AFTER
    return found


BEGIN: dict[str, Any] = {
    "openapi_extra": {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {
                            **{name: FIELDS[name] for name in (FILE_FIELD, "sample", "transcribe")},
                            "subtitles": SUBTITLES,
                        },
                    }
                }
            },
        }
    },
    "responses": {
        202: {
            "description": "It waits or is begun.",
            "content": {"application/json": {"example": WAITING}},
            "headers": {"Location": {"schema": {"type": "string"}, "description": "Of the job."}},
        }
    }
    | _job_reasons(400, 401, 408, 413, 415, 422, 503),
}
EVENTS: dict[str, Any] = {
    "responses": {
        200: {
            "description": "progress, then done, failed or cancelled; a comment where nothing happens for a while. A "
            "client that comes back with Last-Event-ID gets what it missed.",
            "content": {"text/event-stream": {"example": STREAM}},
        },
        204: {"description": "The job has ended, and the client knows."},
    }
    | _job_reasons(401, 404, 503),
}
RESULT = of_a_job(TIMELINE, 401, 404, 409, 410)
FILES: dict[str, Any] = {
    "responses": {200: {"description": "The file.", "content": {kind: {} for kind in KINDS.values()}}}
    | _job_reasons(401, 404, 409, 410),
}
