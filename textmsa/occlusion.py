"""Which words and which moments counted: the change in a clip's score when they are left out.

A change is the score of the whole clip less that without the part, so a positive one raised the score. Unlike the
contributions of text, audio and video these need not sum to anything.

Shapes: T steps of the common time grid, F features.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from textmsa.contributions import base_of, score_examples
from textmsa.errors import UserError
from textmsa.inputs.examples import Example, SampleList, example_of
from textmsa.inputs.time_grid import standards_of
from textmsa.inputs.views import without
from textmsa.left_out import MOST_PARTS, WINDOWS, text_without
from textmsa.left_out import WORD as WORD
from textmsa.left_out import phrases_of as phrases_of
from textmsa.run import Precision, Run
from textmsa.types import MODALITIES, ChangeOverTime, FloatArray, Sample, Word, WordsChange


def changes_by_words(
    run: Run, sample: Sample, *, most: int = MOST_PARTS, precision: Precision = "fp32"
) -> list[WordsChange]:
    """The change in the score when each word is left out of the clip's text, in their order.

    Of more than `most` words it is phrases of equal length. Of a residual text the transcript's words are left out
    while the summary stays. Without a text there is nothing to leave out.

    Raises UserError where a published data file gave word pieces, which cannot be told apart into words.
    """
    example, transcript = _example_of(run, sample)
    if example.text is None:
        return []
    if not isinstance(example.text, str):
        raise UserError("changes by words: the data file gave word pieces, not words; set inputs.pieces to tokenize")
    spoken = transcript if transcript and example.text.startswith(transcript) else example.text
    rest = example.text[len(spoken) :]
    pieces = phrases_of(spoken, most)
    shortened = [(spoken[:start] + spoken[end:]).strip() for start, end in pieces]
    variants = [replace(example, text=text + rest if text else None) for text in shortened]
    return [
        WordsChange(spoken[start:end].strip(), change)
        for (start, end), change in zip(pieces, _changes(run, example, variants, precision), strict=True)
    ]


def changes_over_time(
    run: Run,
    sample: Sample,
    *,
    windows: int = WINDOWS,
    words: Sequence[Word] = (),
    precision: Precision = "fp32",
) -> list[ChangeOverTime]:
    """The change in the score when audio, video or words of each of some equal windows of the clip are hidden.

    Explanations stay as they are: only what was measured in the window is hidden.

    Parameters
    ----------
    run, sample, precision
        As for `Run.score`.
    windows
        How many, at most one for each step of the time grid.
    words
        When each word of the transcript is spoken, where that is known; a word belongs to the window of its middle.

    Raises UserError for a network that reads the first steps of a clip instead of all of it.
    """
    if run.members[0].model.config.frames == "first":
        raise UserError("changes over time: this network reads a clip's first steps, which have no times")
    example, _ = _example_of(run, sample)
    streams = {name: getattr(example, name) for name in ("audio", "video")}
    steps = max((len(stream[1]) for stream in streams.values() if stream is not None), default=windows)
    edges = np.unique(np.linspace(0, steps, min(windows, steps) + 1).round().astype(int))
    duration = sample.observation.duration or 1.0
    places, variants = [], []
    for number, (first, last) in enumerate(pairwise(edges)):
        for name, stream in streams.items():
            if stream is not None and stream[1][first:last].any():
                places.append((number, name))
                variants.append(_without_steps(example, name, stream, first, last))
        if (text := _without_words(example, words, first / steps * duration, last / steps * duration)) is not example:
            places.append((number, "text"))
            variants.append(text)
    changes = dict(zip(places, _changes(run, example, variants, precision), strict=True))
    return [
        ChangeOverTime(
            float(first / steps * duration),
            float(last / steps * duration),
            {name: changes[number, name] for name in MODALITIES if (number, name) in changes},
        )
        for number, (first, last) in enumerate(pairwise(edges))
    ]


def _example_of(run: Run, sample: Sample) -> tuple[Example, str | None]:
    """The clip as the network reads it, and its transcript."""
    assert run.preparation.statistics is not None
    model = run.members[0].model
    viewed = run.view(SampleList([sample]), model)[0]
    return example_of(viewed, standards_of(run.preparation.statistics), model.config), viewed.observation.transcript


def _without_steps(
    example: Example, name: str, stream: tuple[FloatArray, npt.NDArray[np.bool_]], first: int, last: int
) -> Example:
    values_TF, mask_T = stream[0].copy(), stream[1].copy()
    values_TF[first:last], mask_T[first:last] = 0, False
    if not mask_T.any():
        return without(example, {name})
    changed: dict[str, tuple[FloatArray, npt.NDArray[np.bool_]]] = {name: (values_TF, mask_T)}
    return replace(example, **changed)  # type: ignore[arg-type]


def _without_words(example: Example, words: Sequence[Word], start: float, end: float) -> Example:
    """The example itself where no word of its text is spoken then."""
    if not isinstance(example.text, str):
        return example
    text = text_without(example.text, words, start, end)
    return example if text == example.text else replace(example, text=text)


def _changes(run: Run, example: Example, variants: list[Example], precision: Precision) -> list[float]:
    """The score of the example less that of each variant; of one that has nothing left the base is the score."""
    if not variants:
        return []
    something = [any(getattr(variant, name) is not None for name in MODALITIES) for variant in variants]
    kept = [variant for variant, some in zip(variants, something, strict=True) if some]
    score, *others = score_examples(run, [example, *kept], precision).tolist()
    nothing = 0.0 if all(something) else base_of(run).score
    rest = iter(others)
    return [score - (next(rest) if some else nothing) for some in something]
