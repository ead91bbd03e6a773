"""Preparation of real corpora: clips that break an explainer's statistics, rows without a label, tables that change."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from openface_tables import write_openface
from small_corpora import media_path, rows_of, write_clip, write_corpus, write_table

import textmsa
from textmsa.cli import main
from textmsa.errors import ExtractorError, UserError
from textmsa.features.observe import observe
from textmsa.prepare.command import explaining_options, prepare
from textmsa.prepare.explain import explain, explain_clip
from textmsa.prepare.result import PrepareResult
from textmsa.store.reading import Store

PARTS = {"audio": "outside_parts:Loudness", "video": "outside_parts:Brightness", "explainer": "outside_parts:Comparing"}


@pytest.fixture(autouse=True)
def _outsiders_can_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five clips that no test changes."""
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder, 5)
    return folder


@pytest.fixture(scope="module")
def store(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of them that no test changes."""
    folder = tmp_path_factory.mktemp("made") / "store"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
        run(corpus, folder)
    return folder


def run(corpus: Path, out: Path, **parts: str) -> PrepareResult:
    chosen = PARTS | parts
    return prepare(
        corpus, out=out, audio=chosen["audio"], video=chosen["video"], explainer=chosen["explainer"], workers=1
    )


def refusal(act: Callable[[], object]) -> str:
    with pytest.raises(UserError) as caught:
        act()
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


def failures(out: Path) -> list[tuple[str, str, str]]:
    with (out / "failures.csv").open(newline="") as stream:
        return [(row["id"], row["stage"], row["reason"]) for row in csv.DictReader(stream)]


def test_a_clip_that_breaks_the_statistics_is_named_and_left_out_of_them(corpus: Path, tmp_path: Path) -> None:
    result = run(corpus, tmp_path / "s", explainer="outside_parts:Measuring")
    assert (result.prepared, result.left_out, result.unexplained, result.exit_code) == (5, 1, 1, 1)
    assert "1 left out of the explainer's statistics" in result.text()
    reason = "IndexError: All-NaN slice"
    expected = [("000$_$2", "statistics", reason), ("000$_$2", "explanation", reason)]
    assert failures(tmp_path / "s") == expected
    made = Store.open(tmp_path / "s")
    assert made.statistics.explainer["clips"] == 2
    assert made.statistics.clips == 3
    assert [explanation.audio is None for explanation in made.explanations()] == [False, False, True, False, False]
    again = run(corpus, tmp_path / "s", explainer="outside_parts:Measuring")
    assert (again.changed, again.left_out, again.exit_code) == (False, 1, 1)
    assert failures(tmp_path / "s") == expected


def test_statistics_that_cannot_be_found_are_one_line_with_the_clip_that_was_read(corpus: Path, tmp_path: Path) -> None:
    message = refusal(lambda: run(corpus, tmp_path / "s", explainer="outside_parts:Unfit"))
    assert "explainer 'outside_parts:Unfit' found no statistics" in message
    assert "(ValueError; it last read the clip 000$_$1)" in message


def test_rows_without_a_label_are_prepared_and_counted(tmp_path: Path) -> None:
    rows = [row | ({"label": ""} if row["mode"] == "test" or row["clip_id"] == "1" else {}) for row in rows_of(5)]
    write_corpus(tmp_path / "c", 5)
    write_table(tmp_path / "c", rows)
    result = run(tmp_path / "c", tmp_path / "s")
    assert (result.prepared, result.unlabelled, result.exit_code) == (5, 2, 0)
    assert "2 without a label, for prediction only" in result.text()
    made = Store.open(tmp_path / "s")
    assert made.manifest.unlabelled == {"train": 1, "test": 1}
    assert (made.indices("train"), made.labelled("train")) == ([0, 1, 2], [0, 2])
    with pytest.raises(UserError, match="no clip of the split 'test' has a label"):
        made.labelled("test")


def test_a_store_without_unlabelled_clips_has_the_manifest_of_before(store: Path) -> None:
    assert "unlabelled" not in (store / "manifest.json").read_text()


def test_a_table_that_changed_beside_its_clip_is_read_again(tmp_path: Path) -> None:
    rows = write_corpus(tmp_path / "corpus", 5)
    tables = [media_path(tmp_path / "corpus", row).with_suffix(".csv") for row in rows]
    for table in tables:
        write_openface(table)
    assert run(tmp_path / "corpus", tmp_path / "s", video="openface").changed
    assert not run(tmp_path / "corpus", tmp_path / "s", video="openface").changed
    write_openface(tables[3], frames=4)
    assert run(tmp_path / "corpus", tmp_path / "s", video="openface").changed
    videos = [sample.observation.video for sample in Store.open(tmp_path / "s")]
    assert [len(video.times_T) for video in videos if video is not None] == [6, 6, 6, 4, 6]


def test_the_keys_of_other_extractors_are_as_before(store: Path, corpus: Path) -> None:
    from dataclasses import asdict

    from textmsa.prepare.work_folder import RECORD_VERSION, _key

    made = Store.open(store)
    extractors = [asdict(made.preparation.audio), asdict(made.preparation.video)]
    media = media_path(corpus, rows_of(1)[0]).stat()
    assert made.column("source")[0] == _key(RECORD_VERSION, media.st_size, media.st_mtime_ns, False, *extractors)


def other_corpus(folder: Path) -> Path:
    """Three clips, all for testing, with scores in another range."""
    rows = [row | {"mode": "test", "label": "0.25", "label_V": ""} for row in rows_of(3)]
    write_table(folder, rows)
    for seed, row in enumerate(rows):
        write_clip(media_path(folder, row), seed=seed + 7)
    return folder


def test_a_corpus_is_prepared_like_another(store: Path, tmp_path: Path) -> None:
    other = other_corpus(tmp_path / "other")
    result = prepare(other, out=tmp_path / "s", like=store, workers=1)
    assert (result.prepared, result.exit_code) == (3, 0)
    made, like = Store.open(tmp_path / "s"), Store.open(store)
    assert made.statistics.sha256 == like.statistics.sha256
    assert made.preparation.differences(like.preparation) == []
    assert (made.manifest.score_range, like.manifest.score_range) == ((-1, 1), (-3, 3))
    assert not prepare(other, out=tmp_path / "s", like=store, workers=1).changed
    assert "no clip is in the split 'train'" in refusal(lambda: prepare(other, out=tmp_path / "s", workers=1))


def test_a_store_prepared_like_another_is_gone_on_with_only_so(store: Path, corpus: Path, tmp_path: Path) -> None:
    prepare(corpus, out=tmp_path / "s", like=store, workers=1)
    assert json.loads((tmp_path / "s/preparation.json").read_text())["like"] == Store.open(store).statistics.sha256
    assert "was begun otherwise" in refusal(lambda: run(corpus, tmp_path / "s"))
    assert "was begun otherwise" in refusal(lambda: prepare(corpus, out=store, like=tmp_path / "s", workers=1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"audio": "librosa"}, "--audio librosa: --like .* was made with 'outside_parts:Loudness'; leave --audio out"),
        ({"video": "openface"}, "--video openface: --like"),
        ({"explainer": "measured"}, "--explainer measured: --like"),
        ({"no_times": True}, "explainer option times: is otherwise in --like"),
    ],
)
def test_other_options_than_those_of_like_are_refused(
    store: Path, corpus: Path, tmp_path: Path, options: dict[str, str], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        prepare(corpus, out=tmp_path / "s", like=store, **options)  # type: ignore[arg-type]
    assert not (tmp_path / "s").exists()


def test_other_versions_than_those_of_like_are_refused(store: Path, corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    for name in ("preparation.json", "statistics.json"):
        (tmp_path / "old" / name).write_text((store / name).read_text().replace('"version": "1"', '"version": "0"'))
    clip = media_path(corpus, rows_of(1)[0])
    message = refusal(lambda: prepare(corpus, out=tmp_path / "s", like=tmp_path / "old"))
    assert "audio version '1' instead of '0'" in message
    message = refusal(lambda: explain_clip(clip, "words", PARTS["explainer"], {}, like=tmp_path / "old"))
    assert "audio version '1' instead of '0'" in message
    assert "neither a store nor a run" in refusal(lambda: prepare(corpus, out=tmp_path / "s", like=tmp_path))


def test_one_clip_whose_extractor_breaks_down_is_one_line(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = media_path(corpus, rows_of(3)[2])
    command = ["explain", str(clip), "--explainer", "outside_parts:Quoting", "--audio", PARTS["audio"]]
    assert main([*command, "--video", "outside_parts:Crashing"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "brightness: RuntimeError: the lens fell off" in line


def test_a_clip_of_no_corpus_is_told_of_alone(capsys: pytest.CaptureFixture[str]) -> None:
    clip = Path(__file__).parents[1] / "recordings" / "speaker.mp4"
    assert main(["explain", str(clip), "--text", "I loved it."]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["audio"] and said["video"] and "clips here" not in said["audio"] + said["video"] + said["summary"]
    predicted = textmsa.load("everyday").predict(clip, text="I loved it.").explanation
    assert (said["text"], said["audio"], said["video"]) == (predicted.text, predicted.audio, predicted.video)


def test_one_clip_whose_explainer_fails_is_recorded(corpus: Path, tmp_path: Path) -> None:
    clip = media_path(corpus, rows_of(3)[2])
    parts = {"audio": PARTS["audio"], "video": PARTS["video"]}
    result = explain(clip, explainer="outside_parts:Mute", text="Fine", **parts)  # type: ignore[arg-type]
    assert (result.explained, result.failed, result.exit_code) == (0, 1, 1)
    assert json.loads(result.text())["provenance"]["failed"] == "RuntimeError: no words"


def test_explain_says_of_a_corpus_what_prepare_said_and_its_own(corpus: Path, tmp_path: Path) -> None:
    parts = {"audio": PARTS["audio"], "video": PARTS["video"], "explainer": "outside_parts:Quoting"}
    result = explain(corpus, out=tmp_path / "e.jsonl", workers=1, **parts)  # type: ignore[arg-type]
    first, second = result.text().splitlines()
    assert first == f"{tmp_path / 'e.store'}: 5 of 5 clips prepared; 0 skipped"
    assert second == f"{tmp_path / 'e.jsonl'}: 5 of 5 clips explained"


def test_an_error_without_words_is_told_by_its_kind(corpus: Path) -> None:
    from outside_parts import Loudness, Silent

    with pytest.raises(ExtractorError) as caught:
        observe(media_path(corpus, rows_of(3)[2]), "words", audio=Loudness(), video=Silent())
    assert str(caught.value) == "brightness: RuntimeError"


def test_options_that_do_not_go_together_are_told_in_words_true_of_every_command(tmp_path: Path) -> None:
    message = refusal(lambda: explaining_options("precomputed", None))
    assert "textmsa prepare --explainer precomputed --explanations FILE" in message
    assert "is for --explainer precomputed" in refusal(lambda: explaining_options("measured", None, tmp_path / "e"))


def test_an_explainer_of_wrong_options_is_refused_before_clips_are_measured(corpus: Path, tmp_path: Path) -> None:
    message = refusal(
        lambda: prepare(
            corpus, out=tmp_path / "s", explainer="outside_parts:Quoting", explainer_options={"tone": "dry"}, workers=1
        )
    )
    assert "cannot be built with the options {'tone': 'dry'}" in message
    assert not list((tmp_path / "s").rglob("*.npz"))
