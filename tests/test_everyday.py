"""The model that comes with the package: words in, a score out; what the command line takes in a run's place."""

import json
import shutil
from pathlib import Path

import outside_parts
import pytest

import textmsa
from textmsa.errors import UserError
from textmsa.everyday import ALONE, UNSURE, EverydayPredictor
from textmsa.model.everyday import FOLDER, HASH, WEIGHTS
from textmsa.predict import predict
from textmsa.prediction_text import as_text
from textmsa.prepare.parts import BuiltParts
from textmsa.types import ExplainerSpec, Transcript, Word

MEANT = [
    *("I loved every minute of it.", "this is fine", "The door is made of wood."),
    *("I would not recommend it.", "what a horrible waste of my time"),
]
"""From the best to the worst."""


@pytest.fixture(scope="module")
def parts() -> BuiltParts:
    explainer = outside_parts.Quoting()
    spec = ExplainerSpec("outside_parts:Quoting", explainer.version)
    return BuiltParts(outside_parts.Loudness(), outside_parts.Brightness(), explainer, spec)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def everyday(parts) -> EverydayPredictor:
    return EverydayPredictor(parts=parts)


def test_scores_are_ordered_as_people_would_order_the_sentences(everyday):
    scores = everyday.scores(MEANT).tolist()
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 1.5 and scores[-1] < -1.5 and abs(scores[2]) < 0.5


def test_a_score_depends_on_its_own_text_only(everyday):
    together = everyday.scores([*MEANT, "long " * 300])
    assert [everyday.predict(None, text=text).score for text in MEANT] == pytest.approx(together[:-1], abs=1e-4)


def test_words_alone_are_scored_and_what_was_not_given_is_said(everyday):
    prediction = everyday.predict(None, text=MEANT[0])
    assert prediction.missing == {"audio": "no clip was given", "video": "no clip was given"}
    assert (prediction.path, prediction.polarity, prediction.scored_by) == ("", "positive", ("text",))
    assert as_text(prediction).startswith("words alone: +")


def test_a_clip_is_explained_and_its_words_alone_are_scored(everyday, tiny_run):
    clips = sorted(tiny_run.corpus.rglob("*.mp4"))
    with_clip, alone = everyday.predict(clips[0], text=MEANT[4]), everyday.predict(None, text=MEANT[4])
    assert with_clip.score == alone.score
    assert with_clip.explanation.text and with_clip.explanation != alone.explanation
    shown = as_text(with_clip)
    assert ALONE in shown and "gate" not in shown and "explained only" in shown


def test_a_clip_is_explained_without_a_corpus_by_the_packages_own_parts():
    clip = Path(__file__).parent / "recordings" / "speaker.mp4"
    prediction = EverydayPredictor().predict(clip, text=MEANT[0])
    assert prediction.missing == {}
    assert prediction.explanation.provenance["explainer"] == "measured"
    assert prediction.explanation.text


HEARD = [("the", 0.99), ("garden", 0.95), ("is", 0.98), ("horrible", 0.41)]


class Hears:
    """A recogniser that always hears the same."""

    def __init__(self, heard: list[tuple[str, float]]) -> None:
        self.heard = heard

    def transcribe(self, path: Path) -> Transcript:
        words = tuple(Word(word, 0.4 * i, 0.4 * i + 0.3, sure) for i, (word, sure) in enumerate(self.heard))
        return Transcript(" ".join(word for word, _ in self.heard), "speech recognition", words)


@pytest.mark.parametrize(
    ("heard", "told"),
    [
        (HEARD, 'heard unsurely: "horrible" (0.41); without it the score would be'),
        (
            [("awful", 0.2), ("horrible", 0.41)],
            '"awful" (0.20), "horrible" (0.41); without them the score would be +0.00',
        ),
        ([(word, 0.7) for word, _ in HEARD], None),
        ([("the", 0.2), ("garden", 0.9), ("is", 0.9), ("horrible", 0.9)], None),  # it does nothing to the score
    ],
)
def test_a_score_that_hangs_on_words_heard_unsurely_says_so(parts, tiny_run, heard, told):
    everyday = EverydayPredictor(parts=parts, recogniser=Hears(heard))
    prediction = everyday.predict(sorted(tiny_run.corpus.rglob("*.mp4"))[0])
    notes = [note for note in prediction.notes if "unsurely" in note]
    assert bool(notes) == (told is not None)
    if told is not None:
        assert told in notes[0]
        sure = " ".join(word for word, probability in heard if probability >= UNSURE)
        without = float(everyday.scores([sure])[0]) if sure else 0.0
        assert notes[0].endswith(f"{without:+.2f}")


@pytest.mark.parametrize(("text", "kind"), [("It's good, isn't it?", "written"), ("ITS GOOD ISNT IT", "spoken")])
def test_the_interval_says_for_what_kind_of_text_it_holds(everyday, text, kind):
    facts = everyday.model.record["intervals"][kind]
    prediction = everyday.predict(None, text=text)
    interval = prediction.interval
    assert facts["of"] in interval.source and interval.clips == 512 and interval.level == 0.9
    half, (low, high) = facts["half_width"]["0.9"], prediction.score_range
    assert interval.low == pytest.approx(max(low, prediction.score - half))
    assert interval.high == pytest.approx(min(high, prediction.score + half))
    assert facts["half_width"]["0.8"] < facts["half_width"]["0.9"] < facts["half_width"]["0.95"]


@pytest.mark.parametrize("text", [None, "", "  "], ids=repr)
def test_without_words_there_is_one_line_and_no_score(everyday, tiny_run, text):
    clip = sorted(tiny_run.corpus.rglob("*.mp4"))[0]
    with pytest.raises(UserError, match="scores words alone") as caught:
        everyday.predict(clip, text=text)
    assert "\n" not in str(caught.value)
    assert "--" not in str(caught.value), "a page shows this too"
    assert "--text" in caught.value.options and "--transcribe" in caught.value.options
    with pytest.raises(UserError, match="neither a clip nor text"):
        everyday.predict(None, text=text)


def test_a_file_that_cannot_be_used_is_one_line(everyday, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    for path, words in ((tmp_path, "is a folder"), (tmp_path / "no.mp4", "no such file")):
        with pytest.raises(UserError, match=words):
            everyday.predict(path, text="Fine.")
    with pytest.raises(UserError, match="cannot be read"):
        everyday.predict(tmp_path / "broken.mp4", text="Fine.")


def test_a_model_file_with_another_hash_is_one_line(tmp_path):
    for name in (WEIGHTS, HASH):
        shutil.copyfile(FOLDER / name, tmp_path / name)
    with (tmp_path / WEIGHTS).open("r+b") as stream:
        stream.seek(-1, 2)
        stream.write(b"\x55")
    with pytest.raises(UserError, match=r"its SHA-256 is .* install textmsa again") as caught:
        EverydayPredictor(folder=tmp_path)
    assert "\n" not in str(caught.value)
    (tmp_path / WEIGHTS).unlink()
    with pytest.raises(UserError, match="cannot be read"):
        EverydayPredictor(folder=tmp_path)


def test_a_run_scores_words_alone_too(tiny_run):
    prediction = textmsa.load(tiny_run.path).predict(None, text="number 3 is good")
    assert set(prediction.missing) == {"audio", "video"} and prediction.gates["text"] == 1
    with pytest.raises(UserError, match="neither a clip nor text"):
        textmsa.load(tiny_run.path).predict(None)


def test_what_the_command_line_takes_in_a_runs_place(tiny_run, capsys):
    """A run and a clip; a clip and --model; neither: the model that comes with the package."""
    from textmsa.cli import main

    clip = str(sorted(tiny_run.corpus.rglob("*.mp4"))[0])

    def score(*arguments: str) -> tuple[float, list[str]]:
        assert main(["predict", *arguments, "--text", MEANT[0], "--json"]) == 0
        document = json.loads(capsys.readouterr().out)
        return document["score"], document["scored_by"]

    by_run = score(str(tiny_run.path), clip)
    assert score(clip, "--model", str(tiny_run.path)) == by_run
    alone = score()
    assert score("--model", "everyday") == alone and alone[1] == ["text"] and alone[0] > 1
    assert score(str(tiny_run.path))[1] == by_run[1] != ["text"]
    assert main(["predict", str(tiny_run.path), clip, "--model", "everyday"]) == 2
    assert "give one of them" in capsys.readouterr().err
    assert main(["predict", "--text", "Fine.", "--precision", "int8"]) == 2
    assert "has fp32 only" in capsys.readouterr().err


def test_what_is_neither_a_run_nor_on_the_hub_is_one_line(tiny_run):
    with pytest.raises(UserError, match="neither a run folder nor a hub id that can be reached") as caught:
        textmsa.load("nobody/has-this-run")
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="not a run folder"):
        predict(Path("everyday"), sorted(tiny_run.corpus.rglob("*.mp4"))[0], text="Fine.")
