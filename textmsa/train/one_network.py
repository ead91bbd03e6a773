"""One network: built, trained by the Hugging Face Trainer, written as a run folder."""

import os
import shutil
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from textmsa import metrics
from textmsa.config import Recipe
from textmsa.errors import UserError
from textmsa.inputs.examples import SampleDataset, texts_of
from textmsa.inputs.time_grid import standards_of
from textmsa.inputs.views import controlled, drop_modalities
from textmsa.run import HISTORY, MODEL, RunInfo
from textmsa.scoring import score_all
from textmsa.store.preparation import Preparation
from textmsa.store.reading import Store
from textmsa.train.checkpoints import CHECKPOINTS
from textmsa.train.text_encoder import merge_lora, prepare_encoder

if TYPE_CHECKING:
    from textmsa.inputs.collator import Collator
    from textmsa.model import TextMsaModel


ENCODED = "encoded"


@dataclass(frozen=True)
class TrainResult:
    """What `train` gives back."""

    path: Path
    info: RunInfo


def train_one(recipe: Recipe, store: Store, out: Path, *, device: str, precision: str) -> TrainResult:
    """Train one model and write its run folder, whose run.json comes last."""
    import json

    from transformers import set_seed

    from textmsa.train.checkpoints import last_checkpoint

    started = time.monotonic()
    preparation = Preparation.load(store.path)
    set_seed(recipe.training.seed)
    model, collator = build_model(recipe, store)
    view = controlled(store, recipe.inputs, preparation)
    prepare_encoder(model, collator, recipe.training, texts_of(view, model.config), store.path / ENCODED)
    rate, standards = recipe.training.modality_dropout, standards_of(store.statistics)
    thin = partial(drop_modalities, rate=rate) if rate > 0 else None
    splits = {
        split: SampleDataset(view, store.indices(split), standards, model.config, thin if split == "train" else None)
        for split in ("train", "valid")
    }
    trainer = _trainer(recipe, model, collator, splits, out, device=device, precision=precision, store=store)
    checkpoints = out / CHECKPOINTS
    trainer.train(resume_from_checkpoint=last_checkpoint(checkpoints))

    model = trainer.model.eval()
    scored = score_all(model, collator, splits["valid"])
    if recipe.training.encoder_trainable == "lora":
        merge_lora(model.text_encoder)
    history = epoch_history(trainer.state.log_history)
    (out / HISTORY).write_text(json.dumps(history, indent=1) + "\n")
    model.save_pretrained(out / MODEL)
    collator.tokenizer.save_pretrained(out / MODEL)
    preparation.save(out)
    shutil.rmtree(checkpoints, ignore_errors=True)
    family = metrics.family_of(store.manifest.score_range)
    info = RunInfo(
        corpus=store.manifest.corpus,
        store=str(store.path),
        score_range=store.manifest.score_range,
        seed=recipe.training.seed,
        alignment_query=recipe.model.alignment_query,
        epochs=len(history),
        best_epoch=int(min(history, key=lambda row: row["valid_mae"])["epoch"]),
        valid=metrics.evaluate(scored.score_N, store.labels("valid"), family),
        tried={},
        expert_load=(scored.experts_NLE > 0).mean(axis=0).tolist(),
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        seconds=time.monotonic() - started,
        device=device,
        precision=precision,
        packages=store.manifest.packages,
    )
    info.save(out)
    return TrainResult(out, info)


def build_model(recipe: Recipe, store: Store) -> "tuple[TextMsaModel, Collator]":
    """A network with pretrained text encoder, sized by the store, and the collator that feeds it."""
    from transformers.utils import logging

    from textmsa.inputs.collator import Collator
    from textmsa.model import TextMsaConfig, TextMsaModel
    from textmsa.model.text_encoder import load_encoder

    logging.disable_progress_bar()
    encoder, tokenizer = load_encoder(recipe.model.text_encoder)
    statistics, read = store.statistics, recipe.inputs.modalities
    config = TextMsaConfig(
        **asdict(recipe.model),
        **asdict(recipe.inputs),
        audio_size=len(statistics.audio.names) if statistics.audio and "audio" in read else None,
        video_size=len(statistics.video.names) if statistics.video and "video" in read else None,
        text_encoder_config=encoder.config.to_dict(),
    )
    return TextMsaModel(config, encoder), Collator(tokenizer, config)


def epoch_history(log: list[dict[str, float]]) -> list[dict[str, float]]:
    """Per epoch the training loss and the validation metrics, from the Trainer's log."""
    rows: dict[int, dict[str, float]] = {}
    for entry in log:
        row = rows.setdefault(round(entry["epoch"]), {"epoch": round(entry["epoch"])})
        if "loss" in entry:
            row["train_loss"] = entry["loss"]
        row |= {key.replace("eval_", "valid_"): entry[key] for key in ("eval_mae", "eval_corr") if key in entry}
    return [row for row in rows.values() if "valid_mae" in row]


def _trainer(
    recipe: Recipe,
    model: "TextMsaModel",
    collator: "Collator",
    splits: dict[str, SampleDataset],
    out: Path,
    *,
    device: str,
    precision: str,
    store: Store,
) -> Any:
    from transformers import EarlyStoppingCallback, TrainingArguments
    from transformers.trainer_callback import PrinterCallback

    from textmsa.train.trainer import ProgressLine, TextMsaTrainer

    training = recipe.training
    if device.startswith("cuda"):
        os.environ["CUDA_VISIBLE_DEVICES"] = device[5:] or "0"
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(out / "tensorboard")
    arguments = TrainingArguments(
        output_dir=str(out / CHECKPOINTS),
        num_train_epochs=training.epochs,
        per_device_train_batch_size=training.batch_size,
        per_device_eval_batch_size=64,
        max_grad_norm=training.max_grad_norm,
        eval_strategy="epoch",
        save_strategy="epoch",
        logging_strategy="epoch",
        save_total_limit=1,
        load_best_model_at_end=True,
        metric_for_best_model="mae",
        greater_is_better=False,
        report_to=["tensorboard"],
        seed=training.seed,
        bf16=precision == "bf16",
        use_cpu=device == "cpu",
        remove_unused_columns=False,
        label_names=["labels"],
        disable_tqdm=True,
        dataloader_num_workers=training.data_workers,
        dataloader_persistent_workers=training.data_workers > 0,
        dataloader_pin_memory=device != "cpu",
        log_level="error",
    )
    family = metrics.family_of(store.manifest.score_range)

    def valid_metrics(prediction: Any) -> dict[str, float]:
        return metrics.evaluate(np.asarray(prediction.predictions), np.asarray(prediction.label_ids), family)

    trainer = TextMsaTrainer(
        training=training,
        model=model,
        args=arguments,
        train_dataset=splits["train"],
        eval_dataset=splits["valid"],
        data_collator=Inputs(collator),
        compute_metrics=valid_metrics,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(ProgressLine(f"train {out.name}"))
    if training.patience is not None:
        trainer.add_callback(EarlyStoppingCallback(early_stopping_patience=training.patience))
    return trainer


@dataclass(frozen=True)
class Inputs:
    """Examples -> what the Trainer passes on: labels for its bookkeeping, the batch for the network."""

    collator: "Collator"

    def __call__(self, examples: Any) -> dict[str, Any]:
        """Raises UserError for clips without a label."""
        batch = self.collator(examples)
        if batch.label_B is None:
            raise UserError(f"clips without a label cannot be trained on: {', '.join(batch.ids[:3])}")
        return {"labels": batch.label_B, "batch": batch}
