"""How sure a score is: split-conformal intervals from clips that were neither learnt from nor chosen by.

The interval is the score plus and minus a quantile of the errors on the calibration clips, with the correction for
their number (Papadopoulos et al. 2002; Lei et al. 2018), cut at the corpus' range. It covers the true score of a new
clip with at least its level if that clip and the calibration clips are exchangeable, as drawn from the same source in
any order; docs/intervals.md says what follows from that. By speaker, the errors are weighted so that the same holds for
a new speaker among exchangeable ones (Lee, Barber and Willett 2023).

calibration.json    in the run folder: quantiles by level, which clips, of which training
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from textmsa.errors import UserError
from textmsa.run import RUN, Run
from textmsa.runtime.atomic import file_sha256, read_json, understood, write_json
from textmsa.runtime.claim import CLAIM
from textmsa.scoring import Scores, mean_of
from textmsa.store.reading import Store
from textmsa.store.training_clips import set_aside
from textmsa.types import SPLITS, Interval

Floats = npt.NDArray[np.float64]
By = Literal["clip", "speaker"]
ScaledBy = Literal["nothing", "seeds"]
CALIBRATION = "calibration.json"
ASIDE = "calibration"  # the split that training set aside
LEVEL = "0.9"
SPREAD_FLOOR = 0.05
"""Share of the range that is added to the seeds' standard deviation, so that no interval is of no width."""
REMEDY = "calibrate again with textmsa calibrate"


@dataclass(frozen=True)
class Calibration:
    """What calibration.json says."""

    quantiles: dict[str, float]
    """Level, as "0.9" -> half the interval's width, in units of the score or of the scale; the first is shown."""
    clips: int
    speakers: int
    """Videos, which are speakers in the MMSA layout; clips without one count each."""
    by: By
    scaled_by: ScaledBy
    score_range: tuple[float, float]
    source: str
    """Which clips, in words."""
    split: str
    content_sha256: str
    """Of the store that they lie in."""
    run_sha256: str
    """Of run.json, which is another after every training."""
    ids: list[str]
    created: str
    """ISO 8601, UTC."""

    def bounds(self, score_N: Floats, scale_N: Floats, level: str | None = None) -> tuple[Floats, Floats]:
        """Lower and upper ends (N,) of the intervals, within the range; `scale_N` is of `scale_of`."""
        half_N = self.quantiles[level or next(iter(self.quantiles))] * scale_N
        low, high = self.score_range
        return np.clip(score_N - half_N, low, high), np.clip(score_N + half_N, low, high)

    def interval(self, members: list[Scores], row: int = 0) -> Interval:
        """The first level's interval of the clip in that row, scored by each network."""
        score_N = mean_of(members).score_N
        low_N, high_N = self.bounds(score_N, scale_of(members, self.scaled_by, self.score_range))
        return Interval(
            float(next(iter(self.quantiles))), float(low_N[row]), float(high_N[row]), self.clips, self.source
        )

    def save(self, folder: Path) -> None:
        """Write calibration.json at once or not at all."""
        write_json(folder / CALIBRATION, asdict(self))

    @staticmethod
    def load(folder: Path) -> "Calibration":
        """Read calibration.json; raises UserError where it is damaged or of another format."""
        path = folder / CALIBRATION
        document = read_json(path, remedy=REMEDY)
        with understood(path, remedy=REMEDY):
            low, high = document["score_range"]
            quantiles = {str(level): float(value) for level, value in document["quantiles"].items()}
            if not quantiles:
                raise ValueError("no quantiles")
            return Calibration(**{**document, "score_range": (float(low), float(high)), "quantiles": quantiles})


@dataclass(frozen=True)
class CalibrateResult:
    """What `calibrate` gives back."""

    path: Path
    calibration: Calibration

    def text(self) -> str:
        """For people."""
        found = self.calibration
        unit = " standard deviations of the seeds (floor included)" if found.scaled_by == "seeds" else ""
        lines = [f"{self.path}: {found.source}, by {found.by}"]
        lines += [
            f"  {float(level):.0%} interval  score +- {half:.3f}{unit}" for level, half in found.quantiles.items()
        ]
        return "\n".join(lines)


def calibrate(
    run: Path,
    *,
    data: Path,
    split: str = ASIDE,
    level: str = LEVEL,
    by: By = "clip",
    scaled_by: ScaledBy = "nothing",
) -> CalibrateResult:
    """Give a run intervals, from labelled clips that it neither learnt from nor chose its epoch by.

    Parameters
    ----------
    run
        A finished run folder; calibration.json is written into it.
    data
        The store with the clips.
    split
        "calibration", what training.calibration_share set aside of the store that the run was trained on; or "train",
        "valid", "test" or "all" of a store (of the run's own, "test" only: no coverage can then be told on it).
    level
        Of the intervals, from above 0 to below 1; several with commas between, of which predict shows the first.
    by
        "clip", or "speaker": the level then holds for speakers that the run has not heard, and is that of "clip" where
        every speaker has one clip.
    scaled_by
        "nothing": all intervals are of one width; "seeds": wider where the networks of a run disagree.

    Examples
    --------
    textmsa calibrate run --data store
    textmsa calibrate run --data others --split all --level 0.9,0.5
    """
    levels = parse_levels(level)
    opened, store = Run.open(Path(run)), Store.open(data)
    opened.check(store)
    if scaled_by == "seeds" and len(opened.members) < 2:
        raise UserError(f"{run}: has one network, which cannot disagree; give --scaled-by nothing, or train more seeds")
    indices = _clips(opened, store, split)
    speakers = _speakers(store, indices)
    check_enough(len(set(speakers)) if by == "speaker" else len(indices), levels, by, where=str(store.path))
    members = opened.score_members(store, indices)
    error_N = np.abs(mean_of(members).score_N - store.label_N[indices])
    error_N = error_N / scale_of(members, scaled_by, opened.info.score_range)
    groups = speakers if by == "speaker" else None
    ids = store.column("id")
    found = Calibration(
        quantiles={name: conformal_quantile(error_N, float(name), groups) for name in levels},
        clips=len(indices),
        speakers=len(set(speakers)),
        by=by,
        scaled_by=scaled_by,
        score_range=opened.info.score_range,
        source=_source(store, split, len(indices), len(set(speakers))),
        split=split,
        content_sha256=store.content_sha256,
        run_sha256=file_sha256(opened.path / RUN),
        ids=[ids[index] for index in indices],
        created=f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
    )
    found.save(opened.path)
    return CalibrateResult(opened.path / CALIBRATION, found)


def calibration_of(run: Run) -> tuple[Calibration | None, str]:
    """A run's calibration, and "", or None and why there is none, in words.

    Raises UserError where calibration.json is damaged.
    """
    if not (run.path / CALIBRATION).is_file():
        return None, f"none: this run is not calibrated; textmsa calibrate {run.path} --data STORE does it"
    found = Calibration.load(run.path)
    if found.run_sha256 != file_sha256(run.path / RUN):
        return None, f"none: the run was trained since it was calibrated; textmsa calibrate {run.path} --data STORE"
    return found, ""


def parse_levels(given: str) -> list[str]:
    """ "0.9,0.80" -> ["0.9", "0.8"]; UserError for what is not a level, or none."""
    try:
        levels = [float(word) for word in given.split(",")]
    except ValueError:
        levels = []
    if not levels or not all(0 < level < 1 for level in levels):
        raise UserError(f"--level {given!r}: give a number between 0 and 1, as 0.9, or several with commas")
    return list(dict.fromkeys(f"{level:g}" for level in levels))


def check_enough(count: int, levels: Sequence[str], by: By, *, where: str) -> None:
    """Raises UserError where so few clips, or speakers, cannot give an interval of each level."""
    for level in levels:
        needed = least_for(float(level))
        if count < needed:
            raise UserError(
                f"{where}: {count} {by}{'s' * (count != 1)} to calibrate on, and an interval of {float(level):.0%} "
                f"needs at least {needed}; give more, or a lower level"
            )


def least_for(level: float) -> int:
    """The least n for which an interval of that level is finite: 1 / (1 - level) - 1, rounded up."""
    return int(np.ceil(level / (1 - level) - 1e-9))


def conformal_quantile(error_N: Floats, level: float, groups: Sequence[str] | None = None) -> float:
    """The error (of N) that a new one exceeds with a probability of at most 1 - `level`.

    It is the ceil((n + 1) level)-th smallest. With groups each of the K groups weighs 1 / (K + 1), shared equally by
    its members, and the new one, whose error may be anything, as much; with a group each that is the same.
    Infinite where there are too few.
    """
    names = list(groups) if groups is not None else [str(number) for number in range(len(error_N))]
    sizes = Counter(names)
    weight_N = np.array([1 / (len(sizes) + 1) / sizes[name] for name in names])
    order = np.argsort(error_N, kind="stable")
    reached_N = np.cumsum(weight_N[order])
    place = int(np.searchsorted(reached_N, level - 1e-9))
    return float(error_N[order][place]) if place < len(order) else float("inf")


def scale_of(members: list[Scores], scaled_by: ScaledBy, score_range: tuple[float, float]) -> Floats:
    """By what a clip's error is divided, and its interval multiplied (N,)."""
    if scaled_by == "nothing":
        return np.ones(len(members[0].score_N))
    spread_N = np.std([member.score_N for member in members], axis=0, ddof=1)
    return np.asarray(spread_N + SPREAD_FLOOR * (score_range[1] - score_range[0]))


def resplit_coverage(
    score_N: Floats,
    label_N: Floats,
    level: float,
    score_range: tuple[float, float],
    *,
    splits: int = 200,
    share: float = 0.5,
    seed: int = 0,
) -> tuple[Floats, Floats]:
    """Coverage and mean width (`splits`,) where a random share of the clips is calibrated on, the rest covered."""
    rng = np.random.default_rng(seed)
    error_N, (low, high) = np.abs(score_N - label_N), score_range
    covered, widths = [], []
    for _ in range(splits):
        order = rng.permutation(len(error_N))
        own, other = np.split(order, [round(share * len(order))])
        half = conformal_quantile(error_N[own], level)
        ends = np.clip([score_N[other] - half, score_N[other] + half], low, high)
        inside = (ends[0] <= label_N[other] + 1e-9) & (label_N[other] <= ends[1] + 1e-9)
        covered.append(float(inside.mean()))
        widths.append(float((ends[1] - ends[0]).mean()))
    return np.array(covered), np.array(widths)


def _clips(run: Run, store: Store, split: str) -> list[int]:
    """Where the labelled clips stand; UserError where the run has seen them."""
    if split not in (ASIDE, "all", *SPLITS):
        raise UserError(f"--split {split!r}: give one of {', '.join((ASIDE, *SPLITS, 'all'))}")
    own = is_own(run, store)
    if split == ASIDE:
        share = run.recipe.training.calibration_share if run.recipe else 0.0
        if not share or not own:
            why = f"was trained on other data than {store.path}" if share else "set no clips aside in training"
            raise UserError(
                f"{run.path}: {why}; train with --training.calibration_share 0.1, or give --split test, or another "
                "store with labelled clips that it never learnt from"
            )
        return set_aside(store, share)
    if split != "test" and (own or is_grown(run, store)):
        raise UserError(
            f"{run.path}: learnt from the training clips of {store.path} and chose its epochs by the validation "
            "clips; give --split calibration or test, or another store"
        )
    if split == "all":
        indices = np.flatnonzero(store.has_label_N).tolist()
        if not indices:
            raise UserError(f"{store.path}: no clip has a label; label some in the corpus")
        return list(indices)
    return store.labelled(split)


def is_own(run: Run, store: Store) -> bool:
    """Whether a run was trained on that store's clips; of a run without claim.json, whether the corpus is its."""
    if not (run.path / CLAIM).is_file():
        return store.manifest.corpus == run.info.corpus
    claimed: Any = read_json(run.path / CLAIM, remedy="copy the run folder again", unstamped=True)
    with understood(run.path / CLAIM, remedy="copy the run folder again"):
        return bool(claimed["store"]["content"] == store.content_sha256)


def is_grown(run: Run, store: Store) -> bool:
    """Whether a store is the one that a run was trained on, prepared again since.

    Its statistics, which `Run.check` found to be the run's, are frozen when it is first made: besides it only a store
    made with `--like` has them.
    """
    return store.manifest.corpus == run.info.corpus and store.preparation.like is None


def _speakers(store: Store, indices: Sequence[int]) -> list[str]:
    """The video of each clip; of one without a video the clip itself."""
    videos, ids = store.column("video_id"), store.column("id")
    return [videos[index] or ids[index] for index in indices]


def _source(store: Store, split: str, clips: int, speakers: int) -> str:
    which = {ASIDE: "set aside in training", "all": "all splits"}.get(split, f"split {split}")
    return f"{clips} clips of {speakers} video{'s' * (speakers != 1)} of {store.manifest.corpus}, {which}"
