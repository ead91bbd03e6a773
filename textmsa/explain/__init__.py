"""Explanations: what voice and face express, in words. One file per explainer."""

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from textmsa.types import Explanation, Observation


class Explainer(Protocol):
    """What stands behind the seam `EXPLAINERS`.

    Where `needs_statistics` is true it is built as `Class(statistics, **options)`, with what `Class.fit` found
    on the training split, and as `Class(**options)` otherwise. Options come from the command line:
    `times=False` for `--no-times`, nothing by default. Raise the version whenever the words change.
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
