"""What /metrics says: requests, clips, analyses."""

import errno
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from textmsa.serve.jobs import ENDED, STATES, Job, Jobs
from textmsa.serve.limits import Refusal
from textmsa.serve.pool import Pool

GONE = 499  # the status that servers note where a client has gone
NO_ROOM = 507  # of what was sent
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
JOB_BUCKETS = (5, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200)
logger = logging.getLogger(__name__)


class Meters:
    """What /metrics says."""

    def __init__(self, pool: Pool, jobs: Jobs) -> None:
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
        self.ended = Counter("textmsa_jobs_ended", "Analyses that ended, by how.", ["state"], registry=self.registry)
        self.job_seconds = Histogram(
            "textmsa_job_seconds",
            "Seconds that an analysis took from its turn to its end.",
            buckets=JOB_BUCKETS,
            registry=self.registry,
        )
        self.analyzed = Counter("textmsa_analyzed_seconds", "Seconds of video analyzed.", registry=self.registry)
        states = Gauge("textmsa_jobs", "Analyses that wait, run or are kept.", ["state"], registry=self.registry)
        for state in STATES:
            states.labels(state).set_function(partial(jobs.count, state))
            if state in ENDED:
                self.ended.labels(state)
        listening = Gauge("textmsa_event_streams", "Clients that follow an analysis.", registry=self.registry)
        listening.set_function(lambda: jobs.listening)
        jobs.ended = self._ended

    def _ended(self, job: Job) -> None:
        self.ended.labels(job.state).inc()
        if job.begun is not None:
            self.job_seconds.observe(time.monotonic() - job.begun)
        self.analyzed.inc(job.summary.get("duration", 0.0))


async def counted(kind: str, meters: Meters, answering: Callable[[], Awaitable[Response]]) -> Response:
    """The response, counted by request and status, however it comes out.

    Raises Refusal 507 where what was sent cannot be kept, as on a full disk.
    """
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
    except OSError as error:
        if error.errno not in FULL:
            raise
        status = NO_ROOM
        logger.warning("%s: not kept: %s", kind, error)
        raise Refusal(status, "the server has no room for it on its disk: try again later") from error
    finally:
        meters.requests.labels(kind, str(status)).inc()
        meters.seconds.labels(kind).observe(time.monotonic() - started)
