"""`textmsa serve`: a page to look at clips with, and a service to build on."""

import logging
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from textmsa.errors import UserError
from textmsa.model.everyday import EVERYDAY
from textmsa.run import Precision, Run
from textmsa.serve.limits import LOCAL_NAMES, Limits
from textmsa.serve.pool import Pool
from textmsa.serve.samples import Samples
from textmsa.serve.worker import WorkerOptions
from textmsa.speech.weights import DEFAULT_MODEL

NEEDED = ("fastapi", "starlette", "uvicorn", "prometheus_client", "python_multipart")
PORTS = range(65_536)
BACKLOG = 128
TOKEN = "TEXTMSA_TOKEN"
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServeResult:
    """What the command gives back when the server was stopped."""

    address: str

    def text(self) -> str:
        """One line."""
        return f"{self.address}: stopped"


def serve(
    run: Path | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    token: str | None = None,
    max_mb: float = 100.0,
    max_seconds: float = 120.0,
    timeout: float = 120.0,
    memory_mb: float = 6000.0,
    workers: int = 1,
    queue: int = 4,
    folder: Path | None = None,
    open_to_all: bool = False,
    jobs: int = 1,
    job_queue: int = 4,
    job_mb: float = 2000.0,
    job_seconds: float = 7200.0,
    job_timeout: float = 14_400.0,
    keep: float = 3600.0,
    speech_model: str | None = None,
    precision: Precision = "fp32",
) -> ServeResult:
    """Serve a page and an API that score clips; nothing is sent anywhere, and no clip is kept.

    Parameters
    ----------
    run
        A finished run folder; without it the model that comes with textmsa, which scores what is said.
    host
        Address to listen at; one that lets others in, as 0.0.0.0, needs --token or --open-to-all.
    port
        Port to listen at; 0 takes a free one.
    token
        That requests must bring (Authorization: Bearer TOKEN); the page asks for it. Without it TEXTMSA_TOKEN.
    max_mb
        Megabytes of a clip.
    max_seconds
        Seconds that a clip may last.
    timeout
        Seconds that the work on a clip may take.
    memory_mb
        Megabytes that a worker may hold.
    workers
        Processes that decode and score, each with a model of its own.
    queue
        Clips that may wait; more are refused.
    folder
        Folder of clips that may be chosen by name.
    open_to_all
        Let anybody who reaches --host send clips, without a token.
    jobs
        Long videos that are analyzed at once, each in a process of its own.
    job_queue
        Long videos that may wait; more are refused.
    job_mb
        Megabytes of a long video.
    job_seconds
        Seconds that it may last.
    job_timeout
        Seconds that its analysis may take.
    keep
        Seconds for which what came out is kept.
    speech_model
        What recognises speech where a request asks for it: tiny.en (English), base (99 languages), or a folder or id
        of faster-whisper; tiny.en without it.
    precision
        "fp32", or "int8": the text encoder in 8-bit integers.

    Examples
    --------
    textmsa serve
    textmsa serve run --port 8080 --folder my_clips
    textmsa serve run --host 0.0.0.0 --token SECRET
    """
    check_extra()
    _check_numbers({"--max-mb": max_mb, "--max-seconds": max_seconds, "--timeout": timeout, "--memory-mb": memory_mb})
    _check_numbers({"--job-mb": job_mb, "--job-seconds": job_seconds, "--job-timeout": job_timeout, "--keep": keep})
    if port not in PORTS:
        raise UserError(f"--port {port}: give a port from 0 to 65535")
    if workers < 1 or queue < 0:
        raise UserError(f"--workers {workers} --queue {queue}: give at least 1 worker, and a queue of 0 or more")
    if jobs < 1 or job_queue < 0:
        raise UserError(f"--jobs {jobs} --job-queue {job_queue}: give at least 1 job, and a queue of 0 or more")
    token = _token(token, host, open_to_all=open_to_all)
    limits = Limits(
        megabytes=max_mb,
        seconds=max_seconds,
        work_seconds=timeout,
        memory_megabytes=memory_mb,
        workers=workers,
        queue=queue,
        jobs=jobs,
        job_queue=job_queue,
        job_megabytes=job_mb,
        job_seconds=job_seconds,
        job_work_seconds=job_timeout,
        keep_seconds=keep,
    )
    if run is None and precision != "fp32":
        raise UserError(f"--precision {precision}: the model {EVERYDAY!r} has fp32 only; leave it out, or give a run")
    opened, samples = None if run is None else Run.open(run), Samples(folder)
    model = EVERYDAY if run is None else str(run.resolve())
    options = WorkerOptions(model, precision, speech_model or DEFAULT_MODEL, limits.seconds, limits.streams)
    pool = Pool(options, limits)
    return _run(opened, pool, samples, host=host, port=port, token=token)


def _token(token: str | None, host: str, *, open_to_all: bool) -> str | None:
    """The token that is asked for; raises UserError where others are let in without one and nobody said so."""
    token = token or os.environ.get(TOKEN) or None
    if token is not None and not token.isascii():
        raise UserError("--token: give a token of ASCII characters")
    if token is not None and open_to_all:
        raise UserError(f"--open-to-all: a token is given (--token or {TOKEN}); leave one of them out")
    if token is None and host not in LOCAL_NAMES:
        if not open_to_all:
            raise UserError(
                f"--host {host}: lets others in; ask for a token (--token SECRET, or {TOKEN}=SECRET in the "
                "environment), or let anybody in (--open-to-all)"
            )
        logger.warning("anybody who reaches %s may send clips", host)
    return token


def check_extra() -> None:
    """Raises UserError where a package of the extra is not installed."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise UserError(f"needs {', '.join(missing)}, not installed: pip install 'textmsa[serve]'")


def _check_numbers(numbers: dict[str, float]) -> None:
    for flag, value in numbers.items():
        if not 0 < value < float("inf"):
            raise UserError(f"{flag} {value:g}: give a number above 0")


def _run(run: Run | None, pool: Pool, samples: Samples, *, host: str, port: int, token: str | None) -> ServeResult:
    """Listen until stopped; the address is taken before the workers start, so that a taken one is told at once."""
    import socket

    import uvicorn

    from textmsa.serve.model_facts import model_facts
    from textmsa.serve.service import Serving, application

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(BACKLOG)  # who comes while the model is loaded waits
        except OSError as error:
            raise UserError(f"--host {host} --port {port}: {error.strerror or error}; give another") from error
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}/"
        logger.info("loading the model%s", "" if run is None else f" of {run.path}")
        pool.start()
        serving = Serving(pool, pool.limits, model_facts(run, pool.limits), samples, token, host)
        logger.info("%s is ready; Ctrl-C stops it", address)
        server = uvicorn.Server(
            uvicorn.Config(
                application(serving),
                log_level="warning",
                access_log=False,
                server_header=False,
                lifespan="on",
                timeout_keep_alive=5,
                timeout_graceful_shutdown=5,
                h11_max_incomplete_event_size=32_768,
            )
        )
        try:
            server.run(sockets=[listener])
        except KeyboardInterrupt:
            pass  # how the user ends it
        finally:
            pool.stop()
    return ServeResult(address)
