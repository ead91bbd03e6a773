"""All evaluations with real models in turn: `python tests/real_models/evaluate.py OUT`; see `make test-real`.

What OUT holds already is not made again: stop it whenever you like. The figures come out as tables for people.
"""

import argparse
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
ANSWERS = {"smollm2": 25, "qwen-coder-1.5b": 10}
"""Model -> clips that it explains, twice: held to the form, and free; 40 and 110 seconds each on one thread."""
MOSI = 300  # of its 686 test transcripts
CLIPS = 100  # of the corpus that is rendered where none is given


def store_of(out: Path, given: Path | None) -> Path:
    """The store to take clips from: the one given, else one of a rendered corpus."""
    from textmsa.demo_corpus import render_corpus
    from textmsa.prepare import prepare

    if given is not None:
        return given
    render_corpus(out / "corpus", clips=CLIPS)
    prepare(out / "corpus", out=out / "store")
    return out / "store"


def all_of(out: Path, *, store: Path | None, threads: int, models: list[str]) -> None:
    """Each evaluation, with the time it took."""
    import answer_clips
    import judged
    import teach
    import zero_shot_mosi
    from fetch import fetch

    clips = store_of(out, store)
    rows = []
    for model in models:
        _timed(f"{model}: fetched", partial(fetch, model))
        to, count = out / model, ANSWERS[model]
        _timed(
            f"{model}: {count} clips explained",
            partial(answer_clips.answer_clips, clips, to, model=model, clips=count, threads=threads),
        )
        rows += [answer_clips.row(model, m, answer_clips.answers(to / f"{m}.jsonl")) for m in answer_clips.MODES]
    print("\n".join(" | ".join(row) for row in (answer_clips.HEAD, *rows)), flush=True)
    sheet = out / "sheet.csv"
    files = [out / model / f"{mode}.jsonl" for model in models for mode in answer_clips.MODES]
    print(f"{judged.write_sheet(sheet, files)} answers to be read: {sheet}")
    if judged.TABLE.is_file():
        print("\n".join(judged.table_of(judged.judged(), f"in {judged.TABLE.name}")))
    taught = partial(teach.teach, clips, out / "taught", train=300, held_out=100, epochs=1, answers=24)
    print(_timed("taught", taught))
    if zero_shot_mosi.DATA.is_dir():
        scored = zero_shot_mosi.scored
        print(_timed("MOSI", lambda: scored(out / "mosi", model=models[0], clips=MOSI, threads=threads)))
    else:
        print("MOSI: ../shared/data/mosi is not beside this checkout; not scored")


def _timed(what: str, work: Callable[[], object]) -> object:
    started = time.monotonic()
    came = work()
    print(f"{what}: {time.monotonic() - started:.0f} s", flush=True)
    return came


def main() -> None:
    """Evaluate as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--store", type=Path, help="clips to take, in place of a rendered corpus")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--models", nargs="+", choices=list(ANSWERS), default=list(ANSWERS))
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    all_of(given.out, store=given.store, threads=given.threads, models=given.models)


if __name__ == "__main__":
    main()
