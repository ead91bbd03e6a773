"""Recipe + store -> run folder, with the Hugging Face Trainer underneath."""

import math
import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from textmsa import metrics
from textmsa.batch import SampleDataset, standards_of, texts_of
from textmsa.config import AlignmentQuery, Recipe, TrainingConfig, check_recipe
from textmsa.controls import controlled, drop_modalities
from textmsa.errors import UserError
from textmsa.preparation import Preparation
from textmsa.progress import duration
from textmsa.run import HISTORY, MODEL, RECIPE, RUN, Run, RunInfo, score_all, seed_folder
from textmsa.store import Store

if TYPE_CHECKING:
    from textmsa.batch import Collator, Pieces
    from textmsa.model import TextMsaModel

CHECKPOINTS = "checkpoints"
TRIED = "tried"
ENCODED = "encoded"
TOKENISE = 1024  # texts at a time
EPSILON = 1e-9


@dataclass(frozen=True)
class TrainResult:
    """What `train` gives back."""

    path: Path
    info: RunInfo


def train(
    recipe: Recipe,
    *,
    data: Path,
    out: Path,
    device: str = "auto",
    precision: Literal["fp32", "bf16"] = "fp32",
    seeds: str = "",
) -> TrainResult:
    """Train TEXT on a prepared store; run the same command again to go on after a stop.

    Parameters
    ----------
    recipe
        A YAML file, or the name of one that comes with the package.
    data
        The store that `textmsa prepare` made.
    out
        The run folder to write.
    device
        "auto", "cpu" or "cuda:N".
    precision
        "fp32", or "bf16" for GPUs (on most CPUs bf16 is slower).
    seeds
        Several seeds, as in 1111,1112,1113, instead of the recipe's: one network for each, whose mean score is the
        run's. The first seed chooses among the alignment queries that the recipe tries. A run folder that holds some
        of them gets the others.

    Examples
    --------
    textmsa train demo --data store --out run
    textmsa train my.yaml --data store --out run --seeds 1111,1112,1113
    textmsa train demo --data store --out run --model.num_experts 8 --inputs.modalities text,audio
    """
    check_recipe(recipe)
    store = Store.open(data)
    store.indices("train"), store.indices("valid")  # each raises UserError where it is empty
    place = choose_device(device)
    if seeds:
        return _train_seeds(recipe, parse_seeds(seeds), store, out, place, precision)
    return _train_seed(recipe, store, out, place, precision)


def parse_seeds(given: str) -> list[int]:
    """ "1111,1112" -> [1111, 1112]; UserError for anything else, and for a seed that comes twice."""
    words = [word.strip() for word in given.split(",")]
    if not all(word.isdecimal() for word in words):
        raise UserError(f"--seeds {given!r}: give whole numbers from 0 with commas between, as in 1111,1112,1113")
    found = [int(word) for word in words]
    if len(set(found)) < len(found):
        raise UserError(f"--seeds {given!r}: a seed comes twice")
    return found


def _train_seeds(recipe: Recipe, seeds: list[int], store: Store, out: Path, device: str, precision: str) -> TrainResult:
    if (out / RUN).is_file():
        held = Run.open(out).info
        if held.seeds == seeds:
            return _finished(recipe, out)
        if not held.seeds or not set(held.seeds) <= set(seeds):
            held_seeds = ", ".join(map(str, held.seeds or [held.seed]))
            raise UserError(f"--out {out}: holds the seeds {held_seeds}; add others to them, or give another --out")
    _claim(recipe, out)
    infos: list[RunInfo] = []
    for seed in seeds:
        seeded = replace(recipe, training=replace(recipe.training, seed=seed))
        if infos and recipe.try_alignment_queries:  # the first seed has chosen
            chosen = cast(AlignmentQuery, infos[0].alignment_query)
            seeded = replace(seeded, model=replace(recipe.model, alignment_query=chosen), try_alignment_queries=())
        infos.append(_train_seed(seeded, store, seed_folder(out, seed), device, precision).info)
    Preparation.load(store.path).save(out)
    info = replace(infos[0], seeds=seeds)
    scored = Run(out, info, Preparation.load(out)).score(store, store.indices("valid"))
    family = metrics.family_of(store.manifest.score_range)
    info = replace(
        info,
        valid=metrics.evaluate(scored.score_N, store.labels("valid"), family),
        expert_load=np.mean([member.expert_load for member in infos], axis=0).tolist(),
        seconds=sum(member.seconds for member in infos),
    )
    info.save(out)
    errors = [member.valid["mae"] for member in infos]
    spread = f" +- {np.std(errors, ddof=1):.3f}" if len(errors) > 1 else ""
    count = f"{len(seeds)} seeds" if len(seeds) > 1 else "1 seed"
    print(
        f"{out}: {count}, valid MAE {np.mean(errors):.3f}{spread} each, {info.valid['mae']:.3f} by the mean "
        f"of their scores, {duration(info.seconds)}"
    )
    return TrainResult(out, info)


def _train_seed(recipe: Recipe, store: Store, out: Path, device: str, precision: str) -> TrainResult:
    """Train with the recipe's seed, once for each alignment query that it tries."""
    queries = recipe.try_alignment_queries
    if (out / RUN).is_file():
        return _finished(recipe, out)
    _claim(recipe, out)
    if not queries:
        result = train_one(recipe, store, out, device=device, precision=precision)
    else:
        results: dict[str, TrainResult] = {}
        for query in queries:
            variant = replace(recipe, model=replace(recipe.model, alignment_query=query), try_alignment_queries=())
            results[query] = _try(variant, store, out / TRIED / query, device, precision)
        result = _keep_best(results, out)
    info = result.info
    print(
        f"{out}: valid MAE {info.valid['mae']:.3f}, corr {info.valid['corr']:.3f} at epoch {info.best_epoch} of "
        f"{info.epochs}, alignment_query {info.alignment_query}, {duration(info.seconds)}"
    )
    return result


def choose_device(name: str) -> str:
    """ "cpu" or "cuda:N"; raises UserError where it does not exist."""
    import torch

    if name == "auto":
        return "cuda:0" if torch.cuda.is_available() else "cpu"
    if name != "cpu" and not (
        name.startswith("cuda") and name[4:5] in ("", ":") and name[5:].isdigit() | (not name[5:])
    ):
        raise UserError(f"--device {name!r}: give auto, cpu or cuda:N")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name.startswith("cuda") and int(name[5:] or 0) >= count:
        raise UserError(f"--device {name!r}: this machine has {count} CUDA device(s); give --device cpu")
    return name


def _claim(recipe: Recipe, out: Path) -> None:
    """Write the recipe into a new run folder; an unfinished one must have been made with the same recipe."""
    import yaml

    text = yaml.safe_dump(_plain(asdict(recipe)), sort_keys=False)
    if out.exists() and not (out / RECIPE).is_file() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"--out {out}: exists and is not a run folder; give another")
    if (out / RECIPE).is_file() and (out / RECIPE).read_text() != text:
        raise UserError(f"--out {out}: was begun with another recipe (see {out / RECIPE}); give another --out")
    out.mkdir(parents=True, exist_ok=True)
    (out / RECIPE).write_text(text)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _finished(recipe: Recipe, out: Path) -> TrainResult:
    _claim(recipe, out)
    print(f"{out}: finished before; nothing to do")
    return TrainResult(out, Run.open(out).info)


def _try(recipe: Recipe, store: Store, out: Path, device: str, precision: str) -> TrainResult:
    if (out / RUN).is_file():
        return TrainResult(out, Run.open(out).info)
    _claim(recipe, out)
    return train_one(recipe, store, out, device=device, precision=precision)


def _keep_best(results: dict[str, TrainResult], out: Path) -> TrainResult:
    """Copy the run with the lowest validation MAE to `out`."""
    best = min(results.values(), key=lambda result: result.info.valid["mae"])
    tried = {query: result.info.valid["mae"] for query, result in results.items()}
    for name in os.listdir(best.path):
        source, target = best.path / name, out / name
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif name not in (RUN, RECIPE):
            shutil.copy(source, target)
    for result in results.values():
        if result is not best:
            shutil.rmtree(result.path / MODEL, ignore_errors=True)
    info = replace(best.info, tried=tried, seconds=sum(result.info.seconds for result in results.values()))
    info.save(out)
    return TrainResult(out, info)


def train_one(recipe: Recipe, store: Store, out: Path, *, device: str, precision: str) -> TrainResult:
    """Train one model and write its run folder, whose run.json comes last."""
    import json

    from transformers import set_seed

    from textmsa.trainer import last_checkpoint

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

    from textmsa.batch import Collator
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


def frozen_layers(encoder: Any, trainable: str) -> int | None:
    """How many of the encoder's layers `encoder_trainable` keeps fixed, counted from below; None where none is."""
    from textmsa.model.text_encoder import encoder_layers

    if trainable in ("all", "lora"):
        return None
    count: int = encoder.config.num_hidden_layers
    if trainable == "none":
        return count
    last = int(trainable.removeprefix("last-"))
    if encoder_layers(encoder) is None:
        raise UserError(
            f"training.encoder_trainable {trainable!r}: the layers of {type(encoder).__name__} cannot be run one by "
            "one; give all, lora or none"
        )
    if last > count:
        raise UserError(f"training.encoder_trainable {trainable!r}: the text encoder has {count} layers; give fewer")
    return count - last


def prepare_encoder(
    model: "TextMsaModel", collator: "Collator", training: TrainingConfig, texts: "Sequence[str | Pieces]", root: Path
) -> None:
    """Freeze what is not trained, keep in `root` what it makes of `texts`, and add low-rank updates if asked."""
    from textmsa.encoded_texts import EncodedTexts

    encoder: Any = model.text_encoder
    if training.encoder_trainable == "lora":
        add_lora(encoder, training.lora_rank)
    frozen = frozen_layers(encoder, training.encoder_trainable)
    if frozen is None:
        return
    encoder.requires_grad_(False)
    trained = encoder.encoder.layer[frozen:] if frozen < encoder.config.num_hidden_layers else []
    for layer in trained:
        layer.requires_grad_(True)
    chunks = (collator.tokens(texts[start : start + TOKENISE]) for start in range(0, len(texts), TOKENISE))
    collator.encoded = EncodedTexts.of((c for c in chunks if c), encoder=encoder, layer=frozen, root=root)


def add_lora(encoder: Any, rank: int) -> None:
    """Low-rank updates beside every linear layer of the encoder, whose own weights are then fixed (peft)."""
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise UserError("training.encoder_trainable lora: needs peft: pip install 'textmsa[lora]'") from error
    config = LoraConfig(r=rank, lora_alpha=2 * rank, lora_dropout=0.05, target_modules="all-linear")
    inject_adapter_in_model(config, encoder)


def merge_lora(encoder: Any) -> None:
    """Put low-rank updates into the weights beside which they lie, so that the encoder is an ordinary one again."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    for name, module in list(encoder.named_modules()):
        if isinstance(module, BaseTunerLayer):
            module.merge()
            encoder.set_submodule(name, module.get_base_layer())


def epoch_history(log: list[dict[str, float]]) -> list[dict[str, float]]:
    """Per epoch the training loss and the validation metrics, from the Trainer's log."""
    rows: dict[int, dict[str, float]] = {}
    for entry in log:
        row = rows.setdefault(round(entry["epoch"]), {"epoch": round(entry["epoch"])})
        if "loss" in entry:
            row["train_loss"] = entry["loss"]
        row |= {key.replace("eval_", "valid_"): entry[key] for key in ("eval_mae", "eval_corr") if key in entry}
    return [row for row in rows.values() if "valid_mae" in row]


def schedule(training: TrainingConfig, steps_per_epoch: int, total_steps: int) -> Callable[[int], float]:
    """Learning rate as a share of its peak, by step (from 0)."""
    warmup = max(1, round(training.warmup_fraction * total_steps))

    def cosine(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total_steps - warmup)))

    def paper(step: int) -> float:
        epoch = step // steps_per_epoch
        return epoch / 20 if epoch <= 20 else 0.5 * (1 + math.cos(math.pi * (epoch - 21) / 180))

    return paper if training.schedule == "paper" else cosine


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

    from textmsa.trainer import ProgressLine, TextMsaTrainer

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
