"""The service behind pgbouncer, whose clients share connections to the server."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from app.database.migrate import migrate
from tests.database.conftest import ServeOn
from tests.support.folders import open_fast_folder
from tests.support.ports import free_port
from tests.support.postgres import Postgres
from tests.support.programs import on_path
from tests.support.songs import song_csv, song_rows
from tests.support.waiting import eventually, finished

CONFIGURATION = """
[databases]
* = host=127.0.0.1 port={server_port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = plain
auth_file = {users}
pool_mode = {mode}
default_pool_size = {size}
max_client_conn = 200
logfile = {log}
"""


@pytest.fixture(params=["session", "transaction"])
def pooled_url(postgres: Postgres, request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the URL of a new database through pgbouncer, in each of its two pool modes."""
    pgbouncer = on_path("pgbouncer", "apt-get install pgbouncer")
    place = urlsplit(postgres.url)
    with open_fast_folder() as folder, postgres.database() as database:
        (folder / "users.txt").write_text(f'"{place.username}" "{place.password}"\n')
        port = free_port()
        configuration = folder / "pgbouncer.ini"
        configuration.write_text(
            CONFIGURATION.format(
                server_port=place.port,
                port=port,
                users=folder / "users.txt",
                mode=request.param,
                size=30 if request.param == "session" else 4,
                log=folder / "pgbouncer.log",
            )
        )
        user, group = postgres.owner
        for path in (folder, *folder.iterdir()):
            shutil.chown(path, user, group)
        process = subprocess.Popen([pgbouncer, "-q", configuration], user=user, group=group)
        try:
            url = urlsplit(database.url)._replace(
                netloc=f"{place.username}:{place.password}@127.0.0.1:{port}", query=""
            )
            eventually(lambda: migrate(url.geturl()) is not None, "pgbouncer answers")
            yield url.geturl()
        finally:
            process.terminate()
            process.wait(20)


def test_the_service_works_through_pgbouncer(pooled_url: str, serve_on: ServeOn) -> None:
    # given
    api = serve_on(pooled_url)
    # when
    stored = api.classify(song_csv(song_rows(200)))
    queued = api.classify(song_csv(song_rows(300)), background=True)
    # then
    assert stored["rowsClassified"] == 200
    assert finished(api, queued["id"])["status"] == "SUCCEEDED"
    query = "{ songs(first: 3) { totalCount nodes { title batch { id } } } genres { songCount } }"
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: api.execute(query), range(200)))
    assert {answer["songs"]["totalCount"] for answer in answers} == {300}
    assert {node["batch"]["id"] for answer in answers for node in answer["songs"]["nodes"]} == {queued["id"]}
    assert {sum(genre["songCount"] for genre in answer["genres"]) for answer in answers} == {300}
