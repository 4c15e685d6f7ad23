"""A refusal sent before the body was read reaches the client, whatever HTTP features it uses."""

from __future__ import annotations

import http.client
import json
import select
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.conftest import StartService
from tests.support.client import ApiClient
from tests.support.programs import on_path
from tests.support.proxy import nginx
from tests.support.websocket import CREDENTIALS

TRIES = 50
SIZE = 3_000_000
"""More than the socket buffers hold, so that most of it is not yet sent when the response comes."""

MULTIPART = {"content-type": "multipart/form-data; boundary=x", "graphql-preflight": "1"}
JSON = {"content-type": "application/json"}

REFUSED: dict[int, dict[str, str]] = {
    401: {**JSON, "client-id": "test", "client-secret": "wrong"},
    403: {"client-id": "nightly", "client-secret": "first", "content-type": MULTIPART["content-type"]},
    413: {**CREDENTIALS, **JSON},
    429: {**CREDENTIALS, **MULTIPART},
}
"""Headers of a request, by the status that it gets."""


@pytest.fixture(params=REFUSED)
def status(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def refusing(start_service: StartService, status: int) -> Iterator[ApiClient]:
    """A service at its limit of uploads, which refuses large bodies."""
    limit = SIZE // 2 if status == 413 else SIZE * 2
    api = start_service(max_uploads_per_client=1, max_upload_bytes=limit, login_attempts_per_minute=100_000)
    with socket.create_connection(address(api)) as upload:
        headers = {**CREDENTIALS, **MULTIPART, "host": "here", "content-length": "1000000"}
        upload.sendall(head(headers))
        while api.multipart([("x", (None, b""))]).status_code != 429:
            pass
        yield api


@pytest.fixture(params=["direct", "nginx"])
def door(request: pytest.FixtureRequest, refusing: ApiClient, folder: Path) -> Iterator[ApiClient]:
    """The refusing service, directly and through the shipped proxy."""
    if request.param == "direct":
        yield refusing
        return
    with nginx(folder, ("127.0.0.1",), address(refusing)[1]) as url, ApiClient(url) as client:
        yield client


def address(api: ApiClient) -> tuple[str, int]:
    url = httpx.URL(api.url)
    return url.host, url.port or 0


def head(headers: dict[str, str], version: str = "1.1") -> bytes:
    lines = [f"POST /graphql HTTP/{version}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode()


def raw(api: ApiClient, headers: dict[str, str], *, version: str = "1.1", body: bytes) -> int:
    """Send a request as a client that reads only after sending all of it, and return the status."""
    with socket.create_connection(address(api), timeout=30) as connection:
        connection.sendall(head({"host": "here", **headers}, version) + body)
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert json.loads(response.read())["errors"][0]["message"]
        return response.status


def closing(api: ApiClient, headers: dict[str, str]) -> int:
    headers = {**headers, "connection": "close", "content-length": str(SIZE)}
    return raw(api, headers, body=bytes(SIZE))


def keeping(api: ApiClient, headers: dict[str, str]) -> int:
    return raw(api, {**headers, "content-length": str(SIZE)}, body=bytes(SIZE))


def version_1_0(api: ApiClient, headers: dict[str, str]) -> int:
    return raw(api, {**headers, "content-length": str(SIZE)}, version="1.0", body=bytes(SIZE))


def chunked(api: ApiClient, headers: dict[str, str]) -> int:
    body = b"".join(b"186a0\r\n" + bytes(100_000) + b"\r\n" for _ in range(SIZE // 100_000)) + b"0\r\n\r\n"
    return raw(api, {**headers, "connection": "close", "transfer-encoding": "chunked"}, body=body)


def expecting(api: ApiClient, headers: dict[str, str]) -> int:
    headers = {**headers, "expect": "100-continue", "content-length": str(SIZE)}
    with socket.create_connection(address(api), timeout=30) as connection:
        connection.sendall(head({"host": "here", **headers}))
        response = http.client.HTTPResponse(connection)
        response.begin()  # skips a 100, and then waits for the final response
        return response.status


def urllib_request(api: ApiClient, headers: dict[str, str]) -> int:
    request = urllib.request.Request(f"{api.url}/graphql", bytes(SIZE), headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            return int(response.status)
    except urllib.error.HTTPError as error:
        json.load(error)
        return error.code


WAYS: tuple[Callable[[ApiClient, dict[str, str]], int], ...] = (
    closing,
    keeping,
    version_1_0,
    chunked,
    expecting,
    urllib_request,
)


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_every_refusal_is_delivered(
    door: ApiClient, status: int, way: Callable[[ApiClient, dict[str, str]], int]
) -> None:
    statuses = [way(door, REFUSED[status]) for _ in range(TRIES)]
    assert statuses == [status] * TRIES


SLOW_WAYS: dict[str, tuple[str, dict[str, str]]] = {
    "close": ("1.1", {"connection": "close"}),
    "keep-alive": ("1.1", {}),
    "HTTP/1.0": ("1.0", {}),
    "HTTP/1.0 keep-alive": ("1.0", {"connection": "keep-alive"}),
    "100-continue": ("1.1", {"expect": "100-continue"}),
    "chunked": ("1.1", {"transfer-encoding": "chunked"}),
    "chunked close": ("1.1", {"transfer-encoding": "chunked", "connection": "close"}),
}
"""By name, the version and headers of a slow client's request."""


def too_slow(api: ApiClient, way: str) -> int:
    """Send too slowly at first, then the rest at once, and only then read."""
    version, headers = SLOW_WAYS[way]
    body = (bytes(1_000), bytes(SIZE - 1_000))
    if "transfer-encoding" in headers:
        body = (b"3e8\r\n" + body[0] + b"\r\n", b"%x\r\n%s\r\n0\r\n\r\n" % (len(body[1]), body[1]))
    else:
        headers = {**headers, "content-length": str(SIZE)}
    with socket.create_connection(address(api), timeout=60) as connection:
        connection.sendall(head({**CREDENTIALS, **JSON, "host": "here", **headers}, version))
        if "expect" in headers:
            assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(body[0])
        select.select([connection], [], [], 60)  # until the refusal arrives
        connection.sendall(body[1])
        response = http.client.HTTPResponse(connection)
        response.begin()
        assert json.loads(response.read())["errors"][0]["extensions"]["code"] == "REQUEST_TIMEOUT"
        return response.status


@pytest.mark.slow
@pytest.mark.parametrize("way", SLOW_WAYS)
@pytest.mark.parametrize("proxied", [False, True])
def test_the_refusal_of_a_slow_body_is_delivered(
    start_service: StartService, folder: Path, way: str, *, proxied: bool
) -> None:
    api = start_service(upload_min_bytes_per_second=50_000, request_timeout_seconds=0.2)
    with ExitStack() as stack:
        if proxied:
            api.url = stack.enter_context(nginx(folder, ("127.0.0.1",), address(api)[1]))
        with ThreadPoolExecutor(5) as pool:
            statuses = list(pool.map(too_slow, [api] * TRIES, [way] * TRIES))
    assert statuses == [408] * TRIES


NODE = """
const [url, headers, size, tries] = process.argv.slice(1).map((value, n) => n ? JSON.parse(value) : value);
const statuses = [];
for (let n = 0; n < tries; n++) {
  try {
    const answer = await fetch(url, {method: "POST", headers, body: new Uint8Array(size)});
    await answer.text();
    statuses.push(answer.status);
  } catch (error) { statuses.push(String(error.cause ?? error)); }
}
console.log(JSON.stringify(statuses));
"""


@pytest.mark.slow
def test_the_fetch_of_node_gets_a_refusal_with_connection_close(door: ApiClient, status: int) -> None:
    node = on_path("node", "apt-get install nodejs")
    headers = json.dumps({**REFUSED[status], "connection": "close"})
    arguments = [f"{door.url}/graphql", headers, str(SIZE), str(TRIES)]
    done = subprocess.run(
        [node, "--input-type=module", "-e", NODE, *arguments], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [status] * TRIES
