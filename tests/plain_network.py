"""The TEXT network past its text encoder as a slow, obvious program: loops over clips, heads and experts, in numpy.

Written from the paper's description of the method and the parameters' published names, and from nothing in
`textmsa.model`: what both give alike is right in both or wrong in the description. It computes in float64, attends
to padding, has no noise and no dropout. Shape suffixes: N clips, L word pieces or steps, T positions (a learned
token and L), Q queries, K keys, D hidden size, F input features, E experts, C convolution taps.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import erf

Array = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
HEAD_SIZE = 64
MOE = "text_router_moe_trans"
STREAMS = {
    "text": ("proj_t0", "proj_t"),
    "audio": ("proj_a0", "proj_a_feat"),
    "video": ("proj_v0", "proj_v_feat"),
    "audio_explanation": ("proj_a_clue0", "proj_a_clue"),
    "video_explanation": ("proj_v_clue0", "proj_v_clue"),
}
"""Stream -> the published names of its linear layer and of its transformer."""
THEIR_MODALITY = {"audio": "audio", "video": "visual"}


def batch_order(experts_A: Ints) -> Ints:
    """Assignments by expert, and for each expert in the order of the batch."""
    return np.argsort(experts_A, kind="stable")


class PlainNetwork:
    """The network of one set of published parameters.

    Parameters
    ----------
    parameters
        Published name -> values.
    top_k
        Experts chosen for a clip.
    """

    def __init__(self, parameters: dict[str, Any], *, top_k: int = 3) -> None:
        self.p: dict[str, Array] = {name: np.asarray(value, dtype=np.float64) for name, value in parameters.items()}
        self.top_k = top_k

    def scores(
        self,
        streams: dict[str, Array],
        *,
        capacity_factor: float | None = None,
        order: Callable[[Ints], Ints] = batch_order,
    ) -> Array:
        """Scores (N,) of each stream's inputs (N, L, F): the text encoder's hidden states, and features.

        With `capacity_factor` an expert takes int(N top_k / E factor) clips, at least 1, in the order that `order`
        gives to the assignments; the others lose its share.
        """
        clips = [{name: values[n] for name, values in streams.items()} for n in range(len(streams["text"]))]
        sequences = [self._sequence(clip) for clip in clips]
        means_ND = np.stack([text_TD.mean(axis=0) for text_TD, _ in sequences])
        shares = [
            self._shares(layer, means_ND, capacity_factor, order) for layer in range(self._count(f"{MOE}.encoder"))
        ]
        scores = []
        for n, (_, parts) in enumerate(sequences):
            x_TD = np.concatenate(parts) + self.p[f"{MOE}.pos_embedding"][0]
            for layer, share_NE in enumerate(shares):
                x_TD = self._routed_layer(x_TD, f"{MOE}.encoder.layers.{layer}", share_NE[n])
            starts = np.cumsum([0, *(len(part) for part in parts[:-1])])
            scores.append(self._fused([x_TD[start] for start in starts]))
        return np.array(scores)

    def _count(self, encoder: str) -> int:
        """How many layers it has."""
        numbers = [name.split(".layers.")[1].split(".")[0] for name in self.p if name.startswith(f"{encoder}.layers.")]
        return 1 + max(map(int, numbers))

    def _sequence(self, clip: dict[str, Array]) -> tuple[Array, list[Array]]:
        """The text stream (T, D), and all three modalities as they enter the mixture of experts."""
        x = {name: self._stream(values, *STREAMS[name]) for name, values in clip.items()}
        audio_TD = self._explained("audio", x["audio"], x["audio_explanation"])
        video_TD = self._explained("video", x["video"], x["video_explanation"])
        return x["text"], [x["text"], *self._in_time(audio_TD, video_TD)]

    def _stream(self, values_LF: Array, linear: str, encoder: str) -> Array:
        x_LD = self._linear(np.where(np.isinf(values_LF), 0, values_LF), linear)
        x_TD = np.concatenate([self.p[f"{encoder}.extra_token"][0], x_LD]) + self.p[f"{encoder}.pos_embedding"][0]
        for layer in range(self._count(f"{encoder}.encoder")):
            x_TD = self._block(x_TD, x_TD, f"{encoder}.encoder.layers.{layer}")
        return x_TD

    def _explained(self, modality: str, features_TD: Array, explanation_TD: Array) -> Array:
        """The explanation asks, the features answer."""
        fusion = f"corss_fusion_{THEIR_MODALITY[modality]}"
        query_TD = explanation_TD + self.p[f"{fusion}.pos_embedding_t"][0]
        key_TD = features_TD + self.p[f"{fusion}.pos_embedding_s"][0]
        return self._block(query_TD, key_TD, f"{fusion}.CrossTransformerEncoder.layers.0")

    def _in_time(self, audio_TD: Array, video_TD: Array) -> tuple[Array, Array]:
        """Gated convolutions whose gates are swapped."""
        opened = {}
        for modality, x_TD in (("audio", audio_TD), ("video", video_TD)):
            part = f"cross_align_a_v.{THEIR_MODALITY[modality]}"
            normed_TD = x_TD / np.sqrt((x_TD**2).mean(axis=1, keepdims=True) + 1e-5) * self.p[f"{part}_RMSNorm.weight"]
            values, gate = np.split(normed_TD @ self.p[f"{part}_in_proj.weight"].T, 2, axis=1)
            opened[modality] = (self._causal(values, f"{part}_conv1d"), gate)
        updates = {
            one: (opened[one][0] * silu(opened[other][1]))
            @ self.p[f"cross_align_a_v.{THEIR_MODALITY[one]}_out_proj.weight"].T
            for one, other in (("audio", "video"), ("video", "audio"))
        }
        return audio_TD + updates["audio"], video_TD + updates["video"]

    def _causal(self, x_TD: Array, name: str) -> Array:
        """Each channel's own convolution over this position and those before it."""
        taps_DC = self.p[f"{name}.weight"][:, 0]
        result_TD = np.tile(self.p[f"{name}.bias"], (len(x_TD), 1))
        for position in range(len(x_TD)):
            for back in range(min(taps_DC.shape[1], position + 1)):
                result_TD[position] += taps_DC[:, -1 - back] * x_TD[position - back]
        return result_TD

    def _shares(
        self, layer: int, means_ND: Array, capacity_factor: float | None, order: Callable[[Ints], Ints]
    ) -> Array:
        """The weight of each expert for each clip (N, E)."""
        logits_NE = self._linear(means_ND, f"{MOE}.encoder.layers.{layer}.1.fn.router.topkroute_linear")
        share_NE = np.zeros_like(logits_NE)
        chosen: list[tuple[int, int]] = []  # (clip, expert), clip by clip, the best expert first
        for n, logits_E in enumerate(logits_NE):
            best = np.argsort(-logits_E, kind="stable")[: self.top_k]
            share_NE[n, best] = softmax(logits_E[best])
            chosen += [(n, int(expert)) for expert in best]
        if capacity_factor is not None:
            clips, experts = logits_NE.shape
            room = np.full(experts, max(1, int(clips * self.top_k / experts * capacity_factor)))
            for assignment in order(np.array([expert for _, expert in chosen])):
                n, expert = chosen[assignment]
                share_NE[n, expert] *= room[expert] > 0
                room[expert] -= 1
        return share_NE

    def _routed_layer(self, x_TD: Array, layer: str, share_E: Array) -> Array:
        x_TD = self._attended(x_TD, x_TD, f"{layer}.0")
        normed_TD = self._layer_norm(x_TD, f"{layer}.1.norm")
        for expert in np.flatnonzero(share_E):
            x_TD = x_TD + share_E[expert] * self._mlp(normed_TD, f"{layer}.1.fn.experts.{expert}.net")
        return x_TD

    def _fused(self, summaries: list[Array]) -> float:
        gates = softmax(self._linear(np.concatenate(summaries), "cls_head.gate.0"))
        x_D = sum((gate * summary for gate, summary in zip(gates, summaries, strict=True)), np.zeros(1))
        return float(self._mlp(x_D, "cls_head.cls_head")[0])

    def _block(self, query_QD: Array, key_KD: Array, name: str) -> Array:
        x_QD = self._attended(query_QD, key_KD, f"{name}.0")
        return x_QD + self._mlp(self._layer_norm(x_QD, f"{name}.1.norm"), f"{name}.1.fn.net")

    def _attended(self, query_QD: Array, key_KD: Array, name: str) -> Array:
        q = self._layer_norm(query_QD, f"{name}.norm_q") @ self.p[f"{name}.fn.to_q.weight"].T
        k = self._layer_norm(key_KD, f"{name}.norm_k") @ self.p[f"{name}.fn.to_k.weight"].T
        v = self._layer_norm(key_KD, f"{name}.norm_v") @ self.p[f"{name}.fn.to_v.weight"].T
        heads = []
        for start in range(0, q.shape[1], HEAD_SIZE):
            head = slice(start, start + HEAD_SIZE)
            heads.append(softmax(q[:, head] @ k[:, head].T / HEAD_SIZE**0.5) @ v[:, head])
        return query_QD + self._linear(np.concatenate(heads, axis=1), f"{name}.fn.to_out.0")

    def _mlp(self, x: Array, name: str) -> Array:
        """Linear, GELU, (dropout,) linear: numbers 0 and 3 of the published sequence."""
        return self._linear(gelu(self._linear(x, f"{name}.0")), f"{name}.3")

    def _linear(self, x: Array, name: str) -> Array:
        return np.asarray(x @ self.p[f"{name}.weight"].T + self.p[f"{name}.bias"])

    def _layer_norm(self, x_TD: Array, name: str) -> Array:
        centred = x_TD - x_TD.mean(axis=1, keepdims=True)
        normed = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
        return normed * self.p[f"{name}.weight"] + self.p[f"{name}.bias"]


def gelu(x: Array) -> Array:
    """x times the normal distribution's integral up to x."""
    return np.asarray(x * 0.5 * (1 + erf(x / 2**0.5)))


def silu(x: Array) -> Array:
    """x times its logistic."""
    return np.asarray(x / (1 + np.exp(-x)))


def softmax(x: Array) -> Array:
    """Over the last axis."""
    raised = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True))
