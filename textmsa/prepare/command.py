"""`textmsa prepare`: a corpus -> a store with features and explanations."""

import logging
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from textmsa import seams
from textmsa.corpora import Corpus, read_corpus
from textmsa.errors import UserError
from textmsa.explain import can_score
from textmsa.prepare.job import Job
from textmsa.prepare.parts import (
    AUDIO,
    EXPLAINER,
    VIDEO,
    check_installed,
    check_same_extractors,
    installed_preparation,
    recorded_preparation,
)
from textmsa.prepare.result import PrepareResult
from textmsa.runtime.atomic import read_bytes
from textmsa.runtime.claim import Claim
from textmsa.speech.transcripts import chosen_model
from textmsa.speech.weights import find_model, find_vad_model
from textmsa.store.preparation import CONVERTED, PREPARATION, STATISTICS, Preparation
from textmsa.types import RecogniserSpec

COMMAND = "textmsa prepare"

logger = logging.getLogger(__name__)


def prepare(
    corpus: Path,
    *,
    out: Path,
    audio: str | None = None,
    video: str | None = None,
    explainer: str | None = None,
    explainer_options: dict[str, Any] | None = None,
    explanations: Path | None = None,
    translate: str | None = None,
    transcribe: bool = False,
    speech_model: str | None = None,
    no_times: bool = False,
    workers: int = 2,
    layout: str = "mmsa",
    like: Path | None = None,
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
        Audio features: a name, or "module:Class"; librosa, or with --like what was used there.
    video
        Video features: a name, or "module:Class"; mediapipe, or with --like what was used there.
    explainer
        Who writes the explanations: a name, or "module:Class"; measured, or with --like who wrote there.
    explainer_options
        Options of the explainer: --explainer-options.model NAME --explainer-options.language en ...
    explanations
        File that the explainer "precomputed" reads: of textmsa explain, or EMER-fine's table.
    translate
        Also translate transcripts by the explainer's language model, where the corpus has no text_en: "en".
    transcribe
        Recognise what is said in clips that the corpus has no text for; without it a file beside them may tell (.srt,
        .vtt or .txt of their name).
    speech_model
        Of --transcribe: tiny.en (English), base (99 languages), or a folder or id of faster-whisper; tiny.en without
        it.
    no_times
        Leave out of the measured explanations when something happens.
    workers
        Processes that decode and measure.
    layout
        Layout of the corpus: a name, or "module:Class".
    like
        A run folder or a store, whose extractors, explainer and statistics are used: a run is evaluated so on another
        corpus, which needs no training clips.

    Examples
    --------
    textmsa prepare my_clips --out store
    textmsa prepare my_clips --out store --transcribe
    textmsa prepare my_clips --out store --explainer precomputed --explanations explanations.jsonl
    textmsa prepare other_clips --out other_store --like run
    """
    if workers < 1:
        raise UserError(f"--workers {workers}: give 1 or more")
    corpus_read = read_corpus(Path(corpus), layout=layout, must_train=like is None)
    _tell_range(corpus_read)
    recorded = None if like is None else _transferred(Path(like), audio=audio, video=video, explainer=explainer)
    explainer = explainer or (EXPLAINER if recorded is None else recorded.explainer.explainer)
    options = explaining_options(explainer, explainer_options, explanations, no_times=no_times, translate=translate)
    lasting, passing = seams.split_options(seams.EXPLAINERS, explainer, options, what="explainer")
    if recorded is None:
        preparation = installed_preparation(
            audio=audio or AUDIO, video=video or VIDEO, explainer=explainer, options=lasting
        )
    else:
        preparation = _with_options(recorded, lasting, like)
    preparation = replace(preparation, recogniser=_installed_recogniser(transcribe, speech_model))
    out = Path(out)
    with Claim(out, COMMAND, preparation.document(), record=PREPARATION).held():
        if preparation.statistics is not None and not (out / STATISTICS).is_file():
            preparation.statistics.save(out / STATISTICS)
        return Job(corpus_read, out, Preparation.load(out), workers, passing).run()


def _tell_range(corpus: Corpus) -> None:
    """Log the range of the scores where it was taken from the labels."""
    if corpus.score_range_source == "labels":
        words = "scores in [%g, %g]: the narrowest usual range that holds all labels; corpus.json may name another"
        logger.info(words, *corpus.score_range)


def _installed_recogniser(transcribe: bool, speech_model: str | None) -> RecogniserSpec | None:
    """What is to be recorded of the recogniser; UserError, before anything is measured, where it is not installed."""
    model = chosen_model(transcribe, speech_model)
    if model is None:
        return None
    from textmsa.speech.recognise import recogniser_spec

    find_vad_model(), find_model(model)
    return recogniser_spec(model)


def _transferred(like: Path, *, audio: str | None, video: str | None, explainer: str | None) -> Preparation:
    """What `like` was made with, marked as another's; UserError where the options say otherwise or it is not here."""
    recorded = recorded_preparation(like)
    if CONVERTED in (recorded.audio.extractor, recorded.explainer.explainer):
        raise UserError(
            f"--like {like}: was made of a published data file, whose extractors are not here; give another"
        )
    check_same_extractors(recorded, like, audio=audio, video=video)
    if explainer not in (None, recorded.explainer.explainer):
        raise UserError(
            f"--explainer {explainer}: --like {like} was made with {recorded.explainer.explainer!r}; leave --explainer "
            "out"
        )
    check_installed(recorded)
    assert recorded.statistics is not None
    return replace(recorded, like=recorded.statistics.sha256)


def _with_options(recorded: Preparation, options: dict[str, Any], like: Path | None) -> Preparation:
    """`recorded`, with its explainer's options; UserError where others are asked for than a file of explanations."""
    wanted = recorded.explainer.options | options
    if recorded.explainer.explainer == "precomputed":
        return replace(recorded, explainer=replace(recorded.explainer, options=wanted))
    if wanted != recorded.explainer.options:
        differing = ", ".join(name for name in options if recorded.explainer.options.get(name) != options[name])
        raise UserError(f"explainer option {differing}: is otherwise in --like {like}; leave it out")
    return recorded


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
    if explainer == "precomputed" and explanations is None:
        raise UserError(
            "explainer 'precomputed' reads a file: textmsa prepare --explainer precomputed --explanations FILE"
        )
    if explanations is not None and explainer != "precomputed":
        raise UserError(f"--explanations {explanations}: is for --explainer precomputed, not {explainer!r}")
    if explanations is not None:
        options |= {
            "explanations": str(Path(explanations).resolve()),
            "sha256": sha256(read_bytes(explanations)).hexdigest(),
        }
    if translate is not None:
        if not can_score(seams.load(seams.EXPLAINERS, explainer, what="explainer")):
            raise UserError(f"--translate: explainer {explainer!r} has no language model; give another --explainer")
        options["translate"] = translate
    return options | ({"times": False} if no_times else {})
