"""The demo corpus: its words, its function, its plan, and that rendering can be stopped and goes on."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from media_fixtures import tone

from textmsa.corpora import read_corpus
from textmsa.demo_corpus import RenderResult, latents, render_corpus
from textmsa.demo_corpus.latents import Latents, expected_label, floors
from textmsa.demo_corpus.plan import Plan, make_plan
from textmsa.demo_corpus.words import Sentence, load_sentences
from textmsa.errors import UserError
from textmsa.features.pitch import track_pitch
from textmsa.rated_sentences import ARCHIVE
from textmsa.runtime.claim import locked
from textmsa.types import SPLITS


@pytest.fixture(scope="module")
def sentences() -> list[Sentence]:
    try:
        return load_sentences()
    except UserError as error:
        pytest.skip(f"the rated sentences are neither cached nor to be had: {error}")


@pytest.fixture(scope="module")
def plan(sentences: list[Sentence]) -> Plan:
    return make_plan(sentences, clips=1200, seed=3)


def test_sentences_are_the_rated_snippets_of_6_to_14_words(sentences: list[Sentence]) -> None:
    assert len({sentence.text for sentence in sentences}) == len(sentences) == 2949
    assert all(6 <= len(sentence.text.split()) <= 14 for sentence in sentences)
    assert all(-3 <= sentence.score <= 3 for sentence in sentences)
    rated = {sentence.text: sentence.score for sentence in sentences}
    assert rated["A sensitive, moving, brilliantly constructed work."] == pytest.approx(3.22222222222 * 0.75)


def test_sentences_that_cannot_be_fetched_are_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEXTMSA_CACHE", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    (tmp_path / ARCHIVE).write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"pip could not fetch vaderSentiment==3\.3\.2.*or put vaderSent") as caught:
        load_sentences()
    assert "\n" not in str(caught.value)


def one(**given: float) -> Latents:
    values = {"t": 0.0, "s": 1.0, "a": 0.0, "v": 0.0, "k": 1.0, "noise": 0.0} | given
    return Latents(**{name: np.array([value]) for name, value in values.items()})


@pytest.mark.parametrize(
    ("given", "label"),
    [
        ({"t": 1.0}, 0.45),  # |t| = 1: words weigh 0.2 + 0.5 / 2
        ({"t": -1.0}, -0.45),
        ({"t": 1.0, "a": 1.0}, 0.45 + 0.55 * 1.3 * 0.6 / 1.6),
        ({"t": 1.0, "v": 1.0}, 0.45 + 0.55 * 1.3 / 1.6),
        ({"t": 1.0, "v": 1.0, "k": 0.1}, 0.45 + 0.55 * 1.3 * 0.1 / 1.6),
        ({"t": 1.0, "a": -2.0, "v": -2.0}, 0.1 - 0.9 * 1.3 * 2),  # voice and face overrule the words
        ({"t": 1.0, "a": -1.0, "v": -2.0}, 0.45 - 0.55 * 1.3 * 2.6 / 1.6),  # the voice is not above 1
        ({"t": 1.0, "noise": 0.2}, 0.65),
        ({"t": 3.0, "a": 3.0, "v": 3.0}, 3.0),
    ],
)
def test_label_by_hand(given: dict[str, float], label: float) -> None:
    assert one(**given).label[0] == pytest.approx(label, abs=1e-9)


def test_floors_are_those_of_the_specification(sentences: list[Sentence]) -> None:
    found = floors(np.array([sentence.score for sentence in sentences]), seed=0)
    assert found == pytest.approx(
        {
            "mean": 1.15,
            "text": 0.60,
            "audio": 0.78,
            "video": 0.80,
            "text+audio": 0.45,
            "text+video": 0.475,
            "audio+video": 0.64,
            "text+audio+video": 0.335,
            "text+audio+video+timing": 0.244,
            "linear text+audio+video": 0.415,
        },
        abs=0.01,
    )


def test_latents_follow_the_words(sentences: list[Sentence]) -> None:
    t_N = np.random.default_rng(0).choice([sentence.score for sentence in sentences], 50_000)
    drawn = latents.draw(t_N, np.random.default_rng(1))
    assert np.mean(drawn.s == -1) == pytest.approx(0.25, abs=0.01)
    assert np.mean(drawn.k == 1) == pytest.approx(0.5, abs=0.01)
    assert set(np.unique(drawn.k)) == {0.1, 1.0}
    assert np.std(drawn.noise) == pytest.approx(0.3, abs=0.01)
    own_N = (drawn.a - 0.72 * drawn.s * t_N)[np.abs(t_N) < 0.5]  # where clipping hardly bites
    assert (np.percentile(own_N, 84.13) - np.percentile(own_N, 15.87)) / 2 == pytest.approx(1.2, abs=0.03)
    assert latents.oracle_mae(drawn) == pytest.approx(np.mean(np.abs(drawn.label - expected_label(drawn))))


def test_plan_is_the_same_for_the_same_seed(sentences: list[Sentence]) -> None:
    first, again, other = (make_plan(sentences, clips=40, seed=seed) for seed in (0, 0, 1))
    assert first.speakers == again.speakers
    assert first.speakers != other.speakers
    assert same_but_for_espeak(first.rows(), again.rows())
    assert [clip.text for clip in first.clips] != [clip.text for clip in other.clips]


def same_but_for_espeak(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> bool:
    """Equal, the times to a frame: a voice of eSpeak NG carries a few samples over from what it said before."""
    times = ("duration", "voice_apex", "face_apex")
    return len(first) == len(second) and all(
        a[name] == pytest.approx(b[name], abs=0.041) if name in times else a[name] == b[name]
        for a, b in zip(first, second, strict=True)
        for name in a
    )


def test_plan_says_no_sentence_twice_and_keeps_splits_by_speaker(plan: Plan) -> None:
    assert len({clip.text for clip in plan.clips}) == len(plan.clips) == 1200
    assert all(8 <= size <= 12 for size in Counter(clip.speaker for clip in plan.clips).values())
    names = [speaker.video_id for speaker in plan.speakers]
    assert len(set(names)) == len(names)
    shares = Counter(plan.speakers[clip.speaker].split for clip in plan.clips)
    for split, share in zip(SPLITS, (0.60, 0.15, 0.25), strict=True):
        assert shares[split] / 1200 == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize("clips", [25, 30, 60, 600])
def test_every_split_has_a_speaker(sentences: list[Sentence], clips: int) -> None:
    small = make_plan(sentences, clips=clips, seed=0)
    assert {plan_speaker.split for plan_speaker in small.speakers} == set(SPLITS)
    assert len(small.clips) == clips


def test_apexes_coincide_or_lie_apart(plan: Plan) -> None:
    for clip in plan.clips:
        between = abs(clip.voice_apex - clip.face_apex)
        assert between == 0 if clip.k == 1 else between >= clip.duration / 4
        assert 0.2 * clip.duration < clip.voice_apex < 0.8 * clip.duration
    together = np.array([clip.k == 1 for clip in plan.clips])
    at = np.array([[clip.voice_apex / clip.duration, clip.face_apex / clip.duration] for clip in plan.clips])
    away = np.abs(at - 0.5)  # one apex alone must not tell whether the other coincides
    assert np.abs(away[together].mean(axis=0) - away[~together].mean(axis=0)).max() < 0.02


def test_duration_order_and_id_tell_nothing(plan: Plan) -> None:
    """No latent or label is read by ridge or boosted trees; 1,200 clips, so that an R2 of 0.03 would show."""
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.linear_model import LinearRegression
    from sklearn.model_selection import cross_val_score

    numbers = [int(plan.speakers[clip.speaker].video_id.removeprefix("speaker")) for clip in plan.clips]
    durations, ids = [clip.duration for clip in plan.clips], [int(clip.clip_id) for clip in plan.clips]
    known_NF = np.column_stack([durations, np.arange(len(ids)), numbers, ids])
    shuffled = np.random.default_rng(0).permutation(len(plan.clips))
    for name in ("label", "t", "a", "v", "k"):
        value_N = np.array([getattr(clip, name) for clip in plan.clips])
        for reader in (LinearRegression(), HistGradientBoostingRegressor(max_iter=40, random_state=0)):
            r2 = cross_val_score(reader, known_NF[shuffled], value_N[shuffled], cv=5, scoring="r2").mean()
            assert r2 < 0.02, f"{name} can be read with R2 {r2:.3f} by {type(reader).__name__}"


def test_speakers_differ_for_no_reason(plan: Plan) -> None:
    """A speaker's factors do not go with the mean label of the speaker's clips."""
    from scipy.stats import pearsonr

    labels_S = np.array([
        np.mean([clip.label for clip in plan.clips if clip.speaker == index]) for index in range(len(plan.speakers))
    ])  # fmt: skip
    for factor in ("width", "height", "tilt", "jaw_width", "mirrored", "brightness", "warmth", "side_light"):
        values = [float(getattr(speaker.looks, factor)) for speaker in plan.speakers]
        assert pearsonr(values, labels_S).pvalue > 0.0005, factor
    assert pearsonr([speaker.base_pitch for speaker in plan.speakers], labels_S).pvalue > 0.0005


@pytest.fixture(scope="module")
def corpus(sentences: list[Sentence], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "corpus"
    assert render_corpus(out, clips=25, seed=5, workers=2) == RenderResult(out, 25, 25, 3)
    return out


def test_corpus_is_read_as_any_other(corpus: Path, sentences: list[Sentence]) -> None:
    made = make_plan(sentences, clips=25, seed=5)
    read = read_corpus(corpus)
    assert read.score_range == (-3.0, 3.0)
    assert {clip.transcript for clip in read.clips} == {clip.text for clip in made.clips}
    by_text = {clip.text: clip for clip in made.clips}
    for clip in read.clips:
        planned = by_text[str(clip.transcript)]
        assert clip.label == pytest.approx(planned.label, abs=1e-6)
        assert (clip.label_text, clip.label_audio, clip.label_video) == pytest.approx(
            (planned.t, planned.a, planned.v), abs=1e-6
        )


def test_clips_hold_picture_and_sound_as_planned(corpus: Path, sentences: list[Sentence]) -> None:
    import av

    made = make_plan(sentences, clips=25, seed=5)
    for clip in made.clips[:3]:
        path = corpus / "Raw" / made.speakers[clip.speaker].video_id / f"{clip.clip_id}.mp4"
        assert path.stat().st_size == round(clip.duration * 60_000), "the size tells the duration only"
        with av.open(str(path)) as container:
            video, audio = container.streams.video[0], container.streams.audio[0]
            assert (video.codec_context.name, audio.codec_context.name) == ("h264", "aac")
            assert (video.width, video.height, video.average_rate) == (320, 320, 25)
            assert sum(1 for _ in container.decode(video)) == round(clip.duration * 25)


def test_stopped_rendering_goes_on_and_gives_the_same(corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "again"
    shutil.copytree(corpus, out)
    for name in ("corpus.json", "label.csv"):
        (out / name).unlink()
    removed, kept = sorted(out.rglob("*.mp4"))[:2]
    removed.unlink()
    os.utime(kept, (1, 1))
    result = render_corpus(out, clips=25, seed=5, workers=1)
    assert result.rendered == 1
    assert kept.stat().st_mtime == 1, "finished clips are not rendered again"
    with removed.open("rb") as again:
        assert again.read(12)[4:8] == b"ftyp"
    assert (out / "label.csv").read_text() == (corpus / "label.csv").read_text()
    written, first = (json.loads((folder / "corpus.json").read_text()) for folder in (out, corpus))
    assert written == first, "a plan that was begun is kept"


@pytest.mark.slow
def test_a_killed_rendering_leaves_no_process_behind(tmp_path: Path, sentences: list[Sentence]) -> None:
    assert sentences
    command = [sys.executable, "-m", "textmsa", "demo-corpus", str(tmp_path / "out"), "--clips", "25"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: bool(list(tmp_path.rglob("*.mp4"))), seconds=120)
        workers = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(workers) >= 2
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    wait_until(lambda: not any(is_at_work(worker) for worker in workers), seconds=30)


def wait_until(holds: Callable[[], bool], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came that far"
        time.sleep(0.05)


def is_at_work(process: str) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_second_rendering_into_one_folder_waits_for_nobody(tmp_path: Path, sentences: list[Sentence]) -> None:
    assert sentences
    with (
        locked(tmp_path, command="textmsa demo-corpus"),
        pytest.raises(UserError, match="another textmsa demo-corpus is at work here"),
    ):
        render_corpus(tmp_path, clips=25, workers=1)


def test_complete_corpus_is_left_alone(corpus: Path) -> None:
    result = render_corpus(corpus, clips=25, seed=5)
    assert result == RenderResult(corpus, 25, 0)
    assert "nothing to do" in result.text()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"clips": 24}, "--clips 24: give a number from"),
        ({"clips": 2950}, "--clips 2950: give a number from"),
        ({"workers": 0}, "--workers 0: give at least 1"),
        ({"clips": 30}, "was begun otherwise by textmsa demo-corpus"),
        ({"seed": 6}, "was begun otherwise by textmsa demo-corpus"),
    ],
)
def test_bad_parameters_are_one_line(corpus: Path, given: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        render_corpus(corpus, **{"clips": 25, "seed": 5, **given})
    assert "\n" not in str(caught.value)


def test_folders_of_others_are_refused(tmp_path: Path, sentences: list[Sentence]) -> None:
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(UserError, match="holds other files"):
        render_corpus(tmp_path, clips=25)


def test_emphasis_raises_pitch_and_volume_at_its_apex(plan: Plan) -> None:
    """Measured on a plain tone: how much of its 7 dB remains after the pitch is shifted depends on the speech."""
    from textmsa.demo_corpus.render import emphasise
    from textmsa.demo_corpus.voice import SAMPLE_RATE

    tone_N = tone(3.0, hertz=150.0, level=0.1)
    raised_N = emphasise(tone_N, 1.0)
    window = slice(round(0.9 * SAMPLE_RATE), round(1.1 * SAMPLE_RATE))
    away = slice(round(1.4 * SAMPLE_RATE), None)
    np.testing.assert_array_equal(raised_N[away], tone_N[away])
    assert np.mean(raised_N[window] ** 2) > 1.5 * np.mean(tone_N[window] ** 2)
    pitch_T = track_pitch(raised_N[window], sample_rate=SAMPLE_RATE, hop=256)
    assert np.nanmedian(pitch_T) == pytest.approx(150 * 2 ** (4 / 12), rel=0.03)


def test_voice_sentiment_raises_level_and_pitch(plan: Plan) -> None:
    from textmsa.demo_corpus.render import voice
    from textmsa.demo_corpus.voice import SAMPLE_RATE

    clip = plan.clips[0]
    speeches = [voice(replace(clip, a=a), plan.speakers[clip.speaker])[0] for a in (-3.0, 0.0, 3.0)]
    levels = [float(np.mean(speech_N**2)) for speech_N in speeches]
    pitches = [float(np.nanmedian(track_pitch(s_N, sample_rate=SAMPLE_RATE, hop=256))) for s_N in speeches]
    assert levels[0] * 2 < levels[1] < levels[2] / 2
    assert pitches == sorted(pitches)


def test_the_landmarker_is_quiet_while_the_portrait_is_read(capfd):
    from textmsa.demo_corpus.face import load_portrait

    load_portrait()
    assert capfd.readouterr().err == ""


def test_face_moves_where_it_should(sentences: list[Sentence]) -> None:
    from textmsa.demo_corpus.face import Puppet, load_portrait
    from textmsa.features.video_mediapipe import NAMES, MediapipeVideo
    from textmsa.media import Media

    puppet = Puppet(load_portrait())
    still = {"smile": 0.0, "brow": 0.0, "jaw": 0.1, "blink": 0.0, "nod": 0.0, "sway": 0.0}
    moves = [{}, {"smile": 1.0}, {"smile": -1.0}, {"brow": 1.0}, {"blink": 1.0}, {"nod": 1.0}]
    frames = tuple(puppet.frame(**{**still, **move}) for move in moves)
    times_T = np.arange(len(frames)) / 10
    seen = MediapipeVideo().extract(Media(Path("puppet"), 0.6, None, 22_050, frames, times_T))
    rest, smile, frown, brow, blink, nod = (dict(zip(NAMES, row, strict=True)) for row in seen.values_TF)
    assert smile["mouthSmileLeft"] > 0.8 > rest["mouthSmileLeft"] + 0.4
    assert frown["mouthSmileLeft"] < 0.05
    assert brow["browInnerUp"] > rest["browInnerUp"] + 0.2
    assert blink["eyeBlinkLeft"] > rest["eyeBlinkLeft"] + 0.15
    assert nod["translation_y"] < rest["translation_y"] - 0.4
