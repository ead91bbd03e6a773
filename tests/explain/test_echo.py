"""The echo: every command that asks a language model can be tried without one, and its answers say whose they are."""

import csv
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_corpora import rows_of, write_clip, write_corpus, write_table

from textmsa.cli import main
from textmsa.errors import UserError
from textmsa.explain.answers import read_clue, read_conclusion, read_score, read_translation, usable
from textmsa.explain.language_models.echo import Echo, score
from textmsa.explain.language_models.question import Question
from textmsa.explain.prompts import LANGUAGES, Language, all_prompts, prompt
from textmsa.explain.staged import EchoExplainer
from textmsa.store.reading import Store
from textmsa.types import EXPLANATION_PARTS, Observation

PARTS = ["--audio", "outside_parts:Loudness", "--video", "outside_parts:Brightness"]
VALUES = {
    "transcript": "I loved it.",
    "facts": "- pitch 200 Hz\n- volume -20 dB",
    "clues": "- The words: x",
    "low": "-3",
}
VALUES |= {"high": "3", "problem": "empty"}


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TEXTMSA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))


@pytest.fixture
def corpus(tmp_path) -> Path:
    rows = write_corpus(tmp_path / "corpus", 5)
    rows[4]["text"] = "a terrible, boring story"
    write_table(tmp_path / "corpus", rows)
    return tmp_path / "corpus"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("known", all_prompts(), ids=lambda known: known.id)
def test_a_filled_prompt_is_known_again_with_its_values(known):
    names = {name for name in VALUES if f"${name}" in known.template}
    given = {name: VALUES[name] for name in names}
    recognised = {other.id for other in all_prompts() if other.values_of(known.fill(**given)) is not None}
    assert recognised == {known.id}
    assert known.values_of(known.fill(**given)) == given
    assert known.values_of("What is this?") is None


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_answer_is_usable_and_says_whose_it_is(language: Language):
    echo, tone_N = Echo(), np.full(8000, 0.1, np.float32)
    picture = np.full((4, 4, 3), 51, np.uint8)
    ask = {name: prompt(name, language).fill(**VALUES) for name in ("describe_text", "describe_measured_audio")}
    clues = [
        echo.ask(Question(prompt("describe_video", language).fill(), (picture,) * 3, (0.0, 1.0, 2.5))),
        echo.ask(Question(prompt("describe_audio", language).fill(), waveform_N=tone_N, sample_rate=16000)),
        *(echo.ask(Question(question)) for question in ask.values()),
    ]
    face, voice, words, told = (usable(answer, read_clue) for answer in clues)
    for text, parts in {face: ("3", "2.5", "20%"), voice: ("0.5", "-20"), words: ("1", "0"), told: ("200 Hz",)}.items():
        assert "echo" in text
        assert all(part in text for part in parts), text
    conclusion = echo.ask(Question(prompt("refine", language).fill(clues="- 字幕内容: I loved it. 我很高兴")))
    summary, reason = usable(conclusion, read_conclusion)
    assert "echo" in summary
    assert "字幕内容: I loved it. 我很高兴" in reason
    assert "+67" in reason
    scored = echo.ask(Question(prompt("zero_shot", language).fill(clues="- x: I hated it", low="-3", high="3")))
    assert usable(scored, read_score(-3, 3)) == -1
    assert '"by": "echo"' in scored.text


def test_a_translation_is_marked_as_none_and_other_questions_are_not_answered():
    translation = usable(Echo().ask(Question(prompt("translate").fill(transcript="第一句话"))), read_translation)
    assert translation == "[echo, not translated] 第一句话"
    assert "echo" in Echo().ask(Question("What is the capital of France?")).text


@pytest.mark.parametrize(
    ("words", "expected"),
    [("", 0), ("good", 1), ("Good, great: I loved it, best!", 3), ("bad", -1), ("good but bad", 0), ("goodness", 0)],
)
def test_the_score_counts_words(words, expected):
    assert score(words, -3, 3) == expected


def test_a_deaf_blind_and_refusing_echo(tmp_path):
    write_clip(tmp_path / "a.mp4", seed=1)
    clip = Observation(tmp_path / "a.mp4", "I loved it", 0.6, None, None)
    assert EchoExplainer(None, sees=False, cache=str(tmp_path / "c")).explain(clip).video is None
    told = EchoExplainer(None, faults=1.0, cache=str(tmp_path / "c")).explain(clip)
    assert told.provenance["failed"] == (
        "video: refused: withheld by the model's filter; text: refused: withheld by the model's filter"
    )
    started = time.monotonic()
    Echo(delay=0.2).ask(Question("?"))
    assert time.monotonic() - started >= 0.2
    for wrong in ({"faults": 1.5}, {"delay": -1}):
        with pytest.raises(UserError, match="a share from 0 to 1"):
            Echo(**wrong)


def test_a_corpus_is_explained_reported_and_scored(corpus, tmp_path, capsys):
    file = tmp_path / "e.jsonl"
    arguments = ["explain", str(corpus), "--out", str(file), "--explainer", "echo", *PARTS]
    assert main([*arguments, "--explainer-options.delay", "0"]) == 0
    explained = lines(file)
    for document in explained:
        assert all("echo" in document[part] for part in EXPLANATION_PARTS)
        assert document["provenance"]["model"] == {"backend": "echo", "model": "echo", "rules": 1, "faults": 0.0}
    assert main([*arguments, "--explainer-options.delay", "9"]) == 0  # nothing is asked again
    assert lines(file) == explained
    assert main(["explain-report", str(file)]) == 0
    assert "5 clips, 0 of them failed" in capsys.readouterr().out
    assert main(["zero-shot", str(tmp_path / "e.store"), "--out", str(tmp_path / "z"), "--explainer", "echo"]) == 0
    with (tmp_path / "z" / "predictions.csv").open() as stream:
        assert [row["score"] for row in csv.DictReader(stream)] == ["-2.000000"]


def test_some_failures_can_be_tried(corpus, tmp_path):
    arguments = ["explain", str(corpus), "--out", str(tmp_path / "e.jsonl"), "--explainer", "echo", *PARTS]
    for sense in ("sees", "hears"):  # so that the draw is of words alone, the same on every processor
        arguments += [f"--explainer-options.{sense}", "false"]
    assert main([*arguments, "--explainer-options.faults", "0.3"]) == 1
    failed = ["failed" in document["provenance"] for document in lines(tmp_path / "e.jsonl")]
    assert 0 < sum(failed) < 5


def test_the_echo_refines_and_translates_for_another(tmp_path):
    rows = [row | {"text": f"第{place}句话"} for place, row in enumerate(rows_of(5))]
    write_table(tmp_path / "corpus", rows)
    for seed, row in enumerate(rows):
        write_clip(tmp_path / "corpus" / "Raw" / row["video_id"] / f"{row['clip_id']}.mp4", seed=seed, seconds=0.3)
    arguments = ["prepare", str(tmp_path / "corpus"), "--out", str(tmp_path / "s"), "--explainer", "echo", *PARTS]
    arguments += ["--explainer-options.language", "zh", "--translate", "en", "--explainer-options.refiner", "echo"]
    assert main(arguments) == 0
    for sample, row in zip(Store.open(tmp_path / "s"), rows, strict=True):
        assert sample.clip.transcript_en == f"[echo, not translated] {row['text']}"
        assert sample.explanation.provenance["refiner"]["model"] == "echo"
        assert (sample.explanation.video or "").startswith("视频中，")
