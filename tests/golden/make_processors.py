"""Write processors.npz: what the official processors of transformers make of the frames in tests/tiny_checkpoints.py.

They need torchvision, which the CPU build of torch does not load: its compiled operators want CUDA's libraries. The
processors use none of these operators, only resizing and scaling, which are torch's own; so in an environment of its
own, with the torchvision that belongs to this torch, the operators are declared without a body and the rest loads:

    python -m venv golden && golden/bin/pip install torch==2.13.0 transformers==5.23.0 librosa pillow
    golden/bin/pip install --no-deps torchvision==0.28.0
    golden/bin/python tests/golden/make_processors.py

Kept of the pixel values: their SHA-256, and every 61st patch.
"""

import hashlib
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
KEPT = 61
OPERATORS = (
    *("nms", "qnms", "roi_align", "qroi_align", "roi_pool", "ps_roi_align", "ps_roi_pool", "deform_conv2d"),
    *("_roi_align_backward", "_roi_pool_backward", "_ps_roi_align_backward", "_ps_roi_pool_backward"),
    "_deform_conv2d_backward",
)
declared = torch.library.Library("torchvision", "DEF")
for operator in OPERATORS:
    declared.define(f"{operator}(Tensor boxes) -> Tensor")

import tiny_checkpoints as tiny  # noqa: E402
from transformers import (  # noqa: E402
    Qwen2_5OmniProcessor,
    Qwen2VLImageProcessorPil,
    Qwen3OmniMoeProcessor,
    VideoLlama3Processor,
    WhisperFeatureExtractor,
)
from transformers.models.qwen2_vl.video_processing_qwen2_vl import Qwen2VLVideoProcessor  # noqa: E402
from transformers.models.video_llama_3.image_processing_pil_video_llama_3 import (  # noqa: E402
    VideoLlama3ImageProcessorPil,
)
from transformers.models.video_llama_3.video_processing_video_llama_3 import VideoLlama3VideoProcessor  # noqa: E402
from transformers.video_utils import VideoMetadata  # noqa: E402


def kept(name: str, found: Any) -> dict[str, np.ndarray]:
    """The arrays that are compared, pixel values as hash and sample."""
    out = {}
    for key, value in found.items():
        if not torch.is_tensor(value):
            continue
        array = value.numpy()
        if key in ("pixel_values_videos", "input_features"):
            array = np.ascontiguousarray(array, np.float32)
            out[f"{name}/{key}/sha256"] = np.array(hashlib.sha256(array.tobytes()).hexdigest())
            array = array[::KEPT] if key == "pixel_values_videos" else array[:, ::KEPT]
        out[f"{name}/{key}"] = array
    return out


def main() -> None:
    """Ask each processor about each set of frames."""
    arrays: dict[str, np.ndarray] = {}
    words = tiny.tokenizer(omni=False)
    videollama3 = VideoLlama3Processor(
        VideoLlama3ImageProcessorPil(), words, VideoLlama3VideoProcessor(), chat_template=words.chat_template
    )
    omni = {}
    for generation, class_ in (("2.5", Qwen2_5OmniProcessor), ("3", Qwen3OmniMoeProcessor)):
        folder = tiny.omni_folder(Path(tempfile.mkdtemp()), generation)
        words = tiny.tokenizer(omni=True)
        video = Qwen2VLVideoProcessor.from_pretrained(folder, cap_pixels_per_frame=False)
        ears = WhisperFeatureExtractor.from_pretrained(folder)
        omni[generation] = class_(Qwen2VLImageProcessorPil(), video, ears, words, chat_template=words.chat_template)
    told = [{"role": "user", "content": [{"type": "video"}, {"type": "text", "text": tiny.QUESTION}]}]
    heard = [{"role": "user", "content": [{"type": "audio"}, {"type": "text", "text": tiny.QUESTION}]}]
    for name, (frames, fps) in tiny.frame_sets().items():
        video = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2)
        metadata = VideoMetadata(total_num_frames=len(frames), fps=fps, frames_indices=list(range(len(frames))))
        text = videollama3.tokenizer.apply_chat_template(told, tokenize=False, add_generation_prompt=True)
        found = videollama3(text=[text], videos=[video], video_metadata=[[metadata]], return_tensors="pt")
        arrays |= kept(f"videollama3/{name}", found)
        arrays[f"videollama3/{name}/times"] = np.array(metadata.timestamps)
        for generation, processor in omni.items():
            text = processor.tokenizer.apply_chat_template(told, tokenize=False, add_generation_prompt=True)
            found = processor(text=[text], videos=[video], videos_kwargs={"fps": fps}, return_tensors="pt")
            arrays |= kept(f"qwen{generation}_omni/{name}", found)
            seconds = [float(value) for value in found["video_second_per_grid"]]
            arrays[f"qwen{generation}_omni/{name}/video_second_per_grid"] = np.array(seconds, np.float32)
    for generation, processor in omni.items():
        text = processor.tokenizer.apply_chat_template(heard, tokenize=False, add_generation_prompt=True)
        for length in tiny.SOUNDS:
            found = processor(text=[text], audio=[tiny.waveform(length)], return_tensors="pt")
            arrays |= kept(f"qwen{generation}_omni/sound-{length}", found)
    np.savez_compressed(HERE / "processors.npz", **arrays)  # type: ignore[arg-type]
    print(f"{HERE / 'processors.npz'}: {len(arrays)} arrays, {(HERE / 'processors.npz').stat().st_size} bytes")


if __name__ == "__main__":
    main()
