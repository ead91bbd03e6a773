"""Preparation when parts break: extractors that raise or kill their process, kills at every stage, two at once."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from small_corpora import media_path, rows_of, write_corpus, write_table

from textmsa.errors import UnreadableClip, UserError
from textmsa.features.observe import observe
from textmsa.prepare.command import prepare
from textmsa.prepare.one_clip import observe_and_explain
from textmsa.prepare.parts import build_parts, installed_preparation
from textmsa.prepare.result import PrepareResult
from textmsa.prepare.work_folder import LINES, WorkFolder
from textmsa.store.preparation import Preparation
from textmsa.store.reading import Store
from textmsa.types import Explanation

PARTS = {
    "audio": "outside_parts:Loudness",
    "video": "outside_parts:Brightness",
    "explainer": "outside_parts:Comparing",
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five clips that no test changes."""
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder, 5)
    return folder


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which outside parts note their calls."""
    path = tmp_path / "calls.txt"
    path.touch()
    monkeypatch.setenv("OUTSIDE_LOG", str(path))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    return path


def run(corpus: Path, out: Path, workers: int = 1, no_times: bool = False, **parts: str) -> PrepareResult:
    chosen = PARTS | parts
    return prepare(
        corpus,
        out=out,
        audio=chosen["audio"],
        video=chosen["video"],
        explainer=chosen["explainer"],
        no_times=no_times,
        workers=workers,
    )


def failures(out: Path) -> list[dict[str, str]]:
    with (out / "failures.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_crash_is_a_failure_with_its_own_words(corpus: Path, tmp_path: Path) -> None:
    result = run(corpus, tmp_path / "s", video="outside_parts:Crashing")
    assert (result.prepared, result.skipped, result.exit_code) == (4, 1, 1)
    (failure,) = failures(tmp_path / "s")
    assert failure == {
        "id": "000$_$2",
        "path": "Raw/000/2.mp4",
        "stage": "video",
        "reason": "brightness: RuntimeError: the lens fell off",
    }


def test_a_store_with_failures_tries_them_again_and_nothing_else(corpus: Path, tmp_path: Path, calls: Path) -> None:
    run(corpus, tmp_path / "s", video="outside_parts:Crashing")
    calls.write_text("")
    again = run(corpus, tmp_path / "s", video="outside_parts:Crashing")
    assert (again.changed, again.exit_code) == (False, 1)
    assert calls.read_text().splitlines() == ["audio 000/2"]
    assert len(failures(tmp_path / "s")) == 1


def test_values_against_the_contract_are_a_failure(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no training clip could be prepared.*infinite"):
        run(corpus, tmp_path / "s", video="outside_parts:Infinite")
    assert len(failures(tmp_path / "s")) == 5
    with pytest.raises(UserError, match="not finished"):
        Store.open(tmp_path / "s")


@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_dies_takes_only_its_clip_along(corpus: Path, tmp_path: Path, workers: int) -> None:
    result = run(corpus, tmp_path / "s", video="outside_parts:Deadly", workers=workers)
    assert (result.prepared, result.skipped) == (4, 1)
    (failure,) = failures(tmp_path / "s")
    assert (failure["id"], failure["stage"]) == ("000$_$2", "worker")


def test_a_worker_that_dies_once_is_forgiven(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus", 5)
    result = run(tmp_path / "corpus", tmp_path / "s", video="outside_parts:DeadlyOnce")
    assert (result.prepared, result.exit_code) == (5, 0)


def test_a_modality_that_no_clip_has(corpus: Path, tmp_path: Path) -> None:
    result = run(corpus, tmp_path / "s", video="outside_parts:Blind")
    assert result.missing == {"video": {"nothing to see": 5}}
    assert result.exit_code == 0
    store = Store.open(tmp_path / "s")
    assert store.manifest.video is not None
    assert store.manifest.video.extractor == "outside_parts:Blind"
    assert store.statistics.video is None
    assert store.statistics.audio is not None


def test_an_explanation_that_fails_is_counted_and_tried_again(corpus: Path, tmp_path: Path, calls: Path) -> None:
    result = run(corpus, tmp_path / "s", explainer="outside_parts:Mute")
    assert (result.prepared, result.unexplained, result.exit_code) == (5, 1, 1)
    (failure,) = failures(tmp_path / "s")
    assert (failure["id"], failure["stage"]) == ("000$_$2", "explanation")
    failed = Store.open(tmp_path / "s")[2].explanation
    assert failed.provenance["failed"] == "RuntimeError: no words"
    assert failed.text is None
    calls.write_text("")
    again = run(corpus, tmp_path / "s", explainer="outside_parts:Mute")
    assert (again.unexplained, again.changed) == (1, False)
    assert calls.read_text() == ""


def test_another_transcript_is_explained_anew_but_not_measured(tmp_path: Path, calls: Path) -> None:
    rows = write_corpus(tmp_path / "corpus", 5)
    run(tmp_path / "corpus", tmp_path / "s")
    calls.write_text("")
    rows[1]["text"] = "something else"
    write_table(tmp_path / "corpus", rows)
    assert run(tmp_path / "corpus", tmp_path / "s").changed
    assert calls.read_text().splitlines() == ["explain 000/1"]
    assert Store.open(tmp_path / "s")[1].explanation.text == "something else"


def test_a_moved_corpus_is_not_measured_again(tmp_path: Path, calls: Path) -> None:
    write_corpus(tmp_path / "corpus", 5)
    run(tmp_path / "corpus", tmp_path / "s")
    calls.write_text("")
    (tmp_path / "corpus").rename(tmp_path / "moved")
    run(tmp_path / "moved", tmp_path / "s")
    assert calls.read_text() == ""
    assert Store.open(tmp_path / "s")[0].clip.path == (tmp_path / "moved/Raw/000/0.mp4").resolve()


def test_options_of_explainers(corpus: Path, tmp_path: Path) -> None:
    run(corpus, tmp_path / "timeless", no_times=True)
    assert " at " not in (tmp_path / "timeless/explanations.jsonl").read_text()
    with pytest.raises(UserError, match=r"explainer\.options\.times"):
        run(corpus, tmp_path / "timeless")
    with pytest.raises(UserError, match="cannot be built"):
        run(corpus, tmp_path / "q", no_times=True, explainer="outside_parts:Quoting")


def test_places_that_are_not_for_stores(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file"):
        run(corpus, tmp_path / "file")
    with pytest.raises(UserError, match="holds other files"):
        run(corpus, tmp_path)
    with pytest.raises(UserError, match="--workers 0"):
        run(corpus, tmp_path / "s", workers=0)
    with pytest.raises(UserError, match="unknown audio extractor 'librosaa'"):
        run(corpus, tmp_path / "s", audio="librosaa")
    assert not (tmp_path / "s").exists()


def test_a_run_folder_does_the_same_as_preparation(corpus: Path, tmp_path: Path) -> None:
    run(corpus, tmp_path / "s")
    Preparation.load(tmp_path / "s").save(tmp_path / "run")
    built = build_parts(Preparation.load(tmp_path / "run"))
    for sample in Store.open(tmp_path / "s"):
        clip = observe_and_explain(sample.clip.path, sample.clip.transcript, built)
        assert clip.explanation == sample.explanation
        assert clip.observation.audio is not None
        assert sample.observation.audio is not None
        assert clip.observation.audio.values_TF.tobytes() == sample.observation.audio.values_TF.tobytes()


def test_another_version_is_refused(corpus: Path, tmp_path: Path) -> None:
    run(corpus, tmp_path / "s")
    recorded = tmp_path / "s/preparation.json"
    recorded.write_text(recorded.read_text().replace('"version": "1"', '"version": "0"', 1))
    with pytest.raises(UserError, match="audio version '1' instead of '0'"):
        build_parts(Preparation.load(tmp_path / "s"))
    with pytest.raises(UserError, match="was begun otherwise"):
        run(corpus, tmp_path / "s")


def test_nothing_at_all_is_no_observation(corpus: Path) -> None:
    from outside_parts import Blind

    class Deaf(Blind):
        pass

    clip = media_path(corpus, rows_of(1)[0])
    assert observe(clip, "words", audio=Deaf(), video=Blind()).missing.keys() == {"audio", "video"}
    with pytest.raises(UnreadableClip, match="text: no transcript; audio: nothing to see"):
        observe(clip, " ", audio=Deaf(), video=Blind())


@pytest.fixture
def slowly(calls: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path, Path], subprocess.Popen[bytes]]]:
    """Starts `textmsa prepare` with two workers and parts that take 0.15 s."""
    begun: list[subprocess.Popen[bytes]] = []

    def start(corpus: Path, out: Path) -> subprocess.Popen[bytes]:
        options = [word for name, part in PARTS.items() for word in (f"--{name}", part)]
        command = [sys.executable, "-m", "textmsa", "prepare", str(corpus), "--out", str(out), *options]
        environment = os.environ | {"OUTSIDE_SLEEP": "0.15"}
        begun.append(subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.wait()


def wait_until(holds: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert process.poll() is None, "it was done too soon"
        assert time.monotonic() < deadline, "it never came that far"
        time.sleep(0.01)


def heard(calls: Path) -> int:
    return calls.read_text().count("audio")


STAGES: dict[str, Callable[[Path, Path], bool]] = {
    "begun": lambda out, calls: (out / "preparation.json").exists(),
    "observing": lambda out, calls: len(list(out.glob("work/observations/*.npz"))) >= 3,
    "statistics": lambda out, calls: (out / "statistics.json").exists(),
    "explaining": lambda out, calls: calls.read_text().count("explain") >= 3,
    "writing": lambda out, calls: bool(list(out.glob("data-*"))),
}


@pytest.mark.parametrize("stage", STAGES)
def test_killed_at_any_stage_it_goes_on(
    tmp_path: Path, calls: Path, slowly: Callable[[Path, Path], subprocess.Popen[bytes]], stage: str
) -> None:
    write_corpus(tmp_path / "corpus", 10)
    run(tmp_path / "corpus", tmp_path / "whole")
    calls.write_text("")
    process = slowly(tmp_path / "corpus", tmp_path / "s")
    wait_until(lambda: STAGES[stage](tmp_path / "s", calls), process)
    os.kill(process.pid, signal.SIGKILL)  # the parent only: its workers must notice
    process.wait()
    explained = calls.read_text().count("explain")
    time.sleep(0.4)
    settled = heard(calls)
    run(tmp_path / "corpus", tmp_path / "s")
    for name in ("explanations.jsonl", "statistics.json", "failures.csv"):
        assert (tmp_path / "s" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    one, whole = (Store.open(tmp_path / name) for name in ("s", "whole"))
    for mine, theirs in zip(one, whole, strict=True):
        assert mine.clip == theirs.clip
        assert repr(mine.observation) == repr(theirs.observation)
    assert heard(calls) <= 10 + 2, "more was measured twice than two workers can have had in hand"
    assert calls.read_text().count("explain") <= 10 + (explained > 0)
    assert settled <= heard(calls)
    left = {path.name for path in (tmp_path / "s").iterdir()}
    assert left == {path.name for path in (tmp_path / "whole").iterdir()}


def test_workers_end_with_their_parent(
    tmp_path: Path, calls: Path, slowly: Callable[[Path, Path], subprocess.Popen[bytes]]
) -> None:
    write_corpus(tmp_path / "corpus", 20)
    process = slowly(tmp_path / "corpus", tmp_path / "s")
    wait_until(lambda: heard(calls) >= 3, process)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(0.5)
    settled = heard(calls)
    time.sleep(0.5)
    assert heard(calls) == settled < 20


@pytest.mark.parametrize(
    "line",
    [
        *(b"no tab", b"key\t{", b"key\t[]", b'key\t{"audio": "x"}', b'key\t{"id": "a", "mood": 1}'),
        b'key\t{"id": "\xff"}',
    ],
)
def test_damaged_lines_of_an_unfinished_run_are_one_line(tmp_path: Path, line: bytes) -> None:
    whole = b'k\t{"id": "a", "audio": "x", "provenance": {}}\n'
    preparation = installed_preparation(**PARTS, options={})
    (tmp_path / LINES).write_bytes(whole + b"cut sho")
    assert WorkFolder(tmp_path, preparation, None).explained == {("a", "k"): Explanation(audio="x")}
    assert (tmp_path / LINES).read_bytes() == whole
    (tmp_path / LINES).write_bytes(whole + line + b"\n")
    with pytest.raises(UserError, match=r"explanations\.jsonl: damaged .*; remove it and run again") as error:
        WorkFolder(tmp_path, preparation, None)
    assert "\n" not in str(error.value)


def test_only_one_prepare_at_a_time(
    tmp_path: Path, calls: Path, slowly: Callable[[Path, Path], subprocess.Popen[bytes]]
) -> None:
    write_corpus(tmp_path / "corpus", 10)
    process = slowly(tmp_path / "corpus", tmp_path / "s")
    wait_until(lambda: heard(calls) >= 1, process)
    with pytest.raises(UserError, match="another textmsa prepare is at work"):
        run(tmp_path / "corpus", tmp_path / "s")


def test_a_killed_update_leaves_the_old_store_whole(
    tmp_path: Path, calls: Path, slowly: Callable[[Path, Path], subprocess.Popen[bytes]]
) -> None:
    rows = write_corpus(tmp_path / "corpus", 10)
    write_table(tmp_path / "corpus", rows[:5])
    run(tmp_path / "corpus", tmp_path / "s")
    write_table(tmp_path / "corpus", rows)
    calls.write_text("")
    process = slowly(tmp_path / "corpus", tmp_path / "s")
    wait_until(lambda: "explain" in calls.read_text(), process)
    process.kill()
    process.wait()
    assert len(Store.open(tmp_path / "s")) == 5
    run(tmp_path / "corpus", tmp_path / "s")
    assert len(Store.open(tmp_path / "s")) == 10
    assert heard(calls) <= 5 + 2
