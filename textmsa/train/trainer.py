"""The Hugging Face Trainer, with our loss, optimiser groups, schedule and progress line."""

from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers import Trainer, TrainerCallback

from textmsa.config import TrainingConfig
from textmsa.runtime.progress import Meter
from textmsa.train.schedule import schedule

LOSSES = {"mse": functional.mse_loss, "l1": functional.l1_loss}


class TextMsaTrainer(Trainer):
    """Trains a `TextMsaModel` on inputs {"labels", "batch"}."""

    def __init__(self, *, training: TrainingConfig, **options: Any) -> None:
        super().__init__(**options)
        self.training = training

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The recipe's regression loss."""
        output = model(inputs["batch"])
        loss = LOSSES[self.training.loss](output.score_B, inputs["labels"])
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
            encoder = [p for n, p in named if n.startswith("text_encoder.")]
            rest = [p for n, p in named if not n.startswith("text_encoder.")]
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

    def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Start counting, from where an earlier run stopped."""
        self.meter = Meter(total=state.max_steps, label=self.label, done=state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Count one step."""
        if self.meter is not None:
            self.meter.advance()

    def on_evaluate(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Show the validation MAE beside the count."""
        if self.meter is not None:
            best = state.best_metric
            shown = f"valid MAE {others['metrics']['eval_mae']:.3f}" + (
                f", best {best:.3f}" if best is not None else ""
            )
            self.meter.label = f"{self.label} ({shown})"

    def on_train_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        """Close the line."""
        if self.meter is not None:
            self.meter.close()
