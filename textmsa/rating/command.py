"""`textmsa label`: people rate clips on a page of this machine; their means are the labels."""

import logging
import os
import sys
import webbrowser
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from textmsa.corpora import DESCRIPTION, Corpus, read_corpus
from textmsa.errors import UserError
from textmsa.new_corpus.folder import LABELS, RATINGS
from textmsa.rating.ratings import raters_of
from textmsa.rating.results import Results, results_of
from textmsa.runtime.atomic import write_json
from textmsa.runtime.claim import locked
from textmsa.serve.limits import LOCAL_NAMES

NEEDED = ("fastapi", "starlette", "uvicorn")
PORTS = range(65_536)
BACKLOG = 128
logger = logging.getLogger(__name__)


def label(
    folder: Path, *, port: int = 8001, repeats: int = 0, agreement: bool = False, no_browser: bool = False
) -> Results:
    """Rate the clips of a folder on a page of this machine, blind and by keys; their mean becomes the label.

    Each rater has a name and an order of their own. Every rating is on the disk at once, in ratings/NAME.csv: it may be
    stopped at any moment, and goes on where it was. At the end, and with --agreement, label.csv gets the means, and
    agreement.json says how far raters agree.

    Parameters
    ----------
    folder
        Folder with label.csv (of textmsa new-corpus) and the clips.
    port
        Port of 127.0.0.1 to listen at; 0 takes a free one.
    repeats
        How many clips each rater sees twice, to tell how steady they are.
    agreement
        No page: put together what was rated so far.
    no_browser
        Do not open the page, only say where it is.

    Examples
    --------
    textmsa label my_clips
    textmsa label my_clips --repeats 10
    textmsa label my_clips --agreement
    """
    folder = Path(folder)
    if port not in PORTS:
        raise UserError(f"--port {port}: give a port from 0 to 65535")
    if repeats < 0:
        raise UserError(f"--repeats {repeats}: give 0 or more clips")
    corpus = _corpus(folder)
    _hold_range(corpus)
    if agreement:
        if not raters_of(folder):
            raise UserError(f"{folder / RATINGS}: holds no ratings yet; rate clips first: textmsa label {folder}")
        return results_of(corpus, folder)
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise UserError(f"needs {', '.join(missing)}, not installed: pip install 'textmsa[serve]'")
    with locked(folder / RATINGS, command="textmsa label"):
        results_of(corpus, folder, write=False)  # what cannot be understood is told before anybody rates
        _run(corpus, folder, port=port, repeats=repeats, show=not no_browser)
        return results_of(_corpus(folder), folder)


def _corpus(folder: Path) -> Corpus:
    if folder.is_dir() and not (folder / LABELS).is_file():
        raise UserError(f"{folder / LABELS}: no such file; have it written first: textmsa new-corpus {folder}")
    return read_corpus(folder, must_train=False)


def _hold_range(corpus: Corpus) -> None:
    """See to it that corpus.json names the range: taken from the labels, it would change with what is rated."""
    if corpus.score_range_source == DESCRIPTION:
        return
    path, bounds = corpus.folder / DESCRIPTION, [*corpus.score_range]
    if path.exists():
        raise UserError(f'{path}: does not name the scale; write "score_range": {bounds}, or another, into it')
    write_json(path, {"name": corpus.name, "score_range": bounds})
    logger.info("the scale is [%g, %g], from %s: written into %s", *bounds, corpus.score_range_source, DESCRIPTION)


def _run(corpus: Corpus, folder: Path, *, port: int, repeats: int, show: bool) -> None:
    """Listen until stopped."""
    import socket

    import uvicorn

    from textmsa.rating.desk import Desk
    from textmsa.rating.playable import Copies
    from textmsa.rating.service import application

    desk = Desk(corpus, folder, repeats)
    if desk.absent:
        logger.warning("%d clips of %s have no file and are left out", desk.absent, LABELS)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOCAL_NAMES[0], port))
            listener.listen(BACKLOG)
        except OSError as error:
            raise UserError(f"--port {port}: {error.strerror or error}; give another") from error
        address = f"http://{LOCAL_NAMES[0]}:{listener.getsockname()[1]}/"
        logger.info("%s is ready; Ctrl-C stops it, and writes %s", address, LABELS)
        if show and _has_screen():
            webbrowser.open(address)
        copies = Copies()
        options = uvicorn.Config(
            application(desk, copies),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
        with suppress(KeyboardInterrupt):  # how the user ends it
            uvicorn.Server(options).run(sockets=[listener])
        copies.close()


def _has_screen() -> bool:
    """Whether a browser with a window can be opened: one in the terminal would take it over."""
    return sys.platform in ("darwin", "win32") or any(map(os.environ.get, ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")))
