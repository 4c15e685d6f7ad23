"""Each cell of the permissions table in docs/security.md."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from pydantic import SecretStr
from starlette.routing import Route
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from app.main import create_app
from app.settings import Settings
from graphql_schema.schema import build_schema
from tests.conftest import ExecuteSql, StartService
from tests.support.client import ApiClient, upload_parts
from tests.support.songs import song, song_csv, song_row

PAGE = Path(__file__).parents[2] / "docs" / "security.md"
ROLES = ("nobody", "reader", "writer", "admin")
CLIENTS = "reader:secret:reader,writer:secret,admin:secret:admin,other:secret"


def table() -> dict[str, dict[str, str]]:
    section = PAGE.read_text(encoding="utf-8").partition("## Who may do what")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line.startswith("|")
    ]
    assert tuple(rows[0][1:]) == ROLES
    return {row[0].replace("`", ""): dict(zip(ROLES, row[1:], strict=True)) for row in rows[2:]}


@dataclass
class World:
    """A service with a batch of the role under test and one of another client.

    Attributes:
        client: calls as the role.
        own: `Batch.id` of a batch of the role's client, with the song 1.
        others: `Batch.id` of another client's batch, with the song 2.
    """

    client: ApiClient
    own: str
    others: str


@pytest.fixture
def world(role: str, start_service: StartService, execute_sql: ExecuteSql) -> Iterator[World]:
    # No worker: queued batches stay, to be cancelled.
    url = start_service(clients=SecretStr(CLIENTS), worker_concurrency=0, login_attempts_per_minute=1_000).url
    with ExitStack() as stack:
        other = stack.enter_context(ApiClient(url, "other", "secret"))
        own = other.classify(song_csv([song_row(trackID="1")]))
        execute_sql(f"UPDATE batches SET client_id = '{role}'")  # noqa: S608  (one of ROLES)
        others = other.classify(song_csv([song_row(trackID="2")]))
        client = stack.enter_context(ApiClient(url, role, "secret" if role != "nobody" else "guess"))
        yield World(client, own["id"], others["id"])


Outcome = str
"""401, 404, 4403, FORBIDDEN, or what came: with the other client's batch ("all"), or without ("own")."""


def graphql(world: World, query: str, **variables: Any) -> tuple[Any, Outcome]:
    """Return the data and the problem: a status other than 200, an error's code, or nothing."""
    response = world.client.post(query, variables)
    if response.status_code == 401:
        return None, "401"
    body = response.json()
    codes = [error["extensions"]["code"] for error in body.get("errors", ())]
    return body.get("data"), codes[0] if codes else ""


def stored(field: str) -> Callable[[World], Outcome]:
    """A field about all that is stored."""

    def ask(world: World) -> Outcome:
        data, problem = graphql(world, "{" + field + "}")
        return problem or ("all" if data else "nothing")

    return ask


def of_batch(query: str, found: Callable[[Any], Any]) -> Callable[[World], Outcome]:
    """A field that takes a batch's id."""

    def ask(world: World) -> Outcome:
        data, problem = graphql(world, query, id=world.own)
        if problem:
            return problem
        assert found(data)
        data, problem = graphql(world, query, id=world.others)
        return "own" if problem == "INVALID_ARGUMENT" or not found(data) else "all"

    return ask


def batches(world: World) -> Outcome:
    data, problem = graphql(world, "{ batches { totalCount nodes { id } } }")
    if problem:
        return problem
    ids = {batch["id"] for batch in data["batches"]["nodes"]}
    assert data["batches"]["totalCount"] == len(ids)
    return {frozenset({world.own}): "own", frozenset({world.own, world.others}): "all"}[frozenset(ids)]


def batch_of_song(world: World) -> Outcome:
    query = '{ own: song(trackId: "1") { batch { id } } all: song(trackId: "2") { batch { id } } }'
    data, problem = graphql(world, query)
    if problem:
        return problem
    assert data["own"]["batch"] == {"id": world.own}
    return "all" if data["all"]["batch"] else "own"


def classify_batch(world: World) -> Outcome:
    query = "mutation ($file: Upload!) { classifyBatch(file: $file) { ... on Batch { id } } }"
    response = world.client.multipart(upload_parts(query, song_csv([song_row(trackID="3")])))
    if response.status_code == 403:
        return str(response.json()["errors"][0]["extensions"]["code"])
    if response.status_code == 401:
        return "401"
    return "all" if response.json()["data"]["classifyBatch"]["id"] else "nothing"


def classify_songs(world: World) -> Outcome:
    query = """mutation ($input: ClassifySongsInput!) {
        classifySongs(input: $input) { ... on ClassifiedSongs { songs { trackId } } }
    }"""
    data, problem = graphql(world, query, input={"songs": [song(trackId="3")]})
    return problem or ("all" if data["classifySongs"]["songs"] else "nothing")


def predict_songs(world: World) -> Outcome:
    query = """query ($input: ClassifySongsInput!) {
        predictSongs(input: $input) { ... on PredictedSongs { songs { trackId } } }
    }"""
    data, problem = graphql(world, query, input={"songs": [song(trackId="3")]})
    return problem or ("all" if data["predictSongs"]["songs"] else "nothing")


def verify_songs(world: World) -> Outcome:
    query = """mutation ($input: [VerifiedSongInput!]!) {
        verifySongs(input: $input) { ... on VerifiedSongs { songs { trackId } } }
    }"""
    songs = [{"trackId": "1", "genre": "polka"}, {"trackId": "2", "genre": "polka"}]
    data, problem = graphql(world, query, input=songs)
    return problem or ("all" if len(data["verifySongs"]["songs"]) == 2 else "nothing")


def cancel(world: World) -> Outcome:
    query = "mutation ($id: ID!) { cancelBatch(id: $id) { id } }"
    return of_batch(query, lambda data: data["cancelBatch"])(world)


def reclassify_songs(world: World) -> Outcome:
    data, problem = graphql(world, "mutation { reclassifySongs(all: true) { rowsUploaded } }")
    return problem or {1: "own"}.get(data["reclassifySongs"]["rowsUploaded"], "all")


def delete_songs(world: World) -> Outcome:
    """The songs are by then those of `World`, and perhaps one more."""
    data, problem = graphql(world, 'mutation { deleteSongs(trackIds: ["1", "2"]) { songsDeleted } }')
    return problem or {1: "own", 2: "all"}[data["deleteSongs"]["songsDeleted"]]


def delete_batch(world: World) -> Outcome:
    query = "mutation ($id: ID!) { deleteBatch(id: $id) { songsDeleted } }"
    return of_batch(query, lambda data: data["deleteBatch"])(world)


def follow(world: World) -> Outcome:
    query = "subscription ($id: ID!) { batchProgress(id: $id) { status } }"

    def events(batch: str) -> tuple[int, str]:
        response = world.client.post(query, {"id": batch}, headers={"accept": "text/event-stream"})
        return response.status_code, response.text

    status, own = events(world.own)
    if status == 401:
        return "401"
    assert "SUCCEEDED" in own
    return "all" if "SUCCEEDED" in events(world.others)[1] else "own"


def web_socket(world: World) -> Outcome:
    url = world.client.url.replace("http://", "ws://") + "/graphql"
    headers = world.client.http.headers
    credentials = {name: headers[name] for name in ("client-id", "client-secret")}
    with connect(url, subprotocols=["graphql-transport-ws"]) as connection:  # type: ignore[list-item]
        connection.send(json.dumps({"type": "connection_init", "payload": credentials}))
        try:
            return "all" if json.loads(connection.recv(timeout=30))["type"] == "connection_ack" else "nothing"
        except ConnectionClosed as closed:
            return str(closed.rcvd and closed.rcvd.code)


def download(extension: str) -> Callable[[World], Outcome]:
    """What a batch answered, as a file."""

    def ask(world: World) -> Outcome:
        def status(batch: str) -> int:
            return world.client.http.get(f"/batches/{batch}/songs.{extension}").status_code

        if status(world.own) == 401:
            return "401"
        assert status(world.own) == 200
        return {200: "all", 404: "own"}[status(world.others)]

    return ask


def page(path: str, **headers: str) -> Callable[[World], Outcome]:
    """A path that answers by itself."""

    def ask(world: World) -> Outcome:
        response: httpx.Response = world.client.http.get(path, headers=headers)
        return "all" if response.status_code == 200 else str(response.status_code)

    return ask


def health_check(world: World) -> Outcome:
    """The health check, which refuses wrong credentials, and answers who sends none."""
    headers = world.client.http.headers
    nobody = httpx.get(f"{world.client.url}/healthcheck")
    named = httpx.get(f"{world.client.url}/healthcheck", headers=headers)
    assert named.status_code == (401 if headers["client-id"] == "nobody" else 200)
    return "all" if nobody.status_code == 200 else str(nobody.status_code)


QUERY: dict[str, Callable[[World], Outcome]] = {
    "Query.genres": stored("genres { name songCount songs { nodes { trackId } } }"),
    "Query.songs": stored("songs { nodes { trackId title } }"),
    "Query.songs(batchId:)": of_batch(
        "query ($id: ID!) { songs(batchId: $id) { nodes { trackId } } }",
        lambda data: data["songs"]["nodes"],
    ),
    "Query.song": stored('song(trackId: "2") { title }'),
    "Query.predictSongs": predict_songs,
    "Query.batch": of_batch("query ($id: ID!) { batch(id: $id) { id } }", lambda data: data["batch"]),
    "Query.batches": batches,
    "Query.model": stored("model { version }"),
    "Query.accuracyOnVerified": stored("accuracyOnVerified { modelVersion }"),
    "Query.node": of_batch("query ($id: ID!) { node(id: $id) { id } }", lambda data: data["node"]),
    "Song.batch": batch_of_song,
    "Mutation.classifyBatch": classify_batch,
    "Mutation.classifySongs": classify_songs,
    "Mutation.verifySongs": verify_songs,
    "Mutation.cancelBatch": cancel,
    "Subscription.batchProgress": follow,
    "WebSocket /graphql": web_socket,
    "/batches/{id}/songs.csv": download("csv"),
    "/batches/{id}/songs.jsonl": download("jsonl"),
    "/batches/{id}/songs.parquet": download("parquet"),
    "/livez": page("/livez"),
    "/healthcheck": health_check,
    "/metrics": page("/metrics"),
    "/": page("/"),
    "/graphql as a page": page("/graphql", accept="text/html"),
    "/assets/configuration.json": page("/assets/configuration.json"),
    "/assets/songs.csv": page("/assets/songs.csv"),
    "any other path": page("/elsewhere"),
    "Mutation.reclassifySongs": reclassify_songs,
    # last, as nothing is left then
    "Mutation.deleteSongs": delete_songs,
    "Mutation.deleteBatch": delete_batch,
}

MEANING = {"yes": "all", "no": "FORBIDDEN"}


@pytest.mark.parametrize("role", ROLES)
def test_each_cell_of_the_table_is_true(role: str, world: World) -> None:
    expected = {name: MEANING.get(row[role], row[role]) for name, row in table().items()}

    assert {name: ask(world) for name, ask in QUERY.items()} == expected


def test_each_field_and_route_has_a_line_in_the_table() -> None:
    # given
    schema = build_schema()._schema  # noqa: SLF001  (graphql-core's, which knows all fields)
    roots = (schema.query_type, schema.mutation_type, schema.subscription_type)
    fields = {f"{root.name}.{field}" for root in roots if root is not None for field in root.fields}
    settings = Settings(_env_file=None, database_url=SecretStr("postgresql://nobody@127.0.0.1:1/none"))
    routes = {cast("Route", route).path for route in create_app(settings).routes} - {"/graphql"}
    # then
    assert len(fields) >= 11
    assert fields | routes <= table().keys()
    assert table().keys() == QUERY.keys()
