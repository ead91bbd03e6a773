"""Routes of long videos: begin an analysis, follow it, fetch what came out, cancel it."""

import json
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse

from textmsa.serve import openapi
from textmsa.serve.analysis import OUT, TIMELINE
from textmsa.serve.jobs import Job, Jobs
from textmsa.serve.limits import Refusal
from textmsa.serve.meters import Meters, counted
from textmsa.serve.samples import Samples
from textmsa.serve.uploads import received

FIELDS = {"sample", "subtitles", "transcribe"}
RECONNECT_MILLISECONDS = 2000


def add_jobs(app: FastAPI, jobs: Jobs, meters: Meters, samples: Samples, *, can_transcribe: bool) -> None:
    """Add the routes to an application.

    Parameters
    ----------
    app
        The application.
    jobs
        Who does the work.
    meters
        Count the requests.
    samples
        Files of the server's own that may be asked for by name.
    can_transcribe
        Whether what recognises speech is installed.
    """

    async def begun(request: Request) -> Response:
        with jobs.place():
            async with received(request, jobs.limits.of_a_job()) as form:
                meters.bytes.inc(form.size)
                form.check(FIELDS)
                subtitles = form.values.get("subtitles")
                _check_words(subtitles, form.flag("transcribe"), can_transcribe)
                _check_length(subtitles, jobs.limits.subtitle_characters)
                clip = form.clip if form.clip is not None else await samples.path(form.values["sample"])
                job = jobs.submit(clip, subtitles, ours=form.clip is None)
        return JSONResponse(job.document(jobs.before(job)), 202, {"Location": f"/v1/analyze/{job.id}"})

    @app.post(
        "/v1/analyze",
        status_code=202,
        summary="Begin the analysis of a long video: a job, which goes on when the client leaves",
        **openapi.BEGIN,
    )
    async def begin(request: Request) -> Response:
        return await counted("analyze", meters, lambda: begun(request))

    @app.get("/v1/analyze/{id}", summary="How far a job is", **openapi.of_a_job(openapi.RUNNING, 401, 404))
    async def state(id: str) -> Response:
        job = jobs.get(id)
        return JSONResponse(job.document(jobs.before(job)))

    @app.get("/v1/analyze/{id}/events", summary="What happens to a job, as server-sent events", **openapi.EVENTS)
    async def events(id: str, request: Request) -> Response:
        job = jobs.get(id)
        last = request.headers.get("last-event-id", "")
        number = int(last) if last.isascii() and last.isdecimal() else max(0, job.events[-1].number - 1)
        if job.ended and number >= job.events[-1].number:
            return Response(status_code=204)  # after which a browser does not come again
        if jobs.listening >= jobs.limits.listeners:
            raise Refusal(503, f"{jobs.listening} clients follow jobs already; ask now and then", retry_after=5)
        headers = {"X-Accel-Buffering": "no"}
        return StreamingResponse(_stream(jobs, job, number), media_type="text/event-stream", headers=headers)

    @app.delete(
        "/v1/analyze/{id}",
        summary="Cancel a job, or remove what came out of it",
        **openapi.of_a_job(openapi.CANCELLED, 401, 404),
    )
    async def cancel(id: str) -> Response:
        job = jobs.get(id)
        await jobs.remove(job)
        return JSONResponse(job.document())

    @app.get("/v1/analyze/{id}/result", summary="What came out: timeline.json", **openapi.RESULT)
    async def result(id: str) -> Response:
        return _file(jobs.get(id), TIMELINE)

    @app.get("/v1/analyze/{id}/result/{file}", summary="The same as a file of another kind", **openapi.FILES)
    async def result_file(id: str, file: str) -> Response:
        return _file(jobs.get(id), file)


def _check_words(subtitles: str | None, transcribe: bool, can_transcribe: bool) -> None:
    """Raises Refusal where nobody, or two, say what is said."""
    if subtitles is not None and transcribe:
        raise Refusal(422, "transcribe: the words are given already by subtitles; leave one of them out")
    if subtitles is None and not transcribe:
        raise Refusal(422, "nobody says what is said: send 'subtitles' (.srt or .vtt), or transcribe=true")
    if transcribe and not can_transcribe:
        raise Refusal(422, "transcribe: this server cannot recognise speech; send 'subtitles' (.srt or .vtt)")


def _check_length(subtitles: str | None, most: int) -> None:
    """Raises Refusal where they are more; the form alone bounds bytes, of which a character has up to four."""
    if subtitles is not None and len(subtitles) > most:
        raise Refusal(413, f"subtitles of more than {most} characters: send fewer")


def _file(job: Job, name: str) -> Response:
    """One of the results, looked up and never a path; raises Refusal where there is none."""
    if not job.ended:
        raise Refusal(409, f"the job is {job.state}: its result comes with its end", retry_after=2)
    if job.state != "done":
        reason = f": {job.reason}" if job.reason else ""
        raise Refusal(410, f"the job has {'failed' if job.state == 'failed' else 'been cancelled'}{reason}")
    if name not in job.files:
        raise Refusal(404, f"no such file: there are {', '.join(job.files)}")
    path = job.folder / OUT / name
    return FileResponse(path, media_type=openapi.KINDS.get(path.suffix), filename=name)


async def _stream(jobs: Jobs, job: Job, number: int) -> AsyncIterator[str]:
    """The events of a job in the format of https://html.spec.whatwg.org/multipage/server-sent-events.html."""
    jobs.listening += 1
    try:
        yield f"retry: {RECONNECT_MILLISECONDS}\n\n"
        async for event in job.since(number, jobs.limits.heartbeat_seconds):
            if event is None:
                yield ": still here\n\n"
                continue
            data = json.dumps(event.document, ensure_ascii=False)
            yield f"id: {event.number}\nevent: {event.kind}\ndata: {data}\n\n"
    finally:
        jobs.listening -= 1
