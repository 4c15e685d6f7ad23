"""A server that accepts only TLS connections, with a certificate created by the test."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from app.database.connect import Database
from app.database.migrate import migrate
from app.database.url import DatabaseUrlError
from tests.conftest import NOT_DURABLE
from tests.database.conftest import ServeOn
from tests.support.folders import open_fast_folder
from tests.support.ports import free_port
from tests.support.programs import make_certificate
from tests.support.songs import song_csv, song_rows
from tests.support.waiting import finished


@dataclass(frozen=True)
class TlsServer:
    """A server and its certificates.

    Attributes:
        url: of its database, with the host `localhost` and no parameters.
        certificate: its own, which is its root too.
        other_certificate: of nobody.
    """

    url: str
    certificate: Path
    other_certificate: Path


@pytest.fixture(scope="module")
def server() -> Iterator[TlsServer]:
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)
    if programs is None:
        pytest.skip("a PostgreSQL with TLS is not installed: apt-get install postgresql")
    account: dict[str, Any] = {"user": "postgres", "group": "postgres"} if os.getuid() == 0 else {}

    def run(program: str, *arguments: object) -> None:
        command = [str(programs / program), *map(str, arguments)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **account)

    with open_fast_folder() as folder:
        data, password, port = folder / "data", folder / "password", free_port()
        password.write_text(secrets.token_hex(8))
        (folder / "other").mkdir()
        certificate, key = make_certificate(folder)
        other, _ = make_certificate(folder / "other")
        settings = {
            "ssl": "on",
            "ssl_cert_file": certificate,
            "ssl_key_file": key,
            "port": port,
            "listen_addresses": "localhost",
            "unix_socket_directories": "",
            **NOT_DURABLE,
        }
        for path in (folder, password, key):
            if account:
                shutil.chown(path, **account)
        run("initdb", "-D", data, "-U", "tester", "-A", "scram-sha-256", "--pwfile", password, "-E", "UTF8")
        (data / "pg_hba.conf").write_text("hostssl all all all scram-sha-256\n")
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        run("pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
        yield TlsServer(
            f"postgresql://tester:{password.read_text()}@localhost:{port}/postgres", certificate, other
        )
        run("pg_ctl", "-D", data, "-m", "fast", "stop")


def connect(server: TlsServer, parameters: str) -> bool:
    """Return whether a connection with these URL parameters uses TLS."""

    async def ask() -> bool:
        parts = parameters.format(trusted=server.certificate, other=server.other_certificate)
        connection = await Database(f"{server.url}?{parts}").connect()
        try:
            query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            return bool(await connection.fetchval(query))
        finally:
            await connection.close()

    return asyncio.run(ask())


@pytest.mark.parametrize(
    "parameters",
    [
        "",
        "sslmode=allow",
        "sslmode=prefer",
        "sslmode=require",
        "ssl=true",
        "sslmode=verify-ca&sslrootcert={trusted}",
        "sslmode=verify-full&sslrootcert={trusted}&ssl_min_protocol_version=TLSv1.3",
    ],
)
def test_these_urls_connect_over_tls(server: TlsServer, parameters: str) -> None:
    assert connect(server, parameters) is True


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ("sslmode=disable", asyncpg.InvalidAuthorizationSpecificationError, "no encryption"),
        ("sslmode=verify-full&sslrootcert={other}", ConnectionError, "CERTIFICATE_VERIFY_FAILED"),
        ("sslmode=verify-ca&sslrootcert={other}", ConnectionError, "CERTIFICATE_VERIFY_FAILED"),
        ("sslmode=verify-full&sslrootcert=/nowhere.pem", DatabaseUrlError, "/nowhere.pem"),
    ],
)
def test_an_untrusted_server_is_refused_without_showing_the_password(
    server: TlsServer, parameters: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as raised:
        connect(server, parameters)
    assert message in str(raised.value)
    assert str(urlsplit(server.url).password) not in str(raised.value)


def test_a_host_missing_from_the_certificate_is_refused(server: TlsServer) -> None:
    numeric = replace(server, url=server.url.replace("localhost", "127.0.0.1"))
    assert connect(numeric, "sslmode=verify-ca&sslrootcert={trusted}") is True
    with pytest.raises(ConnectionError, match=r"not valid for '127\.0\.0\.1'"):
        connect(numeric, "sslmode=verify-full&sslrootcert={trusted}")


def test_migrations_requests_and_the_queue_use_tls(server: TlsServer, serve_on: ServeOn) -> None:
    # given
    url = f"{server.url}?sslmode=verify-full&sslrootcert={server.certificate}"
    migrate(url)
    api = serve_on(url)
    # when
    stored = api.classify(song_csv(song_rows(5)))
    queued = api.classify(song_csv(song_rows(10)), background=True)
    # then
    assert stored["rowsClassified"] == 5
    assert finished(api, queued["id"])["status"] == "SUCCEEDED"
    assert api.execute("{ songs { totalCount } }")["songs"]["totalCount"] == 10
