"""The device that a network computes on."""

from textmsa.errors import UserError


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
