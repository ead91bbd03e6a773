"""What both kinds of predictors do with many clips: in order, in bounded memory, failures recorded."""

import threading
from itertools import islice
from pathlib import Path

import outside_parts
import pytest

import textmsa
from textmsa.clip_predictor import ClipPredictor
from textmsa.errors import UserError
from textmsa.everyday import NO_TIMES, EverydayPredictor
from textmsa.prediction_text import as_text
from textmsa.prepare.parts import BuiltParts
from textmsa.types import Clip, ExplainerSpec, Transcript, Word

WORDS = tuple(Word(text, at, at + 0.2, 0.9) for text, at in (("This", 0.0), ("is", 0.3), ("wonderful", 0.6)))
SAID = Transcript("This is wonderful", "speech recognition", WORDS, "en", made_with="a test")


class Listening:
    """Hears the same in every file, and says in which thread."""

    def __init__(self) -> None:
        self.threads: list[str] = []

    def transcribe(self, path: Path) -> Transcript:
        self.threads.append(threading.current_thread().name)
        return SAID


def built() -> BuiltParts:
    explainer = outside_parts.Quoting()
    spec = ExplainerSpec("outside_parts:Quoting", explainer.version)
    return BuiltParts(outside_parts.Loudness(), outside_parts.Brightness(), explainer, spec)  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=["everyday", "run"])
def predictor(request, tiny_run) -> ClipPredictor:
    return EverydayPredictor(parts=built()) if request.param == "everyday" else textmsa.load(tiny_run.path)


@pytest.fixture(scope="module")
def clips(tiny_run) -> list[Path]:
    return sorted(tiny_run.corpus.rglob("*.mp4"))


def test_many_clips_come_in_order_and_score_as_each_alone(predictor, clips):
    given = [(clips[0], "I loved it."), (None, "I hated it, every long minute of it."), (str(clips[1]), "Fine.")]
    given.append(Clip("x", clips[2], "It was good, and then it was not."))  # type: ignore[arg-type]
    outcomes = list(predictor.predict_many(given, together=3))
    assert [outcome.number for outcome in outcomes] == [0, 1, 2, 3]
    assert [outcome.failed for outcome in outcomes] == [None] * 4
    alone = [predictor.predict(path, text=text) for path, text in given[:3]]
    alone.append(predictor.predict(clips[2], text="It was good, and then it was not."))
    assert [o.prediction.score for o in outcomes] == pytest.approx([p.score for p in alone], abs=1e-5)
    assert [o.prediction.explanation for o in outcomes] == [p.explanation for p in alone]
    one_by_one = list(predictor.predict_many(given, together=1))
    assert [o.prediction.score for o in one_by_one] == [p.score for p in alone]


def test_what_fails_is_recorded_and_the_rest_goes_on(predictor, clips, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no film at all")
    given = [
        *((tmp_path / "gone.mp4", "a"), (clips[0], "Fine."), (tmp_path / "broken.mp4", "b"), (tmp_path, "c")),
        *((None, None), (clips[1], 5), (clips[0], "Good.", "more"), (clips[1], "Bad.")),
    ]
    outcomes = list(predictor.predict_many(given, together=2))
    assert [outcome.failed is None for outcome in outcomes] == [False, True, False, False, False, False, False, True]
    for outcome, words in (
        *((outcomes[0], "no such file"), (outcomes[2], "cannot be read"), (outcomes[3], "is a folder")),
        *((outcomes[4], "neither a clip nor text"), (outcomes[5], "text 5"), (outcomes[6], "a pair of file and text")),
    ):
        assert outcome.prediction is None and words in (outcome.failed or "") and "\n" not in (outcome.failed or "")
    with pytest.raises(UserError, match="together 0: give 1 or more"):
        predictor.predict_many([], together=0)
    assert list(predictor.predict_many([])) == []


def test_clips_are_taken_as_they_are_needed(predictor, clips):
    taken: list[int] = []

    def endless():
        number = 0
        while True:
            taken.append(number)
            yield clips[number % 2], "Fine."
            number += 1

    first = list(islice(predictor.predict_many(endless(), together=2), 3))
    assert len(first) == 3 and len(taken) == 4


def test_a_clip_is_measured_while_it_is_listened_to(predictor, clips):
    recogniser = Listening()
    hearing = predictor.listening(recogniser)
    assert type(hearing) is type(predictor) and predictor.recogniser is not recogniser
    measured = []

    class Watched(outside_parts.Brightness):
        def extract(self, media):
            measured.append(threading.current_thread().name)
            return super().extract(media)

    parts = built()
    hearing.__dict__["parts"] = BuiltParts(parts.audio, Watched(), parts.explainer, parts.spec)  # type: ignore[arg-type]
    prediction = hearing.predict(clips[0])
    assert prediction.transcript == SAID.text and list(prediction.seconds) == ["load", "transcribe", "prepare", "score"]
    assert recogniser.threads == [threading.main_thread().name] and measured[0] != recogniser.threads[0]
    assert prediction.score == predictor.predict(clips[0], text=SAID.text).score


def test_an_extractor_that_breaks_down_is_one_line_in_whichever_thread(predictor, clips):
    class Broken(outside_parts.Loudness):
        def extract(self, media):
            raise RuntimeError("no ears")

    parts = built()
    broken = predictor.listening(Listening())
    broken.__dict__["parts"] = BuiltParts(Broken(), parts.video, parts.explainer, parts.spec)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="no ears"):
        broken.predict(clips[0])
    assert "no ears" in (next(broken.predict_many([clips[0]])).failed or "")


def test_of_words_with_times_everyday_tells_what_each_moment_did(clips):
    predictor = EverydayPredictor(parts=built(), recogniser=Listening())
    prediction = predictor.predict(clips[0], contributions="time")
    assert len(prediction.over_time) == 10 and prediction.over_time[0].start == 0
    told = [part for part in prediction.over_time if part.change]
    assert {tuple(part.change) for part in told} == {("text",)}
    without = predictor.scores(["This is"])[0]
    best = max(told, key=lambda part: part.change["text"])
    assert best.start <= 0.7 <= best.end
    assert best.change["text"] == pytest.approx(prediction.score - without, abs=1e-4)
    assert NO_TIMES not in prediction.notes


def test_of_words_without_times_everyday_says_why_it_tells_nothing_of_time(clips):
    prediction = EverydayPredictor(parts=built()).predict(clips[0], text="Fine.", contributions="time")
    assert prediction.over_time == [] and NO_TIMES in prediction.notes
    assert as_text(prediction).count("over time nothing is told") == 1
    assert "--" not in NO_TIMES, "a page shows it too"
    assert NO_TIMES not in EverydayPredictor(parts=built()).predict(clips[0], text="Fine.").notes
