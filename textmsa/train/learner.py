"""What learns: a network, the collator that feeds it, and the clips of both splits as it reads them."""

import json
import logging
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from textmsa import metrics
from textmsa.config import Recipe
from textmsa.errors import UserError
from textmsa.inputs.collator import Collator
from textmsa.inputs.examples import SampleDataset, have_text, texts_of
from textmsa.inputs.time_grid import standards_of
from textmsa.inputs.views import drop_modalities, view_of
from textmsa.intervals import LEVEL, check_enough
from textmsa.model import TextMsaConfig, TextMsaModel
from textmsa.model.rating import begin_with
from textmsa.model.text_encoder import load_encoder
from textmsa.run import MODEL
from textmsa.runtime.atomic import write_text
from textmsa.scoring import Scores, score_all
from textmsa.store import training_clips
from textmsa.store.reading import Store
from textmsa.train.encoder import RECORD, rating_head, record_of
from textmsa.train.probe_fitting import fit_probes
from textmsa.train.text_encoder import freeze_encoder, merge_lora

ENCODED = "encoded"
LEARNT_FROM = ("train", "valid")
KEPT_BYTES = 256 * 2**20
"""Of a split's examples, kept from epoch to epoch: some 10,000 clips."""
NEEDED_TEXTS = {
    "translated": "has a translation (text_en): textmsa prepare --translate en with a language model makes them",
    "reason": "is explained with a reason, which measured explanations never have: prepare with another explainer",
}
"""`inputs.text_input` -> what no clip has, where none has that text, and how to come by it."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Learner:
    """A network with all that it learns from. Use `Learner.build`.

    Parameters
    ----------
    collator
        Examples -> batch, with what the frozen part of the text encoder makes of the texts.
    splits
        "train" and "valid" -> the labelled clips as examples, in the order of `learnt_from`.
    family
        Of the corpus' metrics.
    """

    recipe: Recipe
    store: Store
    model: TextMsaModel
    collator: Collator
    splits: dict[str, SampleDataset]
    family: metrics.Family

    @staticmethod
    def build(recipe: Recipe, store: Store) -> "Learner":
        """A new network with the recipe's seed, and the splits of the store as the recipe wants them read."""
        from transformers import set_seed

        set_seed(recipe.training.seed)
        model, collator = build_model(recipe, store)
        view = view_of(store, recipe.inputs, store.preparation)
        freeze_encoder(model, collator, recipe.training, texts_of(view, model.config), store.path / ENCODED)
        rate, standards = recipe.training.modality_dropout, standards_of(store.statistics)
        if recipe.model.probes:
            whole = SampleDataset(view, indices := learnt_from(recipe, store, "train"), standards, model.config)
            videos = list(training_clips.videos_of(store, indices).values())
            frozen = recipe.training.encoder_trainable == "none"
            collator.probed = fit_probes(model, collator, whole, videos, words=frozen)
        thin = {"train": partial(drop_modalities, rate=rate)} if rate > 0 else {}
        splits = {
            split: SampleDataset(
                view, learnt_from(recipe, store, split), standards, model.config, thin.get(split), keep_bytes=KEPT_BYTES
            )
            for split in LEARNT_FROM
        }
        return Learner(recipe, store, model, collator, splits, metrics.family_of(store.manifest.score_range))

    def refit_intercept(self) -> float:
        """Move the score's last bias to where the loss on the clips learnt from is least; returns what was added.

        An epoch that validation chose ends at some step or other, and there all scores may be a little too low or high.
        """
        self.model.train(False)
        learnt = self.splits["train"]
        missing_N = self.store.label_N[learnt.indices] - score_all(self.model, self.collator, learnt).score_N
        added = float(np.median(missing_N) if self.recipe.training.loss == "l1" else missing_N.mean())
        last: Any = self.model.fusion.down
        with torch.no_grad():
            last.bias += added
        return added

    def validate(self) -> tuple[Scores, dict[str, float]]:
        """Scores and metrics of the validation split."""
        self.model.train(False)
        scored = score_all(self.model, self.collator, self.splits["valid"])
        return scored, metrics.evaluate(scored.score_N, labels_of(self.store, "valid"), self.family)

    def save(self, out: Path) -> None:
        """The network, as one that needs nothing of training, with its tokenizer and how its clips are prepared."""
        if self.recipe.training.encoder_trainable == "lora":
            merge_lora(self.model.text_encoder)
        self.model.save_pretrained(out / MODEL)
        self.collator.tokenizer.save_pretrained(out / MODEL)
        if (record := record_of(self.recipe.model.text_encoder)) is not None:
            write_text(out / MODEL / RECORD, json.dumps(record, indent=1) + "\n")
        self.store.preparation.save(out)


def build_model(recipe: Recipe, store: Store) -> tuple[TextMsaModel, Collator]:
    """A network with pretrained text encoder, sized by the store, and the collator that feeds it."""
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    encoder, tokenizer = load_encoder(recipe.model.text_encoder)
    statistics, read = store.statistics, recipe.inputs.modalities
    config = TextMsaConfig(
        **asdict(recipe.model),
        **asdict(recipe.inputs),
        audio_size=len(statistics.audio.names) if statistics.audio and "audio" in read else None,
        video_size=len(statistics.video.names) if statistics.video and "video" in read else None,
        unimodal_heads=recipe.training.unimodal_weight > 0,
        text_encoder_config=encoder.config.to_dict(),
    )
    model = TextMsaModel(config, encoder)
    if model.rating is not None:
        begin_with(model.rating.head, *rating_head(recipe.model.text_encoder, store.manifest.score_range))
        last: Any = model.fusion.down
        for parameter in last.parameters():
            torch.nn.init.zeros_(parameter)
    return model, Collator(tokenizer, config)


def labels_of(store: Store, split: str) -> npt.NDArray[np.float64]:
    """Labels (N,) in the order of `Store.labelled`."""
    return np.asarray(store.label_N[store.labelled(split)])


def learnt_from(recipe: Recipe, store: Store, split: str) -> list[int]:
    """Where the labelled clips of a split stand that are learnt from: of "train" as the recipe wants it."""
    if split != "train":
        return store.labelled(split)
    training = recipe.training
    return training_clips.learnt_from(store, aside=training.calibration_share, most=training.train_clips)


def check_data(recipe: Recipe, store: Store) -> None:
    """Log what of a store is not learnt from.

    Raises UserError where a split has no labelled clip, no clip to train on has the text that the recipe reads, or too
    few clips are set aside to calibrate on.
    """
    for split in LEARNT_FROM:
        labelled, clips = store.labelled(split), store.indices(split)
        if len(labelled) < len(clips):
            left_out = len(clips) - len(labelled)
            logger.info("%s: %d of %d clips have no label and are left out", split, left_out, len(clips))
    if share := recipe.training.calibration_share:
        aside = training_clips.set_aside(store, share)
        check_enough(len(aside), [LEVEL], "clip", where=f"training.calibration_share {share:g}")
        logger.info("train: %d of %d clips are set aside to calibrate on", len(aside), len(store.labelled("train")))
    if recipe.training.train_clips is not None:
        learnt, there = len(learnt_from(recipe, store, "train")), len(store.labelled("train"))
        logger.info("train: %d of %d clips are learnt from (training.train_clips)", learnt, there)
    if recipe.training.unimodal_weight > 0:
        _tell_unimodal_labels(recipe, store)
    inputs = recipe.inputs
    if "text" not in inputs.modalities:
        return
    having = have_text(view_of(store, inputs, store.preparation), inputs)
    training = learnt_from(recipe, store, "train")
    count = sum(having[index] for index in training)
    if not count and inputs.text_input in NEEDED_TEXTS and inputs.pieces == "tokenize":
        raise UserError(
            f"{store.path}: inputs.text_input {inputs.text_input}, and no clip to train on "
            f"{NEEDED_TEXTS[inputs.text_input]}; or give another inputs.text_input"
        )
    if count < len(training) and (count or inputs.pieces == "tokenize"):  # without any pieces it is refused later
        gone = len(training) - count
        logger.info("train: %d of %d clips have no text (inputs.text_input %s)", gone, len(training), inputs.text_input)


def _tell_unimodal_labels(recipe: Recipe, store: Store) -> None:
    """Log of which modalities nothing can be learnt alone, for want of labels."""
    training = np.array(learnt_from(recipe, store, "train"))
    for modality in recipe.inputs.modalities:
        label_N = np.array(store.column(f"label_{modality}"), np.float64)[training]
        label_N = label_N[np.isfinite(label_N)]
        if not len(label_N):
            logger.info("training.unimodal_weight: no clip to train on has a label of its %s alone", modality)
        elif np.ptp(label_N) == 0:
            logger.info(
                "training.unimodal_weight: all %d clips to train on have the same label %g of their %s alone",
                *(len(label_N), label_N[0], modality),
            )
