"""`PG*` variables of a developer's shell do not affect the embedded server."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from app.database.migrate import migrate
from app.http.servers import running
from app.local_postgres.server import EmbeddedPostgres
from app.main import create_app
from app.settings import Settings
from tests.conftest import CLIENTS, NOT_DURABLE
from tests.support.client import ApiClient
from tests.support.songs import song_csv, song_rows

VARIABLES = {
    "PGAPPNAME": "other",
    "PGCHANNELBINDING": "require",
    "PGCLIENTENCODING": "LATIN1",
    "PGCONNECT_TIMEOUT": "1",
    "PGDATA": "/nowhere",
    "PGDATABASE": "other",
    "PGDATESTYLE": "German",
    "PGGSSENCMODE": "require",
    "PGHOST": "db.invalid",
    "PGHOSTADDR": "192.0.2.1",
    "PGKRBSRVNAME": "other",
    "PGOPTIONS": "-c default_transaction_read_only=on -c search_path=other",
    "PGPASSFILE": "/nowhere",
    "PGPASSWORD": "hunter2",
    "PGPORT": "1",
    "PGREQUIREAUTH": "none",
    "PGSERVICE": "other",
    "PGSERVICEFILE": "/nowhere",
    "PGSSLCERT": "/nowhere",
    "PGSSLKEY": "/nowhere",
    "PGSSLMODE": "verify-full",
    "PGSSLNEGOTIATION": "direct",
    "PGSSLROOTCERT": "/nowhere",
    "PGTARGETSESSIONATTRS": "standby",
    "PGTZ": "Pacific/Auckland",
    "PGUSER": "other",
}


def test_pg_variables_of_the_shell_do_not_affect_the_embedded_server(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # given
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    # when
    with EmbeddedPostgres(folder, settings=NOT_DURABLE) as url:
        migrate(url)
        settings = Settings(_env_file=None, database_url=SecretStr(url), clients=SecretStr(CLIENTS))
        with running(create_app(settings)) as port, ApiClient(f"http://127.0.0.1:{port}") as api:
            # then readers, uploads and the queue use the embedded server
            assert api.classify(song_csv(song_rows(3)))["rowsClassified"] == 3
            assert api.classify(song_csv(song_rows(4)), background=True)["status"] == "QUEUED"
            assert api.execute("{ songs { totalCount } }")["songs"]["totalCount"] in {3, 4}
            assert api.http.get("/healthcheck").json()["database"] == "ok"
