"""Words by which columns, folders and classes are known, in the languages and spellings that people's tables have."""

import re

from textmsa.types import SPLITS

COLUMNS: dict[str, tuple[str, ...]] = {
    "file": (
        *(
            "file",
            "filename",
            "filepath",
            "path",
            "videofile",
            "videopath",
            "clipfile",
            "clippath",
            "media",
            "mediafile",
        ),
        *("audiofile", "wavfile", "name", "datei", "dateiname", "fichier", "archivo", "文件", "文件名"),
    ),
    "video": ("videoid", "video", "videoname", "dialogueid", "dialogid", "dialogue", "movie", "episode", "youtubeid"),
    "clip": ("clipid", "clip", "segment", "segmentid", "utteranceid", "uttid", "id", "index", "nr", "no"),
    "speaker": (
        *("speaker", "speakerid", "actor", "actorid", "participant", "participantid", "subject", "subjectid", "person"),
        *("personid", "sprecher", "locuteur", "hablante", "说话人"),
    ),
    "text": (
        *("text", "transcript", "transcription", "sentence", "utterance", "words", "content", "caption", "subtitle"),
        *(
            "subtitles",
            "rawtext",
            "asr",
            "speech",
            "satz",
            "wortlaut",
            "texte",
            "phrase",
            "texto",
            "frase",
            "文本",
            "内容",
        ),
    ),
    "text_en": ("texten", "englishtext", "textenglish", "translation", "rawtexten", "english"),
    "label": (
        *("label", "score", "sentiment", "sentimentscore", "sentimentlabel", "rating", "valence", "polarity", "y"),
        *("target", "labelm", "bewertung", "wertung", "note", "valencia", "标签", "情感"),
    ),
    "label_T": ("labelt", "labeltext", "textlabel"),
    "label_A": ("labela", "labelaudio", "audiolabel"),
    "label_V": ("labelv", "labelvideo", "labelvision", "videolabel", "visionlabel"),
    "class": (
        "annotation",
        "emotion",
        "class",
        "category",
        "sentiment",
        "polarity",
        "label",
        "klasse",
        "classe",
        "类别",
    ),
    "split": ("mode", "split", "set", "subset", "partition", "fold", "usage", "datasplit"),
}
"""What a column may be for -> names of such columns, small letters and digits only, the likelier first."""

CLASSES: dict[str, float | None] = {
    **dict.fromkeys(("positive", "pos", "positiv", "positif", "positivo", "good", "积极", "正面"), 1.0),
    **dict.fromkeys(("negative", "neg", "negativ", "négatif", "negativo", "bad", "消极", "负面"), -1.0),
    **dict.fromkeys(("neutral", "neu", "neutre", "neutro", "calm", "中性", "中立"), 0.0),
    **dict.fromkeys(("weaklypositive",), 1.0),
    **dict.fromkeys(("weaklynegative",), -1.0),
    **dict.fromkeys(("happy", "happiness", "hap", "joy", "joyful", "amused", "excited", "love", "loved", "高兴"), 2.0),
    **dict.fromkeys(("sad", "sadness", "悲伤", "angry", "anger", "ang", "愤怒", "disgust", "disgusted", "dis"), -2.0),
    **dict.fromkeys(
        ("fear", "fearful", "fea", "afraid", "frustrated", "frustration", "contempt", "厌恶", "恐惧"), -2.0
    ),
    **dict.fromkeys(("surprise", "surprised", "sur", "bored", "boredom", "confused", "other", "惊讶"), None),
}
"""Words that are sentiments or emotions -> a number that is offered for them on [-3, 3], never taken by itself."""

_SPLIT_WORDS = {
    **dict.fromkeys(("train", "training", "trn"), SPLITS[0]),
    **dict.fromkeys(("valid", "validation", "val", "dev", "development"), SPLITS[1]),
    **dict.fromkeys(("test", "testing", "tst", "eval", "evaluation"), SPLITS[2]),
}


def plain(name: str) -> str:
    """A name without what spellings differ in: "Sentiment score" is "sentimentscore"."""
    return re.sub(r"[\W_]+", "", name.casefold())


def split_of(name: str) -> str | None:
    """The split that a value, a folder or a file's name tells: "dev_splits" is "valid"; None where it tells none."""
    told = {_SPLIT_WORDS[word] for word in re.split(r"[\W_\d]+", name.casefold()) if word in _SPLIT_WORDS}
    return told.pop() if len(told) == 1 else None
