"""`textmsa finetune-explainer`: a multimodal language model learns to describe (LoRA, Hu et al. 2021).

The paper fine-tunes VideoLLaMA 3 on EMER-fine (Lian et al. 2025, AffectGPT); r 64, alpha 16, dropout 0.05 and one
frame a second are its values. Only the tokens of the answers are learnt.
"""

import json
import math
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from textmsa import seams
from textmsa.errors import UserError
from textmsa.explain.language_models.local_model import LocalModel
from textmsa.explain.prompts import Language
from textmsa.runtime.atomic import read_bytes, read_json, write_text
from textmsa.runtime.claim import CLAIM, Claim, differences
from textmsa.train.checkpoints import CHECKPOINTS, last_checkpoint
from textmsa.train.described_clips import DescribedClips, Example, Shown, unreadable

if TYPE_CHECKING:
    from accelerate import PartialState

COMMAND = "textmsa finetune-explainer"
READABLE, RECORD = "clips.json", "finetune.json"
OLD_CLAIM = "options.json"
"""What claim.json was called once."""
WAITING = 0.5  # seconds
REMEDY = "give another folder"


@dataclass(frozen=True, kw_only=True)
class FinetuneRecipe:
    """All that decides what is learnt of some descriptions."""

    model: str
    """Folder, id on a hub, or (causal_lm) a file in GGUF."""
    explainer: Literal["videollama3", "qwen_omni", "causal_lm"] = "videollama3"
    """Which model it is; causal_lm, a model of words alone, learns conversations without a clip (--data in .jsonl)."""
    revision: str | None = None
    """Of a hub's id."""
    language: Language = "en"
    """Of a table: the column and the prompts, "en" or "zh"."""
    fps: float = 1.0
    """Frames a second."""
    max_frames: int = 16
    """Most frames of a clip."""
    rank: int = 64
    """Of the updates."""
    alpha: int = 16
    """Their scale, over the rank."""
    dropout: float = 0.05
    """Before the updates."""
    epochs: int = 3
    """Passes over the examples."""
    batch_size: int = 1
    """Examples at a time, on each device."""
    gradient_accumulation: int = 8
    """Batches a step."""
    learning_rate: float = 1e-4
    """Its highest value; a warm-up, then half a cosine to 0."""
    warmup_fraction: float = 0.03
    """Share of the steps that warm up."""
    seed: int = 0
    """Of the updates' first values and of the order."""
    dtype: str = "auto"
    """Of the weights that stay: "auto", "float32", "bfloat16" or "float16"."""
    load_in_4bit: bool = False
    """Keep them in 4 bits; needs the package bitsandbytes and a GPU."""
    gradient_checkpointing: bool = False
    """Less memory, more time."""

    def check(self) -> None:
        """Raises UserError for values with which nothing can be learnt."""
        above = ("fps", "max_frames", "rank", "alpha", "epochs", "batch_size", "gradient_accumulation", "learning_rate")
        for name in above:
            if not getattr(self, name) > 0:
                raise UserError(f"--{name.replace('_', '-')} {getattr(self, name)}: give more than 0")
        for name in ("dropout", "warmup_fraction"):
            if not 0 <= getattr(self, name) < 1:
                raise UserError(f"--{name.replace('_', '-')} {getattr(self, name)}: give 0 or more, below 1")

    def steps(self, examples: int, processes: int) -> int:
        """Steps of the whole training."""
        return self.epochs * math.ceil(examples / (self.batch_size * self.gradient_accumulation * processes))


@dataclass(frozen=True)
class FinetuneResult:
    """What came of it."""

    out: Path
    examples: int
    left_out: dict[str, str]
    """Clip -> why nothing is learnt of it."""
    losses: tuple[float, ...] = ()
    """In the order of the steps; none where it was finished before, and in all processes of torchrun but the first."""
    finished_before: bool = False

    @property
    def exit_code(self) -> int:
        """0 all were learnt from, 1 some clips could not be."""
        return int(bool(self.left_out))

    def text(self) -> str:
        """For people; empty in all processes of torchrun but the first."""
        if self.finished_before:
            return f"{self.out}: finished before; nothing to do"
        if not self.losses:
            return ""
        first, last = self.losses[0], self.losses[-1]
        lines = [f"{self.out}: learnt from {self.examples} answers; loss {first:.3f} -> {last:.3f}"]
        if self.left_out:
            lines.append(f"{self.out / READABLE}: {len(self.left_out)} clips could not be read")
        return "\n".join(lines)


def finetune_explainer(
    *, data: Path, clips: Path, out: Path, recipe: FinetuneRecipe, device: str = "auto"
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
    out
        Folder for the adapter; --explainer-options.adapter takes it.
    recipe
        What is learnt and how; on the command line each of its values is an option.
    device
        "auto", "cpu" or "cuda:N"; under torchrun each process takes its own.

    Examples
    --------
    textmsa finetune-explainer --data described.csv --clips my_clips --model MODEL --out adapter
    """
    recipe.check()
    return finetune(recipe, DescribedClips(Path(data), Path(clips), recipe.language), Path(out), device=device)


def finetune(recipe: FinetuneRecipe, described: DescribedClips, out: Path, *, device: str) -> FinetuneResult:
    """Write the adapter into `out`, whose finetune.json comes last; as `finetune_explainer`."""
    class_ = seams.load(seams.LANGUAGE_MODELS, recipe.explainer, what="language model")
    examples = described.read(sees=class_.sees, hears=class_.hears)
    claim = claim_of(recipe, described, out)
    if (out / RECORD).is_file():
        _adopt(claim)
        claim.take()
        learnt = int(read_json(out / RECORD, remedy=REMEDY, unstamped=True)["examples"])
        return FinetuneResult(out, learnt, _left_out(out), finished_before=True)
    from accelerate import PartialState

    state = PartialState(cpu=device == "cpu")
    if state.is_main_process:
        _adopt(claim)
    with claim.held() if state.is_main_process else nullcontext():
        return _finetune(recipe, class_, examples, described, claim, state, device=device)


def _finetune(
    recipe: FinetuneRecipe,
    class_: type[LocalModel],
    examples: list[Example],
    described: DescribedClips,
    claim: Claim,
    state: "PartialState",
    *,
    device: str,
) -> FinetuneResult:
    """As `finetune`, in a folder that the first process holds."""
    out, shown = claim.folder, Shown(recipe.fps, recipe.max_frames)
    if state.is_main_process:
        unreadable(examples, shown, out / READABLE)
    while not (out / READABLE).is_file():  # a barrier would give up after some minutes
        time.sleep(WAITING)
    left_out = _left_out(out)
    readable = [example for example in examples if str(example.clip) not in left_out]
    if not readable:
        raise UserError(f"{described.clips}: none of the {len(left_out)} clips can be read (see {out / READABLE})")
    if state.num_processes > 1 and state.device.type == "cuda":
        device = f"cuda:{state.local_process_index}"
    trained, losses = _learn(recipe, class_, readable, shown, out, device=device, processes=state.num_processes)
    if not state.is_main_process:
        return FinetuneResult(out, len(readable), left_out)
    record = {
        "options": claim.options,
        "base": trained.identity(),
        "examples": len(readable),
        "left_out": len(left_out),
    }
    write_text(out / RECORD, json.dumps(record | {"losses": losses}, indent=1) + "\n")
    return FinetuneResult(out, len(readable), left_out, tuple(row["loss"] for row in losses))


def _learn(
    recipe: FinetuneRecipe,
    class_: type[LocalModel],
    examples: list[Example],
    shown: Shown,
    out: Path,
    *,
    device: str,
    processes: int,
) -> tuple[LocalModel, list[dict[str, Any]]]:
    """The model, its adapter written to `out` by the first process, and the loss by step."""
    from transformers import set_seed

    from textmsa.train.explainer_trainer import trainer_of, with_updates

    set_seed(recipe.seed)
    model = class_(
        recipe.model, revision=recipe.revision, device=device, dtype=recipe.dtype, load_in_4bit=recipe.load_in_4bit
    )
    network = with_updates(model, recipe)
    steps = recipe.steps(len(examples), processes)
    trainer = trainer_of(model, network, recipe, examples, shown, out / CHECKPOINTS, steps=steps)
    trainer.train(resume_from_checkpoint=last_checkpoint(out / CHECKPOINTS))
    if trainer.is_world_process_zero():
        network.save_pretrained(str(out))
    return model, [{"step": row["step"], "loss": row["loss"]} for row in trainer.state.log_history if "loss" in row]


def claim_of(recipe: FinetuneRecipe, described: DescribedClips, out: Path) -> Claim:
    """What the folder is begun with: the recipe, what the descriptions hold, and where the clips lie."""
    facts = {"data_sha256": sha256(read_bytes(described.data)).hexdigest(), "clips": str(described.clips.resolve())}
    return Claim(out, COMMAND, asdict(recipe) | facts)


def _adopt(claim: Claim) -> None:
    """Claim a folder that an older textmsa began, which has its options in another file; leave any other as it is."""
    old = claim.folder / OLD_CLAIM
    if old.is_file() and not (claim.folder / CLAIM).is_file():
        options = read_json(old, remedy=REMEDY, unstamped=True)
        options.pop("data", None)
        options["clips"] = str(Path(options.get("clips", "")).resolve())
        if found := differences(claim.options, options):
            raise UserError(f"{claim.folder}: was begun otherwise by {COMMAND} ({'; '.join(found)}); {REMEDY}")
        claim.write()


def _left_out(out: Path) -> dict[str, str]:
    return dict(read_json(out / READABLE, remedy=REMEDY, unstamped=True))
