"""`textmsa prepare`: a corpus -> a store with features and explanations."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from textmsa import seams
from textmsa.corpora import read_corpus
from textmsa.errors import UserError
from textmsa.explain.emer import read_bytes
from textmsa.prepare.job import Job, PrepareResult
from textmsa.prepare.parts import installed_preparation
from textmsa.runtime.atomic import UNFINISHED
from textmsa.store.preparation import PREPARATION, Preparation

LOCK = "lock"


def prepare(
    corpus: Path,
    *,
    out: Path,
    audio: str = "librosa",
    video: str = "mediapipe",
    explainer: str = "measured",
    explainer_options: dict[str, Any] | None = None,
    explanations: Path | None = None,
    translate: str | None = None,
    no_times: bool = False,
    workers: int = 2,
    layout: str = "mmsa",
) -> PrepareResult:
    """Measure and explain the clips of a corpus, into a store.

    It may be stopped at any moment and run again: nothing is done twice. Run again later, it adds new clips, takes
    over changed labels, tries failed clips again and leaves everything else as it is.

    Parameters
    ----------
    corpus
        Folder with label.csv and Raw/<video_id>/<clip_id>.mp4.
    out
        Folder of the store.
    audio
        Audio features: a name, or "module:Class".
    video
        Video features: a name, or "module:Class".
    explainer
        Who writes the explanations: a name, or "module:Class".
    explainer_options
        Options of the explainer: --explainer-options.model NAME --explainer-options.language en ...
    explanations
        File that the explainer "precomputed" reads: of textmsa explain, or EMER-fine's table.
    translate
        Also translate transcripts by the explainer's language model, where the corpus has no text_en: "en".
    no_times
        Leave out of the measured explanations when something happens.
    workers
        Processes that decode and measure.
    layout
        Layout of the corpus: a name, or "module:Class".

    Examples
    --------
    textmsa prepare my_clips --out store
    textmsa prepare my_clips --out store --explainer precomputed --explanations explanations.jsonl
    """
    if workers < 1:
        raise UserError(f"--workers {workers}: give 1 or more")
    read = read_corpus(Path(corpus), layout=layout)
    options = explaining_options(explainer, explainer_options, explanations, no_times=no_times, translate=translate)
    lasting, passing = seams.split_options(seams.EXPLAINERS, explainer, options, what="explainer")
    preparation = installed_preparation(audio=audio, video=video, explainer=explainer, options=lasting)
    out = Path(out)
    _check_place(out)
    with _locked(out):
        result = Job(read, out, _declare(out, preparation), workers, passing).run()
    print(result)
    return result


def explaining_options(
    explainer: str,
    given: dict[str, Any] | None,
    explanations: Path | None = None,
    *,
    no_times: bool = False,
    translate: str | None = None,
) -> dict[str, Any]:
    """All options of the explainer, as they are recorded; UserError where two of them do not go together."""
    options = dict(given or {})
    if (explanations is not None) != (explainer == "precomputed"):
        raise UserError("--explainer precomputed and --explanations FILE go together")
    if explanations is not None:
        options |= {
            "explanations": str(Path(explanations).resolve()),
            "sha256": sha256(read_bytes(explanations)).hexdigest(),
        }
    if translate is not None:
        if not hasattr(seams.load(seams.EXPLAINERS, explainer, what="explainer"), "score"):
            raise UserError(f"--translate: explainer {explainer!r} has no language model; give another --explainer")
        options["translate"] = translate
    return options | ({"times": False} if no_times else {})


def _check_place(out: Path) -> None:
    """Refuse a folder that holds something else than a store, begun or finished."""
    if out.exists() and not out.is_dir():
        raise UserError(f"{out}: is a file; give --out a new folder")
    if not out.exists() or (out / PREPARATION).is_file():
        return
    if strange := [path.name for path in out.iterdir() if path.name != LOCK and not path.name.endswith(UNFINISHED)]:
        raise UserError(f"{out}: holds other files ({sorted(strange)[0]}); give --out a new or empty folder")


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Hold the store against a second `prepare`; the lock ends with the process, however that ends."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = (out / LOCK).open("a")
    except OSError as error:
        raise UserError(f"{out}: cannot be written to ({error.strerror}); give another --out") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{out}: another textmsa prepare is at work here; wait for it") from None
        yield


def _declare(out: Path, preparation: Preparation) -> Preparation:
    """Write down what the store is made with, or refuse where it was begun with something else."""
    if not (out / PREPARATION).is_file():
        preparation.save(out)
        return preparation
    recorded = Preparation.load(out)
    if differences := preparation.differences(recorded):
        raise UserError(f"{out}: was made otherwise ({'; '.join(differences)}); give another --out")
    return recorded
