"""A form with a clip, read as it arrives: the clip into a file of a name of ours, within bounds, gone afterwards.

The name that a client gives its file is read by nobody: it is not a path, and it is not said again.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from textmsa.serve.limits import MEGABYTE, Limits, Refusal
from textmsa.serve.worker import CLIP

FILE_FIELD = "clip"
YES, NO = ("true", "1", "yes", "on"), ("false", "0", "no", "off", "")
MOST_PARTS = 12
OVERHEAD = 120_000  # bytes of a request besides its clip and words: boundaries, headers
BYTES_A_CHARACTER = 4  # at most, of UTF-8
DRAIN_SECONDS = 3.0
"""For which the rest of a request that is refused is read and dropped, so that its sender gets to read why."""
HEAD = 16
NOT_MEDIA = {
    b"PK\x03\x04": "a zip archive: send its clips one by one",
    b"Rar!": "a rar archive: send its clips one by one",
    b"7z\xbc\xaf": "a 7z archive: send its clips one by one",
    b"\x1f\x8b": "a compressed file: unpack it first",
    b"%PDF": "a PDF",
    b"\x89PNG": "a picture",
    b"\xff\xd8\xff": "a picture",
    b"GIF8": "a picture",
    b"<!do": "a page",
    b"<htm": "a page",
    b"\x7fELF": "a program",
    b"MZ": "a program",
}
"""How files begin that are no clips -> what they are."""


@dataclass
class Form:
    """What was sent."""

    clip: Path | None = None
    size: int = 0
    values: dict[str, str] = field(default_factory=dict)

    def check(self, allowed: Collection[str]) -> None:
        """Raises Refusal where it has other fields than these, or not one clip."""
        if unknown := sorted(set(self.values) - set(allowed)):
            fields = f"{FILE_FIELD}, {', '.join(sorted(allowed))}"
            raise Refusal(422, f"unknown field {unknown[0][:40]!r}: send {fields}")
        if (self.clip is None) == ("sample" not in self.values):
            status = 415 if self.clip is None else 422
            raise Refusal(status, f"send one clip: a file as {FILE_FIELD!r}, or a 'sample'")

    def flag(self, name: str) -> bool:
        """A field that is true or false, false where it was not sent; raises Refusal for anything else."""
        value = self.values.get(name, "").lower()
        if value not in YES + NO:
            raise Refusal(422, f"{name} {value[:40]!r}: send true or false")
        return value in YES


@asynccontextmanager
async def received(request: Request, limits: Limits) -> AsyncIterator[Form]:
    """The form of a request; its clip's file is there within the block only.

    Raises Refusal: 400 not a whole form, 408 too slow, 413 too large, 415 not a form or no clip, 422 an empty clip.
    Raises OSError where the disk takes no more.
    """
    with tempfile.TemporaryDirectory(prefix="textmsa-", ignore_cleanup_errors=True) as folder:
        try:
            async with asyncio.timeout(limits.upload_seconds):
                form = await _read(request, Path(folder) / CLIP, limits)
        except TimeoutError:
            raise Refusal(408, f"the clip took longer than {limits.upload_seconds:.0f} s to arrive") from None
        except (Refusal, OSError):
            await _drained(request, limits.bytes)
            raise
        if form.clip is not None:
            _check(form, form.clip)
        yield form


async def _read(request: Request, path: Path, limits: Limits) -> Form:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise Refusal(415, f"send multipart/form-data with the file as {FILE_FIELD!r}")
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limits.bytes + OVERHEAD + BYTES_A_CHARACTER * limits.text_characters:
        raise _too_large(limits, int(announced))
    form = Form()
    with path.open("wb") as stream:
        taker = _Taker(form, stream, path, limits)
        parser = MultipartParser(boundary, callbacks=taker.callbacks())  # type: ignore[arg-type]
        try:
            async for chunk in request.stream():
                parser.write(chunk)
            parser.finalize()
        except MultipartParseError as error:
            raise Refusal(400, "the form is not whole: send it again") from error
    if not taker.ended:
        raise Refusal(400, "the form is not whole: send it again")
    return form


def _too_large(limits: Limits, size: int) -> Refusal:
    return Refusal(
        413,
        f"{size / MEGABYTE:.0f} MB or more, at most {limits.megabytes:g} MB are allowed: cut the clip, or compress it",
    )


async def _drained(request: Request, most: int) -> None:
    taken = 0
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            async for chunk in request.stream():
                taken += len(chunk)
                if taken > most:
                    return
    except (TimeoutError, ClientDisconnect, RuntimeError):
        return


def _check(form: Form, clip: Path) -> None:
    """Raises Refusal for what can be told from the first bytes; what else is wrong a worker finds."""
    if form.size == 0:
        raise Refusal(422, "the file is empty (0 bytes): send a video or audio file")
    with clip.open("rb") as stream:
        head = stream.read(HEAD)
    for magic, what in NOT_MEDIA.items():
        if head.lower().startswith(magic.lower()):
            raise Refusal(415, f"not a video or sound file but {what}")


class _Taker:
    """Puts the parts of a form where they belong."""

    def __init__(self, form: Form, stream: IO[bytes], path: Path, limits: Limits) -> None:
        self.form, self.stream, self.path, self.limits = form, stream, path, limits
        self.parts = 0
        self.ended = False
        self.name = self.header = self.disposition = b""
        self.content = self.value = b""

    def callbacks(self) -> dict[str, Callable[..., None]]:
        """By the names that the parser calls them by."""
        return {
            "on_part_begin": self.begin,
            "on_header_field": self.header_field,
            "on_header_value": self.header_value,
            "on_header_end": self.header_end,
            "on_headers_finished": self.headers_finished,
            "on_part_data": self.data,
            "on_part_end": self.end,
            "on_end": self.whole,
        }

    def begin(self) -> None:
        """A part."""
        self.parts += 1
        if self.parts > MOST_PARTS:
            raise Refusal(413, f"a form of more than {MOST_PARTS} parts: send one clip at a time")
        self.name = self.header = self.disposition = self.content = self.value = b""

    def header_field(self, data: bytes, start: int, end: int) -> None:
        """Of the name of a header, a piece."""
        self.header += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        """Of its value, a piece."""
        self.value += data[start:end]

    def header_end(self) -> None:
        """One header."""
        if self.header.lower() == b"content-disposition":
            self.disposition = self.value
        self.header = self.value = b""

    def headers_finished(self) -> None:
        """All of a part's headers."""
        _, options = parse_options_header(self.disposition)
        self.name = options.get(b"name", b"")
        if self.name == FILE_FIELD.encode():
            if self.form.clip is not None:
                raise Refusal(422, "two clips in one request: send one at a time")
            self.form.clip = self.path

    def data(self, data: bytes, start: int, end: int) -> None:
        """Of a part's content, a piece."""
        if self.name == FILE_FIELD.encode():
            self.form.size += end - start
            if self.form.size > self.limits.bytes:
                raise _too_large(self.limits, self.form.size)
            self.stream.write(data[start:end])
            return
        self.content += data[start:end]
        if len(self.content) > BYTES_A_CHARACTER * self.limits.text_characters:
            raise Refusal(413, f"words of more than {self.limits.text_characters} characters: send fewer")

    def end(self) -> None:
        """A part is whole."""
        if self.name == FILE_FIELD.encode():
            return
        try:
            self.form.values[self.name.decode()] = self.content.decode()
        except UnicodeDecodeError:
            raise Refusal(422, "words that are not UTF-8: send them as UTF-8") from None

    def whole(self) -> None:
        """The form is."""
        self.ended = True
