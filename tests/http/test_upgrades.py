"""Requests that offer an upgrade are answered over HTTP/1.1, with their body."""

from __future__ import annotations

import http.client
import json
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.support.client import ApiClient
from tests.support.programs import on_path
from tests.support.proxy import nginx
from tests.support.websocket import CREDENTIALS, opened

BODY = json.dumps({"query": "{ __typename }", "variables": {"unused": ["x"] * 20_000}}).encode()
ANSWER = {"data": {"__typename": "Query"}}


def upgrading(
    connection: socket.socket, connection_header: str, *, version: str = "1.1", chunked: bool = False
) -> http.client.HTTPResponse:
    headers = {
        **CREDENTIALS,
        "Host": "here",
        "Connection": connection_header,
        "Upgrade": "h2c",
        "HTTP2-Settings": "AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA",
        "Content-Type": "application/json",
        **({"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(BODY))}),
    }
    lines = [f"POST /graphql HTTP/{version}", *(f"{name}: {value}" for name, value in headers.items())]
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY) if chunked else BODY
    message = "\r\n".join([*lines, "", ""]).encode() + body
    for start in range(0, len(message), 50_000):
        connection.sendall(message[start : start + 50_000])
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response


@pytest.mark.parametrize("chunked", [False, True])
def test_an_upgrade_to_http_2_is_ignored(api: ApiClient, *, chunked: bool) -> None:
    url = httpx.URL(api.url)
    with socket.create_connection((url.host, url.port or 0), timeout=30) as connection:
        # the connection stays open for further requests
        for _ in range(3):
            response = upgrading(connection, "Upgrade, HTTP2-Settings", chunked=chunked)
            assert (response.status, json.loads(response.read())) == (200, ANSWER)
        response = upgrading(connection, "close, Upgrade, HTTP2-Settings", chunked=chunked)
        assert (response.status, response.getheader("connection")) == (200, "close")
        assert json.loads(response.read()) == ANSWER
    with opened(api, additional_headers=CREDENTIALS):
        pass


def test_an_upgrade_to_an_unknown_protocol_is_ignored(api: ApiClient) -> None:
    headers = {"connection": "upgrade", "upgrade": "TLS/1.0"}
    assert api.http.get("/livez", headers=headers).json() == {"status": "alive"}


@pytest.mark.slow
@pytest.mark.parametrize("proxied", [False, True])
def test_curl_can_offer_http_2(api: ApiClient, folder: Path, *, proxied: bool) -> None:
    command = [
        on_path("curl", "apt-get install curl"),
        "--silent",
        "--show-error",
        "--http2",
        "--data-binary",
        "@-",
    ]
    for name, value in {**CREDENTIALS, "content-type": "application/json"}.items():
        command += ["--header", f"{name}: {value}"]

    def answer(url: str) -> object:
        done = subprocess.run([*command, f"{url}/graphql"], input=BODY, capture_output=True, check=True)
        return json.loads(done.stdout)

    if not proxied:
        assert answer(api.url) == ANSWER
        return
    with nginx(folder, ("127.0.0.1",), httpx.URL(api.url).port or 0) as url:
        assert answer(url) == ANSWER
