"""The cache of answers is exact, bounded, and only has answers that are the same for all clients."""

from __future__ import annotations

import asyncio
import gc
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

import pytest
from graphql import GraphQLInterfaceType, GraphQLObjectType
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.catalogue.service import CatalogueVersion
from graphql_schema.answers import SHARED
from graphql_schema.schema import build_schema
from tests.conftest import StartService
from tests.support.catalogue_writer import GENRES, QUERY, Step, write
from tests.support.client import ApiClient
from tests.support.songs import song_csv, song_rows

VERSION = "SELECT version FROM catalogue_version"

steps = st.lists(
    st.tuples(
        st.sampled_from(["store", "retitle", "remove"]),
        st.integers(1, 5),
        st.booleans(),
        st.sampled_from([0.0, 0.001, 0.005]),
    ),
    min_size=5,
    max_size=15,
)


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessPoolExecutor]:
    with ProcessPoolExecutor(len(GENRES), mp_context=get_context("spawn")) as pool:
        yield pool


@contextmanager
def concurrent_queries(urls: list[str]) -> Iterator[None]:
    """Send the queries of the writers concurrently, so that answers are cached at any moment."""
    stopping = threading.Event()

    def read(url: str, genre: str) -> None:
        with ApiClient(url) as api:
            while not stopping.is_set():
                api.execute(QUERY, genre=genre)

    readers = [threading.Thread(target=read, args=(url, genre)) for url in urls for genre in GENRES]
    for reader in readers:
        reader.start()
    try:
        yield
    finally:
        stopping.set()
        for reader in readers:
            reader.join()


# Hypothesis takes the services' threads for a strategy that uses `random`.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
@settings(
    max_examples=settings().max_examples // 15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(plans=st.tuples(steps, steps))
def test_a_cached_answer_is_never_older_than_a_committed_write(
    start_service: StartService,
    urls: list[str],
    database_url: str,
    processes: ProcessPoolExecutor,
    plans: tuple[list[Step], list[Step]],
) -> None:
    # given two services, each with its own cache
    while len(urls) < 2:
        urls.append(start_service().url)
    # when two processes write, each of which knows all songs of its genre
    with concurrent_queries(urls):
        writing = [
            processes.submit(write, database_url, urls, genre, plan) for genre, plan in enumerate(plans)
        ]
        # then every answer has the current songs
        for writer in writing:
            writer.result()


@pytest.fixture
def urls() -> list[str]:
    return []


GENRES_QUERY = "{ genres { name songCount } }"


def test_an_answer_is_cached_from_the_second_request_until_a_write(
    api: ApiClient, statements: list[str]
) -> None:
    # given
    api.classify(song_csv(song_rows(20)))

    def sent(query: str) -> tuple[object, list[str]]:
        statements.clear()
        return api.execute(query), list(statements)

    # when it is repeated
    first, read = sent(GENRES_QUERY)
    second, read_again = sent(GENRES_QUERY)
    third, compared = sent(GENRES_QUERY)
    # then
    assert first == second == third
    assert VERSION not in read
    assert read_again == [VERSION, *read]
    assert compared == [VERSION]
    # when something is written
    api.classify(song_csv(song_rows(30)))
    changed, read_after = sent(GENRES_QUERY)
    # then
    assert changed != first
    assert read_after == [VERSION, *read]
    assert sent(GENRES_QUERY) == (changed, [VERSION])


@pytest.mark.parametrize(
    "query",
    [
        "{ genres { name } batches { nodes { id } } }",
        "{ songs { nodes { trackId batch { id } } } }",
        '{ songs(batchId: "QmF0Y2g6NzM5ZTQwNGItODA2NC00ZTg4LThhNzgtYTI0YzIyMTkyY2Y1") { totalCount } }',
        "{ model { version } }",
        "{ songs { nodes { verification { verifiedBy } } } }",
        "{ songs { ...F } } fragment F on SongConnection { nodes { explanation { text } } }",
    ],
)
def test_only_answers_of_shared_data_are_cached(api: ApiClient, statements: list[str], query: str) -> None:
    for _ in range(3):
        api.post(query)
    assert VERSION not in statements


def test_fields_of_shared_types_are_shared_unless_listed() -> None:
    # given all fields and arguments of the types that can be shared
    types = build_schema()._schema.type_map  # noqa: SLF001 - there is no public accessor
    coordinates = set()
    for name in {coordinate.partition(".")[0] for coordinate in SHARED} - {"Query"}:
        type_ = types[name]
        assert isinstance(type_, GraphQLObjectType | GraphQLInterfaceType)
        for field, definition in type_.fields.items():
            coordinates |= {
                f"{name}.{field}",
                *(f"{name}.{field}({argument}:)" for argument in definition.args),
            }
    # then the others depend on more than songs, counts and models
    assert coordinates - SHARED == {
        "Song.batch",
        "Song.verification",
        "Song.explanation",
        "Song.explanation(first:)",
    }


def test_errors_are_not_cached(api: ApiClient, execute_sql: Callable[[str], None]) -> None:
    query = 'query { songs(genre: "new") { totalCount } }'
    assert [api.errors(query)[0]["extensions"]["code"] for _ in range(3)] == ["UNKNOWN_GENRE"] * 3
    execute_sql("INSERT INTO genre_counts VALUES ('new', 1, 0)")  # without a new version
    assert api.execute(query) == {"songs": {"totalCount": 1}}


def test_answers_are_cached_by_variables_and_operation(api: ApiClient) -> None:
    api.classify(song_csv(song_rows(3)))
    query = "query A($n: Int!) { songs(first: $n) { nodes { trackId } } } query B { genres { songCount } }"
    for _ in range(3):
        for first in (1, 2):
            body = api.post(query, {"n": first}, params={}).json()
            assert body["errors"][0]["extensions"]["code"] == "OPERATION_RESOLUTION_FAILURE"
            answer = api.http.post(
                "/graphql", json={"query": query, "variables": {"n": first}, "operationName": "A"}
            )
            assert len(answer.json()["data"]["songs"]["nodes"]) == first
        answer = api.http.post("/graphql", json={"query": query, "operationName": "B"})
        assert sum(genre["songCount"] for genre in answer.json()["data"]["genres"]) == 3


@pytest.mark.parametrize(("size", "again"), [(0, ["SELECT"]), (5_000, ["SELECT"]), (1_000_000, ["VERSION"])])
def test_the_cache_is_bounded_and_evicts_the_oldest(
    start_service: StartService, statements: list[str], size: int, again: list[str]
) -> None:
    # given a cached answer
    api = start_service(answer_cache_bytes=size)
    for _ in range(3):
        api.execute(GENRES_QUERY)
    # when others are added
    for number in range(20):
        api.execute("query ($n: Int) { songs(first: $n) { totalCount } }", n=number)
    # then it is still cached if there is space
    statements.clear()
    api.execute(GENRES_QUERY)
    assert ["VERSION" if statement == VERSION else "SELECT" for statement in statements] == again


def test_a_cached_answer_is_authenticated_limited_logged_and_counted(start_service: StartService) -> None:
    # given
    api = start_service()
    for _ in range(4):
        api.execute(GENRES_QUERY)
    # then it is counted
    counted = 'genregraph_operations_total{field="genres",outcome="ok",type="query"} 4.0'
    assert counted in api.http.get("/metrics").text
    # and requires credentials
    with ApiClient(api.url, "test", "wrong") as unknown:
        assert unknown.post(GENRES_QUERY).status_code == 401


def test_concurrent_requests_share_one_read_of_the_version() -> None:
    # given a slow database
    async def main() -> list[uuid.UUID | None]:
        sent: asyncio.Queue[asyncio.Future[uuid.UUID | None]] = asyncio.Queue()

        async def read() -> uuid.UUID | None:
            answer: asyncio.Future[uuid.UUID | None] = asyncio.get_running_loop().create_future()
            await sent.put(answer)
            return await answer

        version = CatalogueVersion(read)
        # when two requests arrive, the statement is sent, and a third arrives
        early = [asyncio.create_task(version.current()) for _ in range(2)]
        first = await sent.get()
        late = asyncio.create_task(version.current())
        second = await sent.get()
        for number, statement in enumerate((first, second)):
            statement.set_result(uuid.UUID(int=number))
        return await asyncio.gather(*early, late)

    # then the third gets the result of its own statement
    assert asyncio.run(main()) == [uuid.UUID(int=number) for number in (0, 0, 1)]


def test_a_failed_read_of_the_version_that_no_request_waits_for_is_not_logged() -> None:
    # given
    logged: list[dict[str, object]] = []

    async def read() -> uuid.UUID | None:
        await asyncio.sleep(0.05)
        raise TimeoutError

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))
        version = CatalogueVersion(read)
        # when the only request gives up before the database does
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(version.current(), 0.01)
        await asyncio.sleep(0.1)
        gc.collect()

    asyncio.run(main())
    # then
    assert logged == []
