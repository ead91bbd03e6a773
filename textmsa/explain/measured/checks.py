"""What an explanation claims of voice and face, held against what was measured of them.

Only plain claims of size are looked for (loud, slow, high-pitched, smiling ...), and only clear contradictions are
flagged: the words and thresholds below are ours, chosen by hand.
"""

import re
from dataclasses import asdict, dataclass
from typing import Any, Literal

from textmsa.types import Explanation

Verdict = Literal["agrees", "contradicts", "unclear"]
LARGE, SMALL = 4, 2  # of grades 0 to 6 among the training split's clips
CLEARLY_LARGE, CLEARLY_SMALL = 5, 1


@dataclass(frozen=True)
class SizeClaim:
    """Words that say that a fact is large or small."""

    fact: str
    large: bool
    words: re.Pattern[str]


def _claim(fact: str, large: bool, english: str, chinese: str) -> SizeClaim:
    return SizeClaim(fact, large, re.compile(rf"\b(?:{english})\b|{chinese}", re.IGNORECASE))


IS = r"(?:(?:is|was|of (?:the|this|his|her|their) \w+ is) )?(?:(?:very|quite|rather|slightly|relatively|too) )?"
"""Between a quality and its size: "pitch is very high"."""
AUDIO_CLAIMS = (
    _claim(
        "loudness",
        True,
        rf"loud(?:ly|er)?|shout(?:s|ing|ed)?|high volume|volume {IS}high",
        "大声|响亮|音量(?:较|很|偏)?[大高]",
    ),
    _claim(
        "loudness",
        False,
        rf"quiet(?:ly|er)?|soft(?:ly|er)?|whisper(?:s|ing|ed)?|low volume|volume {IS}low",
        "小声|轻声|低声|音量(?:较|很|偏)?[小低]",
    ),
    _claim("rate", True, r"fast(?:er)?|rapid(?:ly)?|quick(?:ly|er)?|hurried(?:ly)?", "语速(?:较|很|偏)?快|急促"),
    _claim("rate", False, r"slow(?:ly|er)?|unhurried(?:ly)?", "语速(?:较|很|偏)?[慢缓]|缓慢"),
    _claim(
        "pitch", True, rf"high(?:er)?[- ]pitch(?:ed)?|high(?:er)? voice|pitch {IS}high", "音[高调](?:较|很|偏)?高|尖"
    ),
    _claim(
        "pitch", False, rf"low(?:er)?[- ]pitch(?:ed)?|deep(?:er)? voice|pitch {IS}low", "音[高调](?:较|很|偏)?低|低沉"
    ),
    _claim("pitch_range", True, r"lively|animated|melodic|expressive(?:ly)?", "抑扬顿挫|起伏"),
    _claim("pitch_range", False, r"monotone|monotonous(?:ly)?|flat(?:ly)?", "平淡|单调|平板"),
    _claim(
        "pauses",
        True,
        r"many pauses|frequent pauses|long pauses|halting(?:ly)?|hesitant(?:ly)?",
        "停顿(?:较|很)?多|迟疑",
    ),
    _claim("pauses", False, r"few(?:er)? pauses|hardly (?:any )?pauses|no pauses|without pauses", "停顿(?:较|很)?少"),
)
VIDEO_CLAIMS = (
    _claim("smile", True, r"smil(?:e|es|ing|ed)|grin(?:s|ning|ned)?", "微笑|笑容|笑着"),
    _claim("mouth_down", True, r"frown(?:s|ing|ed)?|mouth corners (?:turned )?down", "撇嘴|嘴角下垂"),
    _claim(
        "brow_raise",
        True,
        r"rais(?:es|ing|ed) (?:the |his |her |their )?(?:eye)?brows?|(?:eye)?brows? raised",
        "扬眉|挑眉|眉毛上扬",
    ),
    _claim("brow_lower", True, r"furrow(?:s|ed|ing)?|knit(?:s|ted)? brows?", "皱眉|眉头紧"),
)
OF_A_VOICE = re.compile(
    r"\b(?:voices?|pitch(?:ed)?|loud(?:ly|ness|er)?|volume|high-pitched|low-pitched|monotone|melody|melodic"
    r"|semitones?|syllables?|pauses?)\b|嗓音|音高|音调|音量|语速|停顿",
    re.IGNORECASE,
)
SENTENCE = re.compile(r"[^.!?。！？]+")
QUOTES = re.compile(r"subtitle|字幕", re.IGNORECASE)
"""In sentences that hand on what was said, which tell of no voice."""
NEGATED = re.compile(
    r"(?:\b(?:not?|never|without|nor|neither|hardly|less|rather than|instead of)\b|n['’]t\b)(?:[ ]+[\w'-]+){0,3}[ ]*$"
    r"|[没不无未][^，。；]{0,3}$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Check:
    """One claim and what was measured."""

    modality: str
    part: str
    """Of the explanation: "audio" or "video", else "summary" or "reason"."""
    claim: str
    """The words."""
    fact: str
    grade: int
    """0 (very low) to 6 (very high) among the training split's clips."""
    verdict: Verdict


def check(explanation: Explanation, grades: dict[str, int]) -> list[dict[str, Any]]:
    """The claims that can be held against `grades`, each fact and side once: of the clues, and of the conclusion's
    sentences that tell of the voice.

    Parameters
    ----------
    explanation
        `audio` and `video` are read, and of `summary` and `reason` what they tell of the voice.
    grades
        Fact -> 0 to 6, from the measured explainer.
    """
    told = {
        "audio": [("audio", explanation.audio or "")]
        + [(part, _of_the_voice(getattr(explanation, part) or "")) for part in ("summary", "reason")],
        "video": [("video", explanation.video or "")],
    }
    checks = []
    for modality, claims in (("audio", AUDIO_CLAIMS), ("video", VIDEO_CLAIMS)):
        for claim in claims:
            others = [other.words for other in claims if other.fact == claim.fact and other.large != claim.large]
            found = (
                (part, match)
                for part, text in told[modality]
                for match in claim.words.finditer(text)
                if _is_claimed(text, match, others)
            )
            part, words = next(found, ("", None))
            if words is not None and claim.fact in grades:
                grade = grades[claim.fact]
                verdict = _verdict(claim.large, grade)
                checks.append(asdict(Check(modality, part, words.group(), claim.fact, grade, verdict)))
    return checks


def _of_the_voice(text: str) -> str:
    """The sentences that tell of a voice."""
    sentences = (match.group() for match in SENTENCE.finditer(text))
    return ". ".join(s for s in sentences if OF_A_VOICE.search(s) and not QUOTES.search(s))


def _is_claimed(text: str, match: re.Match[str], others: list[re.Pattern[str]]) -> bool:
    """Whether words that say a size say it here: not after "not", nor as what the opposite size just before is of.

    "A flat-melodic voice" is said to be flat, and not to be melodic as well; "flat, melodic" would be both.
    """
    before = text[: match.start()]
    if NEGATED.search(before):
        return False
    return not any(
        other.end() in (len(before) - 1, len(before)) and before[other.end() :] in ("", "-", " ")
        for pattern in others
        for other in pattern.finditer(before)
    )


def _verdict(large: bool, grade: int) -> Verdict:
    if grade >= LARGE if large else grade <= SMALL:
        return "agrees"
    return "contradicts" if (grade <= CLEARLY_SMALL if large else grade >= CLEARLY_LARGE) else "unclear"
