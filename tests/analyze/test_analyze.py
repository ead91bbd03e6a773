"""The whole command on small films: scores as of files cut there, odd files, and what was begun before."""

import json
import os
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from media_fixtures import grey, regular, tone, without_sound, write_clip

import textmsa
from textmsa.analyze import analyze, command, job
from textmsa.cli import main
from textmsa.errors import ExtractorError, UnreadableClip, UserError
from textmsa.media import read_media
from textmsa.runtime.atomic import read_json
from textmsa.speech.recognise import Heard
from textmsa.types import Transcript, Word

SECONDS = 12
CUES = [(0.6, 2.0, "A fine day."), (3.2, 5.0, "I liked it a lot!"), (7.0, 9.4, "It was bad."), (9.6, 11.2, "Bye now.")]


def film(path, first: float = 0.0, last: float = SECONDS):
    """A stretch of a film that gets brighter, with a tone that rises."""
    sound_N = np.concatenate([tone(1.0, hertz=100 + 20 * s, level=0.1 + 0.05 * s) for s in range(SECONDS)])
    frames = range(round(first * 25), round(last * 25))
    pictures = [grey(index // 8) for index in frames]
    part_N = sound_N[frames[0] * 882 : (frames[-1] + 1) * 882]
    return write_clip(path, times=regular(len(frames)), pictures=pictures, sound=part_N, audio_codec="pcm_s16le")


def clock(seconds: float) -> str:
    return f"{int(seconds) // 3600:02d}:{int(seconds) // 60 % 60:02d}:{seconds % 60:06.3f}".replace(".", ",")


def write_subtitles(path, cues=CUES):
    blocks = [f"{n}\n{clock(a)} --> {clock(b)}\n{text}\n" for n, (a, b, text) in enumerate(cues, 1)]
    path.write_text("\n".join(blocks))
    return path


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    folder = tmp_path_factory.mktemp("film")
    write_subtitles(folder / "film.srt")
    return film(folder / "film.mkv")


@pytest.fixture(scope="module")
def whole(video, tiny_run, tmp_path_factory):
    """What one undisturbed run gives."""
    return analyze(video, model=str(tiny_run.path), out=tmp_path_factory.mktemp("whole") / "out")


class Listener:
    """Hears the words of CUES, a span each, and counts."""

    english_only = True

    def __init__(self) -> None:
        self.heard: list[int] = []

    def spans(self, path, *, skip: int = 0):
        for number, (start, _, text) in enumerate(CUES):
            if number < skip:
                continue
            self.heard.append(number)
            words = [
                Word(f" {word}", start + 0.3 * n, start + 0.3 * n + 0.25, 0.9) for n, word in enumerate(text.split())
            ]
            yield Heard(tuple(words), "en", None)


def test_an_utterance_is_scored_as_a_file_cut_there_is(video, whole, tiny_run, tmp_path):
    predictor = textmsa.load(tiny_run.path)
    assert [record["text"] for record in whole.timeline.scored] == [text for _, _, text in CUES]
    for record in whole.timeline.scored:
        cut = read_media(film(tmp_path / f"{record['number']}.mkv", *record["window"]))
        # Added up from samples, a duration is 1e-16 s too long, and the time grid asks whether 0.2 lies before 0.2.
        cut = replace(cut, duration=round(cut.duration, 6))
        alone, _ = predictor.scored_media(cut, Transcript(record["text"], "given"))
        assert record["score"] == pytest.approx(alone.score, abs=1e-4)
        assert record["contributions"] == pytest.approx(alone.contributions, abs=1e-4)
        assert record["base"] + sum(record["contributions"].values()) == pytest.approx(record["score"], abs=1e-4)
        assert record["missing"] == {} and record["explanation"]["text"] == f"They say: {record['text']}"
        assert record["interval"] is None and "not calibrated" in record["no_interval"]
    scores = [record["score"] for record in whole.timeline.scored]
    assert max(scores) - min(scores) > 0.01, "scores that are all alike would agree with anything"


def test_the_files_and_tracks_are_of_the_whole_file(whole):
    document = read_json(whole.folder / "timeline.json")
    assert document["duration"] == pytest.approx(SECONDS, abs=0.05)
    tracks = document["tracks"]["tracks"]
    assert {name: len(track["values"]) for name, track in tracks.items()} == {
        "energy": 120,
        "pitch": 120,
        "face": 120,
    }
    assert None not in tracks["energy"]["values"]
    middles = [tracks["pitch"]["values"][10 * s + 5] for s in range(SECONDS)]
    assert middles == pytest.approx([100 + 20 * s for s in range(SECONDS)], rel=0.02)
    assert {name for name in os.listdir(whole.folder) if name.startswith("timeline")} == set(command.FILES)
    assert whole.exit_code == 0 and "4 utterances scored\n" in whole.text()


def test_each_stretch_is_extracted_once(video, tiny_run, tmp_path, monkeypatch):
    monkeypatch.setenv("OUTSIDE_LOG", str(tmp_path / "log"))
    analyze(video, model=str(tiny_run.path), out=tmp_path / "out")
    done = (tmp_path / "log").read_text().split("\n")
    kinds = [line.split(" ")[0] for line in done if line]
    assert kinds.count("audio") == kinds.count("explain") == len(CUES)
    assert kinds.count("video") == len(CUES) + 5  # and before, between and after them


@pytest.mark.parametrize("after", [0, 1, 3])
def test_what_was_stopped_is_gone_on_with_and_nothing_is_done_twice(
    after, video, whole, tiny_run, tmp_path, monkeypatch
):
    done: list[str | None] = []
    scored = textmsa.Predictor.scored_media

    def stopping(self, media, spoken, **options):
        if len(done) == after:
            raise KeyboardInterrupt
        done.append(spoken.text)
        return scored(self, media, spoken, **options)

    monkeypatch.setattr(textmsa.Predictor, "scored_media", stopping)
    with pytest.raises(KeyboardInterrupt):
        analyze(video, model=str(tiny_run.path), out=tmp_path / "out")
    assert not (tmp_path / "out" / "timeline.json").exists()
    with (tmp_path / "out" / "scored.jsonl").open("a") as lines:
        lines.write('{"utterance": {"num')
    after = -1
    result = analyze(video, model=str(tiny_run.path), out=tmp_path / "out")
    assert done == [text for _, _, text in CUES]
    ours, theirs = result.timeline.document(), whole.timeline.document()
    for mine, other in zip(ours["utterances"], theirs["utterances"], strict=True):
        assert mine["score"] == pytest.approx(other["score"], abs=1e-4)
    assert {**ours, "utterances": [], "tracks": {}} == {**theirs, "utterances": [], "tracks": {}}
    energy, expected = (d["tracks"]["tracks"]["energy"]["values"] for d in (ours, theirs))
    assert energy == pytest.approx(expected, abs=0.11)


def test_a_finished_folder_is_not_worked_on_again(video, whole, tiny_run, monkeypatch):
    monkeypatch.setattr(job, "open_stream", None)
    again = analyze(video, model=str(tiny_run.path), out=whole.folder)
    assert again.timeline == whole.timeline


def test_a_folder_begun_otherwise_is_refused(video, whole, tiny_run, tmp_path):
    other = write_subtitles(tmp_path / "other.srt", CUES[:2])
    with pytest.raises(UserError, match=r"begun otherwise by textmsa analyze \(other words.subtitles\)"):
        analyze(video, model=str(tiny_run.path), out=whole.folder, subtitles=other)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "note.txt").touch()
    with pytest.raises(UserError, match="holds other files"):
        analyze(video, model=str(tiny_run.path), out=tmp_path / "full")


def test_words_that_were_heard_are_not_heard_again(video, tmp_path):
    listener = Listener()
    spans = listener.spans(video)

    class Stopping:
        english_only = True

        def spans(self, path, *, skip=0):
            yield next(spans)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job.words_of_speech(video, Stopping(), "tiny.en", tmp_path)
    words = job.words_of_speech(video, listener, "tiny.en", tmp_path)
    assert listener.heard == [0, 1, 2, 3]
    assert [u.spoken.text for u in words.utterances] == [text for _, _, text in CUES]
    assert job.words_of_speech(video, Listener(), "tiny.en", tmp_path) == words and words.reason is None


@pytest.mark.parametrize(
    ("raised", "reason"),
    [(None, "no speech is heard"), (UnreadableClip("no audio"), "no speech can be heard: no audio")],
)
def test_a_file_in_which_nobody_speaks_has_tracks_and_no_utterance(
    raised, reason, video, tiny_run, tmp_path, monkeypatch
):
    class Deaf:
        english_only = True

        def spans(self, path, *, skip=0):
            if raised:
                raise raised
            yield from ()

    def heard(video, model, folder):
        return job.words_of_speech(video, Deaf(), model, folder)

    monkeypatch.setattr(command, "_heard", heard)
    result = analyze(video, model=str(tiny_run.path), out=tmp_path / "out", transcribe=True)
    assert result.timeline.utterances == [] and result.timeline.words_from["reason"] == reason
    assert len(result.timeline.tracks["energy"]) == 120 and result.exit_code == 0
    assert f"no words          {reason}" in result.text()


def test_failures_of_an_utterance_are_recorded_and_counted(video, tiny_run, tmp_path, monkeypatch):
    scored = textmsa.Predictor.scored_media

    def breaking(self, media, spoken, **options):
        if spoken.text == "It was bad.":
            raise ExtractorError("video", "the lens fell off")
        return scored(self, media, spoken, **options)

    monkeypatch.setattr(textmsa.Predictor, "scored_media", breaking)
    cues = [*CUES, (11.5, 14.0, "Half beyond."), (95.0, 96.0, "Beyond."), (100.0, 160.0, "Credits.")]
    words = write_subtitles(tmp_path / "a.srt", cues)
    result = analyze(video, model=str(tiny_run.path), out=tmp_path / "out", subtitles=words)
    assert [(record["text"], record["failed"]) for record in result.timeline.failed] == [
        ("It was bad.", "the lens fell off"),
        ("Beyond.", "begins at 95.0 s, and the file ends at 12.0 s"),
        ("Credits.", "lasts 60.0 s, and at most 30 s are scored as one: divide its subtitle"),
    ]
    assert result.exit_code == 1 and len(result.timeline.scored) == 4
    assert len(result.timeline.tracks["energy"]) == 120
    assert result.timeline.tracks["energy"][75] is None, "nothing was measured of what broke down"


def test_a_file_without_sound_and_one_without_pictures(video, tiny_run, tmp_path):
    mute = without_sound(video, tmp_path / "mute.mkv")
    words = write_subtitles(tmp_path / "a.srt", CUES[:2])
    result = analyze(mute, model=str(tiny_run.path), out=tmp_path / "mute", subtitles=words)
    assert result.timeline.missing == {"audio": "the file has no audio stream"}
    assert [list(record["missing"]) for record in result.timeline.scored] == [["audio"]] * 2
    assert set(result.timeline.tracks) == {"face"}
    heard = write_clip(tmp_path / "a.wav", sound=tone(6.0), audio_codec="pcm_s16le")
    result = analyze(heard, model=str(tiny_run.path), out=tmp_path / "heard", subtitles=words)
    assert result.timeline.missing == {"video": "the file has no video stream"}
    assert [list(record["missing"]) for record in result.timeline.scored] == [["video"]] * 2
    assert [record["contributions"]["video"] for record in result.timeline.scored] == [0.0] * 2


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"subtitles": "broken.srt"}, "broken.srt: line 1: "),
        ({"subtitles": "plain.txt"}, "plain.txt: has no times; give subtitles"),
        ({"subtitles": "broken.srt", "transcribe": True}, "--transcribe: the words are given already by --subtitles"),
        ({"speech_model": "base"}, "--speech-model base: is for --transcribe"),
        ({"video": "empty.mp4", "transcribe": True}, "empty.mp4: cannot be read (not a video or sound file"),
        ({"video": "none.mp4"}, "none.mp4: no such file"),
        ({"video": "."}, "is a folder"),
        ({"video": "alone.mkv"}, "alone.mkv: nobody says what is said in it; give --subtitles FILE, or --transcribe"),
        ({"model": "broken.srt"}, "not a run folder"),
    ],
)
def test_what_cannot_be_used_is_one_line(options, line, video, tiny_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.srt").write_text("1\n00:00:00,000 -> 00:00:01,000\nHi.\n")
    (tmp_path / "plain.txt").write_text("Hi.\n")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "alone.mkv").write_bytes(video.read_bytes())
    given = {"video": str(video), "model": str(tiny_run.path), **options}
    words = [given.pop("video"), "--out", "out"]
    for name, value in given.items():
        words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    assert main(["analyze", *words]) == 2
    told = capsys.readouterr().err
    assert line in told and told.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_parts_that_look_at_whole_files_are_refused(tiny_run):
    preparation = textmsa.Run.open(tiny_run.path).preparation
    command.check_parts(preparation)
    for name in ("echo", "precomputed"):
        explained = replace(preparation, explainer=replace(preparation.explainer, explainer=name))
        with pytest.raises(UserError, match=f"explainer '{name}': looks at whole files"):
            command.check_parts(explained)
    seen = replace(preparation, video=replace(preparation.video, extractor="openface"))
    with pytest.raises(UserError, match="video extractor 'openface': reads files beside clips"):
        command.check_parts(seen)


def test_the_record_is_only_ever_added_to(whole):
    lines = (whole.folder / "scored.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    firsts = [record["first"] for record in records if "first" in record]
    assert all(a < b for a, b in pairwise(firsts)) and "end" in records[-1]
