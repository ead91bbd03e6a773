"""Explanations: what voice and face express, in words. One file per explainer."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

from textmsa.runtime.threads import K, in_threads
from textmsa.types import Explanation, Observation


class Explainer(Protocol):
    """What stands behind the seam `EXPLAINERS`.

    Where `needs_statistics` is true it is built as `Class(statistics, **options)`, with what `Class.fit` found
    on the training split, and as `Class(**options)` otherwise. Options come from the command line:
    `times=False` for `--no-times`, nothing by default. Raise the version whenever the words change.

    A class may have more: `Concurrent`, `WithPassingOptions`, `ScoringExplainer`, `ChecksClips`.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    """Known without building one: a store remembers it."""
    needs_statistics: ClassVar[bool]

    @staticmethod
    def fit(observations: Sequence[Observation]) -> dict[str, Any]:
        """Statistics of the training split, for JSON; needed only where `needs_statistics` is true.

        The sequence reads each observation from disk when it is asked for; going through it twice is fine. A clip
        of which nothing can be measured is passed over, not raised: statistics are of all clips together, so that
        whatever is raised ends the preparation.

        Raises
        ------
        UserError
            No statistics can be made of these clips; the command ends with this one line.
        ClipError
            One clip is to blame; the message names it.
        """
        ...

    def explain(self, observation: Observation) -> Explanation:
        """The explanation of one clip: of this observation only. Labels are out of reach.

        What is raised is recorded as this clip's failure and the others go on; a UserError, which no clip could get
        over, ends the command. An explanation that failed in part says so in `provenance["failed"]`.
        """
        ...


class Concurrent(Protocol):
    """An explainer that waits for others: `explain` (and `score`) is called from so many threads at once."""

    concurrency: int


class WithPassingOptions(Protocol):
    """A class some of whose options change nothing in the words, such as how many clips at a time.

    Such options are not recorded with a store, and may be others when a command is run again.
    """

    passing_options: ClassVar[Sequence[str]]
    """Their names; each may also be given to a refiner, as `refiner_<name>`."""


class ScoringExplainer(Explainer, Protocol):
    """An explainer with a language model, that can say the sentiment itself and translate (option `translate`)."""

    def score(self, observation: Observation, score_range: tuple[float, float]) -> tuple[float | None, dict[str, Any]]:
        """(the sentiment of one clip in the range, None where there was no usable answer; provenance)."""
        ...


class ChecksClips(Protocol):
    """An explainer that can tell beforehand that it does not fit a corpus."""

    def check_clips(self, paths: Sequence[Path]) -> None:
        """Raise UserError where the clips (all of the corpus) cannot be explained rightly together."""
        ...


def concurrency_of(explainer: Explainer) -> int:
    """From how many threads `explain` may be called at once; 1 unless it says more."""
    return int(getattr(explainer, "concurrency", 1))


def can_score(class_: type[Explainer]) -> bool:
    """Whether what a class makes is a `ScoringExplainer`: has a language model that can score and translate."""
    return callable(getattr(class_, "score", None))


def check_clips(explainer: Explainer, paths: Sequence[Path]) -> None:
    """Let an explainer look at the clips of a corpus before it begins; UserError where they do not fit it."""
    check = getattr(explainer, "check_clips", None)
    if check is not None:
        check(paths)


def explain_each(
    explainer: Explainer, observations: Iterable[tuple[K, Observation]]
) -> Iterator[tuple[K, Explanation | Exception]]:
    """(key, explanation, or what was raised), as they come."""
    return in_threads(explainer.explain, observations, threads=concurrency_of(explainer))
