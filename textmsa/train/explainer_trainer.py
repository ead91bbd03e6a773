"""The Hugging Face Trainer for an explainer's model: low-rank updates, answers to learn, a progress line."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import Trainer, TrainerCallback, TrainerState
from transformers.trainer_callback import PrinterCallback

from textmsa.errors import UnreadableClip, UserError
from textmsa.explain.language_models.local_model import Inputs, LocalModel
from textmsa.runtime.progress import Meter
from textmsa.train.described_clips import Example, Shown
from textmsa.train.one_device import OneDeviceArguments

if TYPE_CHECKING:
    from peft import PeftModel

    from textmsa.train.explainer import FinetuneRecipe

LOGS, MOST_STEPS_A_CHECKPOINT, CHECKPOINTS_A_RUN = 100, 100, 10


def with_updates(model: LocalModel, recipe: "FinetuneRecipe") -> "PeftModel":
    """The network with low-rank updates beside the language model's linear layers; only these are trained."""
    try:
        from peft import LoraConfig, get_peft_model
    except ModuleNotFoundError as error:
        raise UserError("finetune-explainer needs the package peft: pip install 'textmsa[lora]'") from error
    if recipe.gradient_checkpointing:
        model.net.enable_input_require_grads()
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=recipe.dropout,
        target_modules=model.updated_layers,
        task_type="CAUSAL_LM",
        bias="none",
    )
    updated: PeftModel = get_peft_model(model.net, config)
    return updated


class AnswersToLearn:
    """Examples as the network reads them, decoded when they are wanted."""

    def __init__(self, model: LocalModel, examples: list[Example], shown: Shown) -> None:
        self.model, self.examples, self.shown = model, examples, shown

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> Inputs:
        example = self.examples[index]
        try:
            question = self.shown.question(example)
        except UnreadableClip as error:
            raise UserError(f"{example.clip}: {error}; take it out of --data") from error
        return self.model.inputs(question, example.earlier, example.answer)


def trainer_of(
    model: LocalModel,
    network: "PeftModel",
    recipe: "FinetuneRecipe",
    examples: list[Example],
    shown: Shown,
    checkpoints: Path,
    *,
    steps: int,
) -> Trainer:
    """A trainer on the model's device, and on no other; under torchrun each process has its own."""
    cpu, dtype = model.device == "cpu", model.net.dtype
    arguments = OneDeviceArguments(
        place=model.device,
        output_dir=str(checkpoints),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch_size,
        gradient_accumulation_steps=recipe.gradient_accumulation,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=round(recipe.warmup_fraction * steps),
        logging_steps=max(1, steps // LOGS),
        save_strategy="steps",
        save_steps=max(1, min(MOST_STEPS_A_CHECKPOINT, steps // CHECKPOINTS_A_RUN)),
        save_total_limit=1,
        seed=recipe.seed,
        bf16=dtype == torch.bfloat16 and not cpu,
        remove_unused_columns=False,
        label_names=["labels"],
        report_to=[],
        disable_tqdm=True,
        log_level="error",
        **({"gradient_checkpointing": True} if recipe.gradient_checkpointing else {}),  # its name will change
    )

    def batch(items: list[Inputs]) -> Inputs:
        collated = model.collate(items, padding="right")
        return {name: value.to(dtype) if value.is_floating_point() else value for name, value in collated.items()}

    trainer = Trainer(
        model=network,
        args=arguments,
        train_dataset=AnswersToLearn(model, examples, shown),
        data_collator=batch,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(LossLine())
    return trainer


class LossLine(TrainerCallback):
    """Steps, remaining time and the last loss on one line, of the first process."""

    meter: Meter | None = None

    def on_train_begin(self, args: object, state: TrainerState, control: object, **others: Any) -> None:
        """Start counting, from where an earlier run stopped."""
        if state.is_world_process_zero:
            self.meter = Meter(total=state.max_steps, label="finetune", done=state.global_step)

    def on_step_end(self, args: object, state: object, control: object, **others: Any) -> None:
        """Count one step."""
        if self.meter is not None:
            self.meter.advance()

    def on_log(
        self, args: object, state: object, control: object, logs: dict[str, float] | None = None, **others: Any
    ) -> None:
        """Show the loss beside the count."""
        if self.meter is not None and logs is not None and "loss" in logs:
            self.meter.label = f"finetune (loss {logs['loss']:.3f})"

    def on_train_end(self, args: object, state: object, control: object, **others: Any) -> None:
        """Close the line."""
        if self.meter is not None:
            self.meter.close()
