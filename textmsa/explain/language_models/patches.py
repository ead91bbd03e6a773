"""Frames -> the patches that the vision encoders of VideoLLaMA 3 and Qwen-Omni read, without torchvision.

Sizes and order are those of the processors in transformers (Apache-2.0), to which `tests/golden` compares them.

Shape suffixes: T frames, H height, W width, C colours, P patches, K values a patch.
"""

import json
import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from textmsa.errors import UserError
from textmsa.explain.language_models.loading import checkpoint_file
from textmsa.explain.language_models.question import Picture

if TYPE_CHECKING:
    import torch

WIDEST = 200
"""Longest side to shortest, of pictures that these encoders take."""
SETTINGS = (
    ("processor_config.json", "video_processor"),
    ("video_preprocessor_config.json", ""),
    ("preprocessor_config.json", ""),
)
"""Where checkpoints keep their rules, the first that is there: file, and the part of it."""


@dataclass(frozen=True)
class PatchRules:
    """How frames are sized, scaled and cut."""

    min_pixels: int
    max_pixels: int
    """Of a frame."""
    mean: tuple[float, ...]
    std: tuple[float, ...]
    """Of each colour, in [0, 1]."""
    patch_size: int = 14
    temporal_patch_size: int = 1
    """Frames a patch."""
    merge_size: int = 2
    """Patches along each side that become one token."""
    share_pixels: bool = False
    """Whether `max_pixels` is for all frames together."""

    @property
    def side(self) -> int:
        """Height and width are multiples of it."""
        return self.patch_size * self.merge_size

    def updated(self, settings: dict[str, Any]) -> "PatchRules":
        """The same with what a checkpoint's own file says."""
        size = settings.get("size") or {}
        theirs = {
            "min_pixels": settings.get("min_pixels") or size.get("shortest_edge"),
            "max_pixels": settings.get("max_pixels") or size.get("longest_edge"),
            "mean": settings.get("image_mean"),
            "std": settings.get("image_std"),
        }
        theirs |= {name: settings.get(name) for name in ("patch_size", "temporal_patch_size", "merge_size")}
        rules = {f.name: getattr(self, f.name) for f in fields(self)}
        rules |= {name: value for name, value in theirs.items() if value is not None}
        return PatchRules(**rules | {"mean": tuple(rules["mean"]), "std": tuple(rules["std"])})


@dataclass(frozen=True)
class Patches:
    """What the encoder is given of one clip's frames."""

    values_PK: "torch.Tensor"
    grid: tuple[int, int, int]
    """Patches along time, height, width; P is their product. Patches that are merged stand together."""


def read_rules(model: str, revision: str | None, usual: PatchRules) -> PatchRules:
    """The rules of a checkpoint, a folder or a hub's id; what it does not say is as usual."""
    for name, part in SETTINGS:
        path = checkpoint_file(model, name, revision)
        if path is None:
            continue
        settings = json.loads(path.read_text(encoding="utf-8"))
        if settings := settings.get(part) if part else settings:
            return usual.updated(settings)
    return usual


def fit_size(height: int, width: int, rules: PatchRules, frames: int) -> tuple[int, int]:
    """Height and width in pixels: multiples of `side`, within the limits, the aspect kept as far as these allow."""
    if max(height, width) > WIDEST * min(height, width):
        raise UserError(f"frames of {width} x {height} pixels: one side is more than {WIDEST} times the other")
    most = rules.max_pixels // frames if rules.share_pixels else rules.max_pixels
    side = rules.side
    down, across = round(height / side) * side, round(width / side) * side
    if down * across > most:
        shrink = math.sqrt(height * width / most)
        return tuple(max(side, math.floor(n / shrink / side) * side) for n in (height, width))  # type: ignore[return-value]
    if down * across < rules.min_pixels:
        grow = math.sqrt(rules.min_pixels / (height * width))
        return tuple(math.ceil(n * grow / side) * side for n in (height, width))  # type: ignore[return-value]
    return down, across


def patches(frames: tuple[Picture, ...], rules: PatchRules) -> Patches:
    """Frames (H, W, C) of one size, RGB -> patches, each (C, frames a patch, patch_size, patch_size) laid flat.

    Resized bicubically with antialiasing; a last frame is repeated where the frames do not fill the patches.
    """
    import torch
    from torch.nn.functional import interpolate

    stacked = np.stack(frames + (frames[-1],) * (-len(frames) % rules.temporal_patch_size))
    video_TCHW = torch.from_numpy(stacked).permute(0, 3, 1, 2)
    size = fit_size(video_TCHW.shape[2], video_TCHW.shape[3], rules, len(frames))
    if size != tuple(video_TCHW.shape[2:]):
        # In whole numbers, as the official processors do it on the same processor.
        video_TCHW = interpolate(video_TCHW.contiguous(), size, mode="bicubic", antialias=True)
    mean_C11, std_C11 = ((torch.tensor(v) * 255.0).view(-1, 1, 1) for v in (rules.mean, rules.std))
    scaled_TCHW = (video_TCHW.float() - mean_C11) / std_C11
    deep, merged, patch = rules.temporal_patch_size, rules.merge_size, rules.patch_size
    grid = len(stacked) // deep, size[0] // patch, size[1] // patch
    cut = scaled_TCHW.reshape(grid[0], deep, 3, grid[1] // merged, merged, patch, grid[2] // merged, merged, patch)
    values_PK = cut.permute(0, 3, 6, 4, 7, 2, 1, 5, 8).reshape(math.prod(grid), 3 * deep * patch * patch)
    return Patches(values_PK, grid)
