"""A prediction in words, or as JSON."""

import json
from dataclasses import asdict

from textmsa.speech.transcripts import origin_in_words
from textmsa.types import MODALITIES, RESIDUAL_SEPARATOR, Prediction


def as_json(prediction: Prediction) -> str:
    """One JSON object."""
    return json.dumps(asdict(prediction), indent=2, ensure_ascii=False)


def as_text(prediction: Prediction) -> str:
    """For people."""
    low, high = prediction.score_range
    explanation = prediction.explanation
    name = prediction.path or "words alone"
    lines = [f"{name}: {prediction.score:+.2f} in [{low:g}, {high:g}], {prediction.polarity}"]
    lines.append(f"  {_interval(prediction)}")
    if prediction.base is not None:
        lines.append(f"  what counted      from {prediction.base:+.2f}, {prediction.base_of}, by")
    lines += [f"  {name:<6} {_counted(prediction, name)}  {_state(prediction, name)}" for name in MODALITIES]
    if prediction.words or prediction.over_time:
        lines.append("  what each part did: the score less the score without it")
    lines += [f'  without "{part.words}"  {part.change:+.2f}' for part in prediction.words]
    lines += [
        f"  without {part.start:.1f} to {part.end:.1f} s  "
        + (", ".join(f"{name} {change:+.2f}" for name, change in part.change.items()) or "nothing there")
        for part in prediction.over_time
    ]
    if prediction.spoken is not None and prediction.spoken.source not in ("given", "none"):
        lines.append(f"  words from        {origin_in_words(prediction.spoken)}")
    lines += [f"  note              {note}" for note in prediction.notes]
    if prediction.damage:
        lines.append(f"  damaged           {prediction.damage}; scored from the rest")
    if explanation.summary:
        lines.append(f"  summary           {explanation.summary}")
    if failed := explanation.provenance.get("failed"):
        lines.append(f"  explainer failed  {failed}")
    if prediction.gates:
        lines.append(f"  inner figures     {_inner(prediction)}")
    lines.append("  seconds           " + ", ".join(f"{stage} {s:.2f}" for stage, s in prediction.seconds.items()))
    return "\n".join(lines)


def _interval(prediction: Prediction) -> str:
    """The interval, or why there is none."""
    found = prediction.interval
    if found is None:
        return f"interval          {prediction.no_interval or 'none'}"
    ends = f"{found.low:+.2f} to {found.high:+.2f}"
    return f"{f'{found.level:.0%} interval':<17} {ends} (calibrated on {found.source})"


def _counted(prediction: Prediction, modality: str) -> str:
    """What a modality adds, and its score alone where the network says one."""
    if modality not in prediction.scored_by:
        return "explained only"
    added = f"{prediction.contributions.get(modality, 0.0):+.2f}"
    if not prediction.unimodal:
        return added
    alone = prediction.unimodal.get(modality)
    return added + ("             " if alone is None else f"  alone {alone:+.2f}")


def _inner(prediction: Prediction) -> str:
    """The network's gates and experts, which do not tell what counted."""
    parts = ["gates " + ", ".join(f"{name} {gate:.2f}" for name, gate in prediction.gates.items())]
    for number, weights in enumerate(prediction.experts, 1):
        chosen = [f"{i}: {weight:.2f}" for i, weight in enumerate(weights) if weight > 0]
        parts.append(f"layer {number} experts {', '.join(chosen)}")
    return "; ".join(parts)


def _state(prediction: Prediction, modality: str) -> str:
    """What is known of a modality: the words that were read, what is said of it, or why there is nothing."""
    if modality in prediction.missing:
        return f"missing: {prediction.missing[modality]}"
    explanation = prediction.explanation
    words = {"text": _text_read(prediction), "audio": explanation.audio, "video": explanation.video}[modality]
    if words:
        return words
    return "not explained" + (": the explainer failed, see below" if explanation.provenance.get("failed") else "")


def _text_read(prediction: Prediction) -> str | None:
    """The text that the network read; of a residual text the transcript, since its summary has a line of its own."""
    transcript, summary = prediction.transcript, prediction.explanation.summary
    if transcript and summary and prediction.text_read == transcript + RESIDUAL_SEPARATOR + summary:
        return transcript
    return prediction.text_read
