"""Measure queries with ten thousand, a million and ten million stored songs.

    python -m tests.benchmarks.growth [SONGS…]

The queries go over HTTP to a service per database, which caches no responses. The services take turns, and
each figure is a median with its ratio to that of the smallest database.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from tests.benchmarks.service import service
from tests.benchmarks.stored_songs import (
    GENRE,
    NTH,
    NTH_BY_CONFIDENCE,
    NTH_OF_GENRE,
    cursor_after,
    filled_database,
)
from tests.support.client import ApiClient

SIZES = (10_000, 1_000_000, 10_000_000)
DEEP = 1_000_000
"""A deep page starts after this many songs, or after nine tenths of them if there are fewer."""

ROUNDS = 100
WARM_UP = 5

GENRES = "{ genres { name songCount } }"
PAGE = "query ($after: String) { songs(first: 50, after: $after) { nodes { trackId title genre { name } } } }"
PAGE_OF_GENRE = PAGE.replace("first: 50", f'genre: "{GENRE}", first: 50')
PAGE_BY_CONFIDENCE = PAGE.replace("first: 50", "orderBy: CONFIDENCE, first: 50")


@dataclass
class Target:
    """A service on a filled database, the cursors of its deep pages, and the latencies measured."""

    api: ApiClient
    deep: str
    deep_of_genre: str
    deep_by_confidence: str
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def measure(self) -> None:
        """Measure each query once."""
        self._measure("genres", GENRES)
        self._measure("songs, first page", PAGE)
        self._measure("songs, deep page", PAGE, after=self.deep)
        self._measure("songs of a genre, first page", PAGE_OF_GENRE)
        self._measure("songs of a genre, deep page", PAGE_OF_GENRE, after=self.deep_of_genre)
        self._measure("songs by confidence, first page", PAGE_BY_CONFIDENCE)
        self._measure("songs by confidence, deep page", PAGE_BY_CONFIDENCE, after=self.deep_by_confidence)

    def _measure(self, name: str, query: str, **variables: str) -> None:
        before = time.perf_counter()
        self.api.execute(query, **variables)
        self.seconds.setdefault(name, []).append(time.perf_counter() - before)

    def median(self, name: str) -> float:
        """Return the median latency of a query, without the warm-up."""
        return statistics.median(self.seconds[name][WARM_UP:])


@contextmanager
def target(songs: int) -> Iterator[Target]:
    """Fill a database and serve it."""
    settings = {"GENREGRAPH_ANSWER_CACHE_BYTES": "0"}
    with (
        filled_database(songs) as database_url,
        service(database_url=database_url, settings=settings) as (url, _),
        ApiClient(url) as api,
    ):
        skipped = min(DEEP, songs * 9 // 10)
        yield Target(
            api,
            deep=cursor_after(database_url, skipped, NTH),
            deep_of_genre=cursor_after(database_url, min(DEEP, songs * 9 // 60), NTH_OF_GENRE),
            deep_by_confidence=cursor_after(database_url, skipped, NTH_BY_CONFIDENCE, "CONFIDENCE"),
        )


def main() -> None:
    """Measure and print."""
    sizes = [int(text) for text in sys.argv[1:]] or SIZES
    with ExitStack() as stack:
        targets = [stack.enter_context(target(size)) for size in sizes]
        for _ in range(WARM_UP + ROUNDS):
            for one in targets:
                one.measure()
    table = Table("query", *(f"{size:,} songs" for size in sizes))
    for query in targets[0].seconds:
        smallest = targets[0].median(query)
        medians = [one.median(query) for one in targets]
        table.add_row(query, *(f"{median * 1000:.2f} ms ({median / smallest:.2f})" for median in medians))
    for kind in ("songs", "songs of a genre", "songs by confidence"):
        ratios = [one.median(f"{kind}, deep page") / one.median(f"{kind}, first page") for one in targets]
        table.add_row(f"{kind}: deep page to first", *(f"{ratio:.2f}" for ratio in ratios))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
