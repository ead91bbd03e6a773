"""Qwen2.5-Omni (arXiv 2503.20215) and Qwen3-Omni (arXiv 2509.17765): they see frames and hear the voice.

Only the part that answers in words is loaded (the "thinker"), not the one that speaks.

Shape suffixes: B sounds, F mel bands, T steps of the spectrogram, N audio samples.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from textmsa.errors import UserError, first_line
from textmsa.explain.language_models.local_model import Inputs, LocalModel
from textmsa.explain.language_models.patches import PatchRules, patches, read_rules
from textmsa.explain.language_models.question import Question

if TYPE_CHECKING:
    from transformers import PretrainedConfig

SHORTEST = 400
"""Samples below which there is no step of the spectrogram to encode; at 16 kHz 25 ms."""
ENCODER_WINDOW = 100
"""Steps of the spectrogram that Qwen3-Omni's encoder takes at a time."""
TOKENS_A_WINDOW = 13


@dataclass(frozen=True)
class OmniFamily:
    """What differs between the generations."""

    network: str
    rules: PatchRules
    padding: Literal["max_length", "longest"]
    """Of the sound's spectrogram."""


CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
FIRST = PatchRules(128 * 28 * 28, 768 * 28 * 28, CLIP_MEAN, CLIP_STD, temporal_patch_size=2)
FAMILIES = {
    "qwen2_5_omni_thinker": OmniFamily("Qwen2_5OmniThinkerForConditionalGeneration", FIRST, "max_length"),
    "qwen3_omni_moe_thinker": OmniFamily(
        "Qwen3OmniMoeThinkerForConditionalGeneration",
        replace(
            FIRST,
            min_pixels=128 * 32 * 32,
            max_pixels=768 * 32 * 32,
            mean=(0.5,) * 3,
            std=(0.5,) * 3,
            patch_size=16,
        ),
        "longest",
    ),
}
"""`model_type` of the thinker's configuration -> the family."""


class QwenOmni(LocalModel):
    """Qwen2.5-Omni or Qwen3-Omni, as the checkpoint says."""

    name: ClassVar[str] = "qwen_omni"
    sees = True
    hears = True
    config_part = "thinker_config"

    def set_up(self, config: "PretrainedConfig", model: str, revision: str | None) -> str:
        """The generation, its ears, the rules for patches, and the tokens that stand for what is shown."""
        from transformers import AutoFeatureExtractor

        if config.model_type not in FAMILIES:
            raise UserError(f"model {model!r}: is a {config.model_type}, not one of {', '.join(FAMILIES)}")
        try:
            self.ears = AutoFeatureExtractor.from_pretrained(model, revision=revision)
        except (OSError, ValueError) as error:
            raise UserError(f"model {model!r}: no feature extractor there ({first_line(error)})") from error
        self.family = FAMILIES[config.model_type]
        usual, written = self.family.rules, read_rules(model, revision, self.family.rules)
        # The sizes in these checkpoints are those of single pictures; the official processors have their own.
        self.rules = replace(written, min_pixels=usual.min_pixels, max_pixels=usual.max_pixels)
        ids = {kind: getattr(config, f"{kind}_token_id") for kind in ("video", "audio")}
        self.tokens = {kind: str(self.tokenizer.convert_ids_to_tokens(number)) for kind, number in ids.items()}
        return self.family.network

    def placeholders(self) -> dict[str, str]:
        """The tokens of video and sound."""
        return self.tokens

    def family_inputs(self, question: Question) -> tuple[Inputs, dict[str, str]]:
        """Patches and grid of the frames, log-mel spectrogram of the sound, one after the other."""
        inputs: Inputs = {}
        holders: dict[str, str] = {}
        if question.frames:
            seen, count = self._seen(question)
            inputs |= seen
            holders["video"] = self.tokens["video"] * count
        if question.waveform_N is not None:
            heard, count = self._heard(question)
            inputs |= heard
            holders["audio"] = self.tokens["audio"] * count
        return inputs, holders

    def _seen(self, question: Question) -> tuple[Inputs, int]:
        import torch

        cut = patches(question.frames, self.rules)
        count = cut.values_PK.shape[0] // self.rules.merge_size**2
        apart = np.diff(question.frame_times).mean() if len(question.frames) > 1 else 1.0
        return {
            "pixel_values_videos": cut.values_PK,
            "video_grid_thw": torch.tensor([cut.grid]),
            "video_second_per_grid": torch.tensor([self.rules.temporal_patch_size * apart], dtype=torch.float32),
        }, count

    def _heard(self, question: Question) -> tuple[Inputs, int]:
        waveform_N = np.asarray(question.waveform_N, np.float32)
        if question.sample_rate != self.ears.sampling_rate:
            raise ValueError(f"sound at {question.sample_rate} Hz, wanted {self.ears.sampling_rate}")
        waveform_N = np.pad(waveform_N, (0, max(0, SHORTEST - len(waveform_N))))
        heard = self.ears(
            waveform_N,
            sampling_rate=question.sample_rate,
            padding=self.family.padding,
            truncation=self.family.padding == "max_length",
            return_attention_mask=True,
            return_tensors="pt",
        )
        mask_BT = heard["attention_mask"]
        steps = int(mask_BT.sum())
        count = tokens_of_windows(steps) if self.family.padding == "longest" else (((steps - 1) // 2 + 1) - 2) // 2 + 1
        return {"input_features": heard["input_features"], "feature_attention_mask": mask_BT}, count

    def collate(self, items: list[Inputs], *, padding: Literal["left", "right"] = "left") -> Inputs:
        """The same, the sounds padded to the longest of them."""
        from torch.nn.functional import pad

        longest = max(
            (item["feature_attention_mask"].shape[1] for item in items if "input_features" in item), default=0
        )
        even = [
            {
                name: pad(value, (0, longest - value.shape[-1]))
                if name in ("input_features", "feature_attention_mask")
                else value
                for name, value in item.items()
            }
            for item in items
        ]
        return super().collate(even, padding=padding)


def tokens_of_windows(steps: int) -> int:
    """Tokens that Qwen3-Omni's encoder makes of so many steps: three halvings a window."""
    rest = steps % ENCODER_WINDOW
    for _ in range(3):
        rest = (rest - 1) // 2 + 1
    return rest + steps // ENCODER_WINDOW * TOKENS_A_WINDOW
