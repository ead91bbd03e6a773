"""Several things at once in this process: for work that waits for others."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

from textmsa.types import Observation

K = TypeVar("K")
R = TypeVar("R")


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
