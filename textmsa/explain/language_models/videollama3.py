"""VideoLLaMA 3 (Zhang et al. 2025, arXiv 2501.13106): it sees frames with their times; it has no audio encoder.

The voice is therefore asked for with the measured facts in the prompt, and the provenance says so.

Shape suffixes: P patches, K values a patch, M tokens of the video, V videos.
"""

from typing import TYPE_CHECKING, ClassVar

from textmsa.errors import UserError
from textmsa.explain.language_models.local_model import Inputs, LocalModel
from textmsa.explain.language_models.patches import Patches, PatchRules, patches, read_rules
from textmsa.explain.language_models.question import Question

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig

RULES = PatchRules(
    min_pixels=128 * 28 * 28,
    max_pixels=768 * 28 * 28,
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
    share_pixels=True,
)
"""Where the checkpoint says nothing: those of transformers' processor."""
STILL = 0.1
"""A token is left out where its patches differ by less from the frame before, of 255."""


class VideoLlama3(LocalModel):
    """VideoLLaMA 3 in transformers' own form (`model_type` video_llama_3)."""

    name: ClassVar[str] = "videollama3"
    sees = True

    def set_up(self, config: "PretrainedConfig", model: str, revision: str | None) -> str:
        """The rules for patches, and the token that stands for one."""
        if config.model_type != "video_llama_3":
            raise UserError(f"model {model!r}: is a {config.model_type}, not a video_llama_3 (transformers' own form)")
        self.rules = read_rules(model, revision, RULES)
        self.token = str(self.tokenizer.convert_ids_to_tokens(config.to_dict()["video_token_id"]))
        return "VideoLlama3ForConditionalGeneration"

    def placeholders(self) -> dict[str, str]:
        """The video's token."""
        return {"video": self.token}

    def family_inputs(self, question: Question) -> tuple[Inputs, dict[str, str]]:
        """Patches, grid and the tokens that are kept; a frame's time stands before its tokens."""
        import torch

        if not question.frames:
            return {}, {}
        cut = patches(question.frames, self.rules)
        kept_M = changed_tokens(cut, self.rules.merge_size)
        counts = kept_M.view(len(question.frames), -1).sum(dim=1).tolist()
        shown = (f"Time {t:.1f}s:" + self.token * n for t, n in zip(question.frame_times, counts, strict=True))
        inputs = {
            "pixel_values_videos": cut.values_PK,
            "video_grid_thw": torch.tensor([cut.grid]),
            "video_merge_sizes": torch.tensor([self.rules.merge_size]),
            "video_compression_mask": kept_M,
        }
        return inputs, {"video": ",".join(shown)}


def changed_tokens(cut: Patches, merge_size: int) -> "torch.Tensor":
    """Which tokens (M,) show something new: all of the first frame, then what differs; at least one a frame."""
    import torch

    times, height, width = cut.grid
    values_TNK = cut.values_PK.view(times, (height // merge_size) * (width // merge_size), -1)
    kept_TN = torch.ones(values_TNK.shape[:2], dtype=torch.bool)
    kept_TN[1:] = (values_TNK[1:] - values_TNK[:-1]).abs().mean(dim=-1) * 255 > STILL
    kept_TN[~kept_TN.any(dim=1), 0] = True
    return kept_TN.flatten()
