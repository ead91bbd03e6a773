"""What a larger encoder, the teacher, reads in rated sentences and pieces of them.

Shapes: B texts, N all of them, F the teacher's width.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from textmsa.errors import UserError
from textmsa.model.text_encoder import load_encoder, mean_states
from textmsa.rated_sentences import RatedSentence
from textmsa.runtime.atomic import read_json, replacing
from textmsa.runtime.progress import track
from textmsa.train.encoder import COMMAND, RECORD, REMEDY, key, without_demo
from textmsa.train.pieces import pieces_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from textmsa.train.encoder import EncoderRecipe, RatingCorpus

Array = npt.NDArray[np.float32]
SOURCE = "pieces"
TOGETHER = 128  # texts


@dataclass(frozen=True)
class TaughtSentence(RatedSentence):
    """A text with people's rating, or of a piece the teacher's, and the teacher's mean state (F,)."""

    state_F: npt.NDArray[np.float16]


def taught_sentences(
    recipe: "EncoderRecipe", corpus: "RatingCorpus", kept: Path, *, device: str
) -> list[TaughtSentence]:
    """The learnt sentences, and pieces of them of which none is of the demo corpus, as the teacher reads them.

    What was read is kept in the file `kept` (.npz), for a learning that is stopped. Raises UserError of a teacher that
    learnt other sentences.
    """
    texts = [sentence.text for sentence in corpus.learnt]
    drawn = pieces_of(texts, recipe.pieces, seed=recipe.seed)
    pieces = without_demo({key(text): RatedSentence(text, 0.0, SOURCE) for text in drawn})
    texts += [piece.text for piece in pieces]
    if kept.is_file():
        with np.load(kept) as stored:
            state_NF, rating_N = stored["states"], stored["ratings"]
    else:
        state_NF, rating_N = _read(recipe, corpus, texts, device=device)
        kept.parent.mkdir(parents=True, exist_ok=True)
        with replacing(kept) as stream:
            np.savez(stream, states=state_NF, ratings=rating_N)
    rated = [*(s.rating for s in corpus.learnt), *rating_N[len(corpus.learnt) :].tolist()]
    given = zip([*corpus.learnt, *pieces], rated, state_NF, strict=True)
    return [TaughtSentence(s.text, rating, s.source, state_F) for s, rating, state_F in given]


def _read(
    recipe: "EncoderRecipe", corpus: "RatingCorpus", texts: list[str], *, device: str
) -> tuple[npt.NDArray[np.float16], Array]:
    """The teacher's mean states (N, F) and ratings (N,) of texts, those of like length together."""
    encoder, tokenizer, weight_F, bias = _teacher(Path(recipe.teacher), corpus)
    encoder.to(device).eval()  # type: ignore[arg-type]
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    lots = [order[start : start + TOGETHER] for start in range(0, len(order), TOGETHER)]
    state_NF = np.zeros((len(texts), len(weight_F)), np.float16)
    rating_N = np.zeros(len(texts), np.float32)
    in_bf16 = torch.autocast(torch.device(device).type, torch.bfloat16, enabled=recipe.precision == "bf16")
    with torch.inference_mode(), in_bf16:
        for lot in track(lots, total=len(lots), label="the teacher reads"):
            mean = mean_states(encoder, tokenizer, [texts[i] for i in lot], most_pieces=recipe.max_text_length)
            mean_BF = mean.float().cpu().numpy()
            state_NF[lot], rating_N[lot] = mean_BF, (mean_BF @ weight_F + bias) * corpus.most
    return state_NF, rating_N


def _teacher(folder: Path, corpus: "RatingCorpus") -> "tuple[PreTrainedModel, PreTrainedTokenizerBase, Array, float]":
    """Encoder, tokenizer, and the weight (F,) and bias of its ratings in [-1, 1]."""
    record = read_json(folder / RECORD, remedy=REMEDY, unstamped=True)
    if record["sentences"] != corpus.facts():
        raise UserError(
            f"--teacher {folder}: has learnt other sentences, those held out here perhaps among them; give an encoder "
            f"that {COMMAND} taught the same ones, with the same --held-out and --seed"
        )
    head = record["head"]
    return *load_encoder(str(folder)), np.array(head["weight"], np.float32), float(head["bias"])
