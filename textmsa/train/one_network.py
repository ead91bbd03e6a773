"""One network: built, trained by the Hugging Face Trainer, written as a run folder."""

import json
import shutil
import time
from datetime import UTC, datetime

from textmsa.run import HISTORY, MODEL, RunInfo
from textmsa.runtime.atomic import write_text
from textmsa.runtime.versions import TRAINING, commit, package_versions
from textmsa.train.checkpoints import CHECKPOINTS, last_checkpoint
from textmsa.train.encoder import ratings_learnt
from textmsa.train.job import Job
from textmsa.train.learner import Learner
from textmsa.train.model_card import CARD, model_card


def train_one(job: Job) -> RunInfo:
    """Train one network and write its run folder, whose run.json comes last."""
    started = time.monotonic()
    learner = Learner.build(job.recipe, job.store)
    history = fit(learner, job)
    if job.recipe.training.refit_intercept:
        learner.refit_intercept()
    scored, valid = learner.validate()
    learner.save(job.folder)
    manifest = job.store.manifest
    info = RunInfo(
        corpus=manifest.corpus,
        store=str(job.store.path),
        score_range=manifest.score_range,
        seed=job.recipe.training.seed,
        alignment_query=job.recipe.model.alignment_query,
        epochs=len(history),
        best_epoch=int(min(history, key=lambda row: row["valid_mae"])["epoch"]),
        valid=valid,
        tried={},
        expert_load=(scored.experts_NLE > 0).mean(axis=0).tolist(),
        parameters=sum(parameter.numel() for parameter in learner.model.parameters()),
        seconds=time.monotonic() - started,
        device=job.device,
        precision=job.precision,
        packages=manifest.packages | package_versions(TRAINING),
        commit=commit(),
        created=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        training_mean=float(job.store.label_N[learner.splits["train"].indices].mean()),
    )
    write_text(job.folder / HISTORY, json.dumps(history, indent=1) + "\n")
    write_text(job.folder / MODEL / CARD, model_card(info, job.recipe, manifest, ratings_learnt(job.folder / MODEL)))
    shutil.rmtree(job.folder / CHECKPOINTS, ignore_errors=True)
    info.save(job.folder)
    return info


def fit(learner: Learner, job: Job) -> list[dict[str, float]]:
    """Train, from the last checkpoint where there is one; the best epoch's weights are then the network's."""
    from textmsa.train.trainer import trainer_of

    trainer = trainer_of(learner, job.folder, device=job.device, precision=job.precision)
    trainer.train(resume_from_checkpoint=last_checkpoint(job.folder / CHECKPOINTS))
    return epoch_history(trainer.state.log_history)


def epoch_history(log: list[dict[str, float]]) -> list[dict[str, float]]:
    """Per epoch the training loss and the validation metrics, from the Trainer's log."""
    rows: dict[int, dict[str, float]] = {}
    for entry in log:
        row = rows.setdefault(round(entry["epoch"]), {"epoch": round(entry["epoch"])})
        if "loss" in entry:
            row["train_loss"] = entry["loss"]
        measured = {key: entry[key] for key in ("eval_mae", "eval_corr") if key in entry}
        row |= {key.replace("eval_", "valid_"): value for key, value in measured.items() if value == value}  # not NaN
    return [row for row in rows.values() if "valid_mae" in row]
