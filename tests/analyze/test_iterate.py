"""The utterances of a film, one after the other: as `textmsa analyze` scores them, and no more held than is needed."""

from itertools import islice

import numpy as np
import pytest
from media_fixtures import grey, regular, tone, write_clip

import textmsa
from textmsa.analyze import analyze, iterate
from textmsa.analyze.stream import MediaStream
from textmsa.errors import ExtractorError, UserError
from textmsa.prediction_table import to_pandas
from textmsa.speech.recognise import Heard
from textmsa.types import Word

CUES = [(0.6, 2.0, "A fine day."), (9.0, 10.0, "I liked it a lot!"), (10.2, 11.2, "Bye now."), (60.0, 61.0, "Gone.")]


def clock(seconds: float) -> str:
    return f"00:{int(seconds) // 60:02d}:{seconds % 60:06.3f}".replace(".", ",")


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    folder = tmp_path_factory.mktemp("film")
    blocks = [f"{n}\n{clock(a)} --> {clock(b)}\n{text}\n" for n, (a, b, text) in enumerate(CUES, 1)]
    (folder / "film.srt").write_text("\n".join(blocks))
    sound_N = np.concatenate([tone(1.0, hertz=100 + 20 * s, level=0.1 + 0.05 * s) for s in range(12)])
    pictures = [grey(index // 8) for index in range(300)]
    name = folder / "film.mkv"
    return write_clip(name, times=regular(300), pictures=pictures, sound=sound_N, audio_codec="pcm_s16le")


@pytest.fixture(scope="module")
def predictor(tiny_run):
    return textmsa.load(tiny_run.path)


def test_utterances_are_those_of_analyze(video, predictor, tiny_run, tmp_path):
    found = list(textmsa.utterances(video, predictor=predictor))
    written = analyze(video, model=str(tiny_run.path), out=tmp_path / "out").timeline.utterances
    assert [outcome.text for outcome in found] == [text for _, _, text in CUES]
    assert [outcome.failed for outcome in found] == [record["failed"] for record in written]
    for outcome, record in zip(found[:3], written, strict=False):
        assert outcome.prediction is not None and outcome.start == record["start"]
        assert outcome.prediction.score == pytest.approx(record["score"], abs=1e-4)
    assert found[3].prediction is None and "the file ends at 12.0 s" in str(found[3].failed)
    table = to_pandas(found)
    assert table["start"].tolist() == [start for start, _, _ in CUES]
    assert table["score"].notna().tolist() == [True, True, True, False]


def test_what_lies_between_utterances_is_let_go(video, predictor, monkeypatch):
    held: list[int] = []
    take = MediaStream.take

    def watched(stream, first, last):
        taken = take(stream, first, last)
        held.append(len(stream._decoding.pictures.frames))
        return taken

    monkeypatch.setattr(MediaStream, "take", watched)
    monkeypatch.setattr(iterate, "STRETCH", 20)
    list(islice(textmsa.utterances(video, predictor=predictor), 3))
    assert max(held) < 45, "the seven seconds between two utterances are 70 pictures"


def test_an_utterance_that_breaks_down_does_not_end_the_others(video, predictor, monkeypatch):
    scored = textmsa.Predictor.scored_media

    def breaking(self, media, spoken):
        if spoken.text == CUES[1][2]:
            raise ExtractorError("audio", "no ears")
        return scored(self, media, spoken)

    monkeypatch.setattr(textmsa.Predictor, "scored_media", breaking)
    failed = [outcome.failed for outcome in textmsa.utterances(video, predictor=predictor)]
    assert (failed[0], failed[1], failed[2]) == (None, "no ears", None)


def test_words_may_be_heard(video, predictor):
    class Listener:
        english_only = True

        def spans(self, path, *, skip: int = 0):
            yield Heard((Word(" Hello", 1.0, 1.5, 0.9), Word(" there.", 1.6, 2.2, 0.9)), "en", None)

    found = list(textmsa.utterances(str(video), predictor=predictor, recogniser=Listener()))
    assert [outcome.text for outcome in found] == ["Hello there."]
    assert found[0].prediction is not None and found[0].prediction.spoken is not None
    assert found[0].prediction.spoken.source == "speech recognition"
    with pytest.raises(UserError, match="give one of them"):
        textmsa.utterances(video, predictor=predictor, subtitles="film.srt", recogniser=Listener())


def test_what_is_no_film_is_one_line_before_the_first_utterance(predictor, tmp_path):
    (tmp_path / "x.mp4").write_bytes(b"no film")
    refused = {"gone.mp4": "no such file", "": "is a folder", "x.mp4": "cannot be read"}
    for name, words in refused.items():
        with pytest.raises(UserError, match=words):
            textmsa.utterances(tmp_path / name, predictor=predictor)
