"""What of a run is given to others, and the way there and back over a real HTTP server."""

import json
import shutil
from pathlib import Path

import hub_server
import pytest

import textmsa
from textmsa.cli import main
from textmsa.errors import UserError
from textmsa.evaluate import evaluate
from textmsa.hub import push_to_hub
from textmsa.hub.contents import check_clean, without_places

TEXT = "number 3 is good"
SECRET = "hf_" + "Q" * 34


@pytest.fixture(scope="module")
def evaluated(tiny_run, tmp_path_factory) -> Path:
    """A copy of the run, with what lies in a run folder besides."""
    run = tmp_path_factory.mktemp("mine") / "run"
    shutil.copytree(tiny_run.path, run)
    evaluate(run, data=tiny_run.store, no_baselines=True)
    config = json.loads((run / "model" / "config.json").read_text())
    config["text_encoder_config"]["_name_or_path"] = str(tiny_run.corpus)
    (run / "model" / "config.json").write_text(json.dumps(config))
    (run / "notes.txt").write_text("mine alone")
    return run


@pytest.fixture(scope="module")
def given(evaluated, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("given") / "repository"
    push_to_hub(evaluated, "me/my-run", dry_run=folder, license="cc-by-nc-4.0")
    return folder


def test_a_dry_run_writes_what_a_run_needs_and_nothing_else(evaluated, given, capsys):
    names = {path.relative_to(given).as_posix() for path in given.rglob("*") if path.is_file()}
    needed = {"README.md", "run.json", "recipe.yaml", "preparation.json", "statistics.json", "model/config.json"}
    assert needed | {"model/model.safetensors", "model/tokenizer.json"} <= names
    assert not [name for name in names if name.startswith(("evaluation", "tensorboard", "claim", "notes", "model/R"))]
    assert main(["push", str(evaluated), "me/my-run", "--dry-run", str(given)]) == 2
    assert "is there already; give a new folder" in capsys.readouterr().err


def test_nothing_of_the_corpus_or_the_machine_is_given(tiny_run, evaluated, given):
    clips = list(textmsa.Store.open(tiny_run.store).clips())
    assert clips and clips[0].transcript
    secret = [clip.id for clip in clips] + [clip.transcript for clip in clips if clip.transcript]
    places = [str(evaluated), str(tiny_run.corpus), str(tiny_run.store), str(Path.home()), str(given)]
    vocabulary = ("tokenizer.json", "vocab.txt")
    for path in given.rglob("*"):
        if path.is_file() and path.suffix != ".safetensors":
            content = path.read_text(encoding="utf-8")
            assert not [place for place in places if place in content], path
            assert path.name in vocabulary or not [word for word in secret if word in content], path


def test_what_is_given_scores_as_the_run_bit_for_bit(tiny_run, given):
    clip = sorted(tiny_run.corpus.rglob("*.mp4"))[0]
    for text in (TEXT, None):
        own, other = (textmsa.load(run).predict(clip, text=text) for run in (tiny_run.path, given))
        assert (own.score, own.gates, own.contributions) == (other.score, other.gates, other.contributions)


def test_transformers_own_classes_read_the_network(tiny_run, given):
    from transformers import AutoConfig, AutoModel

    from textmsa import TextMsaConfig, TextMsaModel  # makes them known

    store, run = textmsa.Store.open(tiny_run.store), textmsa.Run.open(tiny_run.path)
    indices = store.indices("test")
    expected = run.score(store, indices).score_N.tolist()
    for folder, below in ((given, "model"), (tiny_run.path, "model"), (tiny_run.path / "model", "")):
        assert isinstance(AutoConfig.from_pretrained(folder, subfolder=below), TextMsaConfig)
        network = AutoModel.from_pretrained(folder, subfolder=below)
        assert isinstance(network, TextMsaModel) and not network.training
        other = textmsa.Run.open(tiny_run.path)
        other.__dict__["model"] = network
        assert other.score(store, indices).score_N.tolist() == expected


def test_the_card_has_figures_limits_and_the_question_of_the_licence(evaluated, given, tmp_path):
    import yaml

    card = (given / "README.md").read_text(encoding="utf-8")
    header = yaml.safe_load(card.split("---\n")[1])
    metrics = json.loads((evaluated / "evaluation-test" / "metrics.json").read_text())["test"]
    told = {m["type"]: m["value"] for m in header["model-index"][0]["results"][0]["metrics"]}
    assert told["mae"] == pytest.approx(metrics["mae"], abs=1e-4)
    assert header["license"] == "cc-by-nc-4.0" and header["library_name"] == "textmsa"
    for words in ("not for hiring", "must not be used", 'textmsa.load("me/my-run")', f"{metrics['mae']:.4f}", "epochs"):
        assert words in card, words
    push_to_hub(evaluated, "me/my-run", dry_run=tmp_path / "open")
    undecided = (tmp_path / "open" / "README.md").read_text(encoding="utf-8")
    assert "Not yet decided" in undecided and "license_name: not-yet-decided" in undecided


@pytest.mark.parametrize("hub_id", ["my-run", "me/my/run", "me/", "me /run", "../run"])
def test_what_is_no_hub_id_is_one_line(tiny_run, tmp_path, hub_id):
    with pytest.raises(UserError, match="is no hub id; give OWNER/NAME"):
        push_to_hub(tiny_run.path, hub_id, dry_run=tmp_path / "out")
    with pytest.raises(UserError, match="not a run folder"):
        push_to_hub(tmp_path, "me/run", dry_run=tmp_path / "out")


def test_the_name_of_a_folder_is_no_place(tmp_path, monkeypatch):
    """A run that is given as "run" lies next to tokenizers that know that word."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"vocab": {"run": 1}}')
    check_clean(tmp_path, [Path("run")])


@pytest.mark.parametrize("what", ["place", "key", "variable"])
def test_what_must_not_be_given_is_found(tmp_path, monkeypatch, what):
    monkeypatch.setenv("MY_SERVICE_TOKEN", "opensesame99")
    content = {"place": f"at {Path.home()}/x" if len(str(Path.home())) > 1 else f"{tmp_path}", "key": SECRET}
    (tmp_path / "run.json").write_text(content.get(what, "opensesame99"))
    with pytest.raises(UserError, match=r"run\.json: holds .*nothing is given away"):
        check_clean(tmp_path, [tmp_path])


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("/data/corpora/mosi", "mosi"),
        ("~/store", "store"),
        ("clips of /data/my store, calibrated", "clips of my store, calibrated"),
        ("clips of /data/corpora/mosi, calibrated", "clips of mosi, calibrated"),
        ("C:\\Users\\me\\store", "store"),
        ("google-bert/bert-base-uncased", "google-bert/bert-base-uncased"),
        ("https://api.example.org/v1/chat", "https://api.example.org/v1/chat"),
        ("loud/quiet and either/or/both", "loud/quiet and either/or/both"),
        ({"a": ["/x/y/z", 3, None]}, {"a": ["z", 3, None]}),
    ],
)
def test_places_are_cut_to_their_last_part(value, kept):
    assert without_places({"value": value}) == {"value": kept}


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # huggingface_hub's, of its own HTTP client
def test_there_and_back_over_http(tiny_run, evaluated, tmp_path, monkeypatch):
    """The upload and the download are huggingface_hub's own, to a server on this machine that speaks its protocol."""
    from huggingface_hub import constants

    with hub_server.serving(token=SECRET) as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)  # made of the endpoint on import
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("HF_TOKEN", "hf_wrong")
        with pytest.raises(UserError, match=r"me/my-run: cannot be uploaded .*--dry-run") as refused:
            push_to_hub(evaluated, "me/my-run")
        assert "\n" not in str(refused.value) and not hub.files
        monkeypatch.setenv("HF_TOKEN", SECRET)
        result = push_to_hub(evaluated, "me/my-run")
        assert set(result.files) == set(hub.files) and result.url and result.url.startswith(hub.url)
        assert not [name for name, content in hub.files.items() if SECRET.encode() in content]
        clip = sorted(tiny_run.corpus.rglob("*.mp4"))[1]
        back = textmsa.load("me/my-run").predict(clip, text=TEXT)
    assert back.score == textmsa.load(tiny_run.path).predict(clip, text=TEXT).score
