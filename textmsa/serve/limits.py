"""What a request may cost, and how one is refused."""

from dataclasses import dataclass, replace

from textmsa.errors import TextMsaError

MEGABYTE = 1_000_000
LOCAL_NAMES = ("127.0.0.1", "localhost", "::1")
"""What this machine calls itself."""


@dataclass(frozen=True)
class Limits:
    """Bounds of one request and of all together."""

    megabytes: float = 100.0
    """Of a clip."""
    seconds: float = 120.0
    """That a clip lasts."""
    streams: int = 8
    """In a clip's file."""
    work_seconds: float = 120.0
    """That a worker may take for a clip."""
    memory_megabytes: float = 6000.0
    """That a worker may hold."""
    upload_seconds: float = 120.0
    """That a clip may take to arrive."""
    workers: int = 1
    queue: int = 4
    """Requests that wait, besides those that are worked on."""
    text_characters: int = 20_000
    """Of the words that are sent with a clip."""
    jobs: int = 1
    """Long videos that are analyzed at once."""
    job_queue: int = 4
    """That wait, or arrive, besides."""
    job_megabytes: float = 2000.0
    """Of a long video."""
    job_seconds: float = 7200.0
    """That it lasts."""
    job_work_seconds: float = 14_400.0
    """That its analysis may take."""
    job_upload_seconds: float = 1800.0
    """That it may take to arrive."""
    keep_seconds: float = 3600.0
    """For which a result is kept."""
    kept: int = 50
    """Jobs that are kept after their end; the oldest is removed first."""
    subtitle_characters: int = 1_000_000
    """Of the subtitles that are sent with a long video."""
    listeners: int = 64
    """Streams of events at once."""
    heartbeat_seconds: float = 15.0
    """After which a stream that has nothing to tell says so."""

    @property
    def bytes(self) -> int:
        """Of a clip."""
        return int(self.megabytes * MEGABYTE)

    def of_a_job(self) -> "Limits":
        """The same with the bounds of a long video as those of a request."""
        return replace(
            self,
            megabytes=self.job_megabytes,
            seconds=self.job_seconds,
            upload_seconds=self.job_upload_seconds,
            text_characters=self.subtitle_characters,
        )


class Refusal(TextMsaError):
    """A request that is not answered with what it asked for.

    Parameters
    ----------
    status
        Of HTTP: 4xx the client's to mend, 5xx the server's.
    reason
        One line.
    retry_after
        Seconds after which the same request may go through.
    """

    def __init__(self, status: int, reason: str, *, retry_after: int | None = None) -> None:
        super().__init__(status, reason)
        self.status, self.reason, self.retry_after = status, reason, retry_after
