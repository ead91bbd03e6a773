"""The application: its routes, what they count, and how they refuse."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, get_args

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from textmsa import __version__
from textmsa.serve import openapi
from textmsa.serve.analysis import AnalysisTask, analyze_in_folder
from textmsa.serve.guard import NONCE, Guard
from textmsa.serve.job_routes import add_jobs
from textmsa.serve.jobs import Jobs
from textmsa.serve.limits import LOCAL_NAMES, Limits, Refusal
from textmsa.serve.meters import GONE, NO_ROOM, Meters, counted
from textmsa.serve.pool import Pool
from textmsa.serve.samples import Samples
from textmsa.serve.uploads import Form, received
from textmsa.serve.worker import Kind, Task
from textmsa.types import Shown

PAGE = Path(__file__).parent / "page"
NONCE_IN_PAGE = "{{nonce}}"


@dataclass(frozen=True)
class Serving:
    """What the application is made of."""

    pool: Pool
    limits: Limits
    model: dict[str, Any]
    """What /v1/model says."""
    samples: Samples
    token: str | None = None
    host: str = LOCAL_NAMES[0]


def application(serving: Serving, target: Callable[[Connection, AnalysisTask], None] = analyze_in_folder) -> FastAPI:
    """The application; its workers are started by whoever runs it.

    Parameters
    ----------
    serving
        What it is made of.
    target
        What the process of a long video does.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await jobs.stop()
        await asyncio.to_thread(serving.pool.stop)

    app = FastAPI(
        title="textmsa",
        version=__version__,
        description="Sentiment of a talking person in a clip: score, interval, contributions, explanations.",
        docs_url=None,  # its page loads its script from another host
        redoc_url=None,
        lifespan=lifespan,
    )
    jobs = Jobs(serving.pool.options, serving.limits, target)
    meters = Meters(serving.pool, jobs)
    _add_errors(app)
    _add_facts(app, serving, meters)
    _add_clips(app, serving, meters)
    can_transcribe = bool(serving.model["can_transcribe"])
    add_jobs(app, jobs, meters, serving.samples, can_transcribe=can_transcribe)
    _add_page(app)
    names = () if serving.host in ("0.0.0.0", "::") else {*LOCAL_NAMES, serving.host}
    app.add_middleware(Guard, token=serving.token, names=names)
    return app


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(Refusal)
    async def refused(_: Request, refusal: Refusal) -> Response:
        headers = {} if refusal.retry_after is None else {"Retry-After": str(refusal.retry_after)}
        if refusal.status in (400, 408, 413, 415, NO_ROOM):
            headers["Connection"] = "close"  # the rest of the request may not have been read
        return JSONResponse({"reason": refusal.reason}, refusal.status, headers)

    @app.exception_handler(ClientDisconnect)
    async def gone(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=GONE)

    @app.exception_handler(HTTPException)
    async def unknown(_: Request, error: HTTPException) -> Response:
        reason = {404: "there is nothing here", 405: "not with this method"}.get(error.status_code, "refused")
        return JSONResponse({"reason": reason}, error.status_code, error.headers)


def _add_facts(app: FastAPI, serving: Serving, meters: Meters) -> None:
    @app.get("/health", summary="Whether clips can be taken")
    async def health() -> JSONResponse:
        ready, workers = serving.pool.ready, serving.limits.workers
        status = "ok" if ready else "starting"
        document = {"status": status, "version": __version__, "workers": workers, "ready": ready}
        return JSONResponse(document, 200 if ready else 503)

    @app.get("/v1/model", summary="What the model is: training data, figures, card; and the limits of this server")
    async def model() -> JSONResponse:
        return JSONResponse(serving.model)

    @app.get("/v1/samples", summary="Names of the clips of the server's folder")
    async def samples() -> JSONResponse:
        return JSONResponse({"samples": list(await asyncio.to_thread(serving.samples.by_name))})

    @app.get("/v1/samples/{name:path}", summary="One of these clips")
    async def sample(name: str) -> FileResponse:
        return FileResponse(await serving.samples.path(name))

    @app.get("/metrics", summary="Counts for Prometheus")
    async def metrics() -> Response:
        return Response(generate_latest(meters.registry), media_type=CONTENT_TYPE_LATEST)


def _add_clips(app: FastAPI, serving: Serving, meters: Meters) -> None:
    tracks = {"type": "boolean", "default": False, "description": "Also what is drawn over time: `tracks`."}

    @app.post(
        "/v1/predict",
        summary="Score a clip and explain it, as `textmsa predict --json`",
        **openapi.described(openapi.PREDICTION, contributions=openapi.SHOWN, tracks=tracks),
    )
    async def predict(request: Request) -> Response:
        return await counted("predict", meters, lambda: _answered("predict", request, serving, meters))

    @app.post(
        "/v1/explain",
        summary="What voice and face express, without a score",
        **openapi.described(openapi.EXPLAINED),
    )
    async def explain(request: Request) -> Response:
        return await counted("explain", meters, lambda: _answered("explain", request, serving, meters))


def _add_page(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def page(request: Request) -> HTMLResponse:
        text = (PAGE / "index.html").read_text(encoding="utf-8")
        return HTMLResponse(text.replace(NONCE_IN_PAGE, request.scope["state"][NONCE]))

    app.mount("/page", StaticFiles(directory=PAGE), name="page")


async def _answered(kind: Kind, request: Request, serving: Serving, meters: Meters) -> Response:
    async with serving.pool.ticket(), received(request, serving.limits) as form:
        meters.bytes.inc(form.size)
        task = await _task(kind, form, serving)
        answer = await serving.pool.do(task, gone=request.is_disconnected)
    if answer is None:
        raise ClientDisconnect
    retry = {"Retry-After": "10"} if answer.status == 503 else {}
    return JSONResponse(answer.document, answer.status, retry)


async def _task(kind: Kind, form: Form, serving: Serving) -> Task:
    """What a form asks for; raises Refusal for what it cannot."""
    values = form.values
    form.check({"sample", "text", "transcribe"} | ({"contributions", "tracks"} if kind == "predict" else set()))
    text = values.get("text")
    if text is not None and len(text) > serving.limits.text_characters:
        raise Refusal(413, f"words of more than {serving.limits.text_characters} characters: send fewer")
    shown = values.get("contributions", "modalities")
    if shown not in get_args(Shown):
        raise Refusal(422, f"contributions {shown[:40]!r}: send one of {', '.join(get_args(Shown))}")
    transcribe = form.flag("transcribe")
    if transcribe and text is not None:
        raise Refusal(422, "transcribe: the words are given already by text; leave one of them out")
    path = form.clip if form.clip is not None else await serving.samples.path(values["sample"])
    return Task(kind, path, text, transcribe, shown, form.flag("tracks"))  # type: ignore[arg-type]
