"""The device that a network computes on."""

import re

from textmsa.errors import UserError


def choose_device(name: str) -> str:
    """ "auto", "cpu", "cuda" or "cuda:N" -> "cpu" or "cuda:N"; raises UserError where it does not exist."""
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return "cuda:0" if count else "cpu"
    if name == "cpu":
        return name
    wanted = re.fullmatch(r"cuda(?::(\d+))?", name, re.ASCII)
    if wanted is None:
        raise UserError(f"device {name!r}: give auto, cpu or cuda:N")
    number = int(wanted[1] or 0)
    if number >= count:
        raise UserError(f"device {name!r}: this machine has {count} CUDA device(s); give cpu")
    return f"cuda:{number}"
