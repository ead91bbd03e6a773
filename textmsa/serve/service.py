"""The application: its routes, what they count, and how they refuse."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from textmsa import __version__
from textmsa.serve import openapi
from textmsa.serve.guard import NONCE, Guard
from textmsa.serve.limits import LOCAL_NAMES, Limits, Refusal
from textmsa.serve.pool import Pool
from textmsa.serve.samples import Samples
from textmsa.serve.uploads import FILE_FIELD, Form, received
from textmsa.serve.worker import Task
from textmsa.types import Shown

PAGE = Path(__file__).parent / "page"
NONCE_IN_PAGE = "{{nonce}}"
GONE = 499  # the status that servers note where a client has gone
YES, NO = ("true", "1", "yes", "on"), ("false", "0", "no", "off", "")
Kind = Literal["predict", "explain"]
logger = logging.getLogger(__name__)


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


class Meters:
    """What /metrics says."""

    def __init__(self, pool: Pool) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "textmsa_requests", "Answers by request and status.", ["request", "status"], registry=self.registry
        )
        self.seconds = Histogram(
            "textmsa_seconds", "Seconds from a request to its answer.", ["request"], registry=self.registry
        )
        self.bytes = Counter("textmsa_received_bytes", "Bytes of the clips that came in.", registry=self.registry)
        inside = Gauge("textmsa_clips_inside", "Clips that arrive, wait or are worked on.", registry=self.registry)
        inside.set_function(lambda: pool.tickets)
        ready = Gauge("textmsa_workers_ready", "Workers that have their model.", registry=self.registry)
        ready.set_function(lambda: pool.ready)


def application(serving: Serving) -> FastAPI:
    """The application; its workers are started by whoever runs it."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(serving.pool.stop)

    app = FastAPI(
        title="textmsa",
        version=__version__,
        description="Sentiment of a talking person in a clip: score, interval, contributions, explanations.",
        docs_url=None,  # its page loads its script from another host
        redoc_url=None,
        lifespan=lifespan,
    )
    meters = Meters(serving.pool)
    _add_errors(app)
    _add_facts(app, serving, meters)
    _add_clips(app, serving, meters)
    _add_page(app)
    names = () if serving.host in ("0.0.0.0", "::") else {*LOCAL_NAMES, serving.host}
    app.add_middleware(Guard, token=serving.token, names=names)
    return app


def _add_errors(app: FastAPI) -> None:
    @app.exception_handler(Refusal)
    async def refused(_: Request, refusal: Refusal) -> Response:
        headers = {} if refusal.retry_after is None else {"Retry-After": str(refusal.retry_after)}
        if refusal.status in (400, 408, 413, 415):
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
        return FileResponse(await _sample(serving, name))

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
        return await _counted("predict", meters, lambda: _answered("predict", request, serving, meters))

    @app.post(
        "/v1/explain",
        summary="What voice and face express, without a score",
        **openapi.described(openapi.EXPLAINED),
    )
    async def explain(request: Request) -> Response:
        return await _counted("explain", meters, lambda: _answered("explain", request, serving, meters))


def _add_page(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def page(request: Request) -> HTMLResponse:
        text = (PAGE / "index.html").read_text(encoding="utf-8")
        return HTMLResponse(text.replace(NONCE_IN_PAGE, request.scope["state"][NONCE]))

    app.mount("/page", StaticFiles(directory=PAGE), name="page")


async def _counted(kind: Kind, meters: Meters, answering: Callable[[], Awaitable[Response]]) -> Response:
    started, status = time.monotonic(), 500
    try:
        response = await answering()
        status = response.status_code
        return response
    except Refusal as refusal:
        status = refusal.status
        raise
    except ClientDisconnect:
        status = GONE
        raise
    finally:
        meters.requests.labels(kind, str(status)).inc()
        meters.seconds.labels(kind).observe(time.monotonic() - started)


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
    values = dict(form.values)
    allowed = {"sample", "text", "transcribe"} | ({"contributions", "tracks"} if kind == "predict" else set())
    if unknown := sorted(set(values) - allowed):
        raise Refusal(422, f"unknown field {unknown[0][:40]!r}: send {FILE_FIELD}, {', '.join(sorted(allowed))}")
    if (form.clip is None) == ("sample" not in values):
        raise Refusal(415 if form.clip is None else 422, f"send one clip: a file as {FILE_FIELD!r}, or a 'sample'")
    text = values.get("text")
    if text is not None and len(text) > serving.limits.text_characters:
        raise Refusal(413, f"words of more than {serving.limits.text_characters} characters: send fewer")
    shown = values.get("contributions", "modalities")
    if shown not in get_args(Shown):
        raise Refusal(422, f"contributions {shown[:40]!r}: send one of {', '.join(get_args(Shown))}")
    transcribe = _flag(values, "transcribe")
    if transcribe and text is not None:
        raise Refusal(422, "transcribe: the words are given already by text; leave one of them out")
    path = form.clip if form.clip is not None else await _sample(serving, values["sample"])
    return Task(kind, path, text, transcribe, shown, _flag(values, "tracks"))  # type: ignore[arg-type]


def _flag(values: dict[str, str], name: str) -> bool:
    value = values.get(name, "").lower()
    if value not in YES + NO:
        raise Refusal(422, f"{name} {value[:40]!r}: send true or false")
    return value in YES


async def _sample(serving: Serving, name: str) -> Path:
    path = (await asyncio.to_thread(serving.samples.by_name)).get(name)
    if path is None:
        raise Refusal(404, "no such sample: /v1/samples lists them")
    return path
