"""Which words count, and how `predict`, `prepare` and `explain` come by them and tell of it."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from media_fixtures import RECORDINGS
from small_corpora import rows_of, write_corpus
from speech_sounds import music, write_sound

import textmsa
from textmsa.corpora import read_corpus
from textmsa.errors import UserError
from textmsa.predict import PredictResult, predict
from textmsa.prepare import prepare
from textmsa.prepare.explain import explain
from textmsa.speech.transcripts import chosen_model, language_notice, origin_in_words, transcript_of
from textmsa.store import Store
from textmsa.types import Transcript, Word

PARTS = {
    "audio": "outside_parts:Loudness",
    "video": "outside_parts:Brightness",
    "explainer": "outside_parts:Quoting",
}
SUBTITLE = "1\n00:00:00,000 --> 00:00:00,500\nRead from a file.\n"


class Foreign:
    """Hears one German sentence in everything."""

    def transcribe(self, path: Path) -> Transcript:
        words = (Word("Wunderbar!", 0.1, 0.5, 0.9),)
        return Transcript("Wunderbar!", "speech recognition", words, "de", 0.98, made_with="base")


def test_given_words_go_before_recognition_and_that_before_a_file(tmp_path):
    clip = tmp_path / "a.mp4"
    assert transcript_of(clip).reason == "no transcript"
    clip.with_suffix(".srt").write_text(SUBTITLE)
    assert transcript_of(clip).source == "subtitles"
    assert transcript_of(clip, given=" ").text is None
    assert transcript_of(clip, given="Fine.", recogniser=Foreign()).source == "given"
    assert transcript_of(clip, recogniser=Foreign()).text == "Wunderbar!"


def test_options_that_do_not_go_together_are_refused():
    models = [chosen_model(False, None), chosen_model(True, None), chosen_model(True, "base")]
    assert models == [None, "tiny.en", "base"]
    with pytest.raises(UserError, match="give that too"):
        chosen_model(False, "base")
    with pytest.raises(UserError, match="given already by --text"):
        chosen_model(True, None, "words")


def test_a_language_that_the_encoder_does_not_read_is_told_with_what_to_take():
    minilm, chinese, many = 30_522, 21_128, 119_547
    assert language_notice("en", minilm) is language_notice(None, minilm) is language_notice("de", many) is None
    assert language_notice("zh", chinese) is language_notice("zh", minilm, translated=True) is None
    assert "google-bert/bert-base-chinese" in str(language_notice("zh", minilm))
    assert "multilingual" in str(language_notice("de", minilm))
    assert "Chinese" in str(language_notice("en", chinese))
    assert origin_in_words(Foreign().transcribe(Path())) == "speech recognition (base), German 0.98"


def test_a_prediction_says_where_its_words_come_from(tiny_run):
    clip = sorted(tiny_run.corpus.rglob("*.mp4"))[0]
    predictor = textmsa.Predictor(tiny_run.path, recogniser=Foreign())
    prediction = predictor.predict(clip)
    assert prediction.transcript == "Wunderbar!"
    assert "transcribe" in prediction.seconds
    shown = PredictResult(prediction).text()
    assert "words from        speech recognition (base), German 0.98" in shown
    assert "the words are German" in shown
    told = json.loads(PredictResult(prediction, json=True).text())
    assert told["spoken"]["language"] == "de"
    assert told["spoken"]["words"] == [{"text": "Wunderbar!", "start": 0.1, "end": 0.5, "probability": 0.9}]
    assert predictor.predict(clip, text="Fine.").spoken == Transcript("Fine.", "given")


def test_predict_reads_the_file_beside_a_clip_and_names_a_broken_one(tiny_run, tmp_path):
    clip = Path(shutil.copy(sorted(tiny_run.corpus.rglob("*.mp4"))[0], tmp_path / "clip.mp4"))
    clip.with_suffix(".srt").write_text(SUBTITLE)
    shown = predict(tiny_run.path, clip).text()
    assert "Read from a file." in shown
    assert "subtitles (clip.srt)" in shown
    clip.with_suffix(".srt").write_bytes(b"")
    with pytest.raises(UserError, match=r"clip\.srt: holds no words"):
        predict(tiny_run.path, clip)


def test_predict_transcribes_and_hears_nothing_in_music(tiny_run, tmp_path):
    pytest.importorskip("faster_whisper", reason="the extra [speech] is not installed")
    said = predict(tiny_run.path, RECORDINGS / "speech.flac", transcribe=True).prediction
    assert "coffee" in str(said.transcript)
    assert said.spoken is not None
    assert said.spoken.words
    heard = predict(tiny_run.path, write_sound(tmp_path / "music.wav", music(4.0)), transcribe=True).prediction
    assert (heard.transcript, heard.missing["text"]) == (None, "no speech is heard")


def test_explain_says_where_its_words_come_from(tmp_path):
    clip = Path(shutil.copy(RECORDINGS / "speaker.mp4", tmp_path / "clip.mp4"))
    clip.with_suffix(".txt").write_text("I love it.")
    line = json.loads(explain(clip, **PARTS).line)  # type: ignore[arg-type]
    assert line["provenance"]["words"] == "I love it."
    assert line["provenance"]["words_from"] == "subtitles (clip.txt)"


def test_prepare_keeps_given_words_reads_files_and_listens_once(tmp_path, monkeypatch):
    pytest.importorskip("faster_whisper", reason="the extra [speech] is not installed")
    corpus, out = tmp_path / "corpus", tmp_path / "store"
    write_corpus(corpus, 5)
    rows = rows_of(5)
    rows[1]["text"] = rows[2]["text"] = ""
    with (corpus / "label.csv").open("w", newline="") as stream:
        table = csv.DictWriter(stream, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    media = {clip.id: clip.path for clip in read_corpus(corpus).clips}
    shutil.copy(RECORDINGS / "speaker.mp4", media["000$_$1"])

    result = prepare(corpus, out=out, workers=1, transcribe=True, **PARTS)  # type: ignore[arg-type]
    assert "1 transcripts from speech recognition" in result.text()
    given, spoken, tone = Store.open(out).clips()[:3]
    assert (given.transcript, given.spoken) == (rows[0]["text"], None)
    assert spoken.spoken is not None
    assert "river" in str(spoken.transcript)
    assert (spoken.spoken.source, spoken.spoken.text) == ("speech recognition", spoken.transcript)
    assert (tone.transcript, Store.open(out)[2].observation.missing["text"]) == (None, "no speech is heard")
    assert Store.open(out)[1].clip == spoken
    assert json.loads((out / "preparation.json").read_text())["recogniser"] == {"model": "tiny.en", "version": "1"}

    monkeypatch.setattr("textmsa.prepare.transcribe.Crew", None)  # nobody is to listen again
    again = prepare(corpus, out=out, workers=1, transcribe=True, **PARTS)  # type: ignore[arg-type]
    assert not again.changed
    with pytest.raises(UserError, match="recogniser"):
        prepare(corpus, out=out, workers=1, **PARTS)  # type: ignore[arg-type]


def test_prepare_without_recognition_reads_what_lies_beside(tmp_path):
    corpus, out = tmp_path / "corpus", tmp_path / "store"
    write_corpus(corpus, 5)
    table = (corpus / "label.csv").read_text().replace('"sentence, number 3"', "")
    (corpus / "label.csv").write_text(table)
    path = next(path for path in corpus.rglob("3.mp4"))
    path.with_suffix(".srt").write_text(SUBTITLE)
    prepare(corpus, out=out, workers=1, **PARTS)  # type: ignore[arg-type]
    clip = Store.open(out).clips()[3]
    assert (clip.transcript, clip.spoken and clip.spoken.source) == ("Read from a file.", "subtitles")
