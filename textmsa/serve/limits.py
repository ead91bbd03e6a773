"""What a request may cost, and how one is refused."""

from dataclasses import dataclass

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

    @property
    def bytes(self) -> int:
        """Of a clip."""
        return int(self.megabytes * MEGABYTE)


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
