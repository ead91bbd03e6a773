"""Who may ask, and what every answer says to a browser: around the whole application."""

import asyncio
import hmac
import json
import secrets
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN_PATHS = ("/", "/health")
OPEN_FOLDER = "/page/"
"""The page itself, which holds nothing of anybody; it asks for the token."""
NONCE = "nonce"


def policy(nonce: str) -> str:
    """The Content-Security-Policy: everything from here, nothing from anywhere else, no text that runs."""
    return (
        "default-src 'none'; script-src 'self'; "
        f"style-src 'self' 'nonce-{nonce}'; img-src 'self' data: blob:; media-src 'self' blob:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), geolocation=()",
    "Cache-Control": "no-store",
}


class Guard:
    """Refuses strangers, and sets the headers.

    Parameters
    ----------
    app
        The application.
    token
        That must be sent as `Authorization: Bearer TOKEN`; None where nobody needs one.
    names
        Host names that requests may be for, so that no page of another site reaches a server on this machine by a
        name of its own; empty where any may be.
    """

    def __init__(self, app: ASGIApp, *, token: str | None, names: Iterable[str]) -> None:
        self.app, self.token, self.names = app, token, frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        nonce = scope.setdefault("state", {})[NONCE] = secrets.token_urlsafe(16)
        begun = False

        async def sending(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = policy(nonce)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        refused = self._refused(scope["path"], Headers(scope=scope))
        if refused is None:
            try:
                await self.app(scope, receive, sending)
            except asyncio.CancelledError:
                # The server ends and waits no longer; raised on, it would be told as a defect.
                if not begun:
                    await _refuse(sending, 503, "the server is being stopped")
            return
        await _refuse(sending, *refused)

    def _refused(self, path: str, headers: Headers) -> tuple[int, str] | None:
        host = headers.get("host", "")
        if self.names and _place(f"//{host}")[0] not in self.names:
            return 421, "this server does not go by that name"
        origin = headers.get("origin")
        if origin is not None and _place(origin)[1] != host:
            return 403, "asked for by a page of another site"
        if self.token is None or path in OPEN_PATHS or path.startswith(OPEN_FOLDER):
            return None
        given = headers.get("authorization", "").removeprefix("Bearer ")
        if hmac.compare_digest(given.encode(), self.token.encode()):
            return None
        return 401, "a token is needed: send the header Authorization: Bearer TOKEN"


async def _refuse(send: Send, status: int, reason: str) -> None:
    """An answer that says why there is no other."""
    body = json.dumps({"reason": reason}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _place(address: str) -> tuple[str, str]:
    """(name in small letters, name with port) of an address; both empty where it is none, as `http://[`."""
    try:
        parts = urlsplit(address)
        return parts.hostname or "", parts.netloc
    except ValueError:
        return "", ""
