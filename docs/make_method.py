"""Draws docs/method.svg, the figure of docs/method.md: python docs/make_method.py.

A box is a link to the file that holds what it names. The colours follow the reader's, light or dark: those of the
system where the figure stands alone, those of the page where it is a part of one (docs/site_hooks.py lays it in).
"""

from dataclasses import dataclass
from pathlib import Path

FIGURE = Path(__file__).with_name("method.svg")
WIDTH, HEIGHT = 788, 772
TITLE = "The method of TEXT, from a clip to a score"
DESCRIPTION = (
    "From top to bottom. A clip gives words, voice features and face features. Voice and face are each explained in "
    "words; the explanations' summary joins the transcript. One text encoder reads the text and both explanations. "
    "Five stream encoders follow. Each explanation is aligned with its features, then voice and face with each other "
    "in time. Sparse experts, chosen by the text, read all three; gated fusion makes the score, which gets "
    "contributions and an interval. Each box is a link to its file."
)
LIGHT = {
    "ink": "#1a2233",
    "soft": "#4c566b",
    "line": "#5b667c",
    "text": "#dfe9fd",
    "audio": "#fbe6d2",
    "video": "#d8efe3",
    "all": "#eceff5",
    "edge-text": "#2b57b8",
    "edge-audio": "#a3540c",
    "edge-video": "#146543",
    "edge-all": "#5b667c",
}
DARK = {
    "ink": "#eef1f7",
    "soft": "#bcc5d6",
    "line": "#97a3b8",
    "text": "#203258",
    "audio": "#4b2f16",
    "video": "#173f2e",
    "all": "#2b3140",
    "edge-text": "#86aaf5",
    "edge-audio": "#e59a57",
    "edge-video": "#5cc193",
    "edge-all": "#97a3b8",
}


@dataclass(frozen=True)
class Box:
    """What it says, where it stands, whose colour it has and which module it leads to."""

    title: str
    detail: str
    x: int
    y: int
    width: int
    kind: str
    module: str
    height: int = 50

    def drawn(self) -> str:
        """The box as a link with its texts."""
        middle, top = self.x + self.width // 2, self.y + (21 if self.detail else 30)
        lines = [f'<text class="title" x="{middle}" y="{top}">{self.title}</text>']
        if self.detail:
            lines.append(f'<text class="detail" x="{middle}" y="{top + 17}">{self.detail}</text>')
        place = f'x="{self.x}" y="{self.y}" width="{self.width}" height="{self.height}"'
        return (
            f'<a href="../textmsa/{self.module}" class="{self.kind}"><title>{self.title}: textmsa/{self.module}</title>'
            f'<rect {place} rx="8"/>{"".join(lines)}</a>'
        )


TEXT, VOICE, VOICE_SAID, FACE, FACE_SAID = 20, 204, 352, 500, 648
NARROW, FIRST = 120, 156
BOTH = VOICE_SAID + NARROW - VOICE
AUDIO_X, SAID_X, VIDEO_X, SEEN_X, TEXT_X = VOICE + 60, VOICE_SAID + 60, FACE + 60, FACE_SAID + 60, TEXT + 78
ENCODER, STREAM = "model/text_encoder.py", "model/stream_encoder.py"
BOXES = [
    Box("Clip", "one decode: sound, pictures, their times", TEXT, 16, 748, "all", "media.py"),
    Box("Text", "transcript and summary", TEXT, 116, FIRST, "text", "speech/transcripts.py"),
    Box("Voice", "features over time", VOICE, 116, NARROW, "audio", "features/audio_librosa.py"),
    Box("Explanation", "of the voice", VOICE_SAID, 116, NARROW, "audio", "prepare/one_clip.py"),
    Box("Face", "features over time", FACE, 116, NARROW, "video", "features/video_mediapipe.py"),
    Box("Explanation", "of the face", FACE_SAID, 116, NARROW, "video", "prepare/one_clip.py"),
    Box("Text encoder", "one for all three", TEXT, 206, FIRST, "text", ENCODER),
    Box("Text encoder", "the same", VOICE_SAID, 206, NARROW, "text", ENCODER),
    Box("Text encoder", "the same", FACE_SAID, 206, NARROW, "text", ENCODER),
    Box("Stream encoder", "", TEXT, 292, FIRST, "text", STREAM),
    Box("Stream encoder", "", VOICE, 292, NARROW, "audio", STREAM),
    Box("Stream encoder", "", VOICE_SAID, 292, NARROW, "audio", STREAM),
    Box("Stream encoder", "", FACE, 292, NARROW, "video", STREAM),
    Box("Stream encoder", "", FACE_SAID, 292, NARROW, "video", STREAM),
    Box(
        "Explanation alignment",
        "words look for what they tell of",
        VOICE,
        378,
        BOTH,
        "audio",
        "model/explanation_alignment.py",
    ),
    Box(
        "Explanation alignment",
        "words look for what they tell of",
        FACE,
        378,
        BOTH,
        "video",
        "model/explanation_alignment.py",
    ),
    Box(
        "Temporal alignment",
        "voice and face open each other's gates, in time",
        VOICE,
        464,
        564,
        "all",
        "model/temporal_alignment.py",
    ),
    Box(
        "Text-routed sparse experts",
        "attention over all three; the text chooses 3 of 5 experts, in each layer",
        TEXT,
        550,
        748,
        "all",
        "model/experts.py",
    ),
    Box("Gated fusion", "three summaries, weighted", 274, 636, 240, "all", "model/fusion.py"),
    Box("Contributions", "what counted", TEXT, 710, 200, "all", "contributions.py"),
    Box("Score", "the mean of all seeds", 274, 710, 240, "all", "scoring.py"),
    Box("Interval", "how sure", 568, 710, 200, "all", "intervals.py"),
]
DOWN = [
    *((x, 66, 116) for x in (TEXT_X, AUDIO_X, VIDEO_X)),
    *((x, 166, 206) for x in (TEXT_X, SAID_X, SEEN_X)),
    *((x, 166, 292) for x in (AUDIO_X, VIDEO_X)),
    *((x, 256, 292) for x in (TEXT_X, SAID_X, SEEN_X)),
    *((x, 342, 378) for x in (AUDIO_X, SAID_X, VIDEO_X, SEEN_X)),
    *((x, 428, 464) for x in (VOICE + BOTH // 2, FACE + BOTH // 2)),
    (TEXT_X, 342, 550),
    *((x, 514, 550) for x in (VOICE + BOTH // 2, FACE + BOTH // 2)),
    (394, 600, 636),
    (394, 686, 710),
]
"""Arrows: x, from y, to y."""
OTHER_ARROWS = [
    *(f"M{x + NARROW} 141 H{x + 148 - 3}" for x in (VOICE, FACE)),
    "M274 735 H223",
    "M514 735 H565",
]
SUMMARY = f"M{SEEN_X} 116 V92 H{TEXT_X + 40} V113 M{SAID_X} 116 V92"


def _variables(colours: dict[str, str]) -> str:
    return "".join(f"--{name}:{value};" for name, value in colours.items())


def style() -> str:
    """Colours by the reader's choice, in names that no page has."""
    kinds = "".join(
        f".textmsa-method .{kind} rect{{fill:var(--{kind});stroke:var(--edge-{kind})}}"
        for kind in ("text", "audio", "video", "all")
    )
    light, dark = _variables(LIGHT), _variables(DARK)
    return (
        f".textmsa-method{{{light}font-family:system-ui,sans-serif;max-width:100%;height:auto}}"
        f"@media (prefers-color-scheme:dark){{.textmsa-method{{{dark}}}}}"
        f'[data-md-color-scheme="default"] .textmsa-method{{{light}}}'
        f'[data-md-color-scheme="slate"] .textmsa-method{{{dark}}}'
        f"{kinds}.textmsa-method rect{{stroke-width:1.5}}"
        ".textmsa-method a:hover rect,.textmsa-method a:focus rect{stroke-width:3}"
        ".textmsa-method text{fill:var(--ink);text-anchor:middle}"
        ".textmsa-method .title{font-size:12.5px;font-weight:600}"
        ".textmsa-method .detail,.textmsa-method .note{font-size:11.5px;fill:var(--soft)}"
        ".textmsa-method path{stroke:var(--line);stroke-width:1.5;fill:none}"
        ".textmsa-method .head{fill:var(--line);stroke:none}"
        ".textmsa-method .dashed{stroke-dasharray:5 4}"
    )


def figure() -> str:
    """The figure as it should be now."""
    arrows = [f"M{x} {start} V{end - 3}" for x, start, end in DOWN] + OTHER_ARROWS
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="textmsa-method" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" role="group" aria-labelledby="method-title method-desc">',
        f'<title id="method-title">{TITLE}</title>',
        f'<desc id="method-desc">{DESCRIPTION}</desc>',
        f"<style>{style()}</style>",
        '<defs><marker id="method-head" viewBox="0 0 8 8" refX="6" refY="4" markerWidth="7" markerHeight="7" '
        'orient="auto"><path class="head" d="M0 0 L8 4 L0 8 z"/></marker></defs>',
        *(f'<path d="{arrow}" marker-end="url(#method-head)"/>' for arrow in arrows),
        f'<path class="dashed" d="{SUMMARY}"/>',
        f'<path d="M{TEXT_X + 40} 105 V113" marker-end="url(#method-head)"/>',
        f'<text class="note" x="{(TEXT_X + AUDIO_X) // 2 + 22}" y="86">summary</text>',
        *(box.drawn() for box in BOXES),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


if __name__ == "__main__":
    FIGURE.write_text(figure(), encoding="utf-8")
