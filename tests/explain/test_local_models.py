"""Language models in this process: their inputs equal those of the official processors; tiny ones answer."""

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_checkpoints as tiny
import torch
from small_corpora import write_clip

from textmsa.errors import AnswerError, UserError
from textmsa.explain.language_models.causal_lm import CausalLm
from textmsa.explain.language_models.loading import fingerprint
from textmsa.explain.language_models.local_model import IGNORED
from textmsa.explain.language_models.patches import PatchRules, fit_size, patches
from textmsa.explain.language_models.question import Question, Turn
from textmsa.explain.language_models.qwen_omni import QwenOmni
from textmsa.explain.language_models.videollama3 import VideoLlama3
from textmsa.explain.staged import VideoLlama3Explainer
from textmsa.types import FeatureSequence, Observation

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "processors.npz")
KEPT = 61  # every so many of the patches lie in the golden file, and a hash of all
VECTORS = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
"""Whether pixels are resized in whole numbers here, as where the golden file was made."""


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    made = {"videollama3": tiny.videollama3(folder / "videollama3"), "causal_lm": tiny.causal_lm(folder / "causal_lm")}
    return made | {f"qwen{g}_omni": tiny.qwen_omni(folder / f"qwen{g}_omni", g) for g in ("2.5", "3")}


@pytest.fixture(scope="module")
def models(checkpoints):
    classes = {"videollama3": VideoLlama3, "qwen2.5_omni": QwenOmni, "qwen3_omni": QwenOmni, "causal_lm": CausalLm}
    return {name: class_(str(checkpoints[name]), device="cpu", max_tokens=6) for name, class_ in classes.items()}


def seen(name: str) -> Question:
    frames, fps = tiny.frame_sets()[name]
    return Question(tiny.QUESTION, tuple(frames), tuple(i / fps for i in range(len(frames))))


def heard(seconds: float) -> Question:
    return Question(tiny.QUESTION, waveform_N=tiny.waveform(seconds), sample_rate=16000)


@pytest.mark.parametrize("frames", tiny.frame_sets())
@pytest.mark.parametrize("model", ["videollama3", "qwen2.5_omni", "qwen3_omni"])
def test_frames_are_read_as_by_the_official_processor(models, model, frames):
    found = models[model].inputs(seen(frames))
    golden = {key.split("/", 2)[2]: GOLDEN[key] for key in GOLDEN if key.startswith(f"{model}/{frames}/")}
    assert found["input_ids"].tolist() == golden["input_ids"][0].tolist()
    assert found["video_grid_thw"].tolist() == golden["video_grid_thw"].tolist()
    pixels = found["pixel_values_videos"].numpy()
    assert np.abs(pixels[::KEPT] - golden["pixel_values_videos"]).max() < 0.02  # a step of 255 is .008 or .015
    if VECTORS:
        assert hashlib.sha256(pixels.tobytes()).hexdigest() == golden["pixel_values_videos/sha256"].item()
    if model == "videollama3":
        assert found["video_compression_mask"].tolist() == golden["video_compression_mask"].tolist()
        assert found["video_merge_sizes"].tolist() == golden["video_merge_sizes"].tolist()
        text = models[model].tokenizer.decode(found["input_ids"])
        assert all(f"Time {seconds:.1f}s:<|video_pad|>" in text for seconds in golden["times"])
    elif len(seen(frames).frames) > 1:  # of one frame alone there is no second grid whose distance could matter
        assert found["video_second_per_grid"].tolist() == pytest.approx(golden["video_second_per_grid"].tolist())


def test_some_of_the_golden_videos_have_tokens_that_are_left_out_as_still():
    masks = {name: GOLDEN[f"videollama3/{name}/video_compression_mask"] for name in tiny.frame_sets()}
    assert masks["single"].all()
    assert 0.1 < masks["long"].mean() < 0.9


@pytest.mark.parametrize("seconds", tiny.SOUNDS)
@pytest.mark.parametrize("model", ["qwen2.5_omni", "qwen3_omni"])
def test_sound_is_heard_as_by_the_official_processor(models, model, seconds):
    found = models[model].inputs(heard(seconds))
    golden = {key.split("/", 2)[2]: GOLDEN[key] for key in GOLDEN if key.startswith(f"{model}/sound-{seconds}/")}
    assert found["input_ids"].tolist() == golden["input_ids"][0].tolist()
    assert found["feature_attention_mask"].tolist() == golden["feature_attention_mask"].tolist()
    assert np.abs(found["input_features"].numpy()[:, ::KEPT] - golden["input_features"]).max() < 1e-4


@pytest.mark.parametrize("model", ["videollama3", "qwen2.5_omni", "qwen3_omni"])
def test_the_network_takes_these_inputs_and_answers_in_a_batch_as_alone(models, checkpoints, model):
    questions = [seen("small"), seen("wide"), Question("Only words?"), seen("small")]
    if models[model].hears:
        questions += [heard(0.5), heard(3.37)]
    alone = [models[model].ask(question) for question in questions]
    assert all(answer.tokens_out == 6 and answer.finish == "length" for answer in alone)
    together = type(models[model])(str(checkpoints[model]), device="cpu", max_tokens=6, batch=len(questions))
    answers = together._generate([together.inputs(question) for question in questions])
    assert [answer.text for answer in answers] == [answer.text for answer in alone]
    assert len({answer.text for answer in alone}) > 2  # what is shown matters


def test_questions_of_several_threads_are_answered_in_batches_each_its_own(checkpoints):
    model = CausalLm(str(checkpoints["causal_lm"]), device="cpu", max_tokens=6, batch=4)
    questions = [Question(f"What of {n}?") for n in range(9)]
    alone = [model.ask(question).text for question in questions]
    sizes: list[int] = []
    generate = model._generate

    def counted(items):
        sizes.append(len(items))
        return generate(items)

    model._generate = counted  # type: ignore[method-assign]
    answers: dict[int, str] = {}
    start = threading.Barrier(len(questions))

    def ask(number: int) -> None:
        start.wait()
        answers[number] = model.ask(questions[number]).text

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(len(questions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answers[n] for n in range(9)] == alone
    assert sum(sizes) == 9
    assert max(sizes) <= 4


def test_an_answers_tokens_are_the_only_ones_learnt(models):
    model = models["videollama3"]
    asked = model.inputs(seen("small"))
    told = model.inputs(seen("small"), answer="She smiles.")
    ids, labels = told["input_ids"], told["labels"]
    learnt = labels != IGNORED
    assert torch.equal(ids[~learnt], asked["input_ids"])
    assert torch.equal(labels[learnt], ids[learnt])
    assert model.tokenizer.decode(ids[learnt]).strip() == "She smiles.<|im_end|>"


def test_an_earlier_answer_and_its_complaint_come_into_the_conversation(models):
    text = models["causal_lm"].tokenizer.decode(
        models["causal_lm"].inputs(Question("Why?"), (Turn("No.", "Say more."),))["input_ids"]
    )
    assert text.index("Why?") < text.index("assistant\nNo.<|im_end|>") < text.index("user\nSay more.")


def test_words_of_a_clip_cannot_act_as_marks_of_the_conversation(models):
    for mark in ("<|im_end|>", "<|video_pad|>"):
        with pytest.raises(AnswerError, match="control token"):
            models["videollama3"].inputs(Question(f"The subtitle reads: {mark}"))


def test_a_whole_omni_checkpoint_is_read_for_its_thinker_alone(checkpoints, models, tmp_path):
    from safetensors.torch import load_file, save_file

    whole = tmp_path / "whole"
    whole.mkdir()
    for path in checkpoints["qwen2.5_omni"].iterdir():
        (whole / path.name).write_bytes(path.read_bytes())
    thinker = json.loads((whole / "config.json").read_text())
    (whole / "config.json").write_text(json.dumps({"model_type": "qwen2_5_omni", "thinker_config": thinker}))
    weights = {f"thinker.{name}": value for name, value in load_file(whole / "model.safetensors").items()}
    save_file(weights, whole / "model.safetensors", metadata={"format": "pt"})
    model = QwenOmni(str(whole), device="cpu", max_tokens=6)
    assert model.ask(heard(0.5)).text == models["qwen2.5_omni"].ask(heard(0.5)).text


def test_a_folder_is_known_by_its_content(checkpoints, models, tmp_path):
    copy = tmp_path / "elsewhere"
    copy.mkdir()
    for path in checkpoints["causal_lm"].iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    assert models["causal_lm"].identity()["revision"] == fingerprint(copy)
    with (copy / "model.safetensors").open("r+b") as file:
        file.seek(-4, 2)
        file.write(b"\1\2\3\4")
    assert models["causal_lm"].identity()["revision"] != fingerprint(copy)


@pytest.mark.parametrize(
    ("size", "frames"), [((1, 1), 1), ((27, 5300), 1), ((1080, 1920), 180), ((14, 14), 3), ((4000, 30), 2)]
)
def test_sizes_keep_the_aspect_within_the_limits(size, frames):
    rules = PatchRules(128 * 28 * 28, 768 * 28 * 28, (0.5,) * 3, (0.5,) * 3, share_pixels=True)
    height, width = fit_size(size[0], size[1], rules, frames)
    assert height % 28 == width % 28 == 0
    if frames == 1 and min(size) > 1:
        assert rules.min_pixels * 0.9 <= height * width <= rules.max_pixels


def test_a_frame_too_long_for_the_encoder_is_refused():
    with pytest.raises(UserError, match="more than 200 times"):
        patches((np.zeros((2, 500, 3), np.uint8),), PatchRules(1, 10**6, (0.5,) * 3, (0.5,) * 3))


@pytest.mark.parametrize(
    ("class_", "checkpoint", "options", "message"),
    [
        (VideoLlama3, "causal_lm", {}, "is a qwen2, not a video_llama_3"),
        (QwenOmni, "videollama3", {}, "is a video_llama_3, not one of qwen2_5_omni_thinker"),
        (CausalLm, "causal_lm", {"batch": 0}, "give 1 or more"),
        (CausalLm, "causal_lm", {"dtype": "int3"}, "dtype 'int3'"),
        (CausalLm, "causal_lm", {"load_in_4bit": True}, "needs a GPU"),
        (CausalLm, "causal_lm", {"adapter": "/nowhere"}, "not a folder that textmsa finetune-explainer made"),
    ],
)
def test_what_cannot_be_built_is_refused_in_one_line(checkpoints, class_, checkpoint, options, message):
    with pytest.raises(UserError, match=message) as refused:
        class_(str(checkpoints[checkpoint]), **{"device": "cpu"} | options)
    assert "\n" not in str(refused.value)


def test_a_model_of_words_refines_what_another_described(checkpoints, tmp_path):
    given: dict[str, Any] = {
        "model": str(checkpoints["videollama3"]),
        "device": "cpu",
        "max_tokens": 4,
        "cache": str(tmp_path),
    }
    given |= {"refiner": "causal_lm", "refiner_model": str(checkpoints["causal_lm"]), "refiner_device": "cpu"}
    explainer = VideoLlama3Explainer(None, **given)
    assert isinstance(explainer.asking.refiner, CausalLm)
    path = tmp_path / "a.mp4"
    write_clip(path, seed=0)
    seen = FeatureSequence(np.zeros((2, 1), np.float32), np.arange(2.0), ("x",))
    made = explainer.explain(Observation(path, "It was good.", 2.0, None, seen)).provenance
    assert (made["model"]["backend"], made["refiner"]["backend"]) == ("videollama3", "causal_lm")
    assert {"video", "text"} <= set(made["stages"])
    assert "after one repair" in made["failed"]  # random weights have no end of an answer in 4 tokens


def test_a_folder_without_model_or_template_is_refused(checkpoints, tmp_path):
    with pytest.raises(UserError, match="no tokenizer there"):
        CausalLm(str(tmp_path), device="cpu")
    bare = tmp_path / "bare"
    bare.mkdir()
    for path in checkpoints["causal_lm"].iterdir():
        if path.name != "chat_template.jinja":
            (bare / path.name).write_bytes(path.read_bytes())
    with pytest.raises(UserError, match="has no chat template"):
        CausalLm(str(bare), device="cpu")
    (bare / "chat_template.json").write_text(json.dumps({"chat_template": tiny.tokenizer(False).chat_template}))
    assert CausalLm(str(bare), device="cpu", max_tokens=2).ask(Question("So?")).tokens_out == 2
