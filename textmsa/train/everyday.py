"""`textmsa make-everyday`: the model that comes with the package, from people's ratings to one small file.

Shapes: N sentences.
"""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from textmsa.demo_corpus.words import RATING_TO_SCORE
from textmsa.errors import UserError
from textmsa.rated_sentences import RatedSentence, as_spoken
from textmsa.runtime.atomic import read_json, write_text
from textmsa.train.encoder import RECORD, REMEDY, VADER, EncoderRecipe, RatingCorpus, corpus_of, finetune_encoder, named

Floats = npt.NDArray[np.float64]
LARGER = "sentence-transformers/all-mpnet-base-v2"
COMMON = EncoderRecipe(group_by_length=True)
LARGER_RECIPE = replace(COMMON, trainable="last-6", epochs=1, learning_rate=5e-5)
"""How the larger encoder learns people's ratings, but for its `text_encoder`."""
PIECES_RECIPE = replace(COMMON, pieces=60_000, state_weight=1.0, epochs=2, batch_size=64, learning_rate=1.5e-4)
"""How MiniLM learns the ratings together with what the larger one, its `teacher`, reads in pieces of the sentences."""
RATINGS_RECIPE = replace(COMMON, epochs=2, batch_size=64, learning_rate=3e-5, head_learning_rate=1e-4)
"""How it then learns people's ratings alone, from there."""
SCORE_RANGE = (-3.0, 3.0)
LEVELS = (0.8, 0.9, 0.95)
"""Shares of the true ratings that an interval is to hold."""
MOST_BYTES = 10_000_000
DRESSES = {
    "written": "sentences of reviews, tweets and editorials, as they were written",
    "spoken": "sentences of reviews, tweets and editorials, without punctuation, as speech is often written down",
}


@dataclass(frozen=True)
class MadeModel:
    """What came of it."""

    out: Path
    bytes: int
    sha256: str
    measured: dict[str, dict[str, float]]
    """"written" and "spoken" -> MAE and correlation of scores in [-3, 3], on the sentences that calibrate."""

    def text(self) -> str:
        """For people."""
        figures = "; ".join(f"{d}: MAE {f['mae']:.3f}, corr {f['corr']:.3f}" for d, f in self.measured.items())
        return f"{self.out}: {self.bytes:,} bytes, SHA-256 {self.sha256}\non sentences held out, {figures}"


def make_everyday(
    *,
    out: Path,
    taught: Path | None = None,
    teacher: str = LARGER,
    precision: Literal["fp32", "bf16"] = "fp32",
    device: str = "auto",
) -> MadeModel:
    """Make the model that comes with textmsa, of what MiniLM learns from people's ratings and from a larger encoder.

    The larger one learns the ratings first; MiniLM then learns them too, with what the larger one reads in pieces of
    the same sentences; then the ratings alone. Teaching takes hours and may be stopped and gone on with; the rest takes
    a minute, and gives the same bytes from the same encoder.

    Parameters
    ----------
    out
        Folder for everyday.safetensors, its hash and its model card; those of the package lie in textmsa/weights.
    taught
        Folder of textmsa finetune-encoder, where MiniLM has learnt already; made inside the other folder otherwise.
    teacher
        The larger encoder, a folder or hub id. One that textmsa finetune-encoder taught is taken as it is.
    precision
        "fp32", or "bf16" (automatic mixed precision), for teaching.
    device
        "auto", "cpu" or "cuda:N", for teaching.

    Examples
    --------
    textmsa make-everyday --out everyday
    textmsa make-everyday --out everyday --teacher encoders/mpnet-rated --precision bf16
    textmsa make-everyday --out everyday --taught encoders/minilm-rated
    """
    from textmsa.model import everyday as model
    from textmsa.model.plain_bert import PlainBert, read_plain
    from textmsa.model.text_encoder import PACKAGED_ENCODERS, encoder_location, load_encoder
    from textmsa.runtime.versions import package_versions

    corpus = corpus_of(VADER, EncoderRecipe())
    if taught is None:
        taught = _taught(Path(out), teacher, precision, device)
    learnt = _record_of(Path(taught), corpus)
    before, config, tokenizer = read_plain(Path(encoder_location(model.BASE)))
    after = {name: value.numpy() for name, value in load_encoder(str(taught))[0].state_dict().items()}
    before = {name: before[name] for name in after}
    tensors = model.differences(before, after) | model.head_tensors(learnt["head"])
    encoder = PlainBert(model.learnt_state(before, tensors), config)
    texts = {"written": [s.text for s in corpus.held_out], "spoken": [as_spoken(s.text) for s in corpus.held_out]}
    read = {dress: model.ratings_of(encoder, tokenizer, tensors, texts[dress]) for dress in DRESSES}
    scale, measured, intervals = calibrated(read, corpus.held_out)
    package = PACKAGED_ENCODERS[model.BASE][0].replace("_", "-")
    record = {
        "recipe": named(learnt["recipe"]),
        **{name: learnt[name] for name in ("sentences", "packages", "commit")},
        "taught": {"measured": learnt["measured"], "by_source": learnt["by_source"]},
        "before": learnt.get("before"),
        "base": {
            "package": f"{package}=={package_versions([package])[package]}",
            "sha256": model.base_sha256(Path(encoder_location(model.BASE))),
        },
        "score": {"range": list(SCORE_RANGE), "scale": scale},
        "measured": measured,
        "intervals": intervals,
    }
    Path(out).mkdir(parents=True, exist_ok=True)
    digest = model.save(Path(out), tensors, record)
    size = (Path(out) / model.WEIGHTS).stat().st_size
    if size > MOST_BYTES:
        raise UserError(f"{out}: the model has {size:,} bytes; at most {MOST_BYTES:,} may come with the package")
    write_text(Path(out) / model.CARD, card(record, size, digest))
    return MadeModel(Path(out), size, digest, measured)


def _taught(out: Path, teacher: str, precision: str, device: str) -> Path:
    """The folder of MiniLM that has learnt, in `out`, where what it takes is made too."""
    larger, small, taught = Path(teacher), out / "minilm-pieces", out / "minilm-taught"
    if not (larger / RECORD).is_file():
        larger = out / "larger-rated"
        recipe = replace(LARGER_RECIPE, text_encoder=teacher, precision=precision)
        finetune_encoder(out=larger, recipe=recipe, device=device)
    recipe = replace(PIECES_RECIPE, teacher=str(larger), precision=precision)
    finetune_encoder(out=small, recipe=recipe, device=device)
    recipe = replace(RATINGS_RECIPE, text_encoder=str(small), precision=precision)
    finetune_encoder(out=taught, recipe=recipe, device=device)
    return taught


def calibrated(
    read: dict[str, Floats], held_out: list[RatedSentence]
) -> tuple[float, dict[str, dict[str, float]], dict[str, Any]]:
    """The scale of the scores, and how far they lie from people's on sentences that did not choose it.

    Parameters
    ----------
    read
        "written" and "spoken" -> ratings (N,) in [-1, 1], as the head gives them.
    held_out
        The N sentences. Of every two the first chooses the scale, the second calibrates.

    Returns the scale, from a rating that was read to a score in [-3, 3]; MAE and correlation; and for each of `LEVELS`
    the half width of its interval, a quantile as split conformal prediction takes it (Papadopoulos et al. 2002).
    """
    true_N = np.array([sentence.rating for sentence in held_out]) * RATING_TO_SCORE
    chooses_N = np.arange(len(true_N)) % 2 == 0
    both = np.concatenate([read[dress][chooses_N] for dress in DRESSES])
    scale = least_error_scale(both, np.tile(true_N[chooses_N], len(DRESSES)))
    measured, intervals = {}, {}
    for dress, words in DRESSES.items():
        score_N = np.clip(scale * read[dress][~chooses_N], *SCORE_RANGE)
        residual_N = np.sort(np.abs(score_N - true_N[~chooses_N]))
        measured[dress] = {
            "mae": round(float(residual_N.mean()), 5),
            "corr": round(float(np.corrcoef(score_N, true_N[~chooses_N])[0, 1]), 5),
        }
        intervals[dress] = {
            "of": words,
            "sentences": len(residual_N),
            "half_width": {str(level): round(conformal_quantile(residual_N, level), 5) for level in LEVELS},
        }
    return scale, measured, intervals


def least_error_scale(read_N: Floats, true_N: Floats) -> float:
    """The scale, to 2 digits behind the point, with the least mean absolute error of `scale * read_N`."""
    scales = np.arange(200, 501) / 100
    errors = [float(np.abs(np.clip(scale * read_N, *SCORE_RANGE) - true_N).mean()) for scale in scales]
    return float(scales[int(np.argmin(errors))])


def conformal_quantile(residual_N: Floats, level: float) -> float:
    """The residual (of ascending ones) below which a new one lies with a probability of at least `level`."""
    rank = math.ceil((len(residual_N) + 1) * level)
    return float(residual_N[rank - 1]) if rank <= len(residual_N) else math.inf


def card(record: dict[str, Any], size: int, digest: str) -> str:
    """The model card, in Markdown after the header that model hubs read."""
    sources = "\n".join(f"| {source} | {count:,} |" for source, count in record["sentences"]["sources"].items())
    figures = "\n".join(
        f"| {DRESSES[dress]} | {row['mae']:.3f} | {row['corr']:.3f} | "
        f"+- {record['intervals'][dress]['half_width']['0.9']:.2f} |"
        for dress, row in record["measured"].items()
    )
    facts, count = record["sentences"], record["intervals"]["written"]["sentences"]
    return f"""---
license: apache-2.0
library_name: textmsa
base_model: sentence-transformers/all-MiniLM-L6-v2
language: en
tags: [sentiment-analysis, regression]
---

# everyday: what people read in a sentence, from -3 (negative) to 3 (positive)

The model that comes with textmsa. It scores **words alone**, English ones: nothing real showed so far that voice and
face would help it, so that they are explained and not scored.

```bash
textmsa predict clip.mp4 --text "I loved it."
```

## What it is
all-MiniLM-L6-v2 as `{record["base"]["package"]}` holds it (Apache-2.0; weights' SHA-256 {record["base"]["sha256"]}),
with what it learnt as differences in 4 bits a weight, and a linear layer on the mean of its last states.
{size:,} bytes, SHA-256 {digest}. Made by `textmsa make-everyday`.

## What it learnt from
{facts["learnt"]:,} sentences with the mean rating of twenty people each, of the ground truth of VADER (Hutto and
Gilbert 2014; MIT; `vaderSentiment==3.3.2`); {facts["held_out"]:,} more chose the epoch. Both together by source:

| source | sentences |
|---|---|
{sources}

{_taught_by(record["before"])}
## What it never saw
The {facts["left_out_for_the_demo"]:,} sentences that textmsa's demo corpus can draw, or that hold one or are part of
one; CMU-MOSI, CMU-MOSEI, CH-SIMS; any voice or face.

## How well it reads
On {count} sentences held out that chose neither weights nor scale but, with the others held out, the epoch; scores in
[-3, 3]:

| sentences | MAE | correlation | 90 % lie within |
|---|---|---|---|
{figures}

The intervals hold for such sentences only. Figures on other corpora: docs/everyday.md.

## What it is not for
It tells how people would rate the words, not what a person feels, and is no ground for a decision on anyone. It was
taught with at most {record["recipe"]["max_text_length"]} word pieces; of longer texts it reads up to 512. Irony, other
languages and fairness between groups of people were not tried.
"""


def _taught_by(before: dict[str, Any] | None) -> str:
    """Of the larger encoder that it learnt from before, as a paragraph; nothing where there was none."""
    teacher = (before or {}).get("teacher")
    if teacher is None:
        return ""
    name, error = teacher["recipe"]["text_encoder"], teacher["measured"]["mae"]
    return (
        f"Before, it learnt them together with what a larger encoder that had learnt the same sentences ({name})\n"
        "reads in pieces of them. Of the sentences held out that one has an MAE of "
        f"{error:.3f} in ratings from -4 to 4.\n"
    )


def _record_of(folder: Path, corpus: RatingCorpus) -> dict[str, Any]:
    """What the encoder of that folder learnt; UserError where that is not what `make_everyday` teaches."""
    record = read_json(folder / RECORD, remedy=REMEDY, unstamped=True)
    if record["sentences"]["sentences_sha256"] != corpus.facts()["sentences_sha256"]:
        raise UserError(
            f"--taught {folder}: has learnt other sentences; give a folder of textmsa finetune-encoder with its own "
            "options"
        )
    return record
