"""A real server on 127.0.0.1 that speaks chat completions, with faults on demand."""

import hashlib
import json
import threading
import time
from collections import Counter
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FAULTS = ("429", "500", "slow", "cut", "garbage", "refusal", "wrong", "empty", "length")
SLOW_SECONDS = 1.5


def words_of(request: dict[str, Any], message: int = -1) -> str:
    """The text of one message, by default of the last."""
    content = request["messages"][message]["content"]
    return content if isinstance(content, str) else " ".join(p["text"] for p in content if p["type"] == "text")


def good_answer(words: str) -> str:
    """What a willing model says to one of our prompts."""
    if '"score"' in words:
        return json.dumps({"score": 0.5})
    if '"summary"' in words:
        return json.dumps({"summary": "content, a smile", "reason": "In the video, a smile. Therefore, content."})
    if words.startswith("Translate"):
        return "It was a joy."
    for start in ("In the video,", "In the audio,", "In the text,"):
        if start in words:
            return f"{start} it is {hashlib.sha256(words.encode()).hexdigest()[:6]}."
    return "whatever you say"


class ChatServer:
    """`with ChatServer(rate=0.2) as server:`; the faults are the same for the same questions in the same order.

    `faults(question number of asking)` may be replaced by `script`: a function (words, times asked) -> fault or None.
    """

    def __init__(
        self,
        *,
        rate: float = 0.0,
        faults: tuple[str, ...] = FAULTS,
        seconds: float = 0.0,
        slow: float = SLOW_SECONDS,
        script=None,
        schemas: str = "all",
    ):
        self.schemas = schemas  # "all", "without bounds", "none": what it takes as response_format
        self.rate, self.faults, self.seconds, self.slow, self.script = rate, faults, seconds, slow, script
        self.asked: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.given: Counter[str] = Counter()
        self.requests: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.together = self.most_together = 0
        self.guard = threading.Lock()

    def __enter__(self):
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with outer.guard:
                    outer.together += 1
                    outer.most_together = max(outer.most_together, outer.together)
                try:
                    with suppress(BrokenPipeError, ConnectionResetError):  # tests kill clients that wait
                        outer.handle(self, body)
                finally:
                    with outer.guard:
                        outer.together -= 1

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def fault(self, words: str, question: str, time_asked: int) -> str | None:
        if self.script is not None:
            return self.script(words, time_asked)
        draw = hashlib.sha256(f"{question}{time_asked}".encode()).digest()
        if draw[0] / 256 >= self.rate:
            return None
        return self.faults[draw[1] % len(self.faults)]

    def takes(self, form: dict[str, Any] | None) -> bool:
        return form is None or self.schemas == "all" or (self.schemas != "none" and "maxLength" not in json.dumps(form))

    def handle(self, handler: Any, body: bytes) -> None:
        request = json.loads(body)
        words, question = words_of(request), hashlib.sha256(body).hexdigest()
        with self.guard:
            time_asked = self.asked[question]
            self.asked[question] += 1
            self.requests.append(request)
            self.keys.add(handler.headers.get("Authorization"))
        fault = self.fault(words, question, time_asked)
        if fault is None and not self.takes(request.get("response_format")):
            fault = "schema"
        with self.guard:
            self.given[fault or "none"] += 1
        time.sleep(self.slow if fault == "slow" else self.seconds)
        if fault == "cut":
            handler.connection.close()
            handler.close_connection = True
        elif fault == "schema":
            send(handler, 400, json.dumps({"error": {"message": "response_format is not supported"}}))
        elif fault in ("400", "429", "500", "401", "404", "quota"):
            status = 429 if fault == "quota" else int(fault)
            code = "insufficient_quota" if fault == "quota" else "on_demand"
            send(handler, status, json.dumps({"error": {"message": f"fault {fault}", "code": code}}))
        elif fault == "garbage":
            send(handler, 200, "<html>gateway</html>")
        else:
            said = {"refusal": "I'm sorry, I can't help with that.", "wrong": '{"summa', "empty": ""}
            finish = "length" if fault == "length" else "stop"
            willing = good_answer(words_of(request, 0))  # asked to mend its answer, it answers what was asked
            message = {"role": "assistant", "content": said.get(fault or "", willing)}
            choice = {"index": 0, "message": message, "finish_reason": finish}
            usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
            send(
                handler, 200, json.dumps({"id": "x", "object": "chat.completion", "choices": [choice], "usage": usage})
            )
            if fault is None:
                with self.guard:
                    self.answered[question] += 1


def send(handler: Any, status: int, text: str) -> None:
    data = text.encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "text/html" if text.startswith("<") else "application/json")
    handler.send_header("Content-Length", str(len(data)))
    handler.send_header("retry-after-ms", "20")
    handler.end_headers()
    handler.wfile.write(data)
