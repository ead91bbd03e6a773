"""Published checkpoints become model folders, or are refused by name; parity with the authors' own outputs.

The outputs lie in `../shared/reference`; what holds without them is in tests/model/test_plain_network.py.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from published_checkpoints import Sizes, random_inputs, write_checkpoint

import textmsa
from textmsa.errors import UserError
from textmsa.model import TextMsaModel
from textmsa.model.batch import Batch
from textmsa.model.network import _tokens
from textmsa.model.published_checkpoint import import_checkpoint_command, our_name

AUTHORS = pytest.mark.parametrize("folder", ["mosi", "sims2"], indirect=True)
ARRAYS = {
    "text": "text",
    "audio": "audio",
    "video": "visual",
    "audio_explanation": "audio_clue",
    "video_explanation": "visual_clue",
}


def encoder_of(folder: Path, tmp_path: Path) -> Path:
    if (folder / "config.json").is_file():
        return folder / "config.json"
    config = tmp_path / "config.json"
    config.write_text(json.dumps(json.loads((folder / "meta.json").read_text())["bert_config"]))
    return config


@pytest.fixture(params=["made", "mosi", "sims2"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a checkpoint: a tiny one of ours with random weights, or one of the authors' network."""
    if request.param == "made":
        made = tmp_path_factory.mktemp("made")
        write_checkpoint(made, Sizes())
        return made
    shared: Path = request.getfixturevalue("shared")
    return shared / "reference" / request.param


@pytest.fixture
def model(folder: Path, tmp_path: Path) -> TextMsaModel:
    return textmsa.import_checkpoint(folder / "checkpoint.pth", encoder=encoder_of(folder, tmp_path))


@pytest.fixture
def arrays(folder: Path) -> dict[str, np.ndarray]:
    if not (folder / "io.npz").is_file():
        return random_inputs(Sizes(), clips=6)
    stored = np.load(folder / "io.npz")
    return {ours: stored[theirs] for ours, theirs in ARRAYS.items()}


def torch_sorts_as_where_the_fixtures_were_made() -> bool:
    """The reference drops in the order of torch's unstable sort, which is the processor's; see `Capacity`."""
    order = torch.tensor([4, 2, 3] * 24).argsort()
    return (order[:6] // 3).tolist() == [0, 12, 11, 13, 10, 14]


@AUTHORS
def test_clips_alone(model, folder, arrays):
    expected = np.load(folder / "io.npz")["output_batch1"][:, 0]
    np.testing.assert_allclose(model.score(**arrays), expected, rtol=0, atol=1e-5)


@AUTHORS
def test_one_batch_with_the_legacy_capacity(model, folder, arrays):
    if not torch_sorts_as_where_the_fixtures_were_made():
        pytest.skip("torch's unstable sort orders equals otherwise on this processor than the fixtures' machine")
    expected = np.load(folder / "io.npz")["output_batch24"][:, 0]
    np.testing.assert_allclose(model.score(**arrays, legacy=True), expected, rtol=0, atol=1e-5)


@AUTHORS
def test_gradient_norms(model, folder, arrays):
    if not torch_sorts_as_where_the_fixtures_were_made():
        pytest.skip("torch's unstable sort orders equals otherwise on this processor than the fixtures' machine")
    inputs = {name: torch.from_numpy(array) for name, array in arrays.items()}
    batch = Batch(
        text=_tokens(inputs["text"]),
        audio=model._steps(inputs["audio"]),
        video=model._steps(inputs["video"]),
        audio_explanation=_tokens(inputs["audio_explanation"]),
        video_explanation=_tokens(inputs["video_explanation"]),
    )
    loss = ((model(batch, legacy_capacity=True).score_B - torch.linspace(-1, 1, 24)) ** 2).mean()
    loss.backward()
    assert loss.item() == pytest.approx(float(np.load(folder / "io.npz")["mse"]), abs=1e-6)
    parameters = dict(model.named_parameters())
    expected = json.loads((folder / "meta.json").read_text())["grad_norms"]
    seen = set()
    for name, norm in expected.items():
        ours, index = our_name(name)
        gradient = parameters[ours].grad
        if gradient is not None and index is not None:
            gradient = gradient[index]
        found = 0.0 if gradient is None else gradient.norm().item()
        assert abs(found - (norm or 0.0)) <= max(1e-3 * (norm or 0.0), 1e-7), name
        seen.add((ours, index))
    # What the fixture does not list had no gradient.
    for name, parameter in parameters.items():
        slices = enumerate(parameter.grad) if ".experts." in name else [(None, parameter.grad)]
        for index, gradient in slices:
            if (name, index) not in seen and gradient is not None:
                assert gradient.norm().item() <= 1e-7, name


def test_import_carries_the_reference_behaviour_in_its_config(model):
    config = model.config
    assert (config.mask_padding, config.frames, config.router_noise) == (False, "first", "train")
    assert not model.training


def test_the_command_writes_an_ordinary_model_folder(folder, tmp_path, arrays, model):
    out = tmp_path / "model"
    done = import_checkpoint_command(folder / "checkpoint.pth", encoder=encoder_of(folder, tmp_path), out=out)
    again = TextMsaModel.from_pretrained(out)
    np.testing.assert_allclose(again.score(**arrays), model.score(**arrays), rtol=0, atol=1e-6)
    assert done.text().startswith(f"{out}: ")
    with pytest.raises(UserError, match="new or empty folder"):
        import_checkpoint_command(folder / "checkpoint.pth", encoder=encoder_of(folder, tmp_path), out=out)


def broken(folder: Path, tmp_path: Path, change) -> Path:
    content = torch.load(folder / "checkpoint.pth", weights_only=True)
    change(content["state_dict"])
    torch.save(content, tmp_path / "broken.pth")
    return tmp_path / "broken.pth"


@pytest.mark.parametrize("folder", ["made", "sims2"], indirect=True)
@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda state: state.pop("cls_head.gate.0.bias"), "fusion.gate.bias"),
        (lambda state: state.pop("proj_t0.weight"), "proj_t0.weight"),
        (lambda state: state.update({"surplus.weight": torch.zeros(2)}), "surplus.weight"),
        (lambda state: state.update({"proj_v_feat.extra_token": torch.zeros(1, 2, 128)}), "proj_v_feat.extra_token"),
        (lambda state: state.pop("text_router_moe_trans.encoder.layers.0.1.fn.experts.3.net.0.bias"), "up_bias_EM"),
        (lambda state: state.update({"bertmodel.model.pooler.dense.bias": torch.zeros(3)}), "pooler.dense.bias"),
    ],
)
def test_missing_extra_and_misshapen_weights_are_refused_by_name(folder, tmp_path, change, named):
    with pytest.raises(UserError, match=named.replace(".", r"\.")):
        textmsa.import_checkpoint(broken(folder, tmp_path, change), encoder=encoder_of(folder, tmp_path))


def test_not_a_checkpoint(tmp_path):
    (tmp_path / "x.pth").write_bytes(b"not a checkpoint")
    with pytest.raises(UserError, match=r"no file of weights and nothing else.*give the published .pth"):
        textmsa.import_checkpoint(tmp_path / "x.pth", encoder=tmp_path)
    with pytest.raises(UserError, match="not a file"):
        textmsa.import_checkpoint(tmp_path / "absent.pth", encoder=tmp_path)
