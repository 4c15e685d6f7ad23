"""What queries cost among ten thousand, a million and ten million stored songs.

    python -m tests.benchmarks.growth [SONGS…]

Songs are made inside the database, with the shipped model's genres; the queries go over HTTP to a service of
its own, which caches no answers. Every figure is the median of many turns in one run, and the ratios are to
the smallest database's.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg
from rich.console import Console
from rich.table import Table

from app.catalogue.paging import encode_cursor
from app.database.migrate import migrate
from app.local_postgres.server import EmbeddedPostgres
from tests.benchmarks.service import service
from tests.support.client import ApiClient

SIZES = (10_000, 1_000_000, 10_000_000)
DEEP = 1_000_000
"""How many songs are before the deep page; among fewer, nine tenths of them."""

TURNS = 100
WARM_UP = 5

GENRES = "{ genres { name songCount } }"
PAGE = "query ($after: String) { songs(first: 50, after: $after) { nodes { trackId title genre { name } } } }"
PAGE_OF_GENRE = PAGE.replace("first: 50", 'genre: "classic pop and rock", first: 50')
PAGE_BY_CONFIDENCE = PAGE.replace("first: 50", "orderBy: CONFIDENCE, first: 50")

NTH = "SELECT title, track_id FROM songs ORDER BY title, track_id OFFSET $1 LIMIT 1"
NTH_BY_CONFIDENCE = NTH.replace("title", "confidence")
NTH_OF_GENRE = NTH.replace("ORDER", "WHERE genre = 'classic pop and rock' ORDER")

STORE = """
    INSERT INTO songs (track_id, title, title_folded, predicted_genre, confidence, confident,
                       probabilities, model_version, batch_id, classified_at)
    SELECT n, title, lower(title),
           (ARRAY['classic pop and rock', 'folk', 'metal', 'pop', 'punk', 'soul and reggae'])[1 + n % 6],
           abs(hashint8(n)) / 2147483648.0, true, ARRAY[0.5, 0.1, 0.1, 0.1, 0.1, 0.1], 'v', $3, now()
    FROM (
        SELECT n, 'Song ' || md5(n::text) AS title FROM generate_series($1::bigint, $2::bigint) AS n
    ) AS made
"""


async def store(database_url: str, songs: int, *, searchable: bool = True) -> None:
    """Fill the empty table of songs: the indexes are built afterwards, as that is quicker.

    Args:
        database_url: where to.
        songs: number of songs.
        searchable: whether titles can be searched; that index takes longer than all others.
    """
    connection = await asyncpg.connect(database_url)
    indexes = await connection.fetch(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'songs' AND indexname <> 'pk_songs'"
    )
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['indexname']}")
    batch_id = uuid.uuid4()
    step = 500_000
    for first in range(1, songs + 1, step):
        await connection.execute(STORE, first, min(first + step - 1, songs), batch_id)
    await connection.execute("SET maintenance_work_mem = '1GB'")
    for index in indexes:
        if searchable or "gin" not in index["indexdef"]:
            await connection.execute(index["indexdef"])
    await connection.execute("VACUUM ANALYZE songs")
    await connection.close()


async def cursor_behind(database_url: str, songs: int, query: str, order: str = "TITLE") -> str:
    """Return the cursor of the song with so many before it in the list that a query gives."""
    connection = await asyncpg.connect(database_url)
    row = await connection.fetchrow(query, songs)
    await connection.close()
    assert row is not None
    return encode_cursor(order, *map(str, row))


@dataclass
class Filled:
    """A service on a database of so many songs, and where its deep pages start."""

    api: ApiClient
    deep: str
    deep_of_genre: str
    deep_by_confidence: str
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def ask(self, name: str, query: str, **variables: str) -> None:
        """Ask once, and remember how long it took."""
        before = time.perf_counter()
        self.api.execute(query, **variables)
        self.seconds.setdefault(name, []).append(time.perf_counter() - before)

    def ask_everything(self) -> None:
        """Ask each question once."""
        self.ask("genres", GENRES)
        self.ask("songs, first page", PAGE)
        self.ask("songs, deep page", PAGE, after=self.deep)
        self.ask("songs of a genre, first page", PAGE_OF_GENRE)
        self.ask("songs of a genre, deep page", PAGE_OF_GENRE, after=self.deep_of_genre)
        self.ask("songs by confidence, first page", PAGE_BY_CONFIDENCE)
        self.ask("songs by confidence, deep page", PAGE_BY_CONFIDENCE, after=self.deep_by_confidence)

    def median(self, name: str) -> float:
        """Return the median answer time, without the first turns, which fill caches."""
        return statistics.median(self.seconds[name][WARM_UP:])


@contextmanager
def filled(songs: int) -> Iterator[Filled]:
    """Make a database of so many songs and serve it."""
    with TemporaryDirectory(prefix="genregraph-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with EmbeddedPostgres(folder, settings={"max_wal_size": "8GB"}) as database_url:
            migrate(database_url)
            asyncio.run(store(database_url, songs))
            place = min(DEEP, songs * 9 // 10)
            deep = asyncio.run(cursor_behind(database_url, place, NTH))
            by_confidence = asyncio.run(cursor_behind(database_url, place, NTH_BY_CONFIDENCE, "CONFIDENCE"))
            deep_of_genre = asyncio.run(cursor_behind(database_url, min(DEEP, songs * 9 // 60), NTH_OF_GENRE))
            with (
                service(folder / "unused", database_url, settings={"GENREGRAPH_ANSWER_CACHE_BYTES": "0"}) as (
                    url,
                    _,
                ),
                ApiClient(url) as api,
            ):
                yield Filled(api, deep, deep_of_genre, by_confidence)


def main() -> None:
    """Measure and print."""
    sizes = [int(text) for text in sys.argv[1:]] or SIZES
    with ExitStack() as stack:
        services = [stack.enter_context(filled(size)) for size in sizes]
        # They take turns, so that whatever else the machine does meets all alike.
        for _ in range(WARM_UP + TURNS):
            for one in services:
                one.ask_everything()
    table = Table("query", *(f"{size:,} songs" for size in sizes))
    for query in services[0].seconds:
        smallest = services[0].median(query)
        medians = [one.median(query) for one in services]
        table.add_row(query, *(f"{median * 1000:.2f} ms ({median / smallest:.2f})" for median in medians))
    for kind in ("songs", "songs of a genre", "songs by confidence"):
        pages = [(one.median(f"{kind}, deep page"), one.median(f"{kind}, first page")) for one in services]
        table.add_row(f"{kind}: deep page to first", *(f"{deep / first:.2f}" for deep, first in pages))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
