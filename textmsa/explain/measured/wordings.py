"""The words of measured explanations, English and Chinese."""

from collections.abc import Sequence
from dataclasses import dataclass


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
    plain_no_speech: str
    plain_voice: str
    plain_rate: str
    plain_range: str
    """Without clips to compare with."""
    hardly: str
    briefly: str
    no_smile: str
    corners_up: str
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
    unit: int
    """What a tenth of the clip is counted as: 10 per cent, or 1."""
    together: Sequence[str]
    """Together with, nearly with, apart from."""
    voice_named: str
    face_named: str
    head_named: str
    summary_voice: str
    summary_size: str
    parts: Sequence[str]
    """Early, later, partly."""
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
    plain_no_speech="There is sound, but no clear voice.",
    plain_voice="A voice is heard, pauses {pauses:.0%} of the time",
    plain_rate=", {rate:.1f} syllables a second",
    plain_range=", its pitch moves over {range:.0f} semitones",
    hardly="The face can hardly be seen.",
    briefly="The face is seen too briefly to tell.",
    no_smile="no smile",
    corners_up="mouth corners a little up",
    others="others are in the picture",
    partly="partly out of sight",
    gone="out of sight",
    against="Against clips here: ",
    smile="smile {more}",
    corners="mouth corners up {more}",
    brows="brows up {more}",
    change="face stands out {strength}",
    head="head moves {strength}",
    throughout=" throughout",
    until=" until {end}%",
    since=" from {start}% on",
    between=" from {start}% to {end}%",
    about=" at {start}%",
    now_and_then=" now and then",
    for_a_part=" for a part",
    thirds=("early", "midway", "late"),
    tenths=" {third}, at {tenth}%",
    unit=10,
    together=(", together with the {other}", ", nearly with the {other}", ", apart from the {other}"),
    voice_named="voice",
    face_named="face",
    head_named="head",
    summary_voice="{pitch}, {melody}, {loudness} voice",
    summary_size="against clips here ",
    parts=(" early", " later", " partly"),
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
        "eyes_shut": "垂目",
        "happy": "显得高兴",
        "sad": "显得悲伤",
        "angry": "显得生气",
        "surprise": "显得惊讶",
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
    plain_no_speech="有声音,但没有清楚的人声。",
    plain_voice="有人声,停顿占{pauses:.0%}",
    plain_rate=",每秒{rate:.1f}个音节",
    plain_range=",音高变化{range:.0f}个半音",
    hardly="几乎看不到脸。",
    briefly="脸出现太短,无法判断。",
    no_smile="没有笑",
    corners_up="嘴角微扬",
    others="画面里还有别人",
    partly="有时看不到脸",
    gone="看不到脸",
    against="与同组相比:",
    smile="笑{more}",
    corners="嘴角上扬{more}",
    brows="眉抬{more}",
    change="表情突出{strength}",
    head="头动{strength}",
    throughout="始终",
    until="至{end}成",
    since="自{start}成起",
    between="{start}至{end}成",
    about="在{start}成处",
    now_and_then="时而",
    for_a_part="一度",
    thirds=("前段", "中段", "后段"),
    tenths="{third}{tenth}成",
    unit=1,
    together=(",与{other}同时", ",与{other}接近", ",与{other}错开"),
    voice_named="声音",
    face_named="脸",
    head_named="头",
    summary_voice="音高{pitch},语调{melody},音量{loudness}",
    summary_size="与同组相比",
    parts=("起初", "后来", "部分"),
    placed="{place}{what}",
    summary_unpitched="音量{loudness}",
    summary_peaks=("高峰同时", "高峰接近", "高峰错开"),
    comma=",",
    stop="。",
    semicolon=";",
)
WORDINGS = {"en": ENGLISH, "zh": CHINESE}
