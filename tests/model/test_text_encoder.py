"""The text encoder: packing, frozen parts computed once, low-rank updates; each against the plain way."""

from typing import Any

import pytest
import torch
from network_fixtures import random_batch, tiny_model, without
from torch.nn import functional
from transformers import AutoConfig, AutoModel

from textmsa.inputs import encoded_texts
from textmsa.inputs.encoded_texts import INDEX, STATES, EncodedTexts, frozen_key
from textmsa.model import text_encoder
from textmsa.model.batch import States, Tokens
from textmsa.model.packing import PACKABLE, PACKED, is_packable, pack
from textmsa.model.text_encoder import encode_together, first_layers, load_encoder, run_layers
from textmsa.train.text_encoder import add_lora, merge_lora

TEXTS = ["it was good", "", "it was good", "loud , fast voice and a wide smile", "no"]


def tiny_encoder(model_type: str = "bert", layers: int = 3):
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "hidden_size": 16,
        "num_hidden_layers": layers,
        "num_attention_heads": 2,
        "intermediate_size": 24,
    }
    config = AutoConfig.for_model(model_type, vocab_size=60, max_position_embeddings=40, pad_token_id=1, **sizes)
    return AutoModel.from_config(config).eval()


def some_texts(rows: int = 9, length: int = 14, seed: int = 0) -> Tokens:
    """Texts of different lengths, some equal, one absent."""
    generator = torch.Generator().manual_seed(seed)
    mask = torch.arange(length)[None] < torch.randint(1, length + 1, (rows, 1), generator=generator)
    ids = torch.randint(2, 60, (rows, length), generator=generator) * mask + (~mask).long()
    ids[4], mask[4] = ids[2], mask[2]
    mask[5] = False
    return Tokens(ids, mask, torch.zeros_like(ids))


def plain(encoder, tokens: Tokens) -> torch.Tensor:
    """The reference's way: one padded call for one text per clip."""
    seen = tokens.mask_BL.clone()
    seen[:, 0] = True
    return encoder(input_ids=tokens.ids_BL, attention_mask=seen.long()).last_hidden_state


@pytest.mark.parametrize("model_type", PACKABLE)
def test_packed_texts_equal_one_padded_call_for_each(model_type):
    encoder = tiny_encoder(model_type)
    first, second = some_texts(seed=1), some_texts(length=9, seed=2)
    expected = [plain(encoder, tokens) for tokens in (first, second)]
    assert is_packable(encoder)
    assert encoder.config._attn_implementation != PACKED  # to ask changes nothing
    found = encode_together(encoder, {"a": first, "b": second})
    for tokens, want, got in zip((first, second), expected, found.values(), strict=True):
        assert got.shape == want.shape
        assert torch.allclose(got[tokens.mask_BL], want[tokens.mask_BL], atol=1e-5)


def test_gradients_of_packed_texts_equal_the_plain_way():
    tokens, gradients = some_texts(), []
    for way in (plain, lambda encoder, tokens: encode_together(encoder, {"a": tokens})["a"]):
        encoder = tiny_encoder()
        way(encoder, tokens)[tokens.mask_BL].square().sum().backward()
        gradients.append({n: p.grad for n, p in encoder.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys()
    for name in gradients[0]:
        assert torch.allclose(gradients[0][name], gradients[1][name], atol=1e-4), name


def test_texts_padded_on_the_left_are_packed_too():
    encoder, tokens = tiny_encoder(), some_texts(rows=6)
    tokens = Tokens(tokens.ids_BL.flip(1), tokens.mask_BL.flip(1), tokens.segments_BL)
    expected = encoder(input_ids=tokens.ids_BL, attention_mask=tokens.mask_BL.long()).last_hidden_state
    got = encode_together(encoder, {"a": tokens})["a"]
    assert torch.allclose(got[tokens.mask_BL], expected[tokens.mask_BL], atol=1e-5)


def test_equal_texts_are_encoded_once_and_absent_ones_never():
    tokens = some_texts()
    packing = pack(tokens.ids_BL, tokens.mask_BL, tokens.segments_BL)
    distinct = {tuple(ids[mask].tolist()) for ids, mask in zip(tokens.ids_BL, tokens.mask_BL, strict=True)} - {()}
    assert sum(texts for texts, _ in packing.groups) == len(distinct) == 7
    assert len(packing.source_P) == sum(map(len, distinct))
    differing = tokens.segments_BL.clone()
    differing[4] = 1
    assert sum(texts for texts, _ in pack(tokens.ids_BL, tokens.mask_BL, differing).groups) == 8


def test_a_batch_whose_texts_are_all_empty_needs_no_encoder():
    tokens = some_texts(rows=6)
    absent = tokens._replace(mask_BL=torch.zeros_like(tokens.mask_BL))
    assert encode_together(tiny_encoder(), {"a": absent})["a"].abs().max() == 0


def test_an_encoder_that_cannot_be_packed_takes_texts_of_like_length_together(monkeypatch):
    encoder, tokens = tiny_encoder("mpnet"), some_texts()
    assert not is_packable(encoder)
    widths = []
    encoder.register_forward_pre_hook(
        lambda _, args, inputs: widths.append(inputs["input_ids"].shape[1]), with_kwargs=True
    )
    expected = plain(encoder, tokens)[tokens.mask_BL]
    expected_gradients = torch.autograd.grad(expected.square().sum(), list(encoder.encoder.parameters()))
    monkeypatch.setattr(text_encoder, "TEXTS_A_GROUP", 2)
    got = encode_together(encoder, {"a": tokens})["a"][tokens.mask_BL]
    assert torch.allclose(got, expected, atol=1e-5)
    gradients = torch.autograd.grad(got.square().sum(), list(encoder.encoder.parameters()))
    for gradient, other in zip(gradients, expected_gradients, strict=True):
        assert torch.allclose(gradient, other, atol=1e-3)
    whole, *groups = widths
    assert groups == sorted(groups)
    assert groups[0] < whole


@pytest.mark.parametrize("unpadded", [True, False])
@pytest.mark.parametrize("layer", [1, 2, 3])
def test_states_of_the_first_layers_lead_to_the_same_output(layer, unpadded):
    encoder, tokens = tiny_encoder(), some_texts()
    expected = encode_together(encoder, {"a": tokens}, unpadded=unpadded)["a"]
    with first_layers(encoder, layer):
        below = encode_together(encoder, {"a": tokens}, unpadded=unpadded)["a"]
    assert len(encoder.encoder.layer) == 3
    states = tokens._replace(states=States(below, layer))
    got = encode_together(encoder, {"a": states}, unpadded=unpadded)["a"]
    assert torch.allclose(got[tokens.mask_BL], expected[tokens.mask_BL], atol=1e-5)


def test_running_no_layer_changes_nothing():
    x = torch.randn(2, 3, 16)
    assert run_layers(tiny_encoder(), x, 3) is x


@pytest.fixture(scope="module")
def minilm():
    encoder, tokenizer = load_encoder("minilm")
    return encoder.eval(), tokenizer


def pieces_of(tokenizer, texts) -> Tokens:
    rows = tokenizer(texts, truncation=True, max_length=8, padding="longest", return_tensors="pt")
    mask = rows["attention_mask"].bool() & torch.tensor([bool(text) for text in texts])[:, None]
    return Tokens(rows["input_ids"], mask, rows["token_type_ids"])


def test_encoded_texts_are_the_encoders_states(tmp_path, minilm):
    encoder, tokenizer = minilm
    tokens = pieces_of(tokenizer, TEXTS)
    known = EncodedTexts.of([tokens], encoder=encoder, layer=3, root=tmp_path)
    seen = tokens.mask_BL | (torch.arange(8) == 0)
    expected = encoder(tokens.ids_BL, seen.long(), output_hidden_states=True).hidden_states[3]
    states = known.states(tokens)
    assert states.layer == 3
    assert torch.allclose(states.values_BLF[tokens.mask_BL], expected[tokens.mask_BL], atol=1e-5)
    assert states.values_BLF[~tokens.mask_BL].abs().sum() == 0
    padded = tokens.each(lambda part: functional.pad(part, (2, 3)))
    with pytest.raises(KeyError):  # other positions, so other states
        known.states(padded)
    longer = tokens.each(lambda part: functional.pad(part, (0, 3)))
    assert torch.equal(known.states(longer).values_BLF[:, :8], states.values_BLF)


def test_encoded_texts_are_not_encoded_twice_even_after_a_kill(tmp_path, minilm, monkeypatch):
    encoder, tokenizer = minilm
    tokens = pieces_of(tokenizer, TEXTS)
    folder = EncodedTexts.of([pieces_of(tokenizer, TEXTS[:3])], encoder=encoder, layer=3, root=tmp_path).folder
    with open(folder / STATES, "ab") as states, open(folder / INDEX, "a") as index:
        states.write(b"\0" * 777)  # what a kill between two writes leaves
        index.write("0123abc\t3")
    asked: list[int] = []
    real_hidden = encoded_texts._hidden

    def hidden(texts, *rest):
        asked.append(len(texts))
        return real_hidden(texts, *rest)

    monkeypatch.setattr("textmsa.inputs.encoded_texts._hidden", hidden)
    again = EncodedTexts.of([tokens], encoder=encoder, layer=3, root=tmp_path)
    fresh = EncodedTexts.of([tokens], encoder=encoder, layer=3, root=tmp_path / "fresh")
    assert asked == [2, 3]
    assert torch.allclose(again.states(tokens).values_BLF, fresh.states(tokens).values_BLF, atol=1e-5)
    reopened = EncodedTexts.of([tokens], encoder=encoder, layer=3, root=tmp_path)
    assert len(asked) == 2
    assert torch.equal(reopened.states(tokens).values_BLF, again.states(tokens).values_BLF)


def test_frozen_key_tells_weights_and_layers_apart():
    encoder, changed, above = tiny_encoder(), tiny_encoder(), tiny_encoder()
    with torch.no_grad():
        changed.encoder.layer[0].output.dense.bias[0] += 1e-3
        above.encoder.layer[2].output.dense.bias[0] += 1e-3
    key = frozen_key(encoder, 2)
    assert key == frozen_key(above, 2) == frozen_key(tiny_encoder(), 2)
    keys = {frozen_key(changed, 2), frozen_key(above, 3), frozen_key(encoder, 3)}
    assert len(keys) == 3 and key not in keys


def test_merged_low_rank_updates_give_the_same_states():
    pytest.importorskip("peft")
    encoder, tokens = tiny_encoder(), some_texts()
    names = list(encoder.state_dict())
    before = plain(encoder, tokens)
    add_lora(encoder, 2)
    trained = [name for name, p in encoder.named_parameters() if p.requires_grad]
    assert trained and all("lora_" in name for name in trained)
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            if "lora_B" in name:
                parameter.normal_()
    updated = encode_together(encoder.eval(), {"a": tokens})["a"][tokens.mask_BL]
    merge_lora(encoder)
    assert list(encoder.state_dict()) == names
    assert torch.allclose(plain(encoder, tokens)[tokens.mask_BL], updated, atol=1e-4)
    assert not torch.allclose(before[tokens.mask_BL], updated, atol=1e-2)


def test_scores_and_losses_equal_the_plain_three_call_way(monkeypatch):
    def three_calls(encoder, texts, *, unpadded):
        return {name: plain(encoder, tokens) for name, tokens in texts.items()}

    batch = random_batch(16)
    for given in (batch, without(batch, "audio_explanation", rows=[0, 3])):
        losses: list[float] = []
        gradients: list[torch.Tensor] = []
        for plainly in (False, True):
            model = tiny_model().train()
            model.text_encoder.eval()
            for layer in model.layers:
                layer.router.noise_when = "never"
            model.fusion.dropout.p = 0.0
            with monkeypatch.context() as patch:
                if plainly:
                    patch.setattr("textmsa.model.network.encode_together", three_calls)
                loss = functional.l1_loss(model(given).score_B, torch.linspace(-1, 1, 16))
            loss.backward()
            losses.append(loss.item())
            gradients.append(model.text_encoder.get_submodule("embeddings.word_embeddings").weight.grad)
        assert losses[0] == pytest.approx(losses[1], abs=1e-5)
        assert torch.allclose(gradients[0], gradients[1], atol=1e-5)
