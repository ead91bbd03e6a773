"""The Hugging Face Trainer for a text encoder that learns ratings.

Shapes: B sentences, L word pieces, F the encoder's width.
"""

import shutil
from collections.abc import Sequence
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
from textmsa.rated_sentences import RatedSentence, as_spoken
from textmsa.runtime.atomic import read_json
from textmsa.train.checkpoints import CHECKPOINTS, last_checkpoint
from textmsa.train.encoder import RECORD, REMEDY
from textmsa.train.one_device import BEST_EPOCH, OneDeviceArguments
from textmsa.train.teacher import TaughtSentence, taught_sentences
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
        self.head_of_states: nn.Linear | None = None
        self.state_weight = 0.0
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def learn_states(self, size: int, weight: float) -> None:
        """Learn a teacher's mean states, of that size, too; `weight` of them in the loss."""
        self.head_of_states, self.state_weight = nn.Linear(self.head.in_features, size), weight

    def mean_states(self, **inputs: Tensor) -> Tensor:
        """The mean (B, F) of the last states over the word pieces of `inputs`, the tokenizer's."""
        weight_BL1 = inputs["attention_mask"][..., None].float()
        states_BLF = self.encoder(**inputs).last_hidden_state
        mean_BF: Tensor = (states_BLF * weight_BL1).sum(dim=1) / weight_BL1.sum(dim=1)
        return mean_BF

    def forward(self, labels: Tensor, teacher_BF: Tensor | None = None, **inputs: Tensor) -> dict[str, Tensor]:
        """Ratings (B,) in [-1, 1] of `inputs`, the tokenizer's, with the mean absolute error from `labels` (B,).

        Where the teacher's mean states are given, and are learnt, their distance has a share in the loss.
        """
        mean_BF = self.mean_states(**inputs)
        rating_B = self.head(mean_BF).squeeze(1)
        loss = functional.l1_loss(rating_B, labels)
        if self.head_of_states is not None and teacher_BF is not None:
            cosine_B = functional.cosine_similarity(self.head_of_states(mean_BF), teacher_BF)
            loss = loss + self.state_weight * (1 - cosine_B).mean()
        return {"loss": loss, "logits": rating_B}


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
                {"params": [p for n, p in named if not n.startswith("head")], "lr": self.recipe.learning_rate},
                {"params": [p for n, p in named if n.startswith("head")], "lr": self.recipe.head_learning_rate},
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
    learnt: Sequence[RatedSentence] = corpus.learnt
    if recipe.teacher:
        learnt = taught = taught_sentences(recipe, corpus, out / CHECKPOINTS / "teacher.npz", device=device)
        if recipe.state_weight:
            reader.learn_states(len(taught[0].state_F), recipe.state_weight)
    trainer = _trainer_of(reader, batch, recipe, learnt, corpus, out, device=device)
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

    sentences: Sequence[RatedSentence]
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
        """Padded to the longest; labels in [-1, 1]; the teacher's mean states (B, F) of those that have them."""
        inputs = self.tokenizer(
            [sentence.text for sentence in sentences],
            padding=True,
            truncation=True,
            max_length=self.max_text_length,
            return_tensors="pt",
        )
        inputs["labels"] = torch.tensor([sentence.rating / self.most for sentence in sentences])
        states = [sentence.state_F for sentence in sentences if isinstance(sentence, TaughtSentence)]
        if states:
            inputs["teacher_BF"] = torch.from_numpy(np.stack(states)).float()
        return dict(inputs)


def measured(read_N: np.ndarray, rated_N: np.ndarray) -> dict[str, float]:
    """MAE, correlation and R2 of ratings that were read against those that people gave."""
    found = metrics.evaluate(read_N, rated_N)
    spread = float(((rated_N - rated_N.mean()) ** 2).sum())
    r2 = 1 - float(((read_N - rated_N) ** 2).sum()) / spread if spread else float("nan")
    values = {"mae": found["mae"], "corr": found["corr"], "r2": r2}
    return {name: round(value, 5) for name, value in values.items() if np.isfinite(value)}


def _trainer_of(
    reader: RatingReader,
    batch: Sentences,
    recipe: "EncoderRecipe",
    learnt: Sequence[RatedSentence],
    corpus: "RatingCorpus",
    out: Path,
    *,
    device: str,
) -> RatingTrainer:
    steps = recipe.epochs * -(-len(learnt) // recipe.batch_size)
    arguments = OneDeviceArguments(
        place=device,
        output_dir=str(out / CHECKPOINTS),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch_size,
        per_device_eval_batch_size=SCORE_BATCH,
        lr_scheduler_type="cosine",
        warmup_steps=round(recipe.warmup_fraction * steps),
        seed=recipe.seed,
        bf16=recipe.precision == "bf16",
        **BEST_EPOCH,
    )

    def valid_metrics(prediction: EvalPrediction) -> dict[str, float]:
        return measured(np.asarray(prediction.predictions) * batch.most, np.asarray(prediction.label_ids) * batch.most)

    trainer = RatingTrainer(
        recipe=recipe,
        model=reader,
        args=arguments,
        train_dataset=Dressed(learnt, recipe.spoken),
        eval_dataset=corpus.held_out,
        data_collator=batch,
        compute_metrics=valid_metrics,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(ProgressLine("finetune encoder"))
    return trainer
