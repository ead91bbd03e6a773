"""Words for measured sizes: seven grades each, so that a text encoder can read a size off the wording.

Every sentence is bounded: voice and face at most 50 word pieces of BERT's uncased vocabulary each, the summary 30
(tests/explain/test_measured.py tries the longest of all).
"""

from zlib import crc32

AVERAGE = 3  # of grades 0 to 6
PITCH = ("very low", "low", "slightly low", "average", "slightly high", "high", "very high")
MELODY = ("very flat", "flat", "slightly flat", "average", "slightly lively", "lively", "very lively")
LOUDNESS = ("very quiet", "quiet", "slightly quiet", "average", "slightly loud", "loud", "very loud")
RATE = ("very slow", "slow", "slightly slow", "average", "slightly fast", "fast", "very fast")
PAUSES = ("hardly any", "very few", "few", "some", "rather many", "many", "very many")
SIZE = ("no", "hardly any", "a slight", "a moderate", "a clear", "a strong", "a very strong")
STRENGTH = ("barely", "weakly", "slightly", "moderately", "clearly", "strongly", "very strongly")
UNIT_NAMES = {
    "smile": "smile",
    "mouth_down": "frown",
    "brow_raise": "brow raise",
    "brow_lower": "brow lowering",
}
EXTRA_UNITS = {"squint": "squinting eyes", "jaw": "open mouth", "blink": "much blinking"}
NO_VOICE = "The sound track holds no audible voice."
VOICE_FRAMES = (
    "{pitch} pitch, {melody} melody, {loudness} volume",
    "pitch {pitch}, melody {melody}, volume {loudness}",
)
EMPHASIS_FRAMES = ("It rises {strength}", "Pitch and volume rise {strength}")
FACE_FRAMES = ("One sees {units}", "There is {units}")
APEX_FRAMES = ("It changes {strength}", "It peaks {strength}")


def voice_sentences(grades: dict[str, int], *, at: float | None, apart: float | None = None) -> str:
    """What the voice is like.

    Parameters
    ----------
    grades
        Fact -> 0 to 6.
    at
        Where it is emphasised, as a share of the clip.
    apart
        How far from there the expression of the face peaks.
    """
    words = {"loudness": LOUDNESS[grades["loudness"]]}
    if "pitch" in grades:
        words |= {"pitch": PITCH[grades["pitch"]], "melody": MELODY[grades["pitch_range"]]}
        parts = ["The voice: " + _choose(VOICE_FRAMES, grades, "voice").format(**words)]
    else:
        parts = [f"The voice: no clear pitch, {words['loudness']} volume"]
    if "rate" in grades:
        parts[0] += f", {RATE[grades['rate']]} pace"
    if "pauses" in grades:
        parts[0] += f", {PAUSES[grades['pauses']]} pauses"
    if "emphasis" in grades:
        rise = _choose(EMPHASIS_FRAMES, grades, "rise").format(strength=STRENGTH[grades["emphasis"]])
        parts.append(rise + when(at) + relation(apart, "face"))
    return ". ".join(parts) + "."


def face_sentences(grades: dict[str, int], *, at: float | None, partly: bool, apart: float | None = None) -> str:
    """What the face shows.

    Parameters
    ----------
    grades
        Fact -> 0 to 6.
    at
        Where the expression is at its height, as a share of the clip.
    partly
        Whether it is not seen throughout.
    apart
        How far from there the voice is emphasised; told of faces that are seen throughout.
    """
    units = [f"{SIZE[grades[unit]]} {name}" for unit, name in UNIT_NAMES.items() if unit in grades]
    extras = [words for unit, words in EXTRA_UNITS.items() if grades.get(unit, AVERAGE) >= 5]
    parts = [_choose(FACE_FRAMES, grades, "face").format(units=", ".join(units if partly else units + extras[:1]))]
    if "expression" in grades:
        change = _choose(APEX_FRAMES, grades, "apex").format(strength=STRENGTH[grades["expression"]])
        nod = f" with {SIZE[grades['nod']]} nod" if "nod" in grades else ""
        parts.append(change + nod + when(at) + relation(None if partly else apart, "voice"))
    if partly:
        parts.append("Partly out of sight")
    return ". ".join(parts) + "."


def summary_phrase(grades: dict[str, int], *, apart: float | None) -> str | None:
    """Voice, face, and whether their peaks fall together (`apart`: their distance as a share of the clip)."""
    parts = []
    if "loudness" in grades:
        pitch = f"{PITCH[grades['pitch']]}, {MELODY[grades['pitch_range']]}, " if "pitch" in grades else ""
        parts.append(f"{pitch}{LOUDNESS[grades['loudness']]} voice")
    if "smile" in grades:
        raised = f", {SIZE[grades['brow_raise']]} brow raise" if "brow_raise" in grades else ""
        parts.append(f"{SIZE[grades['smile']]} smile{raised}")
    if apart is not None:
        parts.append(coincidence(apart))
    return "; ".join(parts) or None


def coincidence(apart: float) -> str:
    """Whether the peaks of voice and face fall together."""
    if apart < 0.12:
        return "peaks together"
    return "peaks nearly together" if apart < 0.2 else "peaks apart"


def relation(apart: float | None, other: str) -> str:
    """The same, said of one of them; nothing where only one of them has a peak."""
    if apart is None:
        return ""
    words = {"peaks together": "together with", "peaks nearly together": "nearly with", "peaks apart": "apart from"}
    return f", {words[coincidence(apart)]} the {other}"


def when(at: float | None) -> str:
    """A position in words and in tenths of the clip; nothing where times are left out."""
    if at is None:
        return ""
    third = ("early", "midway", "late")[min(int(at * 3), 2)]
    return f" {third}, at {min(int(at * 10) + 1, 10)} tenths"


def words_sentence(facts: dict[str, float]) -> str:
    """Plain counts of a transcript; no verdict on its words."""
    counts = [
        (int(facts["words"]), "word"),
        (int(facts["exclamations"]), "exclamation mark"),
        (int(facts["questions"]), "question mark"),
        (int(facts["negations"]), "negation"),
    ]
    said = [f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in counts if count or noun == "word"]
    absent = [noun for count, noun in counts if not count and noun != "word"]
    return ", ".join(said) + (f"; no {', no '.join(absent)}." if absent else ".")


def _choose(frames: tuple[str, ...], grades: dict[str, int], salt: str) -> str:
    """One of the frames, bound to the grades: the same grades read the same."""
    return frames[crc32(f"{salt}{sorted(grades.items())}".encode()) % len(frames)]
