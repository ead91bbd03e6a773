"""What the description of the service (OpenAPI) says of each request, with examples."""

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
}
LIMITED = (429,)  # answers with Retry-After


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
            found[status]["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}}
    return found
