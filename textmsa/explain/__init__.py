"""Explanations: what voice and face express, in words. One file per explainer."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar, Protocol

from textmsa.runtime.threads import K, in_threads
from textmsa.types import Explanation, Observation


class Explainer(Protocol):
    """What stands behind the seam `EXPLAINERS`.

    Where `needs_statistics` is true it is built as `Class(statistics, **options)`, with what `Class.fit` found
    on the training split, and as `Class(**options)` otherwise. Options come from the command line:
    `times=False` for `--no-times`, nothing by default. Raise the version whenever the words change. One that waits
    for others may have an attribute `concurrency`: `explain` is then called from so many threads at once.
    """

    name: str
    version: str
    needs_statistics: ClassVar[bool]

    @staticmethod
    def fit(observations: Sequence[Observation]) -> dict[str, Any]:
        """Statistics of the training split, for JSON; needed only where `needs_statistics` is true.

        The sequence reads each observation from disk when it is asked for; going through it twice is fine.
        """
        ...

    def explain(self, observation: Observation) -> Explanation:
        """The explanation of one clip: of this observation only. Labels are out of reach."""
        ...


def explain_each(
    explainer: Explainer, observations: Iterable[tuple[K, Observation]]
) -> Iterator[tuple[K, Explanation | Exception]]:
    """(key, explanation, or what was raised), as they come."""
    return in_threads(explainer.explain, observations, threads=getattr(explainer, "concurrency", 1))
