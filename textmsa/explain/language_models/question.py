"""What stands behind the seam `LANGUAGE_MODELS`: a model that answers a question on words, frames and sound.

Shape suffixes: N audio samples, H height, W width.
"""

from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from textmsa.types import FloatArray

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Question:
    """What a model is asked. There is no place in it for a label, an id or a file's name."""

    prompt: str
    frames: tuple[Picture, ...] = ()
    """Pictures (H, W, 3), RGB."""
    frame_times: tuple[float, ...] = ()
    """Seconds, one a frame."""
    waveform_N: FloatArray | None = None
    sample_rate: int = 0
    """Hz."""
    form: dict[str, Any] | None = None
    """JSON schema that the answer must fit, for a model that can be held to one; it is read strictly all the same."""


@dataclass(frozen=True)
class Turn:
    """An answer that could not be used, and what it was told."""

    answer: str
    complaint: str


@dataclass(frozen=True)
class Answer:
    """What a model said."""

    text: str
    finish: Literal["stop", "length", "refused"] = "stop"
    """Whether it came to its end, was cut at the limit of tokens, or was withheld."""
    tokens_in: int = 0
    tokens_out: int = 0
    held_to_form: bool = False
    """Whether the model was held to the question's `form` while it answered."""


class LanguageModel(Protocol):
    """Built as `Class(**options)`; `ask` is called from `concurrency` threads at once."""

    name: str
    sees: bool
    """Whether it takes frames."""
    hears: bool
    """Whether it takes a waveform."""
    concurrency: int

    def identity(self) -> dict[str, Any]:
        """All that its answers depend on, for provenance and for the cache: model, revision, parameters."""
        ...

    def ask(self, question: Question, earlier: tuple[Turn, ...] = ()) -> Answer:
        """The answer to a question, after earlier answers were refused.

        Raises AnswerError where this question cannot be answered, UserError where none could be.
        """
        ...

    def cost(self, tokens_in: int, tokens_out: int) -> float | None:
        """What such tokens cost, in the currency of the prices given; None where none were given."""
        ...
