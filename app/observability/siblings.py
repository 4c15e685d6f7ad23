"""Merge the metrics of all processes that serve one port.

Each process serves its metrics to its siblings on a socket, and keeps a copy in a file: the counts of ended
processes stay in the sum, which would otherwise fall as if everything had restarted.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.registry import Collector

ANSWER_SECONDS: Final = 1.0
"""Time limit for a sibling's response; then its last known metrics count."""

_ADDED: Final = frozenset({"counter", "histogram"})
"""Types that are summed, including ended processes."""

_NEWEST: Final = "process_start_time_seconds"
"""The latest start of any process: changes with a restart, but not with the responding process."""

_MERGED_GAUGES: Final = frozenset(
    {
        _NEWEST,
        "genregraph_database_connections_max",
        "genregraph_database_connections_used",
        "genregraph_subscriptions_open",
        "genregraph_uploads_under_way",
        "process_max_fds",
        "process_open_fds",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
    }
)
"""Gauges that are merged over running processes; others have the responding process's value."""

Snapshot = list[list[Any]]
"""For each metric: name, type, documentation and samples, each with name, labels and value."""


class Siblings:
    """The processes that serve one port and share a folder."""

    def __init__(self, folder: Path, registry: CollectorRegistry) -> None:
        """Prepare this process's part of a folder, which only their account can read."""
        self._folder = folder
        self._registry = registry
        self._name = uuid.uuid4().hex

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve this process's metrics to siblings in this context."""
        socket = self._folder / f"{self._name}.socket"
        server = await asyncio.start_unix_server(self._answer, socket)
        try:
            yield
        finally:
            self._write()
            socket.unlink(missing_ok=True)
            server.close()

    async def merged(self) -> CollectorRegistry:
        """Return a registry with the merged metrics of all processes."""
        own = json.loads(self._write())
        sockets = [socket for socket in self._folder.glob("*.socket") if socket.stem != self._name]
        answers = zip(sockets, await asyncio.gather(*map(_fetch, sockets)), strict=True)
        running = {socket.stem: json.loads(answer) for socket, answer in answers if answer}
        ended = [
            json.loads(file.read_bytes())
            for file in self._folder.glob("*.json")
            if file.stem not in {self._name, *running}
        ]
        registry = CollectorRegistry()
        registry.register(_MergedMetrics(_merge(own, running.values(), ended)))
        return registry

    def _write(self) -> bytes:
        snapshot = json.dumps(_snapshot(self._registry)).encode()
        path = self._folder / f"{self._name}.json"
        whole = path.with_suffix(".part")
        whole.write_bytes(snapshot)
        whole.replace(path)
        return snapshot

    async def _answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._write())
        writer.close()


class _MergedMetrics(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


async def _fetch(socket: Path) -> bytes:
    """Return the snapshot of a sibling; empty if it does not respond."""
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            reader, writer = await asyncio.open_unix_connection(socket)
            try:
                return await reader.read()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return b""


def _snapshot(registry: CollectorRegistry) -> Snapshot:
    return [
        [m.name, m.type, m.documentation, [[s.name, s.labels, s.value] for s in m.samples]]
        for m in registry.collect()
    ]


def _merge(own: Snapshot, running: Iterable[Snapshot], ended: Iterable[Snapshot]) -> list[Metric]:
    metrics: dict[str, Metric] = {}
    values: dict[tuple[str, str, tuple[tuple[str, str], ...]], float] = {}
    for snapshot, gauges in (
        (own, None),
        *((snapshot, _MERGED_GAUGES) for snapshot in running),
        *((snapshot, frozenset[str]()) for snapshot in ended),
    ):
        for name, kind, documentation, samples in snapshot:
            if kind not in _ADDED and gauges is not None and name not in gauges:
                continue
            metrics.setdefault(name, Metric(name, documentation, kind))
            for sample, labels, value in samples:
                key = (name, sample, tuple(sorted(labels.items())))
                if key not in values:
                    values[key] = value
                elif sample.endswith("_created"):
                    values[key] = min(values[key], value)
                elif name == _NEWEST:
                    values[key] = max(values[key], value)
                else:
                    values[key] += value
    for (name, sample, labels), value in values.items():
        metrics[name].add_sample(sample, dict(labels), value)
    return list(metrics.values())
