"""Generate HTTP load: each connection sends its next request when it has received a response."""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import dataclass, field
from typing import Any, cast

import httptools
import uvloop


@dataclass
class Load:
    """The result of a load.

    Attributes:
        seconds: its duration.
        latencies: the latency of each response in seconds.
        failures: number of responses without status 200 and of lost connections.
    """

    seconds: float
    latencies: list[float] = field(default_factory=list)
    failures: int = 0

    @property
    def throughput(self) -> float:
        """Responses per second."""
        return len(self.latencies) / self.seconds

    def percentile(self, percent: int) -> float:
        """Return a percentile of the latencies in seconds."""
        return statistics.quantiles(self.latencies, n=100, method="inclusive")[percent - 1]


def post(port: int, body: bytes) -> bytes:
    """Return the bytes of a GraphQL request to a local service."""
    head = (
        f"POST /graphql HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n"
        f"client-id: test\r\nclient-secret: test\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def run(port: int, request: bytes, *, connections: int, seconds: float) -> Load:
    """Put load on a local service.

    Args:
        port: its port.
        request: sent repeatedly.
        connections: number of concurrent connections.
        seconds: duration.
    """
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_run(port, request, connections, seconds))


async def _run(port: int, request: bytes, connections: int, seconds: float) -> Load:
    loop = asyncio.get_running_loop()
    load = Load(seconds)
    opened = [
        await loop.create_connection(lambda: _Connection(request, load), "127.0.0.1", port)
        for _ in range(connections)
    ]
    for _, connection in opened:
        connection.send()
    await asyncio.sleep(seconds)
    for transport, connection in opened:
        connection.ended = True
        transport.abort()
    return load


class _Connection(asyncio.Protocol):
    def __init__(self, request: bytes, load: Load) -> None:
        self._request = request
        self._load = load
        self._parser = httptools.HttpResponseParser(self)
        self._sent = 0.0
        self.ended = False

    def connection_made(self, transport: Any) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self) -> None:
        self._sent = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        if self.ended:
            return
        self._load.latencies.append(time.perf_counter() - self._sent)
        self._load.failures += self._parser.get_status_code() != 200
        self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._load.failures += not self.ended
