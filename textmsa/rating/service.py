"""The page and its requests, on this machine only."""

import asyncio
import math
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from textmsa.errors import TextMsaError, UnreadableClip
from textmsa.rating.desk import Desk
from textmsa.rating.playable import Copies
from textmsa.serve import guard
from textmsa.serve.guard import NONCE, Guard
from textmsa.serve.limits import LOCAL_NAMES, Refusal

PAGE = Path(__file__).parent / "page"
SHARED = Path(guard.__file__).parent / "page"
"""Of `textmsa serve`, whose style and ways of making elements are used."""
NONCE_IN_PAGE = "{{nonce}}"
MOST_BYTES = 10_000  # of a request: a name, a score


def application(desk: Desk, copies: Copies) -> FastAPI:
    """The application: one page, five requests, and the clips."""
    app = FastAPI(title="textmsa label", docs_url=None, redoc_url=None, openapi_url=None)
    _add_errors(app)
    _add_rating(app, desk, copies)
    _add_page(app, desk)
    app.add_middleware(Guard, token=None, names=LOCAL_NAMES)
    return app


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(Refusal)
    async def refused(_: Request, refusal: Refusal) -> Response:
        return JSONResponse({"reason": refusal.reason}, refusal.status)

    @app.exception_handler(TextMsaError)
    async def failed(_: Request, error: TextMsaError) -> Response:
        return JSONResponse({"reason": str(error)}, 500)

    @app.exception_handler(OSError)
    async def no_disk(_: Request, error: OSError) -> Response:
        return JSONResponse({"reason": f"not written ({error.strerror or error}): make room, and rate it again"}, 507)

    @app.exception_handler(HTTPException)
    async def unknown(_: Request, error: HTTPException) -> Response:
        return JSONResponse({"reason": "there is nothing here"}, error.status_code, error.headers)


def _add_rating(app: FastAPI, desk: Desk, copies: Copies) -> None:
    # What is written is on the disk before the answer goes out; it takes milliseconds, one request after another.
    @app.get("/v1/desk")
    async def about() -> JSONResponse:
        return JSONResponse({"corpus": desk.corpus.name, "scores": desk.scores, "clips": len(desk.clips),
                             "raters": desk.raters()})  # fmt: skip

    @app.post("/v1/sessions")
    async def open_session(request: Request) -> JSONResponse:
        form = await _document(request)
        before = form.get("before")
        opened = desk.open(
            str(form.get("name", "")),
            take_over=form.get("take_over") is True,
            before=before if isinstance(before, str) else None,
        )
        return JSONResponse(opened)

    @app.post("/v1/sessions/end")
    async def end_session(request: Request) -> Response:
        desk.close(str((await _document(request)).get("session")))
        return Response(status_code=204)

    @app.post("/v1/ratings")
    async def rate(request: Request) -> JSONResponse:
        form = await _document(request)
        score, seconds, round_ = form.get("score"), form.get("seconds"), form.get("round")
        if "score" not in form or not (score is None or _is_number(score)) or not _is_number(seconds):
            raise Refusal(422, "send a score, or null for a clip that is skipped, and the seconds that it took")
        turn = (str(form.get("clip")), round_ if isinstance(round_, int) else 0)
        return JSONResponse(desk.rate(str(form.get("session")), turn, score, float(seconds or 0)))

    @app.post("/v1/undo")
    async def undo(request: Request) -> JSONResponse:
        return JSONResponse(desk.undo(str((await _document(request)).get("session"))))

    @app.get("/v1/clips/{key}")
    async def clip(key: str) -> FileResponse:
        name = desk.by_key.get(key)
        if name is None or not desk.clips[name].path.is_file():
            raise Refusal(404, "no such clip")
        try:
            return FileResponse(await asyncio.to_thread(copies.of, desk.clips[name].path))
        except UnreadableClip as error:
            raise Refusal(422, f"cannot be shown: {error}") from error


def _add_page(app: FastAPI, desk: Desk) -> None:
    @app.get("/")
    async def page(request: Request) -> HTMLResponse:
        text = (PAGE / "index.html").read_text(encoding="utf-8")
        return HTMLResponse(text.replace(NONCE_IN_PAGE, request.scope["state"][NONCE]))

    app.mount("/page/label", StaticFiles(directory=PAGE), name="label")
    app.mount("/page", StaticFiles(directory=SHARED), name="page")


async def _document(request: Request) -> dict[str, Any]:
    """The JSON object of a request; Refusal for anything else."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise Refusal(415, "send application/json")
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > MOST_BYTES:
            raise Refusal(413, f"more than {MOST_BYTES} bytes: send one rating at a time")
    try:
        return _object(data)
    except ValueError as error:
        raise Refusal(400, "not a JSON object: send one") from error


def _object(data: bytes) -> dict[str, Any]:
    import json

    document = json.loads(data)
    if not isinstance(document, dict):
        raise ValueError("not an object")
    return document


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
