"""The Hugging Face Trainer for a text encoder that learns ratings.

Shapes: B sentences, L word pieces, F the encoder's width.
"""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import Dataset, Sampler
from transformers import EvalPrediction, Trainer, set_seed
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_pt_utils import LengthGroupedSampler

from textmsa import metrics
from textmsa.model.text_encoder import load_encoder
from textmsa.rated_sentences import RatedSentence
from textmsa.runtime.atomic import read_json
from textmsa.train.checkpoints import CHECKPOINTS, last_checkpoint
from textmsa.train.encoder import RECORD, REMEDY, as_spoken
from textmsa.train.one_device import BEST_EPOCH, OneDeviceArguments
from textmsa.train.text_encoder import add_lora, merge_lora, train_last_layers
from textmsa.train.trainer import ProgressLine

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from textmsa.train.encoder import EncoderRecipe, RatingCorpus

SCORE_BATCH = 128  # sentences


@dataclass(frozen=True)
class LearntRatings:
    """How an encoder reads the held-out sentences, in the ratings' units."""

    measured: dict[str, float]
    by_source: dict[str, dict[str, float]]
    epochs: list[dict[str, float]]
    head: dict[str, Any]
    """The linear layer on the mean of the states: weight (F,) and bias of ratings in [-1, 1]."""


class RatingReader(nn.Module):
    """A rating from the mean of the encoder's last states over a sentence's word pieces."""

    def __init__(self, encoder: nn.Module, size: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(size, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, labels: Tensor, **inputs: Tensor) -> dict[str, Tensor]:
        """Ratings (B,) in [-1, 1] of `inputs`, the tokenizer's, with the mean absolute error from `labels` (B,)."""
        weight_BL1 = inputs["attention_mask"][..., None].float()
        states_BLF = self.encoder(**inputs).last_hidden_state
        mean_BF = (states_BLF * weight_BL1).sum(dim=1) / weight_BL1.sum(dim=1)
        rating_B = self.head(mean_BF).squeeze(1)
        return {"loss": functional.l1_loss(rating_B, labels), "logits": rating_B}


class RatingTrainer(Trainer):
    """Trains a `RatingReader`; the head has a learning rate of its own."""

    def __init__(self, *, recipe: "EncoderRecipe", **options: Any) -> None:
        super().__init__(**options)
        self.recipe = recipe

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """Fused AdamW."""
        trained: Any = model or self.model
        if self.optimizer is None:
            named = [(n, p) for n, p in trained.named_parameters() if p.requires_grad]
            groups = [
                {"params": [p for n, p in named if not n.startswith("head.")], "lr": self.recipe.learning_rate},
                {"params": [p for n, p in named if n.startswith("head.")], "lr": self.recipe.head_learning_rate},
            ]
            self.optimizer = torch.optim.AdamW(groups, weight_decay=self.recipe.weight_decay, fused=True)
        return self.optimizer

    def _get_train_sampler(self, train_dataset: Dataset[RatedSentence] | None = None) -> Sampler[int] | None:
        if not self.recipe.group_by_length:
            return super()._get_train_sampler(train_dataset)
        sentences: Any = train_dataset or self.train_dataset
        return LengthGroupedSampler(self.recipe.batch_size, lengths=[len(s.text) for s in sentences.sentences])

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not counted: the Trainer's estimate is made for language models."""
        return 0


def learn_ratings(recipe: "EncoderRecipe", corpus: "RatingCorpus", out: Path, *, device: str) -> LearntRatings:
    """Train, from the last checkpoint where there is one, and write encoder and tokenizer into `out`."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    set_seed(recipe.seed)
    encoder, tokenizer = load_encoder(recipe.text_encoder)
    if recipe.trainable == "lora":
        add_lora(encoder, recipe.lora_rank)
    elif recipe.trainable != "all":
        train_last_layers(encoder, recipe.trainable)
    reader = RatingReader(encoder, encoder.config.hidden_size)
    if (head := head_of(Path(recipe.text_encoder))) is not None:
        reader.head.load_state_dict(head)
    batch = Sentences(tokenizer, recipe.max_text_length, corpus.most)
    trainer = _trainer_of(reader, batch, recipe, corpus, out, device=device)
    trainer.train(resume_from_checkpoint=last_checkpoint(out / CHECKPOINTS))
    prediction = trainer.predict(corpus.held_out)  # type: ignore[arg-type]
    read, rated = (np.asarray(values) * corpus.most for values in (prediction.predictions, prediction.label_ids))
    sources = np.array([sentence.source for sentence in corpus.held_out])
    if recipe.trainable == "lora":
        merge_lora(encoder)
    encoder.save_pretrained(out)
    tokenizer.save_pretrained(out)
    shutil.rmtree(out / CHECKPOINTS, ignore_errors=True)
    return LearntRatings(
        measured=measured(read, rated),
        by_source={s: measured(read[sources == s], rated[sources == s]) for s in np.unique(sources).tolist()},
        epochs=[
            {name: row[name] for name in ("epoch", "eval_mae", "eval_corr")}
            for row in trainer.state.log_history
            if "eval_mae" in row
        ],
        head={"weight": reader.head.weight[0].tolist(), "bias": reader.head.bias.item()},
    )


def head_of(folder: Path) -> dict[str, Tensor] | None:
    """The linear layer that reads ratings in [-1, 1] from the encoder of that folder; None of one without."""
    if not (folder / RECORD).is_file():
        return None
    head = read_json(folder / RECORD, remedy=REMEDY, unstamped=True)["head"]
    return {"weight": torch.tensor([head["weight"]]), "bias": torch.tensor([head["bias"]])}


@dataclass(frozen=True)
class Dressed(Dataset[RatedSentence]):
    """Sentences of which that share, drawn anew each time, is as speech is written down."""

    sentences: list[RatedSentence]
    spoken: float

    def __len__(self) -> int:
        return len(self.sentences)

    def __getitem__(self, index: int) -> RatedSentence:
        sentence = self.sentences[index]
        if self.spoken and torch.rand(()) < self.spoken:
            return replace(sentence, text=as_spoken(sentence.text))
        return sentence


@dataclass(frozen=True)
class Sentences:
    """Rated sentences -> what a `RatingReader` reads."""

    tokenizer: "PreTrainedTokenizerBase"
    max_text_length: int
    most: float

    def __call__(self, sentences: list[RatedSentence]) -> dict[str, Tensor]:
        """Padded to the longest; labels in [-1, 1]."""
        inputs = self.tokenizer(
            [sentence.text for sentence in sentences],
            padding=True,
            truncation=True,
            max_length=self.max_text_length,
            return_tensors="pt",
        )
        return {**inputs, "labels": torch.tensor([sentence.rating / self.most for sentence in sentences])}


def measured(read_N: np.ndarray, rated_N: np.ndarray) -> dict[str, float]:
    """MAE, correlation and R2 of ratings that were read against those that people gave."""
    found = metrics.evaluate(read_N, rated_N)
    spread = float(((rated_N - rated_N.mean()) ** 2).sum())
    r2 = 1 - float(((read_N - rated_N) ** 2).sum()) / spread if spread else float("nan")
    values = {"mae": found["mae"], "corr": found["corr"], "r2": r2}
    return {name: round(value, 5) for name, value in values.items() if np.isfinite(value)}


def _trainer_of(
    reader: RatingReader, batch: Sentences, recipe: "EncoderRecipe", corpus: "RatingCorpus", out: Path, *, device: str
) -> RatingTrainer:
    steps = recipe.epochs * -(-len(corpus.learnt) // recipe.batch_size)
    arguments = OneDeviceArguments(
        place=device,
        output_dir=str(out / CHECKPOINTS),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch_size,
        per_device_eval_batch_size=SCORE_BATCH,
        lr_scheduler_type="cosine",
        warmup_steps=round(recipe.warmup_fraction * steps),
        seed=recipe.seed,
        **BEST_EPOCH,
    )

    def valid_metrics(prediction: EvalPrediction) -> dict[str, float]:
        return measured(np.asarray(prediction.predictions) * batch.most, np.asarray(prediction.label_ids) * batch.most)

    trainer = RatingTrainer(
        recipe=recipe,
        model=reader,
        args=arguments,
        train_dataset=Dressed(corpus.learnt, recipe.spoken),
        eval_dataset=corpus.held_out,
        data_collator=batch,
        compute_metrics=valid_metrics,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(ProgressLine("finetune encoder"))
    return trainer
