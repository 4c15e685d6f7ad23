"""Python's gql with each of its transports, and curl."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from gql import Client, FileVar, gql
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.exceptions import TransportQueryError
from gql.transport.httpx import HTTPXTransport
from gql.transport.websockets import WebsocketsTransport

from tests.support.client import ApiClient
from tests.support.programs import on_path

CREDENTIALS = {"client-id": "test", "client-secret": "test"}
HEADERS = {**CREDENTIALS, "graphql-preflight": "1"}

CLASSIFY = """
mutation ($file: Upload!, $options: ClassifyBatchOptions) {
  classifyBatch(file: $file, options: $options) {
    __typename
    ... on Batch { id status fileName rowsUploaded rowsClassified }
    ... on Error { message code }
    ... on InvalidSongFile { problems { line column value } }
  }
}
"""
GENRES = "{ genres { name songCount } }"
PROGRESS = "subscription ($id: ID!) { batchProgress(id: $id) { status rowsUploaded rowsProcessed } }"


def execute(client: Client, request: Any, **options: Any) -> dict[str, Any]:
    if isinstance(client.transport, AIOHTTPTransport):
        # gql's synchronous wrapper would leave an event loop open
        return dict(asyncio.run(client.execute_async(request, **options)))
    return dict(client.execute(request, **options))


def upload(client: Client, path: Path, **options: Any) -> dict[str, Any]:
    request = gql(CLASSIFY)
    file = FileVar(str(path), content_type="text/csv")
    request.variable_values = {"file": file, "options": options or None}
    result: dict[str, Any] = execute(client, request, upload_files=True)["classifyBatch"]
    return result


@pytest.mark.parametrize("transport", [AIOHTTPTransport, HTTPXTransport])
def test_gql_uploads_and_queries(api: ApiClient, song_file: Path, wrong_file: Path, transport: type) -> None:
    # given
    client = Client(transport=transport(url=f"{api.url}/graphql", headers=HEADERS))
    # when
    stored = upload(client, song_file)
    # then
    assert (stored["status"], stored["rowsUploaded"], stored["rowsClassified"]) == ("SUCCEEDED", 31, 30)
    genres = execute(client, gql(GENRES))["genres"]
    assert sum(genre["songCount"] for genre in genres) == 30
    refused = upload(client, wrong_file)
    assert refused["code"] == "INVALID_SONG_FILE"
    assert refused["problems"] == [{"line": 3, "column": "tempo", "value": "asd"}]


def test_gql_gets_an_error_for_a_wrong_secret(api: ApiClient) -> None:
    headers = {**CREDENTIALS, "client-secret": "wrong"}
    client = Client(transport=AIOHTTPTransport(url=f"{api.url}/graphql", headers=headers))

    with pytest.raises(TransportQueryError) as caught:
        execute(client, gql(GENRES))

    assert caught.value.errors is not None
    assert caught.value.errors[0]["extensions"]["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize("credentials_in", ["headers", "init_payload"])
def test_gql_follows_a_background_batch(api: ApiClient, song_file: Path, credentials_in: str) -> None:
    # given
    http = Client(transport=HTTPXTransport(url=f"{api.url}/graphql", headers=HEADERS))
    queued = upload(http, song_file, background=True)
    url = api.url.replace("http://", "ws://") + "/graphql"

    async def follow() -> list[dict[str, Any]]:
        options: dict[str, Any] = {credentials_in: CREDENTIALS}
        transport = WebsocketsTransport(url=url, **options)
        async with Client(transport=transport) as session:
            request = gql(PROGRESS)
            request.variable_values = {"id": queued["id"]}
            return [event["batchProgress"] async for event in session.subscribe(request)]

    # when
    events = asyncio.run(follow())
    # then
    assert queued["status"] == "QUEUED"
    assert events[-1] == {"status": "SUCCEEDED", "rowsUploaded": 31, "rowsProcessed": 31}


def test_curl_uploads(api: ApiClient, song_file: Path) -> None:
    operations = json.dumps({"query": CLASSIFY, "variables": {"file": None}})
    command = [on_path("curl", "apt-get install curl"), "--silent", "--fail-with-body", f"{api.url}/graphql"]
    for name, value in HEADERS.items():
        command += ["--header", f"{name}: {value}"]
    command += ["--form", f"operations={operations}", "--form", 'map={"0": ["variables.file"]}']

    done = subprocess.run([*command, "--form", f"0=@{song_file}"], capture_output=True, text=True, check=True)

    assert json.loads(done.stdout)["data"]["classifyBatch"]["rowsClassified"] == 30
