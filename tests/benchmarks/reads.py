"""Measure queries against the service and against peers.

    python -m tests.benchmarks.reads [--markdown] [--songs N] [--sizes N,N] [--rounds N] [--seconds N]

All servers respond to the same queries from one database, with 8 connections each: the service with its
defaults, and without its cache; the floor, which is Starlette, asyncpg and orjson with the same SQL and no
GraphQL; plain Strawberry; and, if npm is installed, mercurius and graphql-yoga on Node. The servers take
turns, and ratios are relative to the floor in the same round.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table

from tests.benchmarks.servers import (
    CONNECTIONS,
    FLOOR,
    FLOOR_2,
    SERVICE,
    SINGLE_PROCESS,
    UNCACHED,
    Round,
    Server,
    available_names,
    running_servers,
)
from tests.benchmarks.stored_songs import GENRE, cursor_after, filled_database

PAGE: Final = """query ($genre: String!, $first: Int!, $after: String) {
  songs(genre: $genre, first: $first, after: $after) {
    edges { cursor node { trackId title confidence genre { name } } } pageInfo { hasNextPage endCursor }
  }
}"""

MANY_CONNECTIONS: Final = 200
ALONE: Final = "alone: "
"""Prefix of the requests that are sent over one connection."""

Rounds = dict[tuple[str, str], list[Round]]
"""By name of the request and of the server."""


def body_of(query: str, **variables: object) -> bytes:
    """Return the body of a request."""
    return json.dumps({"query": query, "variables": variables}).encode()


GENRES_BODY: Final = body_of("{ genres { name songCount } }")
FIRST_PAGE_BODY: Final = body_of(PAGE, genre=GENRE, first=100)
LARGE_PAGE_BODY: Final = body_of(PAGE, genre=GENRE, first=1_000)
ALONE_BODIES: Final = {f"{ALONE}genres": GENRES_BODY, f"{ALONE}page of 1,000": LARGE_PAGE_BODY}


def request_bodies(database_url: str, songs: int) -> dict[str, bytes]:
    """Return the body of each request: genres, pages at the start of a genre, and one after 90 % of it."""
    deep = cursor_after(database_url, songs * 9 // 60)
    return {
        "genres": GENRES_BODY,
        "first page": FIRST_PAGE_BODY,
        "deep page": body_of(PAGE, genre=GENRE, first=100, after=deep),
        "page of 1,000": LARGE_PAGE_BODY,
    }


def check_responses(servers: Iterable[Server], bodies: Mapping[str, bytes]) -> None:
    """Check that all servers except for the floor return the same, also from their caches.

    Raises:
        RuntimeError: a response has errors or is different.
    """
    first, *others = (server for server in servers if server.name not in {FLOOR, FLOOR_2})
    for request, body in bodies.items():
        expected = first.send(body)
        if "errors" in expected:
            raise RuntimeError(f"{request}: {expected['errors']}")
        for other in others * 3:
            if other.send(body) != expected:
                raise RuntimeError(f"{request}: {other.name} and {first.name} return different responses")


def measure(servers: list[Server], bodies: Mapping[str, bytes], rounds: int, seconds: float) -> Rounds:
    """Measure the servers alternately; a first, shorter round fills caches and does not count."""
    measured: Rounds = {(request, server.name): [] for request in bodies for server in servers}
    for number in range(rounds + 1):
        for request, body in bodies.items():
            connections = 1 if request.startswith(ALONE) else CONNECTIONS
            for server in servers:
                one = server.measure(body, seconds if number else min(seconds, 1), connections)
                if number:
                    measured[request, server.name].append(one)
    return measured


COLUMNS: Final = (
    *("request", "service", "per second", "of the floor"),
    *("p50", "p99", "p99 ÷ p50", "CPU per response", "of the floor by CPU"),
)


def rows_of(measured: Rounds) -> Iterator[tuple[str, ...]]:
    """Yield the rows of the table."""
    for (request, name), rounds in measured.items():
        pairs = list(zip(rounds, measured[request, FLOOR], strict=True))
        p50, p99 = (statistics.median(one.load.percentile(n) for one in rounds) for n in (50, 99))
        yield (
            request,
            name,
            f"{statistics.median(one.load.throughput for one in rounds):,.0f}",
            f"{statistics.median(one.load.throughput / floor.load.throughput for one, floor in pairs):.2f}",
            f"{p50 * 1000:.1f} ms",
            f"{p99 * 1000:.1f} ms",
            f"{p99 / p50:.1f}",
            f"{statistics.median(one.cpu for one in rounds) * 1000:.2f} ms",
            f"{statistics.median(floor.cpu / one.cpu for one, floor in pairs):.2f}",
        )


def scaling(measured: Rounds) -> Iterator[str]:
    """Yield the throughput of two processes relative to one, for the service and the floor.

    On two cores the maximum is twice the server's share of all CPU time, because the client and PostgreSQL
    use the rest. CPU time per response tells what two cores without them would give.
    """
    for request, name in measured:
        if name in SINGLE_PROCESS:
            singles = measured[request, SINGLE_PROCESS[name]]
            pairs = list(zip(measured[request, name], singles, strict=True))
            ratio = statistics.median(two.load.throughput / one.load.throughput for two, one in pairs)
            limit = 2 * statistics.median(one.cpu / (one.cpu + one.other_cpu) for one in singles)
            own_cores = 2 * statistics.median(one.cpu / two.cpu for two, one in pairs)
            yield f"{request} {ratio:.2f} of at most {limit:.2f}, by CPU time {own_cores:.2f} ({name})"


def many_connections(server: Server, seconds: float) -> str:
    """Put load with many connections on a server, and return a summary."""
    title = f"{MANY_CONNECTIONS} connections for {seconds:g} seconds, first page, {server.name}: "
    try:
        server.measure(FIRST_PAGE_BODY, max(1, seconds / 6), MANY_CONNECTIONS)
        before = server.memory()
        load = server.measure(FIRST_PAGE_BODY, seconds, MANY_CONNECTIONS).load
    except RuntimeError as error:
        return f"{title}{error}."
    return (
        f"{title}{len(load.latencies):,} responses, none failed, {load.throughput:,.0f} per second, "
        f"p50 {load.percentile(50) * 1000:.0f} ms, p99 {load.percentile(99) * 1000:.0f} ms, "
        f"memory {before:.0f} MiB before and {server.memory():.0f} MiB after."
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure queries against the service and against peers.")
    parser.add_argument("--songs", type=int, default=1_000_000, help="number of songs for all servers")
    parser.add_argument("--sizes", default="10000,10000000", help="further numbers of songs; may be ''")
    parser.add_argument("--rounds", type=int, default=5, help="rounds per server and request")
    parser.add_argument("--seconds", type=float, default=2, help="duration of a round")
    parser.add_argument("--minute", type=float, default=60, help="duration of the load by 200 connections")
    parser.add_argument("--markdown", action="store_true", help="print tables as Markdown")
    options = parser.parse_args()
    rounds, seconds = options.rounds, options.seconds
    console = Console(width=200)
    style = box.MARKDOWN if options.markdown else box.HEAVY_HEAD
    services, growth = Table(*COLUMNS, box=style), Table("songs", *COLUMNS, box=style)
    with (
        filled_database(options.songs) as database_url,
        running_servers(database_url, available_names()) as servers,
    ):
        bodies = request_bodies(database_url, options.songs)
        check_responses(servers, bodies)
        measured = measure(servers, bodies, rounds, seconds)
        some = [server for server in servers if server.name in {FLOOR, SERVICE, UNCACHED}]
        alone = measure(some, ALONE_BODIES, rounds, seconds / 2)
        for row in rows_of(measured | alone):
            services.add_row(*row)
            if row[1] in {FLOOR, UNCACHED} and not row[0].startswith(ALONE):
                growth.add_row(f"{options.songs:,}", *row)
        console.print(services)
        console.print(
            f"{options.songs:,} songs, {CONNECTIONS} connections (alone: 1), medians of {rounds} rounds "
            f"of {seconds:g} seconds (alone: half as long)."
        )
        console.print(f"Two processes relative to one: {'; '.join(scaling(measured))}.")
        for server in some[1:]:
            console.print(many_connections(server, options.minute))
    for size in map(int, filter(None, options.sizes.split(","))):
        with (
            filled_database(size) as database_url,
            running_servers(database_url, [FLOOR, UNCACHED]) as servers,
        ):
            for row in rows_of(measure(servers, request_bodies(database_url, size), rounds, seconds)):
                growth.add_row(f"{size:,}", *row)
    console.print(growth)


if __name__ == "__main__":
    main()
