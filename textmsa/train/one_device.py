"""One device for the Hugging Face Trainer, which would otherwise take all that the machine has."""

from functools import cached_property
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import DistributedType
from transformers import TrainingArguments

BEST_EPOCH: dict[str, Any] = {
    **dict.fromkeys(("eval_strategy", "save_strategy", "logging_strategy"), "epoch"),
    "save_total_limit": 1,
    "load_best_model_at_end": True,
    "metric_for_best_model": "mae",
    "greater_is_better": False,
    "report_to": [],
    "remove_unused_columns": False,
    "label_names": ["labels"],
    "disable_tqdm": True,
    "log_level": "error",
}
"""Of a training that keeps the epoch with the lowest validation MAE, with a progress line of ours."""


class OneDeviceArguments(TrainingArguments):
    """The Trainer's arguments, for `place` and no other device; under torchrun each process keeps its own.

    The Trainer itself takes the first GPU, and every other one too, by `nn.DataParallel`. Nothing is asked of the
    environment: by now CUDA may have started, after which CUDA_VISIBLE_DEVICES is not read.

    Parameters
    ----------
    place
        "cpu" or "cuda:N".
    options
        Of `TrainingArguments`.
    """

    def __init__(self, *, place: str, **options: Any) -> None:
        self.place = place
        super().__init__(use_cpu=place == "cpu", dataloader_pin_memory=place != "cpu", **options)

    @cached_property
    def _setup_devices(self) -> torch.device:
        first: torch.device = super()._setup_devices
        state = PartialState()
        if self.place == "cpu" or state.distributed_type != DistributedType.NO:
            return first
        device = torch.device(self.place)
        torch.cuda.set_device(device)  # what is moved to "cuda", without a number, lands there too
        state.device = device
        self._n_gpu = 1
        return device
