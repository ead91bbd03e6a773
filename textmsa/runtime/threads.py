"""Several things at once in this process: for work that waits for others."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
K = TypeVar("K")
R = TypeVar("R")


def in_threads(
    work: Callable[[T], R], waiting: Iterable[tuple[K, T]], *, threads: int
) -> Iterator[tuple[K, R | Exception]]:
    """(key, what `work` gives or raises), as they come; no more of what waits is held than is worked on."""

    def outcome(item: T) -> R | Exception:
        try:
            return work(item)
        except Exception as error:
            return error

    if threads <= 1:
        yield from ((key, outcome(item)) for key, item in waiting)
        return
    source = iter(waiting)
    pool = ThreadPoolExecutor(threads, thread_name_prefix="waiting")
    try:
        keys: dict[Future[R | Exception], K] = {}
        while True:
            for key, item in islice(source, threads - len(keys)):
                keys[pool.submit(outcome, item)] = key
            if not keys:
                return
            for future in wait(keys, return_when=FIRST_COMPLETED).done:
                yield keys.pop(future), future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
