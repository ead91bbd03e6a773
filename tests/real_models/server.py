"""A real chat-completions server on 127.0.0.1: llama.cpp's own, out of the package xllamacpp, with a real model.

`python tests/real_models/server.py smollm2` serves until its standard input ends (or Ctrl-C), after one line with
its address.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
CONTEXT = 2048  # tokens of a question and its answer
STARTED = 120  # seconds that a model may take to load


def serve(model: str, *, context: int = CONTEXT, threads: int = 1, port: int = 0) -> None:
    """Serve one of `fetch.MODELS` until this process ends; the address is the only line of standard output."""
    sys.path.insert(0, str(HERE))
    import xllamacpp
    from fetch import fetch

    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(fetch(model))
    parameters.n_ctx, parameters.n_parallel = context, 1
    parameters.hostnames, parameters.port = ["127.0.0.1"], port
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = threads
    parameters.n_gpu_layers, parameters.ui = 0, False
    parameters.verbosity = 0
    server = xllamacpp.Server(parameters)
    print(f"{server.listening_address}/v1", flush=True)
    sys.stdin.read()  # ends with who started it, however that ends


@contextmanager
def real_server(model: str, **options: int) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """(address up to and with /v1, its process) of a server in another process, which ends with the block."""
    command = [sys.executable, str(HERE / "server.py"), model]
    command += [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    environment = os.environ | {"PYTHONPATH": str(HERE.parents[1])}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            if not address.startswith("http"):
                raise RuntimeError(f"the server of {model} did not start (exit status {process.wait(10)})")
            yield address, process
        finally:
            process.terminate()
            process.wait(20)


def main() -> None:
    """Serve what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--context", type=int, default=CONTEXT)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    serve(given.model, context=given.context, threads=given.threads, port=given.port)


if __name__ == "__main__":
    main()
