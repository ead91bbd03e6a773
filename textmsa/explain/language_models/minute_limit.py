"""No more questions and tokens in a minute than a server allows."""

import threading
import time
from collections import deque

from textmsa.errors import UserError


class MinuteLimit:
    """Holds callers back so that no minute sees more requests or tokens than allowed.

    Tokens are known only afterwards: a request waits while the last minute's answers have used them up.
    """

    def __init__(self, requests: int | None, tokens: int | None, *, minute: float = 60.0) -> None:
        for name, value in (("requests_per_minute", requests), ("tokens_per_minute", tokens)):
            if value is not None and value < 1:
                raise UserError(f"{name} {value}: give 1 or more, or leave it out")
        self.requests, self.tokens, self.minute = requests, tokens, minute
        self._guard = threading.Lock()
        self._asked: deque[float] = deque()
        self._used: deque[tuple[float, int]] = deque()

    def wait(self) -> None:
        """Return when a request may be sent, and count it."""
        while (seconds := self._take()) > 0:
            time.sleep(seconds)

    def count(self, tokens: int) -> None:
        """An answer used so many tokens."""
        with self._guard:
            self._used.append((time.monotonic(), tokens))

    def _take(self) -> float:
        """Seconds until one may ask again; 0 where the request was counted."""
        with self._guard:
            now = time.monotonic()
            while self._asked and self._asked[0] <= now - self.minute:
                self._asked.popleft()
            while self._used and self._used[0][0] <= now - self.minute:
                self._used.popleft()
            if self.requests is not None and len(self._asked) >= self.requests:
                return self._asked[0] + self.minute - now + 1e-3
            if self.tokens is not None and sum(tokens for _, tokens in self._used) >= self.tokens:
                return self._used[0][0] + self.minute - now + 1e-3
            self._asked.append(now)
            return 0.0
