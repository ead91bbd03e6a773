"""Tiny checkpoints of multimodal language models with random weights, and frames to show them.

The tokenizer knows single bytes only; the templates are ours, in the form of the models' own. Shape suffixes: H height,
W width, C colours, N audio samples.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

VISION = "<|vision_start|>", "<|vision_end|>"
OMNI_VISION, OMNI_SOUND = ("<|vision_bos|>", "<|vision_eos|>"), ("<|audio_bos|>", "<|audio_eos|>")
QUESTION = "What does the person express, and when?"
SOUNDS = 0.5, 3.37, 12.0
"""Seconds."""
TEMPLATE = """{%- for turn in messages -%}
<|im_start|>{{ turn.role }}
{% if turn.content is string %}{{ turn.content }}{% else %}{% for part in turn.content -%}
{%- if part.type == 'video' %}VIDEO
{% elif part.type == 'audio' %}AUDIO
{% else %}{{ part.text }}{% endif -%}
{%- endfor %}{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def frame_sets() -> dict[str, tuple[list[npt.NDArray[np.uint8]], float]]:
    """Name -> (frames (H, W, C), frames a second): up and down in size, still, noisy, long, wide, one alone."""
    sizes = {
        "small": (56, 84, 3, 1.0),
        "upright": (161, 97, 5, 2.0),
        "large": (720, 1280, 2, 1.0),
        "wide": (60, 420, 4, 0.5),
        "single": (240, 320, 1, 1.0),
        "long": (180, 240, 9, 3.0),
    }
    return {
        name: (frames(number, height, width, count), fps)
        for number, (name, (height, width, count, fps)) in enumerate(sizes.items())
    }


def frames(seed: int, height: int, width: int, count: int) -> list[npt.NDArray[np.uint8]]:
    """A slope of colour with a moving square; the left half does not change, the bottom is noise."""
    rng = np.random.default_rng(seed)
    y_H1, x_1W = np.mgrid[:height, :1][0], np.mgrid[:1, :width][1]
    still_HWC = np.stack(
        [y_H1 * 255 / height + 0 * x_1W, x_1W * 255 / width + 0 * y_H1, y_H1 * 0 + x_1W % 251], axis=-1
    )
    out = []
    for number in range(count):
        frame_HWC = still_HWC.copy()
        left = width // 2 + number * width // (2 * count + 2)
        frame_HWC[height // 4 : height // 2, left : left + width // 8] = 255 - 20 * (number % 5)
        if seed % 2:
            frame_HWC[-height // 6 :, width // 2 :] = rng.integers(0, 256, (height // 6 + bool(height % 6), 1, 3))
        out.append(frame_HWC.astype(np.uint8))
    return out


def waveform(seconds: float, seed: int = 0) -> npt.NDArray[np.float32]:
    """A tone (N,) at 16 kHz that swells, with noise."""
    t_N = np.arange(round(seconds * 16000)) / 16000
    noise_N = np.random.default_rng(seed).normal(0, 0.01, len(t_N))
    return (0.3 * np.sin(2 * np.pi * 180 * t_N) * np.minimum(t_N, 1) + noise_N).astype(np.float32)


def tokenizer(omni: bool) -> Any:
    """Bytes as tokens, and the marks of the family."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2Tokenizer

    letters = sorted(ByteLevel.alphabet())
    named = {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>"}
    marks = [*VISION]
    if omni:
        named = {"image_token": "<|IMAGE|>", "video_token": "<|VIDEO|>", "audio_token": "<|AUDIO|>"}
        named |= dict(zip(("vision_bos_token", "vision_eos_token"), OMNI_VISION, strict=True))
        named |= dict(zip(("audio_bos_token", "audio_eos_token"), OMNI_SOUND, strict=True))
        marks = []
    vocabulary = {letter: number for number, letter in enumerate(["<|endoftext|>", *letters])}
    made = Qwen2Tokenizer(
        vocab=vocabulary,
        merges=[],
        eos_token="<|im_end|>",
        additional_special_tokens=["<|im_start|>", *marks],
        extra_special_tokens=named,
    )
    video = f"{OMNI_VISION[0]}<|VIDEO|>{OMNI_VISION[1]}" if omni else f"{VISION[0]}<|video_pad|>{VISION[1]}"
    sound = f"{OMNI_SOUND[0]}<|AUDIO|>{OMNI_SOUND[1]}"
    made.chat_template = TEMPLATE.replace("VIDEO\n", video).replace("AUDIO\n", sound)
    return made


def text_sizes(words: int) -> dict[str, Any]:
    """The sizes of a tiny text network."""
    return {
        "vocab_size": words,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": False,
    }


def spoken(net: Any) -> Any:
    """The network with larger weights in its text part, so that what is read changes what is said."""
    for name, weights in net.named_parameters():
        if ("language_model" in name or "lm_head" in name or "embed_tokens" in name) and weights.dim() > 1:
            weights.data *= 15
    return net


def videollama3(folder: Path, seed: int = 0) -> Path:
    """A tiny VideoLLaMA 3 with random weights."""
    import torch
    from transformers import VideoLlama3Config, VideoLlama3ForConditionalGeneration

    torch.manual_seed(seed)
    words = tokenizer(omni=False)
    config = VideoLlama3Config(
        text_config={"model_type": "qwen2", **text_sizes(len(words))},
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "patch_size": 14,
        },
        image_token_id=words.convert_tokens_to_ids("<|image_pad|>"),
        video_token_id=words.convert_tokens_to_ids("<|video_pad|>"),
    )
    spoken(VideoLlama3ForConditionalGeneration(config)).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def causal_lm(folder: Path, seed: int = 0) -> Path:
    """A tiny Qwen2 with random weights."""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(seed)
    words = tokenizer(omni=False)
    spoken(Qwen2ForCausalLM(Qwen2Config(**text_sizes(len(words))))).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def omni_folder(folder: Path, generation: str) -> Path:
    """Tokenizer, template and the files of sizes of a Qwen-Omni, without its network."""
    import json

    from transformers import WhisperFeatureExtractor

    words = tokenizer(omni=True)
    words.save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=128).save_pretrained(folder)
    if generation == "3":
        path = folder / "preprocessor_config.json"
        own = {"patch_size": 16, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "temporal_patch_size": 2}
        path.write_text(json.dumps(json.loads(path.read_text()) | own | {"merge_size": 2}))
    return folder


def qwen_omni(folder: Path, generation: str = "2.5", seed: int = 0) -> Path:
    """A tiny thinker of Qwen2.5-Omni or Qwen3-Omni ("3") with random weights."""
    import torch
    import transformers

    torch.manual_seed(seed)
    omni_folder(folder, generation)
    words = tokenizer(omni=True)
    ids = {
        f"{kind}_token_id": words.convert_tokens_to_ids(f"<|{kind.upper()}|>") for kind in ("image", "video", "audio")
    }
    names = {
        "vision_start_token_id": OMNI_VISION[0],
        "vision_end_token_id": OMNI_VISION[1],
        "audio_start_token_id": OMNI_SOUND[0],
        "audio_end_token_id": OMNI_SOUND[1],
    }
    ids |= {name: words.convert_tokens_to_ids(mark) for name, mark in names.items()}
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [1, 1, 2]}
    text = {**text_sizes(len(words)), "rope_parameters": rope}
    ears = {"d_model": 32, "encoder_layers": 1, "encoder_attention_heads": 2, "encoder_ffn_dim": 64, "output_dim": 32}
    eyes = {"depth": 1, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 32}
    if generation == "2.5":
        config: Any = transformers.Qwen2_5OmniThinkerConfig(
            text_config=text,
            vision_config={**eyes, "fullatt_block_indexes": [0]},
            audio_config=ears,
            **ids,
        )
        class_: Any = transformers.Qwen2_5OmniThinkerForConditionalGeneration
    else:
        text |= {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32, "head_dim": 8}
        config = transformers.Qwen3OmniMoeThinkerConfig(
            text_config=text,
            vision_config={**eyes, "num_position_embeddings": 64, "deepstack_visual_indexes": [0]},
            audio_config={**ears, "downsample_hidden_size": 32},
            **ids,
        )
        class_ = transformers.Qwen3OmniMoeThinkerForConditionalGeneration
    spoken(class_(config)).save_pretrained(folder)
    return folder
