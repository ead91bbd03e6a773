"""The card of a repository on a hub: README.md, with the header that hubs read."""

import math
import re
from pathlib import Path
from typing import Any

from textmsa.evaluate.predictions import ORIGIN
from textmsa.intervals import calibration_of
from textmsa.run import MODEL, Run
from textmsa.runtime.atomic import read_json
from textmsa.train.model_card import CARD

METRICS = "evaluation-test/metrics.json"
HEADED = {"mae": "mean absolute error", "corr": "Pearson correlation", "acc2_non0": "accuracy of the sign, zeros out"}
"""Metrics that the header tells hubs, with their names."""
NOT_FOR = (
    "It tells how a clip would be labelled by those who labelled its corpus, not what a person feels or thinks. It "
    "must not be used to decide on anyone: not for hiring, admission, grading, lending, insurance, policing, border "
    "control or health, and not to watch people at work, at school or in public. Score clips only of people who know "
    "of it and agree. Other languages, cultures, recording conditions or kinds of speech than the corpus' own were not "
    "tried; neither was fairness between groups of people."
)
KEPT = ("Training data", "Recipe", "Validation")
"""Sections of the network's own card that stand in this one too."""


def hub_card(run: Run, hub_id: str, license_name: str | None) -> str:
    """The card, in Markdown after a YAML header.

    Parameters
    ----------
    run
        The run; of several seeds the first one's card tells of data and recipe.
    hub_id
        "owner/name".
    license_name
        The licence under which it is given, as hubs spell it ("cc-by-4.0"); None: the card says that it is open.
    """
    import yaml

    sections = _sections(run.members[0].path / MODEL / CARD)
    tested = _tested(run.path)
    header = yaml.safe_dump(_header(run, hub_id, license_name, tested), sort_keys=False)
    low, high = run.info.score_range
    seeds = f" It is {len(run.members)} networks of one recipe, whose scores are averaged." if run.info.seeds else ""
    parts = [
        f"# {hub_id.partition('/')[2]}",
        "A network for multimodal sentiment analysis (TEXT: text-routed sparse mixture of experts with explanation and "
        f"temporal alignment; Rao, Zeng, Jiang, Lv, AAAI 2026), trained on {Path(run.info.corpus).name}. It reads a "
        f"clip of one talking person and gives a score from {low:g} (negative) to {high:g} (positive).{seeds}",
        "## Use",
        _use(run, hub_id),
        "## What it must not be used for",
        NOT_FOR,
        "## Test",
        _test(tested),
        "## Intervals",
        _intervals(run),
    ]
    for title in KEPT:
        parts += [f"## {title}", sections.get(title, "Not recorded with this run.")]
    parts += ["## Licence", _licence(license_name), "## Origin", _origin(run)]
    return f"---\n{header}---\n\n" + "\n\n".join(parts) + "\n"


def _header(run: Run, hub_id: str, license_name: str | None, tested: dict[str, Any]) -> dict[str, Any]:
    licence = {"license": license_name} if license_name else {"license": "other", "license_name": "not-yet-decided"}
    metrics = tested.get("test") or {}
    told = {name: metrics[name] for name in HEADED if isinstance(metrics.get(name), float)}
    results = [{"type": name, "name": HEADED[name], "value": round(value, 4)} for name, value in told.items()]
    corpus = Path(run.info.corpus).name
    index = {
        "name": hub_id.partition("/")[2],
        "results": [
            {
                "task": {"type": "video-classification", "name": "multimodal sentiment analysis"},
                "dataset": {"type": corpus, "name": corpus, "split": "test"},
                "metrics": results,
            }
        ],
    }
    return {
        **licence,
        "library_name": "textmsa",
        "tags": ["textmsa", "multimodal-sentiment-analysis", "mixture-of-experts"],
        "metrics": list(told),
        **({"model-index": [index]} if results else {}),
    }


def _use(run: Run, hub_id: str) -> str:
    below = f"seed-{run.info.seeds[0]}/{MODEL}" if run.info.seeds else MODEL
    return (
        f'```python\nimport textmsa\n\ntextmsa.load("{hub_id}").predict("clip.mp4", text="What is said.")\n```\n\n'
        f'```bash\ntextmsa predict clip.mp4 --model {hub_id} --text "What is said."\n```\n\n'
        "The network alone, a transformers model (`trust_remote_code` is not needed):\n\n"
        "```python\nfrom textmsa import TextMsaModel  # makes the network known to transformers\n"
        "from transformers import AutoModel\n\n"
        f'network = AutoModel.from_pretrained("{hub_id}", subfolder="{below}")\n```'
    )


def _tested(run: Path) -> dict[str, Any]:
    """What `textmsa evaluate` found on the test split, where it is of this training; else nothing."""
    path = run / METRICS
    if not path.is_file() or not path.with_name(ORIGIN).is_file():
        return {}
    return read_json(path, remedy="run textmsa evaluate again", unstamped=True)


def _test(tested: dict[str, Any]) -> str:
    if not tested.get("test"):
        return "Not measured: `textmsa evaluate` was not run on its test split before it was given away."
    names = {"run": tested["test"], **tested.get("baselines", {})}
    head = ["metric", *names]
    rows = [head, ["---"] * len(head)]
    rows += [[metric, *(_number(values.get(metric)) for values in names.values())] for metric in tested["test"]]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"On the {tested['clips']} clips of the test split, read once (`textmsa evaluate`):\n\n{table}"


def _intervals(run: Run) -> str:
    found, _ = calibration_of(run)
    if found is None:
        return "Not calibrated: its scores come without intervals."
    levels = ", ".join(f"{float(level):.0%}" for level in found.quantiles)
    return f"Split-conformal, {levels}, calibrated on {found.clips} clips that it did not learn from."


def _licence(license_name: str | None) -> str:
    given = (
        f"The weights are given under {license_name}."
        if license_name
        else "**Not yet decided by who gives these weights; ask before you use them.**"
    )
    return (
        f"{given} They were learnt from a corpus and began as a text encoder: the licences of both bind whoever gives "
        "and uses them, and many corpora of this field allow research only. The program, textmsa, is Apache-2.0. "
        "Nothing of the corpus itself (clips, transcripts, labels, features) is in this repository."
    )


def _origin(run: Run) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in sorted(run.info.packages.items()))
    return f"Trained {run.info.created or 'at a time that is not recorded'} with {versions or 'textmsa'}."


def _sections(card: Path) -> dict[str, str]:
    """Title -> text of the sections of a card; nothing where there is none."""
    if not card.is_file():
        return {}
    pieces = re.split(r"^## (.+)$", card.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {title.strip(): text.strip() for title, text in zip(pieces[1::2], pieces[2::2], strict=True)}


def _number(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, float) and math.isfinite(value) else "not defined"
