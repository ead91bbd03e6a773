"""`textmsa finetune-explainer`: a multimodal language model learns to describe (LoRA, Hu et al. 2021).

The paper fine-tunes VideoLLaMA 3 on EMER-fine (Lian et al. 2025, AffectGPT); r 64, alpha 16, dropout 0.05 and one
frame a second are its values. Only the tokens of the answers are learnt.
"""

import json
import math
import time
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from textmsa import seams
from textmsa.errors import UnreadableClip, UserError
from textmsa.explain.emer import read_bytes
from textmsa.explain.language_models.local_model import Inputs, LocalModel
from textmsa.explain.prompts import Language
from textmsa.runtime.atomic import write_text
from textmsa.runtime.progress import Meter
from textmsa.train.described_clips import Example, Shown, read_examples, unreadable

LAYERS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
"""The linear layers of the language model; those of eyes and ears stay as they are."""
READABLE, RECORD, CHECKPOINTS = "clips.json", "finetune.json", "checkpoints"
RECIPE = "options.json"
WAITING = 0.5  # seconds


@dataclass(frozen=True)
class FinetuneResult:
    """What came of it."""

    out: Path
    examples: int
    left_out: dict[str, str]
    """Clip -> why nothing is learnt of it."""

    @property
    def exit_code(self) -> int:
        """0 all were learnt from, 1 some clips could not be."""
        return int(bool(self.left_out))


def finetune_explainer(
    *,
    data: Path,
    clips: Path,
    model: str,
    out: Path,
    explainer: Literal["videollama3", "qwen_omni"] = "videollama3",
    revision: str | None = None,
    language: Language = "en",
    fps: float = 1.0,
    max_frames: int = 16,
    rank: int = 64,
    alpha: int = 16,
    dropout: float = 0.05,
    epochs: int = 3,
    batch_size: int = 1,
    gradient_accumulation: int = 8,
    learning_rate: float = 1e-4,
    warmup_fraction: float = 0.03,
    seed: int = 0,
    device: str = "auto",
    dtype: str = "auto",
    load_in_4bit: bool = False,
    gradient_checkpointing: bool = False,
) -> FinetuneResult:
    """Fine-tune an explainer's model with low-rank updates, on described clips.

    It may be stopped at any moment and run again. On several GPUs: torchrun --nproc-per-node N -m textmsa
    finetune-explainer ...

    Parameters
    ----------
    data
        EMER-fine's table (.csv with name, english and/or chinese), or VideoLLaMA 3's conversations (.jsonl with
        video, conversations). Where it has a column or key mode or split, only train is read.
    clips
        Folder of the clips; searched by name for a table, the root of relative paths for conversations.
    model
        Folder, or id on a hub.
    out
        Folder for the adapter; --explainer-options.adapter takes it.
    explainer
        Which model it is.
    revision
        Of a hub's id.
    language
        Of a table: the column and the prompts, "en" or "zh".
    fps
        Frames a second.
    max_frames
        Most frames of a clip.
    rank
        Of the updates.
    alpha
        Their scale, over the rank.
    dropout
        Before the updates.
    epochs
        Passes over the examples.
    batch_size
        Examples at a time, on each device.
    gradient_accumulation
        Batches a step.
    learning_rate
        Its highest value; a warm-up, then half a cosine to 0.
    warmup_fraction
        Share of the steps that warm up.
    seed
        Of the updates' first values and of the order.
    device
        "auto", "cpu" or "cuda:N"; under torchrun each process takes its own.
    dtype
        Of the weights that stay: "auto", "float32", "bfloat16" or "float16".
    load_in_4bit
        Keep them in 4 bits; needs the package bitsandbytes and a GPU.
    gradient_checkpointing
        Less memory, more time.

    Examples
    --------
    textmsa finetune-explainer --data described.csv --clips my_clips --model MODEL --out adapter
    """
    given = {name: value for name, value in locals().items() if name not in ("out", "device")}
    _check(given)
    options = {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}
    options["data_sha256"] = sha256(read_bytes(Path(data))).hexdigest()
    class_ = seams.load(seams.LANGUAGE_MODELS, explainer, what="language model")
    examples = read_examples(Path(data), Path(clips), language, class_.sees, class_.hears)
    out = Path(out)
    if (out / RECORD).is_file() and _same(out, options):
        print(f"{out}: finished before; nothing to do")
        learnt = json.loads((out / RECORD).read_text())["examples"]
        return FinetuneResult(out, learnt, json.loads((out / READABLE).read_text()))
    from accelerate import PartialState

    shown, state = Shown(fps, max_frames), PartialState(cpu=device == "cpu")
    if state.is_main_process:
        _claim(out, options)
        unreadable(examples, shown, out / READABLE)
    while not (out / READABLE).is_file():  # a barrier would give up after some minutes
        time.sleep(WAITING)
    left_out = json.loads((out / READABLE).read_text())
    kept = [example for example in examples if str(example.clip) not in left_out]
    if not kept:
        raise UserError(f"{clips}: none of the {len(left_out)} clips can be read (see {out / READABLE})")
    from transformers import set_seed

    set_seed(seed)
    if state.num_processes > 1 and state.device.type == "cuda":
        device = f"cuda:{state.local_process_index}"
    told = class_(model, revision=revision, device=device, dtype=dtype, load_in_4bit=load_in_4bit)
    net = with_updates(told, rank, alpha, dropout, gradient_checkpointing)
    steps = epochs * math.ceil(len(kept) / (batch_size * gradient_accumulation * state.num_processes))
    trainer = _trainer(
        told,
        net,
        _Examples(told, kept, shown),
        output_dir=str(out / CHECKPOINTS),
        num_train_epochs=epochs,
        per_device_train_batch_size=batch_size,
        gradient_accumulation_steps=gradient_accumulation,
        learning_rate=learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=round(warmup_fraction * steps),
        logging_steps=max(1, steps // 100),
        save_steps=max(1, min(100, steps // 10)),
        seed=seed,
        **({"gradient_checkpointing": True} if gradient_checkpointing else {}),
    )
    from textmsa.train.checkpoints import last_checkpoint

    trainer.train(resume_from_checkpoint=last_checkpoint(out / CHECKPOINTS))
    if state.is_main_process:
        net.save_pretrained(str(out))
        losses = [{"step": row["step"], "loss": row["loss"]} for row in trainer.state.log_history if "loss" in row]
        record = {"options": options, "base": told.identity(), "examples": len(kept), "left_out": len(left_out)}
        write_text(out / RECORD, json.dumps(record | {"losses": losses}, indent=1) + "\n")
        print(f"{out}: learnt from {len(kept)} answers; loss {losses[0]['loss']:.3f} -> {losses[-1]['loss']:.3f}")
        if left_out:
            print(f"{out / READABLE}: {len(left_out)} clips could not be read")
    return FinetuneResult(out, len(kept), left_out)


def _check(given: dict[str, Any]) -> None:
    above = ("fps", "max_frames", "rank", "alpha", "epochs", "batch_size", "gradient_accumulation", "learning_rate")
    for name in above:
        if not given[name] > 0:
            raise UserError(f"--{name.replace('_', '-')} {given[name]}: give more than 0")
    for name in ("dropout", "warmup_fraction"):
        if not 0 <= given[name] < 1:
            raise UserError(f"--{name.replace('_', '-')} {given[name]}: give 0 or more, below 1")


def _same(out: Path, options: dict[str, Any]) -> bool:
    return (out / RECIPE).is_file() and json.loads((out / RECIPE).read_text()) == options


def _claim(out: Path, options: dict[str, Any]) -> None:
    """Write the options into a new folder; what was begun with others is not gone on with."""
    if (out / RECIPE).is_file():
        if not _same(out, options):
            raise UserError(f"--out {out}: was begun with other options (see {out / RECIPE}); give another --out")
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"--out {out}: exists and is not a folder of this command; give another")
    out.mkdir(parents=True, exist_ok=True)
    write_text(out / RECIPE, json.dumps(options, indent=1) + "\n")


def with_updates(told: LocalModel, rank: int, alpha: int, dropout: float, gradient_checkpointing: bool) -> Any:
    """The network with low-rank updates beside the language model's linear layers; only these are trained."""
    try:
        from peft import LoraConfig, get_peft_model
    except ModuleNotFoundError as error:
        raise UserError("finetune-explainer needs the package peft: pip install 'textmsa[lora]'") from error
    if gradient_checkpointing:
        told.net.enable_input_require_grads()
    config = LoraConfig(
        r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=LAYERS, task_type="CAUSAL_LM", bias="none"
    )
    return get_peft_model(told.net, config)


class _Examples:
    """Examples as the network reads them, decoded when they are wanted."""

    def __init__(self, told: LocalModel, examples: list[Example], shown: Shown) -> None:
        self.told, self.examples, self.shown = told, examples, shown

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> Inputs:
        example = self.examples[index]
        try:
            question = self.shown.question(example)
        except UnreadableClip as error:
            raise UserError(f"{example.clip}: {error}; take it out of --data") from error
        return self.told.inputs(question, example.earlier, example.answer)


def _trainer(told: LocalModel, net: Any, examples: _Examples, **options: Any) -> Any:
    """The Hugging Face Trainer with the `options` of its arguments."""
    import torch
    from transformers import Trainer, TrainerCallback, TrainingArguments
    from transformers.trainer_callback import PrinterCallback

    cpu, dtype = told.device == "cpu", told.net.dtype
    arguments = TrainingArguments(
        save_strategy="steps",
        save_total_limit=1,
        bf16=dtype == torch.bfloat16 and not cpu,
        use_cpu=cpu,
        remove_unused_columns=False,
        label_names=["labels"],
        report_to=[],
        disable_tqdm=True,
        dataloader_pin_memory=not cpu,
        log_level="error",
        **options,
    )

    def batch(items: list[Inputs]) -> Inputs:
        found = told.collate(items, padding="right")
        return {name: value.to(dtype) if value.is_floating_point() else value for name, value in found.items()}

    class Line(TrainerCallback):
        """Steps, remaining time and the last loss on one line."""

        meter: Meter | None = None

        def on_train_begin(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            if state.is_world_process_zero:
                self.meter = Meter(total=state.max_steps, label="finetune", done=state.global_step)

        def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            if self.meter is not None:
                self.meter.advance()

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **others: Any) -> None:
            if self.meter is not None and "loss" in (logs or {}):
                self.meter.label = f"finetune (loss {logs['loss']:.3f})"

        def on_train_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
            if self.meter is not None:
                self.meter.close()

    trainer = Trainer(
        model=net,
        args=arguments,
        train_dataset=examples,  # type: ignore[arg-type]
        data_collator=batch,
    )
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(Line())
    return trainer
