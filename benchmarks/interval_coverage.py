"""What 90 % intervals cover over 200 re-splits of ratings that nothing was learnt from.

    python -m benchmarks.interval_coverage --encoder ENCODER
    python -m benchmarks.interval_coverage --predictions RUN/evaluation-test/predictions.csv --range -3 3

ENCODER is a folder of `textmsa finetune-encoder --sentences vader`: it is read on the sentences that it was never given
because the demo corpus can draw them, or parts of them. Half of the clips is calibrated on, the other half covered.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from textmsa.evaluate.predictions import Predictions
from textmsa.intervals import resplit_coverage
from textmsa.model.text_encoder import load_encoder
from textmsa.rated_sentences import MOST_RATING, VADER_SOURCES, RatedSentence, vader_sentences
from textmsa.train.encoder import RECORD, key, without_demo

BATCH = 64
LEVELS = (0.5, 0.8, 0.9, 0.95)
Floats = np.ndarray


def unseen_sentences() -> list[RatedSentence]:
    """The sentences of VADER that `finetune-encoder` leaves out for the demo."""
    every = {key(s.text): s for source in VADER_SOURCES for s in vader_sentences(source)}
    learnt = {sentence.text for sentence in without_demo(every)}
    return [sentence for sentence in every.values() if sentence.text not in learnt]


def read_ratings(folder: Path, sentences: list[RatedSentence]) -> Floats:
    """What the encoder with its head reads of sentences (N,), within [-4, 4]."""
    record = json.loads((folder / RECORD).read_text())
    encoder, tokenizer = load_encoder(str(folder))
    encoder.eval()
    weight_F = torch.tensor(record["head"]["weight"])
    order = sorted(range(len(sentences)), key=lambda i: len(sentences[i].text))
    read_N = np.zeros(len(sentences))
    for first in range(0, len(order), BATCH):
        rows = order[first : first + BATCH]
        inputs = tokenizer(
            [sentences[i].text for i in rows],
            padding=True,
            truncation=True,
            max_length=record["recipe"]["max_text_length"],
            return_tensors="pt",
        )
        with torch.inference_mode():
            mask_BL1 = inputs["attention_mask"][..., None].float()
            mean_BF = (encoder(**inputs).last_hidden_state * mask_BL1).sum(1) / mask_BL1.sum(1)
        read_N[rows] = (mean_BF @ weight_F + record["head"]["bias"]).numpy() * record["sentences"]["most_rating"]
    return np.clip(read_N, -MOST_RATING, MOST_RATING)


def main() -> None:
    """Print a row a level."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", type=Path)
    parser.add_argument("--predictions", type=Path)
    parser.add_argument("--range", type=float, nargs=2, default=(-MOST_RATING, MOST_RATING))
    given = parser.parse_args()
    if given.encoder:
        sentences = unseen_sentences()
        label_N, score_N = np.array([s.rating for s in sentences]), read_ratings(given.encoder, sentences)
    else:
        table = Predictions.load(given.predictions)
        label_N, score_N = table.label_N, table.score_N
    print(f"{len(label_N)} clips, MAE {np.abs(label_N - score_N).mean():.3f}, half calibrated on, 200 re-splits")
    print("level   coverage: mean   sd     5 %    95 %   mean width")
    for level in LEVELS:
        covered, widths = resplit_coverage(score_N, label_N, level, tuple(given.range))
        low, high = np.quantile(covered, [0.05, 0.95])
        figures = [f"{value:.2%}" for value in (covered.mean(), covered.std(), low, high)]
        print(f"{level:5.0%}          {'  '.join(figures)}  {widths.mean():.2f}")


if __name__ == "__main__":
    main()
