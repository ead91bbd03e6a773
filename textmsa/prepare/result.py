"""What came of a preparation, in numbers and words."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from textmsa.prepare.failures import FAILURES
from textmsa.speech.transcripts import named
from textmsa.types import Transcript

SHOWN_REASONS = 3  # of a modality that is missing; the store has them all


@dataclass(frozen=True)
class PrepareResult:
    """What came of a preparation."""

    store: Path
    prepared: int
    skipped: int
    missing: dict[str, dict[str, int]]
    """Modality -> reason -> clips."""
    unexplained: int = 0
    """Clips whose explanation failed."""
    damaged: int = 0
    """Clips of which a part could not be decoded, and the rest was used."""
    changed: bool = True
    """False where the store was complete already and nothing had to be done."""
    unlabelled: int = 0
    """Clips without a label."""
    left_out: int = 0
    """Training clips that the explainer's statistics are without, since it broke down on them."""
    spoken: list[Transcript] = field(default_factory=list)
    """Of the clips whose words the corpus does not give: what subtitles or speech recognition give."""

    @property
    def exit_code(self) -> int:
        """0 all clips are in the store and explained, 1 some are not."""
        return int(self.skipped > 0 or self.unexplained > 0 or self.left_out > 0)

    def text(self) -> str:
        """The line that `textmsa prepare` prints."""
        parts = [f"{self.store}: {self.prepared} of {self.prepared + self.skipped} clips prepared"]
        parts += [_missing_line(modality, reasons) for modality, reasons in self.missing.items()]
        parts += _words_lines(self.spoken)
        parts.append(f"{self.skipped} skipped" + (f" (see {self.store / FAILURES})" if self.exit_code else ""))
        if self.unexplained:
            parts.append(f"{self.unexplained} without explanation, which failed")
        if self.left_out:
            parts.append(f"{self.left_out} left out of the explainer's statistics, on which it failed")
        if self.damaged:
            parts.append(f"{self.damaged} broken files used as far as they go (the store's column damage)")
        if self.unlabelled:
            parts.append(f"{self.unlabelled} without a label, for prediction only")
        if not self.changed:
            parts.append("nothing to do")
        return "; ".join(parts)


def _words_lines(spoken: list[Transcript]) -> list[str]:
    """Where words come from that the corpus does not give; what is to be known where some are not English."""
    sources = Counter(transcript.source for transcript in spoken if transcript.text is not None)
    lines = [f"{count} transcripts from {source}" for source, count in sorted(sources.items())]
    languages = Counter(transcript.language for transcript in spoken if transcript.language is not None)
    foreign = [f"{count} {named(code)}" for code, count in languages.most_common() if code != "en"]
    if foreign:
        lines.append(
            f"{', '.join(foreign)}: minilm reads English; train with an encoder of the language, or translate "
            "(--translate en)"
        )
    return lines


def _missing_line(modality: str, reasons: dict[str, int]) -> str:
    commonest = Counter(reasons).most_common(SHOWN_REASONS)
    shown = [f"{reason}: {count}" for reason, count in commonest]
    if len(reasons) > len(commonest):
        shown.append(f"{len(reasons) - len(commonest)} other reasons")
    return f"{sum(reasons.values())} without {modality} ({', '.join(shown)})"
