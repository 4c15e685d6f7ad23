"""Production does not start with known or short secrets."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from pydantic import SecretStr

from app.cli.startup import weak_secrets
from app.settings import Environment, Settings
from tests.support.programs import GENREGRAPH, ROOT
from tests.support.replica import inherited

GOOD = "0123456789abcdef"
EXAMPLE = ROOT / "deploy/environments/production.secrets.env.example"
SHORT = (
    "GENREGRAPH_CLIENTS: the secret of {} is {}. Production requires 16 characters; "
    "`openssl rand -hex 32` makes a secret."
)


def settings(**given: object) -> Settings:
    return Settings(_env_file=None, **{"environment": Environment.PRODUCTION, **given})  # type: ignore[arg-type]


def test_production_rejects_each_example_secret() -> None:
    # given the unchanged example and the production settings
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    example = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    # when
    ended = subprocess.run(
        [*GENREGRAPH, "serve"],
        cwd=ROOT,
        env={**inherited(), **example, "GENREGRAPH_ENVIRONMENT": "production"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    # then
    assert ended.returncode == 1
    assert "GENREGRAPH_DATABASE_URL: the password is the example's, change-me. " in ended.stderr
    assert SHORT.format("first", "the example") in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("clients", "weak"),
    [
        ("test:test", "test"),
        (f"first:{GOOD},second:{GOOD[1:]}:reader", "second"),
        (f"first:{GOOD}:admin", None),
        (f"first:sha256${'0' * 64}", None),
    ],
)
def test_a_short_secret_is_reported_by_client(clients: str, weak: str | None) -> None:
    found = weak_secrets(settings(clients=SecretStr(clients)))
    assert found == ([] if weak is None else [SHORT.format(weak, "too short")])


def test_the_clients_file_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "clients"
    file.write_text(f"# ours\nfirst:{GOOD}\n\nsecond:short\n", encoding="utf-8")
    (line,) = weak_secrets(settings(clients_file=file))
    assert line.startswith("GENREGRAPH_CLIENTS_FILE: the secret of second is too short.")


def test_other_environments_accept_weak_secrets() -> None:
    assert weak_secrets(settings(environment=Environment.LOCAL, clients=SecretStr("test:test"))) == []
