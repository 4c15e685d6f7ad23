from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from app.cli.root import cli
from app.local_postgres.server import EmbeddedPostgres
from tests.conftest import NOT_DURABLE, StartService
from tests.support.client import ApiClient
from tests.support.waiting import eventually


@pytest.fixture(autouse=True)
def _on_the_tests_database(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GENREGRAPH_DATABASE_URL", database_url)


def genregraph(*arguments: str) -> Result:
    """Run a command with separate standard output and standard error."""
    return CliRunner().invoke(cli, list(arguments))


def may_call(api: ApiClient, client_id: str, secret: str) -> bool:
    with ApiClient(api.url, client_id, secret) as client:
        return client.post("{ __typename }").status_code == 200


def test_a_client_is_added_rotated_listed_and_revoked(start_service: StartService) -> None:
    # given
    api = start_service()
    # when
    added = genregraph("clients", "add", "nightly-2", "--role", "reader")
    first = added.stdout.strip()
    rotated = genregraph("clients", "rotate", "nightly-2", "--grace", "30m")
    second = rotated.stdout.strip()
    # then standard output contains only the secret
    assert (added.exit_code, rotated.exit_code) == (0, 0)
    assert len(first) == len(second) == 43
    assert first != second
    assert added.stderr.startswith("Client nightly-2 added as reader. Its secret, shown this once:")
    assert "is valid until" in rotated.stderr
    eventually(lambda: may_call(api, "nightly-2", first), "it may call with the first secret")
    eventually(lambda: may_call(api, "nightly-2", second), "it may call with the second")
    # and the list contains the client but no secrets
    listed = genregraph("clients", "list", "--json")
    (account,) = json.loads(listed.stdout)
    assert (account["name"], account["role"], account["source"]) == ("nightly-2", "reader", "database")
    assert [ends is None for _, ends in account["secrets"]] == [False, True]
    assert first not in listed.stdout
    assert "2 valid" in genregraph("clients", "list").stdout
    # and revoked
    revoked = genregraph("clients", "revoke", "nightly-2")
    assert (revoked.exit_code, revoked.stdout) == (0, "")
    eventually(lambda: not may_call(api, "nightly-2", second), "the client is rejected")
    assert "revoked" in genregraph("clients", "list").stdout


def test_list_includes_clients_from_the_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "clients").write_text("batch:hunter2:admin\n")
    monkeypatch.setenv("GENREGRAPH_CLIENTS", "web:hunter3")
    monkeypatch.setenv("GENREGRAPH_CLIENTS_FILE", str(tmp_path / "clients"))

    listed = genregraph("clients", "list", "--json").stdout

    assert json.loads(listed) == [
        {"name": "web", "role": "writer", "source": "GENREGRAPH_CLIENTS"},
        {"name": "batch", "role": "admin", "source": "GENREGRAPH_CLIENTS_FILE"},
    ]


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["add", "twice"], 1, "client twice already exists"),
        (["add", "no spaces"], 1, "a name has 1 to 64 letters"),
        (["rotate", "stranger"], 1, "client stranger does not exist"),
        (["revoke", "stranger"], 1, "client stranger does not exist"),
        (["rotate", "twice", "--grace", "soon"], 2, "'soon' is not a duration"),
        (["add", "x", "--role", "king"], 2, "king"),
    ],
)
def test_errors_are_one_line(arguments: list[str], exit_code: int, message: str) -> None:
    genregraph("clients", "add", "twice")

    refused = genregraph("clients", *arguments)

    assert refused.exit_code == exit_code
    assert message in refused.stderr
    assert "Traceback" not in refused.stderr


def test_rotating_a_revoked_client_creates_its_only_valid_secret(start_service: StartService) -> None:
    api = start_service()
    old = genregraph("clients", "add", "script").stdout.strip()
    genregraph("clients", "revoke", "script")

    new = genregraph("clients", "rotate", "script").stdout.strip()

    eventually(lambda: may_call(api, "script", new), "it may call")
    assert not may_call(api, "script", old)


def test_it_joins_the_running_embedded_database(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    # given
    monkeypatch.delenv("GENREGRAPH_DATABASE_URL")
    monkeypatch.setenv("GENREGRAPH_DATA_DIR", str(folder))
    assert genregraph("clients", "add", "before").exit_code == 0  # starts the database for this command
    with EmbeddedPostgres(folder, settings=NOT_DURABLE):
        # when
        added = genregraph("clients", "add", "meanwhile")
        listed = genregraph("clients", "list", "--json")
    # then
    assert added.exit_code == 0, added.stderr
    assert [account["name"] for account in json.loads(listed.stdout)] == ["before", "meanwhile"]
