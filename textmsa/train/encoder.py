"""`textmsa finetune-encoder`: a text encoder first learns how people rate sentences.

What it makes is a model folder that every recipe takes as its `model.text_encoder`. What the demo corpus can draw is
never learnt from, so that no demo is tested on what its encoder has read.
"""

import json
import re
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from textmsa.demo_corpus.words import SHORTEST, load_sentences
from textmsa.errors import UserError
from textmsa.model.everyday import EVERYDAY, EverydayModel
from textmsa.rated_sentences import MOST_RATING, VADER_SOURCES, RatedSentence, sentences_of_table, vader_sentences
from textmsa.runtime.atomic import read_json, write_text
from textmsa.runtime.claim import Claim
from textmsa.runtime.versions import TRAINING, commit, package_versions

COMMAND = "textmsa finetune-encoder"
RECORD = "encoder.json"
VADER = "vader"
LEAST_SENTENCES = 40
PRECISIONS = ("fp32", "bf16")
LATER: dict[str, object] = {
    "spoken": 0.0,
    "group_by_length": False,
    "teacher": "",
    "pieces": 100_000,
    "state_weight": 0.0,
    "precision": "fp32",
}
"""Values that are younger than 0.1, with which a folder begun before goes on."""
REMEDY = "give another folder"


@dataclass(frozen=True, kw_only=True)
class EncoderRecipe:
    """All that decides what an encoder learns of some rated sentences."""

    text_encoder: str = "minilm"
    """"minilm", "everyday", or a folder or hub id for AutoModel; of a folder of this command's the head goes on too."""
    trainable: str = "all"
    """"all" weights; "last-K", those of the last K layers; "lora", low-rank updates beside every linear layer, merged
    at the end."""
    lora_rank: int = 16
    """Rank of the low-rank updates."""
    epochs: int = 3
    """Passes over the sentences; the one that reads the held-out sentences best is kept."""
    batch_size: int = 32
    """Sentences a step."""
    learning_rate: float = 1e-4
    """Its highest value; a warm-up, then half a cosine to 0."""
    head_learning_rate: float = 1e-3
    """As that, of the linear layer on the mean of the states."""
    weight_decay: float = 0.01
    """AdamW's decoupled weight decay."""
    warmup_fraction: float = 0.1
    """Share of the steps that warm up."""
    held_out: float = 0.05
    """Share of the sentences that choose the epoch, and are not learnt from."""
    max_text_length: int = 64
    """Word pieces a sentence, the two that begin and end it included."""
    group_by_length: bool = False
    """Sentences of like length in a step: about half of the time, for they are padded to the longest."""
    spoken: float = 0.0
    """Share of the sentences that are learnt as speech is written down: without punctuation and apostrophes."""
    teacher: str = ""
    """Folder of another encoder that learnt the same sentences here: what it reads in pieces of them is learnt too."""
    pieces: int = 100_000
    """How many pieces are drawn of the sentences, where there is a teacher."""
    state_weight: float = 0.0
    """Share in the loss of the teacher's mean states: of 1 less their cosine with a linear map of one's own."""
    precision: str = "fp32"
    """"fp32" or "bf16" (automatic mixed precision; on processors with AMX in half of the time)."""
    seed: int = 0
    """Of the sentences held out, the order and dropout."""

    def check(self) -> None:
        """Raises UserError for values with which nothing can be learnt."""
        if not re.fullmatch(r"all|lora|last-[1-9][0-9]*", self.trainable):
            raise UserError(f"--trainable {self.trainable}: give all, last-K or lora")
        above = ("lora_rank", "epochs", "batch_size", "learning_rate", "head_learning_rate")
        for name in above:
            if not getattr(self, name) > 0:
                raise UserError(f"--{name.replace('_', '-')} {getattr(self, name)}: give more than 0")
        if self.max_text_length < 3:
            raise UserError(f"--max-text-length {self.max_text_length}: give at least 3")
        if not 0 < self.held_out < 1:
            raise UserError(f"--held-out {self.held_out}: give a share between 0 and 1")
        if not 0 <= self.spoken <= 1:
            raise UserError(f"--spoken {self.spoken}: give a share from 0 to 1")
        if not self.state_weight >= 0:
            raise UserError(f"--state-weight {self.state_weight}: give 0 or more")
        if self.pieces < 1:
            raise UserError(f"--pieces {self.pieces}: give at least 1")
        if self.precision not in PRECISIONS:
            raise UserError(f"--precision {self.precision}: give {' or '.join(PRECISIONS)}")
        if not 0 <= self.warmup_fraction < 1:
            raise UserError(f"--warmup-fraction {self.warmup_fraction}: give 0 or more, below 1")


@dataclass(frozen=True)
class RatingCorpus:
    """Rated sentences to learn and to choose by, as one number each in [-1, 1]."""

    learnt: list[RatedSentence]
    held_out: list[RatedSentence]
    left_out: int
    """Sentences that the demo corpus can draw, or that hold one, or are held by one."""
    most: float
    """What a rating is divided by."""

    @staticmethod
    def of(sentences: Iterable[RatedSentence], *, held_out: float, seed: int, most: float | None) -> "RatingCorpus":
        """Sentences without repetitions and without those of the demo corpus, the held-out ones drawn by `seed`.

        Raises UserError where too few remain, or all are rated alike.
        """
        distinct = {key(sentence.text): sentence for sentence in sentences}
        kept = without_demo(distinct)
        if len(kept) < LEAST_SENTENCES:
            raise UserError(f"{len(kept)} sentences to learn from: give at least {LEAST_SENTENCES} different ones")
        ratings = np.array([sentence.rating for sentence in kept])
        if np.ptp(ratings) == 0:
            raise UserError(f"all {len(kept)} sentences are rated {ratings[0]:g}: there is nothing to learn")
        order = np.random.default_rng(seed).permutation(len(kept))
        count = max(2, round(held_out * len(kept)))
        learnt, chosen_by = ([kept[i] for i in sorted(rows)] for rows in (order[count:], order[:count]))
        largest = float(np.abs(ratings).max()) if most is None else most
        return RatingCorpus(learnt, chosen_by, left_out=len(distinct) - len(kept), most=largest)

    def facts(self) -> dict[str, Any]:
        """What the sentences are: their numbers by source and a hash over texts and ratings."""
        every = [*self.learnt, *self.held_out]
        text = "\n".join(f"{sentence.rating!r}\t{sentence.text}" for sentence in every)
        sources = sorted({sentence.source for sentence in every})
        return {
            "sources": {source: sum(sentence.source == source for sentence in every) for source in sources},
            "learnt": len(self.learnt),
            "held_out": len(self.held_out),
            "left_out_for_the_demo": self.left_out,
            "most_rating": self.most,
            "sentences_sha256": sha256(text.encode()).hexdigest(),
        }


@dataclass(frozen=True)
class EncoderResult:
    """What came of it."""

    out: Path
    facts: dict[str, Any]
    measured: dict[str, float]
    """Of the held-out sentences: MAE in the ratings' units, correlation and R2 where they are defined."""
    finished_before: bool = False

    def text(self) -> str:
        """For people."""
        if self.finished_before:
            return f"{self.out}: finished before; nothing to do"
        facts = self.facts
        figures = ", ".join(f"{name} {value:.3f}" for name, value in self.measured.items())
        return (
            f"{self.out}: learnt from {facts['learnt']} sentences; of {facts['held_out']} held out {figures}\n"
            f"{facts['left_out_for_the_demo']} sentences that the demo corpus can draw, or parts, were left out; "
            f"use it with: textmsa train RECIPE --model.text_encoder {self.out}"
        )


def finetune_encoder(
    *, out: Path, recipe: EncoderRecipe, sentences: str = VADER, device: str = "auto"
) -> EncoderResult:
    """Teach a text encoder the ratings that people gave to sentences.

    It may be stopped at any moment and run again. The sentences that the demo corpus can draw are never among those
    learnt from.

    Parameters
    ----------
    out
        Folder for the encoder; `model.text_encoder` of a recipe takes it.
    recipe
        What is learnt and how; on the command line each of its values is an option.
    sentences
        "vader", the 23,703 rated sentences of VADER's ground truth, fetched with pip; or a table (.csv) with columns
        text and rating.
    device
        "auto", "cpu" or "cuda:N".

    Examples
    --------
    textmsa finetune-encoder --out encoders/minilm-rated
    textmsa finetune-encoder --sentences rated.csv --out encoders/mine --trainable lora
    textmsa finetune-encoder --text-encoder all-mpnet-base-v2 --trainable last-6 --out encoders/mpnet-rated
    """
    recipe.check()
    corpus = corpus_of(sentences, recipe)
    options = {name: value for name, value in asdict(recipe).items() if name not in LATER or value != LATER[name]}
    claim = Claim(Path(out), COMMAND, {"recipe": options, "sentences": corpus.facts()})
    if (claim.folder / RECORD).is_file():
        claim.take()
        record = read_json(claim.folder / RECORD, remedy=REMEDY, unstamped=True)
        return EncoderResult(claim.folder, record["sentences"], record["measured"], finished_before=True)
    with claim.held():
        return _finetune(recipe, corpus, claim, device=device)


def ratings_learnt(folder: Path) -> str:
    """What the text encoder of that folder had learnt before, as a sentence; empty of one that had learnt no ratings.

    The folder is `finetune_encoder`'s, or that of a network whose text encoder began there.
    """
    if not (folder / RECORD).is_file():
        return ""
    facts = read_json(folder / RECORD, remedy=REMEDY, unstamped=True)["sentences"]
    sources = ", ".join(f"{count:,} of {source}" for source, count in facts["sources"].items())
    return (
        f"Before, its text encoder had learnt how people rate {facts['learnt']:,} sentences ({sources}, those held out "
        "included); none is one that the demo corpus can draw, or a part of one."
    )


def record_of(text_encoder: str) -> dict[str, Any] | None:
    """What the text encoder of that name had learnt before, as `finetune_encoder` records it; None of any other."""
    if text_encoder == EVERYDAY:
        return EverydayModel.load().record
    path = Path(text_encoder) / RECORD
    return read_json(path, remedy=REMEDY, unstamped=True) if path.is_file() else None


def rating_head(text_encoder: str, score_range: tuple[float, float]) -> tuple[npt.NDArray[np.float32], float]:
    """Weights (F,) and bias by which the text encoder of that name reads a score of that range in its mean state.

    Raises UserError for one that has learnt no ratings.
    """
    if text_encoder == EVERYDAY:
        tensors = EverydayModel.load().tensors
        weight_F, bias = tensors["head/weight"][0], float(tensors["head/bias"][0])
    elif (record := record_of(text_encoder)) is not None:
        weight_F, bias = record["head"]["weight"], float(record["head"]["bias"])
    else:
        raise UserError(
            f"model.rating true: text encoder {text_encoder!r} has learnt no ratings; take {EVERYDAY}, a folder of "
            f"{COMMAND}, or model.rating false"
        )
    low, high = score_range
    half = (high - low) / 2  # ratings are from -1 to 1
    return half * np.asarray(weight_F, dtype=np.float32), half * bias + (low + high) / 2


def corpus_of(sentences: str, recipe: EncoderRecipe) -> RatingCorpus:
    """The sentences of the argument `sentences`, as `finetune_encoder` learns them."""
    if sentences == VADER:
        rated: list[RatedSentence] = [s for source in VADER_SOURCES for s in vader_sentences(source)]
        return RatingCorpus.of(rated, held_out=recipe.held_out, seed=recipe.seed, most=MOST_RATING)
    return RatingCorpus.of(sentences_of_table(Path(sentences)), held_out=recipe.held_out, seed=recipe.seed, most=None)


def without_demo(distinct: dict[str, RatedSentence]) -> list[RatedSentence]:
    """Those that are no sentence of the demo corpus, hold none, and are no part of one; `distinct` is by `key`."""
    demo = {key(sentence.text) for sentence in load_sentences()}
    longest = max(len(text.split()) for text in demo)
    parts = {part for text in demo for part in runs_of_words(text, range(SHORTEST, longest + 1))}

    def is_apart(text: str) -> bool:
        return text not in parts and not any(run in demo for run in runs_of_words(text, range(1, longest + 1)))

    return [sentence for text, sentence in distinct.items() if text not in demo and is_apart(text)]


def key(text: str) -> str:
    """What two sentences share that are the same but for case, punctuation and spaces."""
    return " ".join(re.findall(r"\w+", text.casefold()))


def runs_of_words(text: str, lengths: range) -> Iterable[str]:
    """Every run of that many words of a `key`."""
    words = text.split()
    return (" ".join(words[i : i + n]) for n in lengths for i in range(len(words) - n + 1))


def history(text_encoder: str) -> dict[str, Any] | None:
    """How an encoder of this command's learnt and how well, and the same of its teacher and of what it began with.

    Encoders go by their names, not by where they lie on some machine. None of any other encoder.
    """
    if not text_encoder or (record := record_of(text_encoder)) is None:
        return None
    kept = ("measured", "by_source", "teacher", "before")
    return {"recipe": named(record["recipe"]), **{key: record[key] for key in kept if key in record}}


def named(recipe: dict[str, Any]) -> dict[str, Any]:
    """A recipe with the names of its encoders in place of where they lie on some machine."""
    return recipe | {key: Path(recipe[key]).name for key in ("text_encoder", "teacher") if recipe.get(key)}


def _finetune(recipe: EncoderRecipe, corpus: RatingCorpus, claim: Claim, *, device: str) -> EncoderResult:
    """As `finetune_encoder`, in a folder that is held."""
    from textmsa.runtime.device import choose_device
    from textmsa.train.encoder_trainer import learn_ratings

    started = time.monotonic()
    place = choose_device(device)
    learnt = learn_ratings(recipe, corpus, claim.folder, device=place)
    facts = corpus.facts()
    record = {
        "recipe": asdict(recipe),
        "teacher": history(recipe.teacher),
        "before": history(recipe.text_encoder),
        "sentences": facts,
        "measured": learnt.measured,
        "by_source": learnt.by_source,
        "epochs": learnt.epochs,
        "head": learnt.head,
        "seconds": round(time.monotonic() - started, 1),
        "device": place,
        "packages": package_versions(TRAINING),
        "commit": commit(),
    }
    write_text(claim.folder / RECORD, json.dumps(record, indent=1) + "\n")
    return EncoderResult(claim.folder, facts, learnt.measured)
