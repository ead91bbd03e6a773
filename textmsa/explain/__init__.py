"""Explanations: what voice and face express, in words. One file per explainer."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import Any, ClassVar, Protocol, TypeVar

from textmsa.types import Explanation, Observation

K = TypeVar("K")
R = TypeVar("R")


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


def in_threads(
    work: Callable[[Observation], R], observations: Iterable[tuple[K, Observation]], *, threads: int
) -> Iterator[tuple[K, R | Exception]]:
    """(key, what `work` gives or raises), as they come; no more observations are held than are worked on."""

    def outcome(observation: Observation) -> R | Exception:
        try:
            return work(observation)
        except Exception as error:
            return error

    if threads <= 1:
        yield from ((key, outcome(observation)) for key, observation in observations)
        return
    source = iter(observations)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="explain")
    try:
        keys: dict[Future[R | Exception], K] = {}
        while True:
            for key, observation in islice(source, threads - len(keys)):
                keys[pool.submit(outcome, observation)] = key
            if not keys:
                return
            for future in wait(keys, return_when=FIRST_COMPLETED).done:
                yield keys.pop(future), future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
