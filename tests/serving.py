"""A real `textmsa serve` in a process of its own, and what tests do to it."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
STARTING_SECONDS = 180
READY = re.compile(r"(http://127\.0\.0\.1:(\d+))/ is ready")


@dataclass
class Server:
    """One that answers."""

    address: str
    port: int
    process: "subprocess.Popen[str]"
    temporary: Path
    """Where it puts what is sent."""
    said: list[str] = field(default_factory=list)

    def post(self, path: str = "/v1/predict", *, clip: "Path | bytes", name: str = "x.mp4", token="", **fields: str):
        """The answer to a form with a clip."""
        content = clip.read_bytes() if isinstance(clip, Path) else clip
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        files = {"clip": (name, content)}
        return httpx.post(self.address + path, files=files, data=fields, headers=headers, timeout=120)

    def get(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(self.address + path, headers=headers, timeout=60)

    def raw(self, request: bytes, *, answered: bool = True) -> bytes:
        """Bytes as they are; what came back."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as line:
            line.sendall(request)
            return b"".join(iter(lambda: line.recv(65_536), b"")) if answered else b""

    def workers(self) -> list[int]:
        """Processes that decode and score."""
        found = []
        for folder in Path("/proc").iterdir():
            try:
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                command = (folder / "cmdline").read_bytes()
            except (OSError, ValueError, IndexError):
                continue
            if parent == self.process.pid and b"spawn_main" in command:
                found.append(int(folder.name))
        return found

    def left_behind(self) -> list[str]:
        """Files of clips that are still there, after a moment."""
        for _ in range(100):
            names = [path.name for path in self.temporary.glob("textmsa-*")]
            if not names:
                break
            time.sleep(0.1)
        return names


@contextmanager
def serving(run: Path, temporary: Path, *options: str, **environment: str) -> Iterator[Server]:
    """A `textmsa serve` of a run."""
    with listening(["serve", str(run), "--port", "0", *options], temporary, **environment) as server:
        yield server


@contextmanager
def listening(words: list[str], temporary: Path, **environment: str) -> Iterator[Server]:
    """A command that serves at a free port of 127.0.0.1, stopped by Ctrl-C at the end."""
    temporary.mkdir(exist_ok=True)
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    process = subprocess.Popen(
        [sys.executable, "-m", "textmsa", *words],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": paths, "TMPDIR": str(temporary)} | environment,
    )
    assert process.stderr is not None
    server = Server("", 0, process, temporary)
    watch = threading.Timer(STARTING_SECONDS, process.kill)
    watch.start()
    reading: threading.Thread | None = None
    try:
        for line in process.stderr:
            server.said.append(line)
            if found := READY.search(line):
                server.address, server.port = found[1], int(found[2])
                break
        watch.cancel()
        assert server.port, "".join(server.said)
        reading = threading.Thread(target=lambda: server.said.extend(process.stderr or ()), daemon=True)
        reading.start()
        yield server
    finally:
        watch.cancel()
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if reading is not None:
            reading.join(10)
        process.stderr.close()
