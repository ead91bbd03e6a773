"""The Hugging Face Trainer, with our loss, optimiser groups, schedule and progress line."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import EarlyStoppingCallback, EvalPrediction, Trainer, TrainerCallback, TrainerState
from transformers.integrations import TensorBoardCallback
from transformers.trainer_callback import PrinterCallback

from textmsa import metrics
from textmsa.config import TrainingConfig
from textmsa.inputs.collator import Collator
from textmsa.inputs.examples import Example
from textmsa.model.unimodal import LOSSES, unimodal_loss
from textmsa.runtime.progress import Meter
from textmsa.train.checkpoints import CHECKPOINTS
from textmsa.train.learner import Learner
from textmsa.train.one_device import BEST_EPOCH, OneDeviceArguments
from textmsa.train.schedule import schedule

VALID_BATCH = 64  # clips
TENSORBOARD = "tensorboard"
OF_ENCODER = ("text_encoder.", "rating.")  # what learns with `training.encoder_learning_rate`


def trainer_of(learner: Learner, out: Path, *, device: str, precision: str) -> "TextMsaTrainer":
    """A trainer that keeps its checkpoints in `out`; the epoch with the lowest validation MAE is the one kept."""
    training = learner.recipe.training

    def valid_metrics(prediction: EvalPrediction) -> dict[str, float]:
        scores_N, labels_N = np.asarray(prediction.predictions), np.asarray(prediction.label_ids)
        return metrics.evaluate(scores_N, labels_N, learner.family)

    arguments = OneDeviceArguments(
        place=device,
        output_dir=str(out / CHECKPOINTS),
        num_train_epochs=training.epochs,
        per_device_train_batch_size=training.batch_size,
        per_device_eval_batch_size=VALID_BATCH,
        max_grad_norm=training.max_grad_norm,
        seed=training.seed,
        bf16=precision == "bf16",
        dataloader_num_workers=training.data_workers,
        dataloader_persistent_workers=training.data_workers > 0,
        **BEST_EPOCH,
    )
    trainer = TextMsaTrainer(
        training=training,
        model=learner.model,
        args=arguments,
        train_dataset=learner.splits["train"],
        eval_dataset=learner.splits["valid"],
        data_collator=Inputs(learner.collator),
        compute_metrics=valid_metrics,
    )
    board = TensorBoardCallback()
    board.logging_dir = str(out / TENSORBOARD)
    trainer.remove_callback(PrinterCallback)
    for callback in (board, ProgressLine(f"train {out.name}")):
        trainer.add_callback(callback)
    if training.patience is not None:
        trainer.add_callback(EarlyStoppingCallback(early_stopping_patience=training.patience))
    return trainer


@dataclass(frozen=True)
class Inputs:
    """Examples -> what the Trainer passes on: labels for its bookkeeping, the batch for the network."""

    collator: Collator

    def __call__(self, examples: Sequence[Example]) -> dict[str, Any]:
        """Every example has a label."""
        batch = self.collator(examples)
        assert batch.label_B is not None, f"clips without a label: {', '.join(batch.ids[:3])}"
        return {"labels": batch.label_B, "batch": batch}


class TextMsaTrainer(Trainer):
    """Trains a `TextMsaModel` on inputs {"labels", "batch"}."""

    def __init__(self, *, training: TrainingConfig, **options: Any) -> None:
        super().__init__(**options)
        self.training = training

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: object = None
    ) -> Any:
        """The recipe's regression loss, and the weighted one of each stream alone and of the readings together."""
        batch = inputs["batch"]
        output = model(batch)
        loss = LOSSES[self.training.loss](output.score_B, inputs["labels"])
        if self.training.unimodal_weight > 0:
            alone = unimodal_loss(output.unimodal_BM, batch.unimodal_label_BM, self.training.loss)
            if output.readings_B is not None:
                alone = alone + LOSSES[self.training.loss](output.readings_B, inputs["labels"])
            loss = loss + self.training.unimodal_weight * alone
        return (loss, output) if return_outputs else loss

    def prediction_step(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        prediction_loss_only: bool,
        ignore_keys: list[str] | None = None,
    ) -> tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor | None]:
        """Loss, scores and labels of one validation batch."""
        inputs = self._prepare_inputs(inputs)
        with torch.no_grad(), self.compute_loss_context_manager():
            loss, output = self.compute_loss(model, inputs, return_outputs=True)
        return loss.detach(), None if prediction_loss_only else output.score_B, inputs["labels"]

    def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return {name: value.to(self.args.device) for name, value in inputs.items()}

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Not counted: the Trainer's estimate is made for language models."""
        return 0

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """Fused AdamW; the text encoder has a learning rate of its own."""
        trained: Any = model or self.model
        if self.optimizer is None:
            named = [(n, p) for n, p in trained.named_parameters() if p.requires_grad]
            encoder = [p for n, p in named if n.startswith(OF_ENCODER)]
            rest = [p for n, p in named if not n.startswith(OF_ENCODER)]
            peak = self.training.learning_rate
            groups = [
                {"params": rest, "lr": peak},
                {"params": encoder, "lr": self.training.encoder_learning_rate or peak},
            ]
            self.optimizer = torch.optim.AdamW(
                [group for group in groups if group["params"]], weight_decay=self.training.weight_decay, fused=True
            )
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> Any:
        """The recipe's schedule, per step."""
        if self.lr_scheduler is None:
            steps_per_epoch = max(1, num_training_steps // self.training.epochs)
            share = schedule(self.training, steps_per_epoch, num_training_steps)
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer or self.create_optimizer(), share)
        return self.lr_scheduler


class ProgressLine(TrainerCallback):
    """Steps, remaining time and the last validation MAE on one line."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.meter: Meter | None = None

    def on_train_begin(self, args: object, state: TrainerState, control: object, **others: Any) -> None:
        """Start counting, from where an earlier run stopped."""
        self.meter = Meter(total=state.max_steps, label=self.label, done=state.global_step)

    def on_step_end(self, args: object, state: TrainerState, control: object, **others: Any) -> None:
        """Count one step."""
        if self.meter is not None:
            self.meter.advance()

    def on_evaluate(self, args: object, state: TrainerState, control: object, **others: Any) -> None:
        """Show the validation MAE beside the count."""
        if self.meter is not None:
            mae, before = others["metrics"]["eval_mae"], state.best_metric  # which this epoch is not among yet
            best = mae if before is None else min(mae, before)
            self.meter.label = f"{self.label} (valid MAE {mae:.3f}, best {best:.3f})"

    def on_train_end(self, args: object, state: TrainerState, control: object, **others: Any) -> None:
        """Close the line."""
        if self.meter is not None:
            self.meter.close()
