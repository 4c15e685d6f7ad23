"""A database that cannot hold every title is refused at the start."""

from __future__ import annotations

import pytest

from app.database.migrate import UnsuitableDatabaseError, migrate
from tests.faults.postgres import Postgres


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_it_is_refused_with_the_command_that_makes_a_right_one(postgres: Postgres, encoding: str) -> None:
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
    # and the command is run as it stands
    postgres.execute(f"DROP DATABASE {name}")
    postgres.execute(message.partition("Create one with: ")[2])
    migrate(postgres.url_of(name))
    postgres.execute(f"DROP DATABASE {name}")
