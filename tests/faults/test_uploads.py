"""Clients that disconnect or stall during an upload."""

from __future__ import annotations

import json
import socket
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.faults.conftest import Programs
from tests.support.client import CLASSIFY_BATCH
from tests.support.invariants import check, uuid_of
from tests.support.postgres import Database
from tests.support.processes import Service
from tests.support.songs import song_file
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

BOUNDARY = "song-file"


def upload_of(file: bytes) -> bytes:
    """Return the bytes of a whole HTTP request that classifies a file."""
    fields = {
        "operations": json.dumps({"query": CLASSIFY_BATCH, "variables": {"file": None}}),
        "map": json.dumps({"0": ["variables.file"]}),
    }
    parts = [
        f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
        for name, text in fields.items()
    ]
    disposition = 'content-disposition: form-data; name="0"; filename="songs.csv"'
    head = f"--{BOUNDARY}\r\n{disposition}\r\ncontent-type: text/csv\r\n\r\n".encode()
    body = b"".join([*parts, head, file, f"\r\n--{BOUNDARY}--\r\n".encode()])
    lines = [
        "POST /graphql HTTP/1.1",
        "host: test",
        "client-id: test",
        "client-secret: test",
        "graphql-preflight: 1",
        f"content-type: multipart/form-data; boundary={BOUNDARY}",
        f"content-length: {len(body)}",
        "connection: close",
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


def connected(service: Service) -> socket.socket:
    host, port = service.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def spooled_files(service: Service) -> int:
    """Return the number of unnamed temporary files that the service has open."""
    targets = []
    for link in Path(f"/proc/{service.pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed in the meantime
            targets.append(str(link.readlink()))
    return sum(target.startswith("/") and target.endswith(" (deleted)") for target in targets)


def batch_count(service: Service) -> int:
    return int(service.api.execute("{ batches { totalCount } }")["batches"]["totalCount"])


def test_a_client_that_disconnects_during_an_upload_leaves_nothing(
    programs: Programs, database: Database
) -> None:
    # given
    service = programs.serve()
    before = spooled_files(service)
    request = upload_of(song_file(range(5_000)))
    # when
    with connected(service) as client:
        client.sendall(request[: len(request) // 2])
        eventually(lambda: spooled_files(service) > before, "the upload goes to disk")
    # then
    eventually(lambda: spooled_files(service) == before, "its file is gone")
    check(service.api, database, {})
    assert batch_count(service) == 0
    assert "Traceback" not in service.log


def test_a_client_that_disconnects_before_the_response_has_its_songs_stored(
    programs: Programs, database: Database
) -> None:
    # given
    service = programs.serve()
    gate = database.close_gate("songs", "NEW.track_id = 5")
    with connected(service) as client:
        client.sendall(upload_of(song_file(range(10))))
        gate.wait_for_arrival()
    # when
    gate.open()
    # then
    eventually(
        lambda: service.api.execute("{ batches { totalCount } }")["batches"]["totalCount"] == 1,
        "it is stored",
    )
    batch = service.api.execute("{ batches { nodes { id } } }")["batches"]["nodes"][0]
    check(service.api, database, {n: {uuid_of(batch)} for n in range(10)})
    assert "Traceback" not in service.log


def test_slow_uploads_do_not_delay_other_clients(programs: Programs, database: Database) -> None:
    # given forty stalled uploads
    service = programs.serve()
    request = upload_of(song_file(range(30)))
    half = len(request) // 2
    clients = [connected(service) for _ in range(40)]
    for client in clients:
        client.sendall(request[:half])
    # when one continues in small pieces, and other clients send queries
    slow, *others = clients
    *pieces, last = (request[start : start + 2_000] for start in range(half, len(request), 2_000))
    for piece in pieces:
        slow.sendall(piece)
        time.sleep(0.02)
        assert service.api.execute("{ genres { name } }") == {"genres": []}
    slow.sendall(last)
    # then
    reply = b"".join(iter(lambda: slow.recv(65_536), b""))
    assert reply.startswith(b"HTTP/1.1 200")
    batch = json.loads(reply.partition(b"\r\n\r\n")[2])["data"]["classifyBatch"]
    assert batch["rowsClassified"] == 30
    for client in others:
        client.close()
    slow.close()
    check(service.api, database, {n: {uuid_of(batch)} for n in range(30)})
    assert "Traceback" not in service.log
