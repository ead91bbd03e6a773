"""`textmsa explain-report`: a file of explanations -> what is there, what failed, how long, how true, at what price."""

import html
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from textmsa.config import ModelConfig
from textmsa.errors import UserError
from textmsa.explain.precomputed import PrecomputedExplainer
from textmsa.prepare.explain import STORE
from textmsa.report.html_page import table, write_page
from textmsa.report.players import explained_player
from textmsa.runtime.progress import duration
from textmsa.store.manifest import MANIFEST
from textmsa.store.reading import Store
from textmsa.types import EXPLANATION_PARTS, ID_SEPARATOR, RESIDUAL_SEPARATOR, Explanation, Sample

NAMED = 5
"""Clips that are named beside a count."""
EXAMPLES = 6
READ = ("audio", "video", "residual")
"""What the network reads: the clues, and the transcript with the summary."""


@dataclass(frozen=True)
class ExplainedClip:
    """One clip's explanation, and the clip where a store has it."""

    id: str
    explanation: Explanation
    sample: Sample | None = None

    @property
    def failed(self) -> dict[str, str]:
        """Stage -> reason."""
        reasons = self.explanation.provenance.get("failed")
        if not reasons:
            return {}
        stages = (part.partition(": ") for part in str(reasons).split("; "))
        return {stage if reason else "explainer": reason or stage for stage, _, reason in stages}

    @property
    def checks(self) -> list[dict[str, Any]]:
        """Claims held against measurements."""
        return list(self.explanation.provenance.get("checks") or ())

    @property
    def flags(self) -> list[dict[str, Any]]:
        """What should not stand in its parts: echoes, what was not given, circles."""
        return list(self.explanation.provenance.get("flags") or ())

    @property
    def stages(self) -> list[dict[str, Any]]:
        """What was asked, a record a question."""
        return list((self.explanation.provenance.get("stages") or {}).values())


@dataclass(frozen=True)
class ExplainReport:
    """The figures of a file."""

    page: Path
    clips: int
    coverage: dict[str, int]
    """Part -> clips that have it."""
    failed: int
    failures: dict[tuple[str, str], list[str]]
    """Stage and kind of reason -> clips, the most frequent first."""
    words: dict[str, list[int]]
    """Part -> words of each explanation."""
    pieces: dict[str, list[int]]
    """What the network reads -> word pieces of each."""
    limit: int
    """Word pieces that the network reads of each."""
    verdicts: dict[str, Counter[str]]
    """Fact -> verdict -> claims."""
    contradicted: list[tuple[str, dict[str, Any]]]
    """Clip and check."""
    flagged: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Clip and flag."""
    cost: dict[str, float] = field(default_factory=dict)
    models: dict[str, int] = field(default_factory=dict)

    def cut(self, name: str) -> int:
        """How many texts the limit cuts."""
        return sum(count > self.limit for count in self.pieces[name])

    def text(self) -> str:
        """For people: a few lines."""
        lines = [f"{self.clips} clip{'s' * (self.clips != 1)}, {self.failed} of them failed"]
        lines += [f"  {part:<8} {self.coverage[part]:>7}{_lengths(self.words[part])}" for part in EXPLANATION_PARTS]
        for (stage, reason), ids in list(self.failures.items())[:10]:
            lines.append(f"  failed: {stage}: {reason}: {len(ids)} ({_named(ids)})")
        lines += [
            f"  {name}: {self.cut(name)} of {len(counts)} are cut at {self.limit} word pieces"
            for name, counts in self.pieces.items()
            if counts
        ]
        if total := sum(map(sum, (count.values() for count in self.verdicts.values()))):
            agree = sum(count["agrees"] for count in self.verdicts.values())
            lines.append(f"  claims checked {total}: {agree} agree, {len(self.contradicted)} contradict measurements")
        if self.flagged:
            lines.append(f"  flagged {len({name for name, _ in self.flagged})} clips: {_kinds(self.flagged)}")
        if self.cost.get("questions"):
            lines.append("  " + ", ".join(f"{name} {_figure(name, value)}" for name, value in self.cost.items()))
        return "\n".join([*lines, f"{self.page}: the page"])


def explain_report(
    file: Path,
    *,
    out: Path | None = None,
    data: Path | None = None,
    text_encoder: str = "minilm",
    max_text_length: int = ModelConfig().max_text_length,
) -> ExplainReport:
    """Tell what is in a file of explanations, and write a page with examples.

    Parameters
    ----------
    file
        JSON lines that textmsa explain wrote, or others in its form.
    out
        The page; FILE.html unless given.
    data
        A store with the clips, for transcripts and pictures; FILE.store unless given.
    text_encoder
        Whose word pieces are counted: "minilm", a folder, or a hub's id.
    max_text_length
        Word pieces that the network reads of each text.

    Examples
    --------
    textmsa explain-report explanations.jsonl
    textmsa explain-report explanations.jsonl --data store --out page.html
    """
    file = Path(file)
    clips = read_explanations(file, data)
    report = count_up(clips, Path(out) if out else file.with_suffix(".html"), text_encoder, max_text_length)
    shown = chosen(clips)
    players = [
        explained_player(f"clip-{number}", clip.sample, clip.explanation, report.page)
        for number, clip in enumerate(shown)
        if clip.sample is not None
    ]
    examples = [_example(number, clip) for number, clip in enumerate(shown)]
    sections = [*_sections(report), "<h2>Examples</h2>", *examples]
    write_page(report.page, f"explanations of {file.name}", sections, players)
    return report


def read_explanations(file: Path, data: Path | None) -> list[ExplainedClip]:
    """The explanations in the order of the file, with their clips; UserError for a file in another form."""
    explanations = PrecomputedExplainer(str(file)).explanations
    beside = file.with_name(file.name.removesuffix(".jsonl") + STORE)
    store = data or (beside if (beside / MANIFEST).is_file() else None)
    samples = {sample.clip.id: sample for sample in Store.open(store)} if store is not None else {}
    ids = [ID_SEPARATOR.join(key) for key in explanations]
    if data is not None and not samples.keys() & set(ids):
        raise UserError(f"--data {data}: has none of the clips of {file}")
    pairs = zip(ids, explanations.values(), strict=True)
    return [ExplainedClip(name, explanation, samples.get(name)) for name, explanation in pairs]


def count_up(clips: list[ExplainedClip], page: Path, text_encoder: str, limit: int) -> ExplainReport:
    """The figures of some explanations."""
    failures: dict[tuple[str, str], list[str]] = {}
    verdicts: dict[str, Counter[str]] = {}
    for clip in clips:
        for stage, reason in clip.failed.items():
            failures.setdefault((stage, kind(reason)), []).append(clip.id)
        for check in clip.checks:
            verdicts.setdefault(check["fact"], Counter())[check["verdict"]] += 1
    parts = {part: [text for clip in clips if (text := getattr(clip.explanation, part))] for part in EXPLANATION_PARTS}
    residual = [text for clip in clips if (text := _residual(clip))]
    return ExplainReport(
        page=page,
        clips=len(clips),
        coverage={part: len(texts) for part, texts in parts.items()},
        failed=sum(bool(clip.failed) for clip in clips),
        failures=dict(sorted(failures.items(), key=lambda item: -len(item[1]))),
        words={part: [count_words(text) for text in texts] for part, texts in parts.items()},
        pieces=count_pieces({"audio": parts["audio"], "video": parts["video"], "residual": residual}, text_encoder),
        limit=limit,
        verdicts=verdicts,
        contradicted=[(clip.id, c) for clip in clips for c in clip.checks if c["verdict"] == "contradicts"],
        flagged=[(clip.id, flag) for clip in clips for flag in clip.flags],
        cost=costs(clips),
        models=dict(Counter(name for clip in clips for name in models_of(clip)).most_common()),
    )


def _kinds(flagged: list[tuple[str, dict[str, Any]]]) -> str:
    """How often each kind was found."""
    return ", ".join(f"{kind} {count}" for kind, count in Counter(flag["kind"] for _, flag in flagged).most_common())


def _residual(clip: ExplainedClip) -> str | None:
    """The transcript with the summary, as the network reads them; None where one of them is not there."""
    transcript = clip.sample.observation.transcript if clip.sample else None
    summary = clip.explanation.summary
    return f"{transcript}{RESIDUAL_SEPARATOR}{summary}" if transcript and summary else None


def kind(reason: str) -> str:
    """A reason without what differs from clip to clip: numbers and quotations."""
    plain = re.sub(r"'[^']*'|\"[^\"]*\"|“[^”]*”", "'...'", " ".join(reason.split()))
    return re.sub(r"\d+(?:\.\d+)?", "#", plain)[:120]


def count_words(text: str) -> int:
    """Words; of Chinese, characters."""
    return len(re.findall(r"[\u4e00-\u9fff]|[^\W\u4e00-\u9fff]+(?:['’-][^\W\u4e00-\u9fff]+)*", text))


def count_pieces(texts: dict[str, list[str]], text_encoder: str) -> dict[str, list[int]]:
    """Word pieces of each text, with the two that begin and end it."""
    from transformers import AutoTokenizer

    from textmsa.model.text_encoder import encoder_location

    try:
        tokenizer = AutoTokenizer.from_pretrained(encoder_location(text_encoder))
    except (OSError, ValueError) as error:
        raise UserError(f"--text-encoder {text_encoder!r}: give 'minilm', a folder, or a hub's id") from error
    tokenizer.model_max_length = int(1e9)  # only counted
    return {n: [len(ids) for ids in tokenizer(some)["input_ids"]] if some else [] for n, some in texts.items()}


def costs(clips: list[ExplainedClip]) -> dict[str, float]:
    """Sums over all questions; seconds and tokens of cached answers are those of the time they were asked."""
    asked = [stage for clip in clips for stage in clip.stages if "tokens_in" in stage]
    if not asked:
        return {}
    sums: dict[str, float] = {
        "questions": len(asked),
        "from the cache": sum(bool(stage.get("cached")) for stage in asked),
        "repaired": sum(bool(stage.get("repaired")) for stage in asked),
        "tokens in": sum(stage["tokens_in"] for stage in asked),
        "tokens out": sum(stage["tokens_out"] for stage in asked),
        "seconds": sum(stage.get("seconds", 0.0) for stage in asked),
        "seconds a question (median)": float(np.median([stage.get("seconds", 0.0) for stage in asked])),
    }
    if money := [stage["cost"] for stage in asked if "cost" in stage]:
        sums["cost"] = sum(money)
    return sums


def models_of(clip: ExplainedClip) -> Iterable[str]:
    """Who explained a clip, and who refined."""
    provenance = clip.explanation.provenance
    for role in ("model", "refiner"):
        if isinstance(model := provenance.get(role), dict):
            yield f"{role}: {model.get('backend', '')} {model.get('model', '')} {model.get('revision') or ''}".strip()
    if "model" not in provenance:
        yield f"{provenance.get('explainer', 'unknown')} {provenance.get('version', '')}".strip()


def _lengths(counts: list[int]) -> str:
    if not counts:
        return ""
    low, middle, high = np.percentile(counts, [5, 50, 95]).round().astype(int)
    return f"   words {low} / {middle} / {high} (5 %, median, 95 %), at most {max(counts)}"


def _named(ids: list[str]) -> str:
    return ", ".join(ids[:NAMED]) + (", ..." if len(ids) > NAMED else "")


def _figure(name: str, value: float) -> str:
    if name == "seconds":
        return duration(value)
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"


def _sections(report: ExplainReport) -> Iterable[str]:
    yield f"<p>{report.clips:,} clips, {report.failed:,} of them failed in at least one stage.</p>"
    yield table(["made by", "clips"], report.models.items())
    yield "<h2>What is there</h2>"
    yield table(
        ["part", "clips", "share", "words: 5 %", "median", "95 %", "most"],
        [
            [
                part,
                report.coverage[part],
                f"{report.coverage[part] / report.clips:.0%}",
                *_quantiles(report.words[part]),
            ]
            for part in EXPLANATION_PARTS
        ],
    )
    yield "<h2>What the network reads</h2>"
    rows = [
        [_READ[name], len(report.pieces[name]), report.cut(name), *_quantiles(report.pieces[name])]
        for name in READ
        if report.pieces[name]
    ]
    yield (
        table(["text", "clips", f"cut at {report.limit} pieces", "pieces: 5 %", "median", "95 %", "most"], rows)
        if rows
        else "<p>Nothing.</p>"
    )
    yield "<h2>Failures</h2>"
    failures = [[stage, reason, len(ids), _named(ids)] for (stage, reason), ids in report.failures.items()]
    yield table(["stage", "reason", "clips", "such as"], failures) if failures else "<p>None.</p>"
    yield "<h2>Claims held against measurements</h2>"
    yield "<p><small>Plain claims of size (loud, slow, smiling) against the grades of this corpus.</small></p>"
    verdicts = ("agrees", "unclear", "contradicts")
    checks = [[fact, *(count[name] for name in verdicts)] for fact, count in sorted(report.verdicts.items())]
    yield table(["fact", *verdicts], checks) if checks else "<p>No claim could be checked.</p>"
    if report.contradicted:
        flagged = [[name, c["claim"], c["fact"], f"{c['grade']} of 6"] for name, c in report.contradicted]
        yield f"<details><summary>{len(flagged)} claims contradict what was measured</summary>"
        yield table(["clip", "claim", "fact", "measured grade"], flagged) + "</details>"
    if report.flagged:
        flagged = [[name, flag["part"], flag["kind"], flag["words"]] for name, flag in report.flagged]
        yield "<h2>What should not be there</h2>"
        yield "<p><small>Words of the transcript, the question or the numbers given back; claims of what was not "
        yield "given; circles. Rules of ours, on the words alone.</small></p>"
        yield f"<details><summary>{_kinds(report.flagged)}</summary>"
        yield table(["clip", "part", "kind", "words"], flagged) + "</details>"
    if report.cost:
        yield "<h2>Cost</h2>" + table(["", ""], [[n, _figure(n, value)] for n, value in report.cost.items()])


_READ = {"audio": "audio clue", "video": "video clue", "residual": "transcript | summary"}


def _quantiles(counts: list[int]) -> list[object]:
    if not counts:
        return ["", "", "", ""]
    return [*(int(value) for value in np.percentile(counts, [5, 50, 95]).round()), max(counts)]


def chosen(clips: list[ExplainedClip]) -> list[ExplainedClip]:
    """A contradicted one, a failed one, the longest, then some evenly from the file; each once."""
    contradicted = [clip for clip in clips if any(check["verdict"] == "contradicts" for check in clip.checks)]
    failed = [clip for clip in clips if clip.failed]
    longest = max(clips, key=lambda clip: sum(len(getattr(clip.explanation, part) or "") for part in EXPLANATION_PARTS))
    evenly = [clips[place] for place in np.linspace(0, len(clips) - 1, min(EXAMPLES, len(clips))).astype(int)]
    examples = {clip.id: clip for clip in [*contradicted[:1], *failed[:1], longest, *evenly]}
    return list(examples.values())[:EXAMPLES]


def _example(number: int, clip: ExplainedClip) -> str:
    """What is told of a clip; its player, where it has one, tells the explanation itself."""
    parts = {part: getattr(clip.explanation, part) for part in EXPLANATION_PARTS}
    if clip.sample is None:
        rows = [(part, text or "missing") for part, text in parts.items()]
    else:
        lacking = [part for part, text in parts.items() if not text]
        rows = [("missing", ", ".join(lacking))] if lacking else []
    text = "".join(f"<tr><th>{name}</th><td>{html.escape(value)}</td></tr>" for name, value in rows)
    for stage, reason in clip.failed.items():
        text += f"<tr><th class='bad'>failed: {html.escape(stage)}</th><td>{html.escape(reason)}</td></tr>"
    for check in clip.checks:
        mark = " class='bad'" if check["verdict"] == "contradicts" else ""
        words = f"{check['claim']!r}: {check['fact']} has grade {check['grade']} of 6: {check['verdict']}"
        text += f"<tr><th{mark}>claim</th><td>{html.escape(words)}</td></tr>"
    player = f"<div id='clip-{number}'></div>" if clip.sample is not None else ""
    told = f"<div class='wide' tabindex='0'><table>{text}</table></div>" if text else ""
    return f"<div class='clip'><h3>{html.escape(clip.id)}</h3>{player}{told}</div>"
