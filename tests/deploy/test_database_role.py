"""The database role of Compose and the local cluster: not a superuser, but sufficient."""

from __future__ import annotations

import os
import subprocess
from urllib.parse import urlsplit

import yaml
from pydantic import SecretStr

from app.database.migrate import migrate
from app.http.servers import running
from app.local_postgres.programs import find_binaries
from app.main import create_app
from app.settings import Settings
from tests.support.client import ApiClient
from tests.support.databases import rows
from tests.support.programs import ROOT
from tests.support.replica import inherited
from tests.support.songs import song_csv, song_rows
from tests.support.waiting import eventually, finished

PASSWORD = "0123456789abcdef" * 2


def test_owning_its_database_is_enough_for_genregraph(server_url: str) -> None:
    # given
    server = urlsplit(server_url)
    url = f"postgresql://songs:{PASSWORD}@{server.hostname}:{server.port}/songs"
    assert server.username
    assert server.password
    environment = {
        **inherited(),
        "PATH": f"{find_binaries().folder}:{os.environ['PATH']}",
        "PGHOST": str(server.hostname),
        "PGPORT": str(server.port),
        "PGPASSWORD": server.password,
        "POSTGRES_USER": server.username,
        "GENREGRAPH_DATABASE_URL": url,
    }
    # when
    subprocess.run(["sh", str(ROOT / "deploy/postgres/create-role.sh")], env=environment, check=True)
    # then it migrates, serves and works
    migrate(url)
    settings = Settings(_env_file=None, database_url=SecretStr(url), clients=SecretStr("test:test"))
    with running(create_app(settings)) as port, ApiClient(f"http://127.0.0.1:{port}") as api:
        assert api.classify(song_csv(song_rows(3)))["status"] == "SUCCEEDED"
        queued = api.classify(song_csv(song_rows(5)), background=True)
        assert finished(api, queued["id"])["status"] == "SUCCEEDED"
        eventually(lambda: api.http.get("/healthcheck").json()["worker"] == "running", "the worker is seen")
    rights = "SELECT rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = current_user"
    assert rows(url, rights) == [(False, False, False)]


def test_the_role_script_is_executable() -> None:
    assert os.access(ROOT / "deploy/postgres/create-role.sh", os.X_OK)
    (stateful, *_) = yaml.safe_load_all(
        (ROOT / "deploy/kubernetes/overlays/local/postgres.yaml").read_text(encoding="utf-8")
    )
    volume = stateful["spec"]["template"]["spec"]["volumes"][0]
    assert volume["configMap"]["defaultMode"] == 0o555
