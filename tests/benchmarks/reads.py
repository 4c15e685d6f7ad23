"""How fast reads are answered, beside what else could answer them.

    python -m tests.benchmarks.reads [--markdown] [--songs N] [--sizes N,N] [--turns N] [--seconds N]

All answer the same queries from one database, with 8 connections to each in turn: the service as it is
shipped, with its defaults, and without its cache; the floor, which is Starlette, asyncpg and orjson with
the same SQL and no GraphQL; plain Strawberry; and, if npm is installed, mercurius and graphql-yoga on Node. A
share of the floor is of one turn, so that whatever else the machine does meets all alike.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table

from app.database.migrate import migrate
from app.local_postgres.server import EmbeddedPostgres
from tests.benchmarks.contenders import (
    CONNECTIONS,
    FLOOR,
    FLOOR_TOGETHER,
    SERVICE,
    TIMES_ONE_PROCESS,
    UNCACHED,
    Server,
    Turn,
    names_here,
    servers,
)
from tests.benchmarks.growth import NTH_OF_GENRE, cursor_behind, store

GENRE: Final = "classic pop and rock"

PAGE: Final = """query ($genre: String!, $first: Int!, $after: String) {
  songs(genre: $genre, first: $first, after: $after) {
    edges { cursor node { trackId title confidence genre { name } } } pageInfo { hasNextPage endCursor }
  }
}"""

MANY_CONNECTIONS: Final = 200
ALONE: Final = "alone: "
"""Before the names of requests that one connection sends."""


@dataclass(frozen=True)
class Measure:
    """How services are measured: how many turns each has, and how many seconds each lasts."""

    turns: int
    seconds: float


Turns = dict[tuple[str, str], list[Turn]]
"""By request and name of the service."""


def body_of(query: str, variables: Mapping[str, object] | None = None) -> bytes:
    """Return the body of a request."""
    return json.dumps({"query": query, "variables": variables}).encode()


def requests_of(database_url: str, songs: int) -> dict[str, bytes]:
    """Return the body of each request: genres, a first page, and one behind nine tenths of its genre."""
    deep = asyncio.run(cursor_behind(database_url, songs * 9 // 60, NTH_OF_GENRE))
    first = {"genre": GENRE, "first": 100}
    return {
        "genres": body_of("{ genres { name songCount } }"),
        "first page": body_of(PAGE, first),
        "deep page": body_of(PAGE, {**first, "after": deep}),
    }


ALONE_REQUESTS: Final = {
    f"{ALONE}genres": body_of("{ genres { name songCount } }"),
    f"{ALONE}page of 1,000": body_of(PAGE, {"genre": GENRE, "first": 1_000}),
}


def check_answers(running: Iterable[Server], bodies: Mapping[str, bytes]) -> None:
    """Make sure that all but the floor, which knows no GraphQL, give the same answers, cached ones too.

    Raises:
        RuntimeError: one does not.
    """
    first, *others = (server for server in running if server.name not in {FLOOR, FLOOR_TOGETHER})
    for request, body in bodies.items():
        expected = first.ask(body)
        if "errors" in expected:
            raise RuntimeError(f"{request}: {expected['errors']}")
        for other in others * 3:
            if other.ask(body) != expected:
                raise RuntimeError(f"{request}: {other.name} gives another answer than {first.name}")


def measure(running: list[Server], bodies: Mapping[str, bytes], how: Measure) -> Turns:
    """Let the services take turns; the first turn fills caches and does not count."""
    taken: Turns = {(request, server.name): [] for request in bodies for server in running}
    for number in range(how.turns + 1):
        for request, body in bodies.items():
            for server in running:
                connections = 1 if request.startswith(ALONE) else CONNECTIONS
                turn = server.turn(body, how.seconds if number else min(how.seconds, 1), connections)
                if number:
                    taken[request, server.name].append(turn)
    return taken


def compared(taken: Turns) -> Iterator[tuple[str, ...]]:
    """Give the rows of the table of services."""
    for (request, name), turns in taken.items():
        floors = taken[request, FLOOR]
        per_second = [turn.load.per_second for turn in turns]
        shares = [mine / floor.load.per_second for mine, floor in zip(per_second, floors, strict=True)]
        cheap = [floor.cpu / turn.cpu for turn, floor in zip(turns, floors, strict=True)]
        p50, p99 = (statistics.median(turn.load.percentile(n) for turn in turns) for n in (50, 99))
        yield (
            request,
            name,
            f"{statistics.median(per_second):,.0f}",
            f"{statistics.median(shares):.2f}",
            f"{p50 * 1000:.1f} ms",
            f"{p99 * 1000:.1f} ms",
            f"{p99 / p50:.1f}",
            f"{statistics.median(turn.cpu for turn in turns) * 1000:.2f} ms",
            f"{statistics.median(cheap):.2f}",
        )


def times_one_process(taken: Turns) -> Iterator[str]:
    """Give what two processes answer, in times what one does: ours and the floor, for each request.

    On two cores it is at most twice the service's share of all processor time: the client and PostgreSQL take
    the rest, which is more for a service that works less.
    """
    for request, name in taken:
        if name in TIMES_ONE_PROCESS:
            twos, ones = taken[request, name], taken[request, TIMES_ONE_PROCESS[name]]
            pairs = zip(twos, ones, strict=True)
            times = statistics.median(two.load.per_second / one.load.per_second for two, one in pairs)
            most = 2 * statistics.median(one.cpu / (one.cpu + one.others) for one in ones)
            yield f"{request} {times:.2f} of at most {most:.2f} ({name})"


def many_connections(server: Server, body: bytes, seconds: float) -> str:
    """Put many connections on a service, and return what came of it."""
    try:
        server.turn(body, max(1, seconds / 6), MANY_CONNECTIONS)
        before = server.memory()
        turn = server.turn(body, seconds, MANY_CONNECTIONS)
    except RuntimeError as error:
        return f"{MANY_CONNECTIONS} connections for {seconds:g} seconds: {error}."
    return (
        f"{MANY_CONNECTIONS} connections for {seconds:g} seconds, first page, {server.name}: "
        f"{len(turn.load.latencies):,} answers, none failed, {turn.load.per_second:,.0f} a second, "
        f"p50 {turn.load.percentile(50) * 1000:.0f} ms, p99 {turn.load.percentile(99) * 1000:.0f} ms, "
        f"memory {before:.0f} MiB before and {server.memory():.0f} MiB after."
    )


@contextmanager
def filled(songs: int) -> Iterator[tuple[Path, str]]:
    """Make a database of so many songs; gives a folder, and the database's URL."""
    with TemporaryDirectory(prefix="genregraph-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with EmbeddedPostgres(folder, settings={"max_wal_size": "8GB"}) as database_url:
            migrate(database_url)
            asyncio.run(store(database_url, songs, searchable=False))
            yield folder / "unused", database_url


def at_size(songs: int, how: Measure) -> Iterator[tuple[str, ...]]:
    """Measure the floor and the service without its cache among so many songs; gives rows of a table."""
    with filled(songs) as (folder, database_url):
        bodies = requests_of(database_url, songs)
        with servers(folder, database_url, [FLOOR, UNCACHED]) as running:
            taken = measure(running, bodies, how)
    for row in compared(taken):
        yield (f"{songs:,}", *row)


COLUMNS: Final = (
    "request",
    "service",
    "per second",
    "of the floor",
    "p50",
    "p99",
    "p99 ÷ p50",
    "CPU each",
    "of the floor by CPU",
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure reads beside their peers.")
    parser.add_argument("--songs", type=int, default=1_000_000, help="how many all services answer from")
    parser.add_argument("--sizes", default="10000,10000000", help="further numbers of songs; may be ''")
    parser.add_argument("--turns", type=int, default=5, help="of each service with each request")
    parser.add_argument("--seconds", type=float, default=2, help="how long a turn lasts")
    parser.add_argument("--minute", type=float, default=60, help="seconds of 200 connections")
    parser.add_argument("--markdown", action="store_true", help="print tables as Markdown")
    wanted = parser.parse_args()
    how, console = Measure(wanted.turns, wanted.seconds), Console(width=200)
    style = box.MARKDOWN if wanted.markdown else box.HEAVY_HEAD
    services, growth = Table(*COLUMNS, box=style), Table("songs", *COLUMNS, box=style)
    with filled(wanted.songs) as (folder, database_url):
        bodies = requests_of(database_url, wanted.songs)
        with servers(folder, database_url, names_here()) as running:
            check_answers(running, bodies)
            taken = measure(running, bodies, how)
            ours = [server for server in running if server.name in {FLOOR, SERVICE, UNCACHED}]
            alone = measure(ours, ALONE_REQUESTS, Measure(how.turns, how.seconds / 2))
            for row in (*compared(taken), *compared(alone)):
                services.add_row(*row)
                if row[1] in {FLOOR, UNCACHED} and not row[0].startswith(ALONE):
                    growth.add_row(f"{wanted.songs:,}", *row)
            console.print(services)
            console.print(
                f"{wanted.songs:,} songs, {CONNECTIONS} connections (alone: 1), medians of {how.turns} turns "
                f"of {how.seconds:g} seconds (alone: half as long)."
            )
            console.print(f"Two processes, times one: {', '.join(times_one_process(taken))}.")
            for server in ours[1:]:
                console.print(many_connections(server, bodies["first page"], wanted.minute))
    for size in filter(None, wanted.sizes.split(",")):
        for row in at_size(int(size), how):
            growth.add_row(*row)
    console.print(growth)


if __name__ == "__main__":
    main()
