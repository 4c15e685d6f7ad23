"""A database whose encoding cannot store every title is refused at startup."""

from __future__ import annotations

import pytest

from app.database.migrate import UnsuitableDatabaseError, migrate
from tests.support.postgres import Postgres


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_the_error_has_a_command_that_creates_a_suitable_database(postgres: Postgres, encoding: str) -> None:
    # given
    name = f"in_{encoding.lower()}"
    postgres.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    # when
    with pytest.raises(UnsuitableDatabaseError) as refused:
        migrate(postgres.url_of(name))
    # then
    message = str(refused.value)
    assert message.startswith(
        f"its encoding is {encoding}, which cannot store every title. Create one with: "
    )
    assert "\n" not in message
    # and the command works as printed
    postgres.execute(f"DROP DATABASE {name}")
    postgres.execute(message.partition("Create one with: ")[2])
    migrate(postgres.url_of(name))
    postgres.execute(f"DROP DATABASE {name}")
