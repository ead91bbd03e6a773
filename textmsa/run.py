"""A run folder: a trained model with all that is needed to use it again.

run.json            written last: its presence means that training is complete
recipe.yaml         every choice, as it was
claim.json          recipe, store and precision that it was begun with; nothing else is trained in the folder
seed-N/             a run folder for each seed, where several were trained: then the rest is there, not here, and the
                    run's score is the mean of theirs
model/              config.json, model.safetensors, tokenizer, README.md (the model card)
preparation.json, statistics.json   how clips are made into features and explanations
history.json        per epoch: training loss, validation metrics
tensorboard/        the same for TensorBoard
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, asdict, dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np

from textmsa.config import Recipe, load_recipe
from textmsa.errors import UserError, first_line
from textmsa.inputs.collator import Collator
from textmsa.inputs.examples import SampleDataset, SampleList, example_of, missing_of
from textmsa.inputs.time_grid import standards_of
from textmsa.inputs.views import view_of
from textmsa.runtime.atomic import read_json, understood, write_json
from textmsa.scoring import Scores, mean_of, score_all
from textmsa.store.preparation import Preparation
from textmsa.types import Precision as Precision
from textmsa.types import Sample, Samples

if TYPE_CHECKING:
    from textmsa.model import TextMsaModel
    from textmsa.store.reading import Store


RUN = "run.json"
MODEL = "model"
RECIPE = "recipe.yaml"
HISTORY = "history.json"
DRIFT_CLIPS = 64
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model")


@dataclass(frozen=True)
class RunInfo:
    """What run.json says of a finished training."""

    corpus: str
    store: str
    score_range: tuple[float, float]
    seed: int
    alignment_query: str
    epochs: int
    """Trained in all."""
    best_epoch: int
    """Whose weights were kept: the one with the lowest validation MAE."""
    valid: dict[str, float]
    """Validation metrics of the kept weights; NaN where one is not defined, as with labels that are all equal."""
    tried: dict[str, float]
    """Validation MAE by `alignment_query`, where several were tried."""
    expert_load: list[list[float]]
    """Layer -> expert -> share of the validation clips routed to it."""
    parameters: int
    seconds: float
    device: str
    precision: str
    packages: dict[str, str] = field(default_factory=dict)
    """Package -> version: those that made the store, and those that trained."""
    seeds: list[int] = field(default_factory=list)
    """Where several were trained: their seeds; the figures above are then of the mean of their scores."""

    commit: str | None = None
    """Of this package's checkout, where it was one."""
    created: str = ""
    """ISO 8601, UTC; empty in the runs of textmsa 0.1."""
    training_mean: float | None = None
    """Mean label of the clips that were trained on; None in runs from before it was recorded."""

    def save(self, folder: Path) -> None:
        """Write run.json at once or not at all."""
        valid = {name: None if math.isnan(value) else value for name, value in self.valid.items()}
        write_json(folder / RUN, asdict(self) | {"valid": valid})  # JSON has no NaN

    @staticmethod
    def load(folder: Path) -> "RunInfo":
        """Read run.json; raises UserError where it is damaged, of another format or not whole."""
        path, remedy = folder / RUN, "train again into another folder"
        document = read_json(path, remedy=remedy, unstamped=True)
        needed = {part.name for part in fields(RunInfo) if part.default is part.default_factory is MISSING}
        if missing := sorted(needed - document.keys()):
            raise UserError(f"{path}: lacks {', '.join(missing)}; {remedy}")
        if unknown := sorted(document.keys() - {part.name for part in fields(RunInfo)}):
            raise UserError(
                f"{path}: has {', '.join(unknown)}, which this textmsa does not know; use the one that wrote it"
            )
        with understood(path, remedy=remedy):
            low, high = document["score_range"]
            document["score_range"] = (float(low), float(high))
            valid = document["valid"].items()
            document["valid"] = {name: math.nan if value is None else float(value) for name, value in valid}
            document["seeds"] = [int(seed) for seed in document.get("seeds", [])]
            return RunInfo(**document)


class Run:
    """A finished run. Use `Run.open`."""

    def __init__(self, path: Path, info: RunInfo, preparation: Preparation) -> None:
        self.path, self.info, self.preparation = path, info, preparation

    @staticmethod
    def open(path: Path | str) -> "Run":
        """Open a finished run; raises UserError, saying what to do, for anything else."""
        path = Path(path)
        if not (path / RUN).is_file():
            if (path / RECIPE).is_file():
                raise UserError(f"{path}: training is not finished; run the same textmsa train again to go on")
            raise UserError(
                f"{path}: not a run folder; make one with: textmsa train RECIPE.yaml --data STORE --out RUN"
            )
        return Run(path, RunInfo.load(path), Preparation.load(path))

    @cached_property
    def recipe(self) -> Recipe | None:
        """Every choice of its training; None where the folder lacks it."""
        path = self.path / RECIPE
        return load_recipe(path) if path.is_file() else None

    @cached_property
    def members(self) -> "list[Run]":
        """The run of each seed where several were trained, else the run itself."""
        return [Run.open(seed_folder(self.path, seed)) for seed in self.info.seeds] or [self]

    @cached_property
    def model(self) -> "TextMsaModel":
        """The trained network, in evaluation mode on the CPU."""
        from transformers.utils import logging

        from textmsa.model import TextMsaModel

        logging.disable_progress_bar()
        with self._whole_model():
            model: TextMsaModel = TextMsaModel.from_pretrained(self.path / MODEL)
        model.train(False)
        return model

    @cached_property
    def int8_model(self) -> "TextMsaModel":
        """The same with its text encoder in 8-bit integers."""
        from textmsa.model.int8 import with_int8_encoder

        return with_int8_encoder(self.model)

    @cached_property
    def collator(self) -> Collator:
        """Examples -> batch, with the model's tokenizer and switches."""
        from transformers import AutoTokenizer

        config = self.model.config  # given, since transformers would take the one on disk for a stranger's
        with self._whole_model():
            if not any((self.path / MODEL / name).is_file() for name in TOKENIZER_FILES):
                raise OSError("no tokenizer")  # transformers would make one that knows no word
            return Collator(AutoTokenizer.from_pretrained(self.path / MODEL, config=config), config)

    @contextmanager
    def _whole_model(self) -> Iterator[None]:
        """Around code that reads the network's folder: what is damaged or gone there is one line."""
        from safetensors import SafetensorError

        try:
            yield
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
            raise UserError(
                f"{self.path / MODEL}: damaged ({first_line(error)}); copy the run folder again, or train again into "
                "another"
            ) from error

    def load(self, precision: Precision = "fp32") -> "list[tuple[TextMsaModel, Collator]]":
        """The network of each member and the collator that feeds it; read from disk the first time.

        Raises UserError for another precision, and where a network's folder is damaged.
        """
        if precision not in get_args(Precision):
            raise UserError(f"precision {precision!r}: give one of {', '.join(get_args(Precision))}")
        return [(m.int8_model if precision == "int8" else m.model, m.collator) for m in self.members]

    def check(self, store: "Store") -> None:
        """Raises UserError where a store was not prepared as this run's training data were, or has other scores."""
        if store.manifest.score_range != self.info.score_range:
            (low, high), (own_low, own_high) = store.manifest.score_range, self.info.score_range
            raise UserError(
                f"{store.path}: has scores in [{low:g}, {high:g}], and {self.path} was trained on scores in "
                f"[{own_low:g}, {own_high:g}]: give a store of the same range, or train on this one"
            )
        differences = self.preparation.differences(store.preparation)
        if differences:
            raise UserError(
                f"{store.path}: prepared otherwise than the data of {self.path} ({'; '.join(differences)}): "
                "give the store it was trained on, or train on this one"
            )
        own = self.preparation.statistics
        if own is not None and own.sha256 != store.statistics.sha256:
            raise UserError(
                f"{store.path}: its statistics are not those of {self.path}, whose network would read it wrongly: "
                f"prepare the corpus with textmsa prepare CORPUS --like {self.path}, or train on this one"
            )

    def score(
        self, samples: Samples | Sequence[Sample], indices: Sequence[int], *, precision: Precision = "fp32"
    ) -> Scores:
        """Score the samples at `indices`; each one's score depends on that sample only."""
        return mean_of(self.score_members(samples, indices, precision=precision))

    def score_members(
        self, samples: Samples | Sequence[Sample], indices: Sequence[int], *, precision: Precision = "fp32"
    ) -> list[Scores]:
        """The scores of each seed's network; of one where one was trained."""
        assert self.preparation.statistics is not None
        standards = standards_of(self.preparation.statistics)
        whole = _whole(samples)
        return [
            score_all(model, collator, SampleDataset(self.view(whole, model), indices, standards, model.config))
            for model, collator in self.load(precision)
        ]

    def view(self, samples: Samples, model: "TextMsaModel") -> Samples:
        """The samples as the network was trained to read them."""
        return view_of(samples, model.config, self.preparation)

    def reads(self, sample: Sample) -> tuple[str | None, dict[str, str]]:
        """What the network reads of a sample, of which it may use less than there is.

        Returns its text, None where there is none, and, for each modality of which it reads nothing, why.
        """
        assert self.preparation.statistics is not None
        model = self.members[0].model
        viewed = self.view(SampleList([sample]), model)[0]
        example = example_of(viewed, standards_of(self.preparation.statistics), model.config)
        text = example.text if isinstance(example.text, str) else None
        return text, missing_of(viewed, example, model.config)

    def drift(self, samples: Samples | Sequence[Sample], indices: Sequence[int], scored: Scores) -> str:
        """How far int8 `scored` lies from the scores in fp32, on the first clips, as a line for people."""
        few = list(indices[:DRIFT_CLIPS])
        gap_N = np.abs(scored.score_N[: len(few)] - self.score(samples, few).score_N)
        low, high = self.info.score_range
        return (
            f"int8 against fp32 on {len(few)} clip(s): |drift| median {np.median(gap_N):.4f}, most {gap_N.max():.4f} "
            f"({np.median(gap_N) / (high - low):.2%} and {gap_N.max() / (high - low):.2%} of the range)"
        )


def _whole(samples: Samples | Sequence[Sample]) -> Samples:
    return SampleList(samples) if isinstance(samples, Sequence) else samples


def seed_folder(run: Path, seed: int) -> Path:
    """Where the run of one of several seeds lies."""
    return run / f"seed-{seed}"
