"""docs/operations.md: each command that needs neither Docker nor Kubernetes is run as it stands there."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from app.embedded_postgres import EmbeddedPostgres
from app.embedded_postgres.binaries import find_binaries
from tests.client import ApiClient
from tests.conftest import NOT_DURABLE
from tests.deploy.replica import ROOT, Process, inherited, replica, started
from tests.deploy.test_monitoring import RULES
from tests.factories.songs import song_csv, song_rows
from tests.http.test_metrics import scrape
from tests.waiting import eventually, finished

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs/operations.md").read_text(encoding="utf-8")


def blocks(page: str) -> dict[str, list[str]]:
    """The shell blocks that are no matter for Docker or Kubernetes, by the heading above."""
    found: dict[str, list[str]] = {}
    for section in re.split(r"^## ", page, flags=re.MULTILINE)[1:]:
        heading = section.partition("\n")[0]
        for before, block in re.findall(r"((?:[^\n]+\n)*)\n?```sh\n(.*?)```", section, flags=re.DOTALL):
            if not re.search(r"\*(Docker|Kubernetes)\*\s*$", before):
                found.setdefault(heading, []).append(block)
    return found


BLOCKS = blocks(PAGE)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A server whose database has the page's name."""
    from tests.conftest import open_folder

    with open_folder() as path, EmbeddedPostgres(path, settings=NOT_DURABLE) as url:
        yield url


def shell(block: str, folder: Path, **environment: str) -> str:
    """Run a block as an operator would, and return what it prints."""
    programs = (str(Path(sys.executable).parent), str(find_binaries().folder))
    done = subprocess.run(
        ["bash", "-euc", block],
        cwd=folder,
        env={**inherited(), "PATH": ":".join((*programs, os.environ["PATH"])), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def connection_of(url: str) -> dict[str, str]:
    """PGHOST and so on of a database URL."""
    parts = urlsplit(url)
    assert parts.username
    assert parts.password
    assert parts.hostname
    return {
        "PGUSER": parts.username,
        "PGPASSWORD": parts.password,
        "PGHOST": parts.hostname,
        "PGPORT": str(parts.port),
    }


def test_every_command_is_run_here_or_marked() -> None:
    assert {heading: len(found) for heading, found in BLOCKS.items()} == {
        "From nothing to serving": 3,
        "Credentials": 3,
        "Monitoring": 2,
        "A new model": 1,
        "Backup and restore": 3,
    }
    for block in (block for found in BLOCKS.values() for block in found):
        assert not re.search(r"^\s*(docker|kubectl)\b", block, flags=re.MULTILINE), block


def test_the_secrets_are_written_once_for_everything(tmp_path: Path) -> None:
    # given
    shutil.copytree(ROOT / "deploy/environments", tmp_path / "deploy/environments")
    # when
    shell(BLOCKS["From nothing to serving"][0], tmp_path)
    # then
    file = tmp_path / "deploy/environments/production.secrets.env"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    values = dict(re.findall(r"^([A-Z_]+)=(.*)$", file.read_text(encoding="utf-8"), re.MULTILINE))
    password = values["POSTGRES_PASSWORD"]
    assert re.fullmatch("[0-9a-f]{64}", password)
    assert values["GENREGRAPH_DATABASE_URL"] == f"postgresql://genregraph:{password}@postgres:5432/genregraph"
    assert re.fullmatch("first:[0-9a-f]{64}", values["GENREGRAPH_CLIENTS"])
    assert password not in values["GENREGRAPH_CLIENTS"]


def test_without_containers_it_is_migrated_served_and_looked_at(empty_database_url: str) -> None:
    # given
    _, serving, looking = BLOCKS["From nothing to serving"]
    assert serving == "genregraph migrate\ngenregraph serve\n"
    service = replica(empty_database_url, clients="first:secret", environment="production")
    assert "is at revision" in shell("genregraph migrate", ROOT, **service.environment)
    with started(service):
        # when
        said = shell(looking, ROOT, URL=service.url, SECRET="secret")
    # then
    assert '"status":"ok"' in said
    assert '{"data":{"model":{"version":' in said
    assert "songs.csv" in said


def test_credentials_are_added_rotated_by_hand_and_by_cron_and_revoked(
    api: ApiClient, database_url: str, tmp_path: Path
) -> None:
    # given
    by_hand, revoking, hashing = BLOCKS["Credentials"]
    environment = {"GENREGRAPH_DATABASE_URL": database_url}
    # when
    said = shell(by_hand, ROOT, **environment)
    # then
    first, second = re.findall(r"^\S{43}$", said, re.MULTILINE)
    assert {status(api, "nightly", secret) for secret in (first, second)} == {200}
    # when cron rotates
    (line,) = re.findall(r"```crontab\n\S+ \S+ \S+ \S+ \S+  (.*)\n```", PAGE)
    shell(line.replace("/etc/nightly", str(tmp_path)), ROOT, **environment)
    # then
    third = (tmp_path / "secret").read_text(encoding="utf-8").strip()
    assert status(api, "nightly", third) == 200
    # and the hash is what the page says it is
    example = re.search(r"sha256\$([0-9a-f]{64})", PAGE)
    assert example is not None
    assert shell(hashing, ROOT, SECRET=third).split()[0] == hashlib.sha256(third.encode()).hexdigest()
    # when
    shell(revoking, ROOT, **environment)
    # then
    eventually(lambda: status(api, "nightly", third) == 401, "the client is refused")


def status(api: ApiClient, client: str, secret: str) -> int:
    query = {"query": "{ model { version } }"}
    headers = {"client-id": client, "client-secret": secret}
    return httpx.post(f"{api.url}/graphql", json=query, headers=headers).status_code


def test_figures_and_the_log_are_looked_at(api: ApiClient, database_url: str, tmp_path: Path) -> None:
    # given
    figures, failures = BLOCKS["Monitoring"]
    # when
    said = shell(figures, ROOT, URL=api.url, GENREGRAPH_DATABASE_URL=database_url)
    # then
    assert 'genregraph_build_info{model_version="' in said
    # and
    if shutil.which("jq") is None:
        pytest.skip("jq is not installed: apt-get install jq")
    lines = ['{"level": "info", "status": 200}', '{"level": "warning", "status": 503}', '{"level": "error"}']
    (tmp_path / "log").write_text("\n".join(lines), encoding="utf-8")
    assert shell(failures, ROOT, LOG=str(tmp_path / "log")).splitlines() == [
        '{"level":"warning","status":503}',
        '{"level":"error"}',
    ]


def test_the_table_of_metrics_names_what_there_is(api: ApiClient) -> None:
    # given
    section = PAGE.partition("## Monitoring")[2].partition("\n## ")[0]
    api.execute("{ genres { name } }")
    there = {name for name, _ in scrape(api)} | {"up"}
    alerts = {rule["alert"] for rule in RULES}
    # then
    told = set(re.findall(r"`(genregraph_\w+|process_\w+|up)", section)) - {"genregraph_"}
    assert len(told) > 10
    assert {name for name in told if not any(name == n or n.startswith(f"{name}_") for n in there)} == set()
    assert set(re.findall(r"`(Genregraph\w+)`", section)) == alerts


def test_a_new_model_is_trained_and_serves(database_url: str, folder: Path) -> None:
    (training,) = BLOCKS["A new model"]
    shell(training, ROOT, MODEL=str(folder / "model"))
    service = replica(database_url, model_dir=str(folder / "model"))
    with started(service), ApiClient(service.url) as api:
        assert api.classify(song_csv(song_rows(2)))["status"] == "SUCCEEDED"


def test_a_backup_is_restored_to_a_running_service(server: str, folder: Path) -> None:
    dump, restore, tidy = BLOCKS["Backup and restore"]
    environment = connection_of(server)
    service = replica(server, worker_concurrency="0")
    worker = Process(["worker"], {"GENREGRAPH_DATABASE_URL": server})
    with started(service, worker), ApiClient(service.url) as api:
        # given a backup, and what was stored after it
        api.classify(song_csv(song_rows(5)))
        shell(dump, folder, **environment)
        api.classify(song_csv(song_rows(9)))
        assert total(api) == 9
        # when
        shell(restore, folder, **environment)
        # then the service goes on with what the backup has, without a restart
        eventually(lambda: total(api) == 5, "it has the backup's five songs")
        # and so does the worker
        queued = api.classify(song_csv(song_rows(20)), background=True)
        batch = finished(api, queued["id"])
        assert (batch["status"], batch["rowsClassified"]) == ("SUCCEEDED", 20)
        # and the former database is kept until it is dropped
        assert databases(server) == {"genregraph", "genregraph_before", "postgres"}
        shell(tidy, folder, **environment)
        assert databases(server) == {"genregraph", "postgres"}
        assert total(api) == 20


def total(api: ApiClient) -> int | None:
    """How many songs are stored, if the database is there."""
    data = api.post("{ songs { totalCount } }").json().get("data")
    return data and int(data["songs"]["totalCount"])


def databases(server: str) -> set[str]:
    async def names() -> set[str]:
        connection = await asyncpg.connect(f"{server.rpartition('/')[0]}/postgres")
        try:
            rows = await connection.fetch("SELECT datname FROM pg_database WHERE NOT datistemplate")
        finally:
            await connection.close()
        return {row["datname"] for row in rows}

    return asyncio.run(names())
