"""Words for what was measured. Sizes are seven grades among the training split's clips, and the sentence says so.

What is said without "against clips here" holds of the clip alone. Every sentence is bounded, so that a text encoder
reads all of it: voice and face at most 50 word pieces of BERT's uncased vocabulary each, the summary 30
(tests/explain/test_measured.py tries the longest of all).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from textmsa.explain.measured.face import HARDLY_SEEN, FaceReading, Showing
from textmsa.explain.measured.wordings import Wording

PIECES = 48  # and the two marks around a text
SUMMARY_PIECES = 28
PARTLY_SEEN = 0.9  # of the frames
THROUGHOUT = 0.85  # of the time in which the face is seen
EXPRESSIONS = ("happy", "sad", "angry", "surprise")
ALWAYS = 9.0  # the weight of what is never left out
SMILES = ("broad_smile", "smile", "slight_smile")


def voice_sentences(
    words: Wording, grades: dict[str, int], *, at: float | None, apart: float | None = None, usual: int | None = None
) -> str:
    """What the voice is like.

    Parameters
    ----------
    words
        The language.
    grades
        Fact -> 0 to 6.
    at
        Where it is emphasised, as a share of the clip.
    apart
        How far from there the head moves the most.
    usual
        0, 1, 2: pitch lower than, as, or higher than in the speaker's other clips; None where there are too few.
    """
    loudness = words.loudness[grades["loudness"]]
    if "pitch" in grades:
        said = words.pitched.format(
            pitch=words.pitch[grades["pitch"]],
            usual="" if usual is None else words.usual[usual],
            melody=words.melody[grades["pitch_range"]],
            loudness=loudness,
        )
    else:
        said = words.no_pitch.format(loudness=loudness)
    if "rate" in grades:
        said += words.paced.format(rate=words.rate[grades["rate"]])
    if "pauses" in grades:
        said += words.paused.format(pauses=words.pauses[grades["pauses"]])
    sentences = [words.voice + said]
    if "emphasis" in grades:
        rise = words.rises.format(strength=words.strength[grades["emphasis"]])
        sentences.append(
            _placed(words, rise, when(words, at))
            + relation(words, apart, words.head_named if "nod" in grades else words.face_named)
        )
    return words.stop.join(sentences) + words.stop.strip()


def no_speech(words: Wording, grades: dict[str, int]) -> str:
    """Of a sound that is no voice."""
    return words.no_speech.format(loudness=words.loudness[grades["loudness"]])


def plain_voice(words: Wording, facts: dict[str, float]) -> str:
    """What can be said of a voice without others to compare with."""
    said = words.plain_voice.format(pauses=facts.get("pauses", 0.0))
    if "rate" in facts:
        said += words.plain_rate.format(rate=facts["rate"])
    if "pitch_range" in facts:
        said += words.plain_range.format(range=facts["pitch_range"])
    return said + words.stop.strip()


def face_sentences(
    words: Wording,
    reading: FaceReading,
    grades: dict[str, int],
    *,
    changes_at: float | None,
    moves_at: float | None,
    apart: float | None = None,
    places: bool = True,
) -> str:
    """What the face shows, in its order, and how that compares with other clips.

    Parameters
    ----------
    words
        The language.
    reading
        What holds of the face.
    grades
        Fact -> 0 to 6.
    changes_at
        Where the face changes the most, as a share of the clip.
    moves_at
        Where the head moves the most.
    apart
        How far from there the voice is emphasised; told of faces that are seen throughout.
    places
        Whether to say when anything is seen.
    """
    if not reading.enough:
        return words.hardly if reading.seen < HARDLY_SEEN else words.briefly
    other = relation(words, None if reading.seen < PARTLY_SEEN else apart, words.voice_named)
    compared = [size(words, reading, grades)] if "smile" in grades else []
    if "brow_raise" in grades:
        compared.append(words.brows.format(more=words.more[grades["brow_raise"]]))
    moves: list[str] = []
    for fact, said, at in (("nod", words.head, moves_at), ("expression", words.change, changes_at)):
        if fact in grades and not moves:
            moves.append(_placed(words, said.format(strength=words.strength[grades[fact]]), when(words, at)) + other)
    change = ""
    if {"nod", "expression"} <= set(grades):
        change = _placed(
            words, words.change.format(strength=words.strength[grades["expression"]]), when(words, changes_at)
        )
    return _fitted(words, list(_shown(words, reading, places)), compared, change, moves)


@dataclass(frozen=True)
class _Said:
    """What is said of a face, and how much it matters where not all of it fits."""

    text: str
    weight: float = ALWAYS


def _shown(words: Wording, reading: FaceReading, places: bool) -> Iterator[_Said]:
    """What is seen, in its order."""
    if reading.others:
        yield _Said(words.others)
    if reading.seen < PARTLY_SEEN and not (places and reading.gone):
        yield _Said(words.partly)
    if not any(showing.kind in SMILES for showing in reading.showings):
        yield from map(_Said, _smileless(words, reading))
    told = []
    for showing in reading.showings:
        weight = showing.share + (showing.kind in EXPRESSIONS) if showing.kind not in SMILES else ALWAYS
        said = _placed(words, words.kinds[showing.kind], _place(words, showing, places))
        told.append((showing.start, _Said(said, weight)))
    if reading.seen < PARTLY_SEEN and places and reading.gone:
        told.append((reading.gone[0], _Said(_placed(words, words.gone, _gone(words, reading.gone)))))
    yield from (said for _, said in sorted(told, key=lambda each: each[0] if places else 0.0))


def _smileless(words: Wording, reading: FaceReading) -> list[str]:
    """Of a face of which no smile is told; nothing where it is not known."""
    return [] if reading.unsmiling is None else [words.no_smile if reading.unsmiling else words.corners_up]


def _placed(words: Wording, what: str, place: str) -> str:
    return words.placed.format(what=what, place=place)


def _gone(words: Wording, gone: tuple[float, float]) -> str:
    start, end = (round(edge * 10) for edge in gone)
    if end >= 10:
        return _span(words, words.since, start)
    return _span(words, words.until, 0, end) if start <= 0 else _span(words, words.between, start, end)


def _span(words: Wording, form: str, start: int, end: int = 0) -> str:
    """A stretch of the clip, given in tenths."""
    return form.format(start=start * words.unit, end=end * words.unit)


def _place(words: Wording, showing: Showing, places: bool) -> str:
    if showing.share >= THROUGHOUT:
        return words.throughout
    if showing.times > 1:
        return words.now_and_then
    if not places:
        return words.for_a_part
    start, end = round(showing.start * 10), round(showing.end * 10)
    if showing.from_first and start <= 1:
        return _span(words, words.until, 0, max(end, 1))
    if showing.to_last and end > start:
        return _span(words, words.since, start)
    if end <= start:
        return _span(words, words.about, start)
    return _span(words, words.between, start, end)


def _fitted(words: Wording, shown: list[_Said], compared: list[str], change: str, moves: list[str]) -> str:
    """All of it, or what fits in `PIECES`: comparisons go first, then what is seen for the shortest."""

    def said(rest: list[str]) -> str:
        first = words.comma.join(each.text for each in shown)
        sentences = [first[:1].upper() + first[1:]] * bool(first)
        sentences += [words.against + words.comma.join(rest)] * bool(rest)
        return words.stop.join(sentences) + words.stop.strip()

    rests = [[*compared, *([change] if change else []), *moves], [*compared, *moves], [*compared[:1], *moves]]
    for rest in rests:
        if pieces(said(rest)) <= PIECES:
            return said(rest)
    while any(each.weight < ALWAYS for each in shown) and pieces(said(rest)) > PIECES:
        shown.remove(min(shown, key=lambda each: each.weight))
    return said(rest) if pieces(said(rest)) <= PIECES else said(compared[:1])


def pieces(text: str) -> int:
    """Words, marks and Chinese characters: about the word pieces of a text."""
    return len(re.findall(r"[\u4e00-\u9fff]|[a-zA-Z0-9]+|[^\w\s]", text))


def size(words: Wording, reading: FaceReading, grades: dict[str, int]) -> str:
    """How strong the smile is beside those of other clips; of a face that does not smile, how its mouth stands."""
    smiles = any(showing.kind in SMILES for showing in reading.showings)
    return (words.smile if smiles else words.corners).format(more=words.more[grades["smile"]])


def summary_phrase(
    words: Wording,
    reading: FaceReading | None,
    grades: dict[str, int],
    *,
    apart: float | None,
    voiced: bool = True,
    places: bool = True,
) -> str | None:
    """Voice, face, and whether their peaks fall together (`apart`: their distance as a share of the clip)."""
    parts = []
    if "loudness" in grades and voiced:
        said = {"loudness": words.loudness[grades["loudness"]]}
        if "pitch" in grades:
            said |= {"pitch": words.pitch[grades["pitch"]], "melody": words.melody[grades["pitch_range"]]}
            parts.append(words.summary_voice.format(**said))
        else:
            parts.append(words.summary_unpitched.format(**said))
    peaks = [words.summary_peaks[coincidence(apart)]] if apart is not None else []
    if reading is not None and reading.enough and (not grades or "smile" in grades):
        mouth, seen = _mouth_and_looks(words, reading, places)
        if grades:
            brows = [words.brows.format(more=words.more[grades["brow_raise"]])] if "brow_raise" in grades else []
            compared = words.summary_size + words.comma.join([size(words, reading, grades), *brows])
            full = words.semicolon.join([*parts, *seen, compared, *peaks])
            shorter = [] if mouth == [words.corners_up] else mouth  # how far they are up is told by the comparison
            parts += [*(seen if pieces(full) <= SUMMARY_PIECES else shorter), compared]
        else:
            parts += seen
    return words.semicolon.join([*parts, *peaks]) or None


def _mouth_and_looks(words: Wording, reading: FaceReading, places: bool) -> tuple[list[str], list[str]]:
    """What the summary says of the mouth, and that after what the expression is: one text each, or none."""
    smiles = [_part(words, showing, places) for showing in reading.showings if showing.kind in SMILES]
    looks = [_part(words, showing, places) for showing in reading.showings if showing.kind in EXPRESSIONS]
    mouth = smiles[:1] or _smileless(words, reading)
    return mouth, [words.comma.join([*looks, *mouth])] if looks or mouth else []


def _part(words: Wording, showing: Showing, places: bool) -> str:
    """What is seen, and whether it is so at first, later, or in part; of what is there throughout nothing more."""
    place = words.parts[2]
    if showing.share >= THROUGHOUT:
        place = ""
    elif places and showing.times == 1 and showing.from_first != showing.to_last:
        place = words.parts[0 if showing.from_first else 1]
    return _placed(words, words.kinds[showing.kind], place)


def coincidence(apart: float) -> int:
    """0, 1, 2: whether the peaks of voice and head fall together, nearly, or apart."""
    if apart < 0.12:
        return 0
    return 1 if apart < 0.2 else 2


def relation(words: Wording, apart: float | None, other: str) -> str:
    """The same, said of one of them; nothing where only one of them has a peak."""
    return "" if apart is None else words.together[coincidence(apart)].format(other=other)


def when(words: Wording, at: float | None) -> str:
    """A position in words and as a share of the clip, to the tenth; nothing where times are left out."""
    if at is None:
        return ""
    return words.tenths.format(third=words.thirds[min(int(at * 3), 2)], tenth=min(int(at * 10) + 1, 10) * words.unit)


def words_sentence(facts: dict[str, float], language: str) -> str:
    """Plain counts of a transcript; no verdict on its words."""
    names = ("words", "exclamations", "questions", "negations")
    counts = [int(facts[name]) for name in names]
    if language == "zh":
        return "{}字,感叹号{}个,问号{}个,否定词{}个。".format(*counts)
    nouns = ("word", "exclamation mark", "question mark", "negation")
    pairs = list(zip(counts, nouns, strict=True))
    said = [f"{count} {noun}{'' if count == 1 else 's'}" for count, noun in pairs if count or noun == "word"]
    absent = [noun for count, noun in pairs if not count and noun != "word"]
    return ", ".join(said) + (f"; no {', no '.join(absent)}." if absent else ".")
