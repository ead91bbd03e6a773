"""The statistics of the training split, taken once: a clip on which the explainer breaks down is left out and named."""

from collections.abc import Iterator
from typing import Any

from textmsa import seams
from textmsa.errors import UserError, reason_of
from textmsa.features.statistics import Statistics, modality_statistics
from textmsa.prepare.failures import STATISTICS_STAGE, Failures
from textmsa.prepare.work_folder import Observations, WorkFolder
from textmsa.types import Clip


def statistics_of(clips: list[Clip], work: WorkFolder, failures: Failures) -> Statistics:
    """Of the training clips among `clips`; those that the explainer's part is without are noted in `failures`.

    Raises UserError where no training clip was prepared, or the explainer finds no statistics.
    """
    training = Observations(work, [clip for clip in clips if clip.split == "train"])
    if not training:
        failures.write()
        first = failures.rows[0]
        raise UserError(
            f"{failures.corpus.folder}: no training clip could be prepared (see {failures.path}; the first: "
            f"{first.path}: {first.reason})"
        )
    return Statistics(
        audio=modality_statistics(observation.audio for observation in training),
        video=modality_statistics(observation.video for observation in training),
        explainer=_fitted(work.preparation.explainer.explainer, training, failures),
        clips=len(training),
    )


def _fitted(explainer: str, training: Observations, failures: Failures) -> dict[str, Any]:
    """What the explainer's `fit` finds: on all, or else on those of which its `facts` can be told."""
    class_ = seams.load(seams.EXPLAINERS, explainer, what="explainer")
    if not class_.needs_statistics:
        return {}
    try:
        return dict(class_.fit(training))
    except UserError:
        raise
    except Exception as error:
        broken = dict(_broken(class_, training))
        if not broken:
            failures.write()
            raise UserError(
                f"explainer {explainer!r} found no statistics of the training split ({reason_of(error)}; it last read "
                f"the clip {training.last_read}); give another explainer, or take that clip out of the corpus"
            ) from error
    for clip, reason in broken.items():
        failures.add(clip, STATISTICS_STAGE, reason)
    failures.write()  # before the statistics, which are frozen: later runs take these rows over
    rest = Observations(training.work, [clip for clip in training.clips if clip not in broken])
    if not rest:
        raise UserError(
            f"explainer {explainer!r} broke down on every training clip (see {failures.path}; the first: "
            f"{failures.rows[0].reason}); give another explainer"
        )
    try:
        return dict(class_.fit(rest))
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"explainer {explainer!r} found no statistics of the training split, without {len(broken)} clips on which "
            f"it broke down, either ({reason_of(error)}); give another explainer"
        ) from error


def _broken(class_: Any, training: Observations) -> Iterator[tuple[Clip, str]]:
    """Clips on which the explainer's `facts`, where it has any, raise, and the reason."""
    if not hasattr(class_, "facts"):
        return
    for clip, observation in zip(training.clips, training, strict=True):
        try:
            class_.facts(observation)
        except UserError:
            raise
        except Exception as error:
            yield clip, reason_of(error)
