"""What a clip of the demo corpus means: latents, label, and the best error that can be had from them.

Frozen: issue 2 fixes these functions, and a change would make results incomparable.
Shape suffix: N clips.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatN = npt.NDArray[np.float64]

SCORE_RANGE = (-3.0, 3.0)
SARCASTIC = 0.25  # share of clips whose voice and face go against the words
FOLLOWS = 0.72  # how much of t passes into a and v
OWN = 1.2  # standard deviation of what voice and face have of their own
COINCIDE = 0.5  # share of clips whose voice and face peak together
IN_TIME, OUT_OF_TIME = 1.0, 0.1  # k, the weight of the face
LABEL_NOISE = 0.3
DRAWS = 120_000  # of the simulation behind the floors


@dataclass(frozen=True)
class Latents:
    """The causes of N clips' labels, each an array (N,)."""

    t: FloatN
    """Sentiment of the words, [-3, 3]."""
    s: FloatN
    """-1 where voice and face go against the words, else 1."""
    a: FloatN
    """Sentiment of the voice, [-3, 3]."""
    v: FloatN
    """Sentiment of the face, [-3, 3]."""
    k: FloatN
    """1 where the peaks of voice and face coincide, else 0.1."""
    noise: FloatN
    """Added to the label."""

    @property
    def label(self) -> FloatN:
        """y (N,), with noise."""
        return _clip(expected_label(self) + self.noise)


def draw(t_N: FloatN, rng: np.random.Generator) -> Latents:
    """Latents for words of sentiment `t_N` (N,)."""
    n = len(t_N)
    s_N = np.where(rng.random(n) < SARCASTIC, -1.0, 1.0)
    a_N = _clip(FOLLOWS * s_N * t_N + rng.normal(0, OWN, n))
    v_N = _clip(FOLLOWS * s_N * t_N + rng.normal(0, OWN, n))
    k_N = np.where(rng.random(n) < COINCIDE, IN_TIME, OUT_OF_TIME)
    return Latents(t_N, s_N, a_N, v_N, k_N, rng.normal(0, LABEL_NOISE, n))


def expected_label(latents: Latents) -> FloatN:
    """The label (N,) without its noise: the oracle's prediction."""
    t, a, v = latents.t, latents.a, latents.v
    nonverbal = 1.3 * (0.6 * a + latents.k * v) / 1.6
    alpha = 0.2 + 0.5 / (1 + np.exp(-(np.abs(t) - 1) / 0.25))
    overruled = (a * v > 0) & (a * t < 0) & (np.abs(a) > 1) & (np.abs(v) > 1)
    alpha = np.where(overruled, 0.1, alpha)
    return _clip(alpha * t + (1 - alpha) * nonverbal)


def _clip(values_N: FloatN) -> FloatN:
    return np.clip(values_N, *SCORE_RANGE)


def oracle_mae(latents: Latents) -> float:
    """Mean absolute error of the label without noise, on these clips."""
    return float(np.mean(np.abs(latents.label - expected_label(latents))))


def floors(ratings_M: FloatN, *, seed: int, draws: int = DRAWS) -> dict[str, float]:
    """The best mean absolute errors that predictors of y reach, by simulation.

    `ratings_M` (M,) are the sentiments of all sentences, drawn from with replacement. A predictor knows exact
    latents ("text" t, "audio" a, "video" v, "timing" k); half of the draws fit it, the other half measure it.
    """
    rng = np.random.default_rng([seed, 1])
    latents = draw(rng.choice(ratings_M, draws), rng)
    y_N, half = latents.label, draws // 2
    columns = {"text": latents.t, "audio": latents.a, "video": latents.v, "timing": latents.k}
    seen = ("text", "audio", "video", "text+audio", "text+video", "audio+video", "text+audio+video")
    result = {"mean": _error(np.full(half, y_N[:half].mean()), y_N[half:])}
    for name in (*seen, "text+audio+video+timing"):
        x_NF = np.stack([columns[part] for part in name.split("+")], axis=1)
        result[name] = _error(_median(x_NF[:half], y_N[:half], x_NF[half:]), y_N[half:])
    x_NF = np.stack([latents.t, latents.a, latents.v], axis=1)
    result["linear text+audio+video"] = _error(_linear(x_NF[:half], y_N[:half], x_NF[half:]), y_N[half:])
    return result


def _error(predicted_N: FloatN, true_N: FloatN) -> float:
    return round(float(np.mean(np.abs(predicted_N - true_N))), 4)


def _median(fit_NF: FloatN, y_N: FloatN, test_NF: FloatN) -> FloatN:
    """The conditional median, estimated by boosted trees."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    trees = HistGradientBoostingRegressor(
        loss="absolute_error", max_iter=150, learning_rate=0.12, max_leaf_nodes=63, random_state=0
    )
    return np.asarray(trees.fit(fit_NF, y_N).predict(test_NF), dtype=np.float64)


def _linear(fit_NF: FloatN, y_N: FloatN, test_NF: FloatN) -> FloatN:
    from sklearn.linear_model import LinearRegression

    return np.asarray(LinearRegression().fit(fit_NF, y_N).predict(test_NF), dtype=np.float64)
