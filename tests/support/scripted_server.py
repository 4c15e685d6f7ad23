"""An HTTP server that sends scripted responses in order."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """A response; without a status, the server closes the connection during the request."""

    status: int | None = 200
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Script:
    """The responses of a server, and the requests that it received."""

    url: str
    answers: list[Answer]
    requests: int = 0
    bytes_received: list[int] = field(default_factory=list)


@contextmanager
def scripted_server(*answers: Answer) -> Iterator[Script]:
    """Send the responses in order; repeat the last one."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            script.requests += 1
            answer = script.answers.pop(0) if len(script.answers) > 1 else script.answers[0]
            if answer.status is None:
                self.close_connection = True
                self.connection.close()
                return
            missing = self._read_all()
            script.bytes_received.append(int(self.headers.get("content-length", 0)) - missing)
            if missing:  # the client disconnected
                self.close_connection = True
                return
            is_text = isinstance(answer.body, str)
            content = str(answer.body).encode() if is_text else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            self.send_header("content-type", "text/html" if is_text else "application/json")
            self.send_header("content-length", str(len(content)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def do_GET(self) -> None:
            self.do_POST()

        def _read_all(self) -> int:
            """Read the body; return how many bytes are missing at its end."""
            left = int(self.headers.get("content-length", 0))
            while left and (read := self.rfile.read(min(left, 1 << 20))):
                left -= len(read)
            return left

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    script = Script(f"http://127.0.0.1:{server.server_port}/graphql", list(answers))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def stored_batch(**values: Any) -> dict[str, Any]:
    counts = ("rowsUploaded", "rowsProcessed", "rowsInvalid")
    more = ("rowsDuplicated", "rowsClassified", "rowsUncertain", "minConfidence", "problemCount")
    missing = ("rowsWithMissingValues", "rowsClassifiedWithMissingValues")
    return {
        "__typename": "Batch",
        "id": "b1",
        "status": "SUCCEEDED",
        "error": None,
        **dict.fromkeys((*counts, *missing, *more), 0),
        "genres": [],
        "problems": [],
        **values,
    }
