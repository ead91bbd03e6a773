"""Words for what was measured. Sizes are seven grades among the training split's clips, and the sentence says so.

What is said without "against clips here" holds of the clip alone. Every sentence is bounded, so that a text encoder
reads all of it: voice and face at most 50 word pieces of BERT's uncased vocabulary each, the summary 30
(tests/explain/test_measured.py tries the longest of all).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from textmsa.explain.measured.face import HARDLY_SEEN, FaceReading, Showing

PIECES = 46  # words and marks of a sentence, each a piece or a little more
PARTLY_SEEN = 0.9  # of the frames
THROUGHOUT = 0.85  # of the time in which the face is seen
SMILES = ("broad_smile", "smile", "slight_smile")


@dataclass(frozen=True)
class Wording:
    """The words of a language; lists of seven go from very low to very high among the clips."""

    pitch: Sequence[str]
    melody: Sequence[str]
    loudness: Sequence[str]
    rate: Sequence[str]
    pauses: Sequence[str]
    more: Sequence[str]
    strength: Sequence[str]
    kinds: dict[str, str]
    voice: str
    no_pitch: str
    pitched: str
    paced: str
    paused: str
    usual: Sequence[str]
    """Lower than, as, higher than the speaker's other clips."""
    rises: str
    no_voice: str
    no_speech: str
    hardly: str
    briefly: str
    no_smile: str
    others: str
    partly: str
    gone: str
    against: str
    smile: str
    corners: str
    brows: str
    change: str
    head: str
    throughout: str
    until: str
    since: str
    between: str
    about: str
    now_and_then: str
    for_a_part: str
    thirds: Sequence[str]
    tenths: str
    together: Sequence[str]
    """Together with, nearly with, apart from."""
    voice_named: str
    face_named: str
    head_named: str
    summary_voice: str
    summary_size: str
    placed: str
    """What is seen, and its place."""
    summary_unpitched: str
    summary_peaks: Sequence[str]
    comma: str
    stop: str
    semicolon: str


ENGLISH = Wording(
    pitch=("very low", "low", "slightly low", "average", "slightly high", "high", "very high"),
    melody=("very flat", "flat", "slightly flat", "average", "slightly lively", "lively", "very lively"),
    loudness=("very quiet", "quiet", "slightly quiet", "average", "slightly loud", "loud", "very loud"),
    rate=("very slow", "slow", "slightly slow", "average", "slightly fast", "fast", "very fast"),
    pauses=("hardly any", "very few", "few", "some", "rather many", "many", "very many"),
    more=("far less", "much less", "less", "as usual", "more", "much more", "far more"),
    strength=("barely", "weakly", "slightly", "moderately", "clearly", "strongly", "very strongly"),
    kinds={
        "smile": "a smile",
        "slight_smile": "a slight smile",
        "broad_smile": "a broad smile",
        "frown": "mouth corners down",
        "brows_up": "brows raised",
        "brows_down": "brows lowered",
        "eyes_shut": "eyes shut or down",
        "happy": "looks happy",
        "sad": "looks sad",
        "angry": "looks angry",
        "surprise": "looks surprised",
    },
    voice="Voice against clips here: ",
    no_pitch="no clear pitch, {loudness} volume",
    pitched="{pitch} pitch{usual}, {melody} melody, {loudness} volume",
    paced=", {rate} pace",
    paused=", {pauses} pauses",
    usual=(" (low for the speaker)", " (usual for the speaker)", " (high for the speaker)"),
    rises="It rises {strength}",
    no_voice="The sound track holds no audible voice.",
    no_speech="There is sound, but no clear voice; against clips here {loudness} volume.",
    hardly="The face can hardly be seen.",
    briefly="The face is seen too briefly to tell.",
    no_smile="no smile",
    others="others are in the picture",
    partly="partly out of sight",
    gone="out of sight",
    against="Against clips here: ",
    smile="smile {more}",
    corners="mouth corners up {more}",
    brows="brows up {more}",
    change="face changes {strength}",
    head="head moves {strength}",
    throughout=" throughout",
    until=" until {end} tenths",
    since=" from {start} tenths on",
    between=" from {start} to {end} tenths",
    about=" at {start} tenths",
    now_and_then=" now and then",
    for_a_part=" for a part",
    thirds=("early", "midway", "late"),
    tenths=" {third}, at {tenth} tenths",
    together=(", together with the {other}", ", nearly with the {other}", ", apart from the {other}"),
    voice_named="voice",
    face_named="face",
    head_named="head",
    summary_voice="{pitch}, {melody}, {loudness} voice",
    summary_size="against clips here ",
    placed="{what}{place}",
    summary_unpitched="{loudness} voice",
    summary_peaks=("peaks together", "peaks nearly together", "peaks apart"),
    comma=", ",
    stop=". ",
    semicolon="; ",
)

CHINESE = Wording(
    pitch=("很低", "低", "略低", "一般", "略高", "高", "很高"),
    melody=("很平", "平", "略平", "一般", "略有起伏", "起伏大", "起伏很大"),
    loudness=("很小", "小", "略小", "一般", "略大", "大", "很大"),
    rate=("很慢", "慢", "略慢", "一般", "略快", "快", "很快"),
    pauses=("几乎没有", "很少", "少", "一般", "略多", "多", "很多"),
    more=("极少", "少得多", "较少", "相当", "较多", "多得多", "极多"),
    strength=("几乎没有", "微弱", "轻微", "中等", "明显", "强", "很强"),
    kinds={
        "smile": "微笑",
        "slight_smile": "浅笑",
        "broad_smile": "露齿笑",
        "frown": "嘴角向下",
        "brows_up": "扬眉",
        "brows_down": "皱眉",
        "eyes_shut": "闭眼或垂目",
        "happy": "神情高兴",
        "sad": "神情悲伤",
        "angry": "神情生气",
        "surprise": "神情惊讶",
    },
    voice="与同组片段相比,声音:",
    no_pitch="音高不明,音量{loudness}",
    pitched="音高{pitch}{usual},语调{melody},音量{loudness}",
    paced=",语速{rate}",
    paused=",停顿{pauses}",
    usual=("(低于本人平时)", "(如本人平时)", "(高于本人平时)"),
    rises="加重{strength}",
    no_voice="音轨里听不到人声。",
    no_speech="有声音,但没有清楚的人声;音量与同组相比{loudness}。",
    hardly="几乎看不到脸。",
    briefly="脸出现太短,无法判断。",
    no_smile="没有笑",
    others="画面里还有别人",
    partly="有时看不到脸",
    gone="看不到脸",
    against="与同组相比:",
    smile="笑{more}",
    corners="嘴角上扬{more}",
    brows="眉抬{more}",
    change="表情变化{strength}",
    head="头动{strength}",
    throughout="始终",
    until="到{end}成为止",
    since="自{start}成起",
    between="自{start}到{end}成",
    about="在{start}成处",
    now_and_then="时而",
    for_a_part="一度",
    thirds=("前段", "中段", "后段"),
    tenths="在{third}{tenth}成处",
    together=(",与{other}同时", ",与{other}接近", ",与{other}错开"),
    voice_named="声音",
    face_named="脸",
    head_named="头",
    summary_voice="音高{pitch},语调{melody},音量{loudness}",
    summary_size="与同组相比",
    placed="{place}{what}",
    summary_unpitched="音量{loudness}",
    summary_peaks=("高峰同时", "高峰接近", "高峰错开"),
    comma=",",
    stop="。",
    semicolon=";",
)
WORDINGS = {"en": ENGLISH, "zh": CHINESE}


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
        sentences.append(_placed(words, rise, when(words, at)) + relation(words, apart, words.head_named if "nod" in grades else words.face_named))
    return words.stop.join(sentences) + words.stop.strip()


def no_speech(words: Wording, grades: dict[str, int]) -> str:
    """Of a sound that is no voice."""
    return words.no_speech.format(loudness=words.loudness[grades["loudness"]])


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
    moves = []
    for fact, said, at in (("nod", words.head, moves_at), ("expression", words.change, changes_at)):
        if fact in grades and not moves:
            moves.append(_placed(words, said.format(strength=words.strength[grades[fact]]), when(words, at)) + other)
    change = ""
    if {"nod", "expression"} <= set(grades):
        change = _placed(words, words.change.format(strength=words.strength[grades["expression"]]), when(words, changes_at))
    return _fitted(words, list(_shown(words, reading, places)), compared, change, moves)


def _shown(words: Wording, reading: FaceReading, places: bool) -> Iterator[str]:
    """What is seen, in its order; of more than four things those that last."""
    if reading.others:
        yield words.others
    if reading.seen < PARTLY_SEEN and not (places and reading.gone):
        yield words.partly
    if not any(showing.kind in SMILES for showing in reading.showings):
        yield words.no_smile
    lasting = sorted(reading.showings, key=lambda showing: -showing.share)[:4]
    told = [
        (showing.start, _placed(words, words.kinds[showing.kind], _place(words, showing, places)))
        for showing in reading.showings
        if showing in lasting
    ]
    if reading.seen < PARTLY_SEEN and places and reading.gone:
        told.append((reading.gone[0], _placed(words, words.gone, _gone(words, reading.gone))))
    yield from (said for _, said in (sorted(told) if places else told))


def _placed(words: Wording, what: str, place: str) -> str:
    return words.placed.format(what=what, place=place)


def _gone(words: Wording, gone: tuple[float, float]) -> str:
    start, end = (round(edge * 10) for edge in gone)
    if end >= 10:
        return words.since.format(start=start)
    return words.until.format(end=end) if start <= 0 else words.between.format(start=start, end=end)


def _place(words: Wording, showing: Showing, places: bool) -> str:
    if showing.share >= THROUGHOUT:
        return words.throughout
    if showing.times > 1:
        return words.now_and_then
    if not places:
        return words.for_a_part
    start, end = round(showing.start * 10), round(showing.end * 10)
    if showing.from_first and start <= 1:
        return words.until.format(end=max(end, 1))
    if showing.to_last and end > start:
        return words.since.format(start=start)
    if end <= start:
        return words.about.format(start=start)
    return words.between.format(start=start, end=end)


def _fitted(words: Wording, shown: list[str], compared: list[str], change: str, moves: list[str]) -> str:
    """All of it, or what fits in `PIECES`: the face's change goes first, then what is seen for the shortest."""

    def said(shown: list[str], rest: list[str]) -> str:
        first = words.comma.join(shown)
        sentences = [first[:1].upper() + first[1:]] * bool(first)
        sentences += [words.against + words.comma.join(rest)] * bool(rest)
        return words.stop.join(sentences) + words.stop.strip()

    rest = [*compared, *([change] if change else []), *moves]
    if pieces(said(shown, rest)) > PIECES and change:
        rest = [*compared, *moves]
    kept = list(shown)
    while len(kept) > 1 and pieces(said(kept, rest)) > PIECES:
        if len(rest) > len(moves) + 1:
            rest = [compared[0], *moves]
        else:
            kept.pop()
    return said(kept, rest)


def pieces(text: str) -> int:
    """Words, marks and Chinese characters: about the word pieces of a text."""
    return len(re.findall(r"[\u4e00-\u9fff]|[a-zA-Z0-9]+|[^\w\s]", text))


def size(words: Wording, reading: FaceReading, grades: dict[str, int]) -> str:
    """How strong the smile is beside those of other clips; of a face that does not smile, how its mouth stands."""
    smiles = any(showing.kind in SMILES for showing in reading.showings)
    return (words.smile if smiles else words.corners).format(more=words.more[grades["smile"]])


def summary_phrase(
    words: Wording, reading: FaceReading | None, grades: dict[str, int], *, apart: float | None, voiced: bool = True
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
    if reading is not None and reading.enough and "smile" in grades:
        kinds = [showing.kind for showing in sorted(reading.showings, key=lambda each: -each.share)]
        smile = next((words.kinds[kind] for kind in kinds if kind in SMILES), words.no_smile)
        brows = [words.brows.format(more=words.more[grades["brow_raise"]])] if "brow_raise" in grades else []
        compared = words.comma.join([size(words, reading, grades), *brows])
        parts.append(words.semicolon.join([smile, words.summary_size + compared]))
    if apart is not None:
        parts.append(words.summary_peaks[coincidence(apart)])
    return words.semicolon.join(parts) or None


def coincidence(apart: float) -> int:
    """0, 1, 2: whether the peaks of voice and head fall together, nearly, or apart."""
    if apart < 0.12:
        return 0
    return 1 if apart < 0.2 else 2


def relation(words: Wording, apart: float | None, other: str) -> str:
    """The same, said of one of them; nothing where only one of them has a peak."""
    return "" if apart is None else words.together[coincidence(apart)].format(other=other)


def when(words: Wording, at: float | None) -> str:
    """A position in words and in tenths of the clip; nothing where times are left out."""
    if at is None:
        return ""
    return words.tenths.format(third=words.thirds[min(int(at * 3), 2)], tenth=min(int(at * 10) + 1, 10))


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
