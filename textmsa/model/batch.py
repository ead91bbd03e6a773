"""What the network reads: one padded, masked `Batch`.

Shapes: B clips, L word pieces, T steps, F features. Masks are True where real.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from textmsa.errors import UserError


class States(NamedTuple):
    """Hidden states (B, L, F) of word pieces after the text encoder's first `layer` layers."""

    values_BLF: Tensor
    layer: int


class Tokens(NamedTuple):
    """Word pieces of one text per clip; a clip without the text has an empty mask."""

    ids_BL: Tensor
    mask_BL: Tensor
    segments_BL: Tensor
    states: States | None = None
    """What a frozen part of the text encoder made of them before, if it did."""

    def each(self, change: Callable[[Tensor], Tensor]) -> "Tokens":
        """Ids, mask and segments changed alike, without states."""
        return Tokens(change(self.ids_BL), change(self.mask_BL), change(self.segments_BL))


class Steps(NamedTuple):
    """Feature steps of one modality; a clip without the modality has an empty mask."""

    values_BTF: Tensor
    mask_BT: Tensor


@dataclass(frozen=True)
class Batch:
    """What the network reads. None: no clip of the batch has it, and nothing is computed for it."""

    text: Tokens | None
    audio: Steps | None
    video: Steps | None
    audio_explanation: Tokens | None = None
    video_explanation: Tokens | None = None
    label_B: Tensor | None = None
    unimodal_label_BM: Tensor | None = None
    """Labels of text, audio and video alone; NaN where there is none."""
    probed_BM: Tensor | None = None
    """What probes that have not learnt from these clips read of them; None: the network's own probes read them."""
    ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.present_BM.device.type == "cpu" and not self.present_BM.any(dim=1).all():
            rows = (~self.present_BM.any(dim=1)).nonzero().flatten().tolist()
            names = ", ".join(self.ids[row] if self.ids else f"row {row}" for row in rows[:3])
            raise UserError(f"{names}: text, audio and video are all missing; a score needs at least one of them")

    def __len__(self) -> int:
        stream = next(stream for stream in (self.text, self.audio, self.video) if stream is not None)
        return len(stream[0])

    @property
    def present_BM(self) -> Tensor:
        """Which of text, audio and video (M = 3) each clip has."""
        streams = (self.text, self.audio, self.video)
        known = next((stream for stream in streams if stream is not None), None)
        if known is None:
            raise UserError("text, audio and video are all missing; a score needs at least one of them")
        absent = known[1].new_zeros(len(known[1]))
        return torch.stack([absent if s is None else s[1].any(dim=1) for s in streams], dim=1)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Batch":
        """The batch on another device."""

        def moved(value: Any) -> Any:
            if isinstance(value, Tensor):
                return value.to(device, non_blocking=non_blocking)
            if isinstance(value, Tokens | Steps | States):
                return type(value)(*(moved(part) for part in value))
            return value

        return replace(self, **{f.name: moved(getattr(self, f.name)) for f in fields(self)})
