"""Classify songs on all cores, in threads, so that the event loop stays responsive."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Final, Generic, Protocol, TypeVar

import numpy as np

from app.batches.song_parts import SongPart
from app.cores import usable_cores
from app.observability.metrics import Metrics
from app.observability.tracing import step
from ml.model.drift import FeatureGroup, by_group
from ml.model.ensemble import Ensemble
from ml.songs.contract import Songs

CHUNK_ROWS = 2_000
"""Songs per chunk; a trade-off between speed and memory."""

SONGS: Final = "songs"

Drift = Counter[str]
"""Value of `batches.drift`: the number of `SONGS`, and by feature group the number of songs outside the
training range. Empty if there are no songs."""

Result = TypeVar("Result")


class ReadState(Protocol):
    """Position up to which songs were read."""

    @property
    def rows(self) -> int:
        """Number of rows read."""

    def to_json(self) -> dict[str, Any]:
        """Return the state as a JSON object."""


class SongSource(Protocol):
    """Yields songs in chunks and tracks the read position."""

    @property
    def state(self) -> ReadState:
        """Read position: at or shortly after the end of the last chunk."""

    def chunks(self) -> Iterator[Songs]:
        """Yield the songs."""


_ReadChunk = tuple[int, Songs, int, ReadState]
"""Index of the chunk, its songs, the ordinal of the first one, and the read position after the last one."""


@dataclass(frozen=True, slots=True)
class ClassifiedChunk(Generic[Result]):
    """Some songs of a batch.

    Attributes:
        packed: the packed songs, in file order.
        drift: how many of them are outside the training range.
        state: read position after the songs.
    """

    packed: Result
    drift: Drift
    state: ReadState


class SongClassifier:
    """Reads and classifies songs with one model.

    Uses threads, not processes: numpy and LightGBM release the GIL while they work (see
    `docs/performance.md`).
    """

    def __init__(self, ensemble: Ensemble, metrics: Metrics, *, threads: int | None = None) -> None:
        """Start a number of threads; None for one per available core."""
        self.ensemble = ensemble
        self._metrics = metrics
        # Initialize the counters, so that rates can be computed from the start.
        metrics.record_drift(by_group(np.zeros(len(FeatureGroup), np.int64)))
        self.threads = threads or usable_cores()
        self._executor = ThreadPoolExecutor(self.threads, thread_name_prefix="classify")

    @property
    def model_version(self) -> str:
        """The version of the model."""
        return self.ensemble.manifest.model_version

    def close(self) -> None:
        """Finish running work and stop the threads."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def run(self, work: Callable[..., Result], *arguments: object) -> asyncio.Future[Result]:
        """Run CPU work in one of the threads, in the caller's trace context."""
        context = copy_context()
        return asyncio.get_running_loop().run_in_executor(self._executor, context.run, work, *arguments)

    async def classify(self, songs: Songs) -> tuple[SongPart, Drift]:
        """Classify songs, sharing them among the threads, and return them with their drift."""
        return await self.run(self._classify, songs, 0, self.threads)

    async def classify_all(
        self, source: SongSource, pack: Callable[[SongPart], Result], *, first_ordinal: int = 0
    ) -> AsyncGenerator[ClassifiedChunk[Result], None]:
        """Read and classify songs on all cores, and yield the chunks in order.

        Args:
            source: the songs; no thread reads it after the generator ends or is closed.
            pack: called with each chunk's songs, in the thread that classified them.
            first_ordinal: index in the batch of the first song.

        Raises:
            InvalidSongFileError, TooManyRowsError: see `SongFile.chunks`.
        """
        chunks, lock = _positioned(source, first_ordinal), threading.Lock()
        running: set[asyncio.Future[tuple[int, ClassifiedChunk[Result]] | None]] = set()
        ready: dict[int, ClassifiedChunk[Result]] = {}
        due = 0
        at_end = False
        try:
            while True:
                chunk = ready.pop(due, None)
                # Start more before yielding, so that no thread idles while the caller stores the chunk.
                # Count finished chunks, too; otherwise they would pile up behind a slow one.
                while not at_end and len(running) + len(ready) < self.threads:
                    running.add(self.run(self._classify_next, chunks, lock, pack))
                if chunk is not None:
                    yield chunk
                    due += 1
                    continue
                if not running:
                    return
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                running |= done  # the finally block must also await these
                for future in done:
                    classified = await future
                    running.discard(future)
                    if classified is None:
                        at_end = True
                    else:
                        ready[classified[0]] = classified[1]
        finally:
            # The upload is closed when the request ends, so no thread may still read it then.
            await asyncio.gather(*running, return_exceptions=True)

    def _classify_next(
        self, chunks: Iterator[_ReadChunk], lock: threading.Lock, pack: Callable[[SongPart], Result]
    ) -> tuple[int, ClassifiedChunk[Result]] | None:
        with step("read"), lock:
            chunk = next(chunks, None)
        if chunk is None:
            return None
        index, songs, first_ordinal, state = chunk
        # With several chunks, each core classifies its own; a single chunk is shared among the cores.
        is_only_chunk = index == 0 and len(songs) < CHUNK_ROWS
        part, drift = self._classify(songs, first_ordinal, self.threads if is_only_chunk else 1)
        return index, ClassifiedChunk(pack(part), drift, state)

    def _classify(self, songs: Songs, ordinal: int, threads: int) -> tuple[SongPart, Drift]:
        with step("classify"):
            prediction = self.ensemble.classify(songs, threads=threads)
        part = SongPart(ordinal, songs.track_ids, songs.titles, prediction.probabilities, songs)
        self._metrics.record_songs(self.ensemble.genres, part.best, part.confidences)
        outside = by_group(prediction.songs_outside)
        self._metrics.record_drift(outside)
        return part, Counter({SONGS: len(songs), **outside})


def _positioned(source: SongSource, ordinal: int) -> Iterator[_ReadChunk]:
    """Yield the chunks of a source with their positions."""
    for index, songs in enumerate(source.chunks()):
        yield index, songs, ordinal, source.state
        ordinal += len(songs)
