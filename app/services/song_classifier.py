"""Classifying songs on all cores: CPU work on threads, so that the event loop keeps answering."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from app.metrics.metrics import Metrics
from app.repositories.songs import StagedSong, fold
from app.services.drift import Drift, drift_of
from ml.drift import FeatureGroup, by_group
from ml.ensemble import Ensemble
from ml.song_file import SongFile, SongFileState
from ml.songs import Songs

CHUNK_ROWS = 2_000
"""Songs that are read, classified and written together: enough to be quick, few enough to be small."""

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class ClassifiedChunk:
    """Some songs of a file.

    Attributes:
        songs: the songs, in the order of the file.
        drift: how many of them are outside the range of training.
        state: how far the file was read when they had been.
    """

    songs: list[StagedSong]
    drift: Drift
    state: SongFileState


class SongClassifier:
    """Reads and classifies songs with one model.

    Threads, not processes: pandas, numpy and LightGBM let go of the interpreter's lock while they work
    (`docs/performance.md` has the comparison).
    """

    def __init__(self, ensemble: Ensemble, metrics: Metrics) -> None:
        """Start the threads.

        Args:
            ensemble: the model.
            metrics: where songs are counted.
        """
        self.ensemble = ensemble
        self._metrics = metrics
        metrics.note_drift(
            by_group(np.zeros(len(FeatureGroup), np.int64))
        )  # rates can be told from the start
        self.threads = os.cpu_count() or 1
        self._executor = ThreadPoolExecutor(self.threads, thread_name_prefix="classify")

    @property
    def model_version(self) -> str:
        """The version of the model."""
        return self.ensemble.manifest.model_version

    def close(self) -> None:
        """Let running work end and free the threads."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def run(self, work: Callable[..., Result], *arguments: object) -> asyncio.Future[Result]:
        """Do CPU work on one of the threads."""
        return asyncio.get_running_loop().run_in_executor(self._executor, work, *arguments)

    async def classify(self, songs: Songs) -> tuple[list[StagedSong], Drift]:
        """Classify songs that came together; tell, too, how many are outside the range of training."""
        return await self.run(self._classify, songs, 0, self.threads)

    async def classify_file(
        self, song_file: SongFile, *, first_ordinal: int = 0
    ) -> AsyncGenerator[ClassifiedChunk, None]:
        """Read and classify a file on all cores; its chunks come in order.

        Args:
            song_file: the file; when this ends or is closed, no thread reads it any more.
            first_ordinal: the place in the batch of the first song that is read.

        Raises:
            InvalidSongFileError, TooManyRowsError: see `SongFile.chunks`.
        """
        reader = _ChunkReader(song_file, first_ordinal)
        running: set[asyncio.Future[tuple[int, ClassifiedChunk] | None]] = set()
        ready: dict[int, ClassifiedChunk] = {}
        due = 0
        at_end = False
        try:
            while True:
                # Chunks that wait for an earlier one count too, or a slow one would let them pile up.
                while not at_end and len(running) + len(ready) < self.threads:
                    running.add(self.run(self._classify_next, reader))
                if due in ready:
                    yield ready.pop(due)
                    due += 1
                    continue
                if not running:
                    return
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                running |= done  # until looked at, so that the last lines wait for them as well
                for future in done:
                    classified = await future
                    running.discard(future)
                    if classified is None:
                        at_end = True
                    else:
                        ready[classified[0]] = classified[1]
        finally:
            # The upload is closed when the request ends: no thread may still be reading it then.
            await asyncio.gather(*running, return_exceptions=True)

    def _classify_next(self, reader: _ChunkReader) -> tuple[int, ClassifiedChunk] | None:
        read = reader.next()
        if read is None:
            return None
        # Chunks of a larger file keep the other cores busy; a small file has one to share among them.
        threads = self.threads if read.is_whole_file else 1
        songs, drift = self._classify(read.songs, read.ordinal, threads)
        return read.index, ClassifiedChunk(songs, drift, read.state)

    def _classify(self, songs: Songs, ordinal: int, threads: int) -> tuple[list[StagedSong], Drift]:
        prediction = self.ensemble.classify(songs, threads=threads)
        probabilities = prediction.probabilities
        best = probabilities.argmax(axis=1)
        confidences = probabilities[np.arange(len(songs)), best]
        self._metrics.note_songs(self.ensemble.genres, best, confidences)
        outside = by_group(prediction.songs_outside)
        self._metrics.note_drift(outside)
        genres = [self.ensemble.genres[index] for index in best.tolist()]
        staged = list(
            zip(
                range(ordinal, ordinal + len(songs)),
                songs.track_ids.tolist(),
                songs.titles,
                map(fold, songs.titles),
                genres,
                confidences.tolist(),
                probabilities.tolist(),
                strict=True,
            )
        )
        return staged, drift_of(len(songs), outside)


@dataclass(frozen=True, slots=True)
class _ReadChunk:
    index: int
    songs: Songs
    ordinal: int
    state: SongFileState

    @property
    def is_whole_file(self) -> bool:
        return self.index == 0 and len(self.songs) < CHUNK_ROWS


class _ChunkReader:
    """Hands the chunks of a file to several threads, one at a time, and tells each its place."""

    def __init__(self, song_file: SongFile, first_ordinal: int) -> None:
        self._song_file = song_file
        self._chunks = song_file.chunks()
        self._lock = threading.Lock()
        self._index = 0
        self._ordinal = first_ordinal

    def next(self) -> _ReadChunk | None:
        with self._lock:
            songs = next(self._chunks, None)
            if songs is None:
                return None
            read = _ReadChunk(self._index, songs, self._ordinal, self._song_file.state)
            self._index += 1
            self._ordinal += len(songs)
        return read
