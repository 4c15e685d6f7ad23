from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import aclosing
from types import SimpleNamespace

from app import resource
from app.batches.classifier import SongClassifier
from app.observability.metrics import Metrics
from ml.model.artifact import load_ensemble
from ml.songs.contract import Songs
from tests.support.songs import songs

CHUNKS = 3


class WatchedSource:
    """Songs in chunks, with an event for each that is set when it is read."""

    state = SimpleNamespace(rows=0, to_json=dict)

    def __init__(self) -> None:
        self.read = [threading.Event() for _ in range(CHUNKS)]

    def chunks(self) -> Iterator[Songs]:
        for seed, read in enumerate(self.read):
            read.set()
            yield songs(2, seed)


def test_the_next_chunk_is_classified_while_the_caller_stores_one() -> None:
    # given
    source = WatchedSource()
    classifier = SongClassifier(load_ensemble(resource("model")), Metrics(), threads=1)

    async def next_was_read() -> list[bool]:
        read = []
        async with aclosing(classifier.classify_all(source, lambda part: part.first_ordinal)) as chunks:
            async for chunk in chunks:
                following = chunk.packed // 2 + 1
                if following < CHUNKS:
                    read.append(await asyncio.to_thread(source.read[following].wait, 10))
        return read

    # when each chunk is held until the next one is read
    read = asyncio.run(next_was_read())
    classifier.close()
    # then
    assert read == [True, True]
