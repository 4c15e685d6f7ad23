"""Open database connections: every connection of the service is opened here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import asyncpg

from app.database.url import DatabaseUrl, DatabaseUrlError

_SESSION: Final = {
    # A lost client must not hold locks for the default of two hours.
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "25000",  # milliseconds
    # Stops abandoned statements whose cancel request got lost when their connection closed.
    "client_connection_check_interval": "1000",  # milliseconds
    # Requests have their own time limits, and storing a large batch may exceed a role's limit.
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}
"""Session settings, unless the URL or its `options` set them. Poolers reject them."""


class Database:
    """A database to connect to; for SQLAlchemy see `app.database.engine.create_engine`."""

    def __init__(self, url: str) -> None:
        """Parse the URL without connecting.

        Raises:
            DatabaseUrlError: the URL is invalid or not supported.
        """
        self.url = DatabaseUrl.parse(url)
        self._prepares = self.url.prepares

    async def prepares(self) -> bool:
        """Return whether prepared statements can be reused: not through a transaction pooler.

        A pooler such as PgBouncer may run each transaction on another server process, which does not know
        earlier prepared statements. It is detected by the made-up process id that it reports.

        Raises:
            ConnectionError, TimeoutError, asyncpg.PostgresError: see `connect`.
        """
        if self._prepares is None:
            probe = await self._open(self.url.server_settings, statement_cache_size=0)
            try:
                pid = await probe.fetchval("SELECT pg_backend_pid()")
                self._prepares = pid == probe.get_server_pid()
            finally:
                probe.terminate()
        return self._prepares

    async def connect(self, *, application_name: str | None = None) -> asyncpg.Connection:
        """Open a connection.

        Args:
            application_name: overrides the name in the URL.

        Raises:
            ConnectionError: a network, TLS or socket error.
            TimeoutError: the server did not answer in time.
            asyncpg.PostgresError: the server rejected the connection.
            DatabaseUrlError: a certificate or a `PG*` variable is invalid.
        """
        settings = {"application_name": "genregraph", **self.url.server_settings}
        if application_name is not None:
            settings["application_name"] = application_name
        if not await self.prepares():
            return await self._open(settings, statement_cache_size=0)
        in_options = settings.get("options", "")
        unset = {name: value for name, value in _SESSION.items() if name not in in_options}
        return await self._open(unset | settings)

    async def _open(self, settings: Mapping[str, str], **options: Any) -> asyncpg.Connection:
        try:
            return await asyncpg.connect(**self.url.arguments, server_settings=settings, **options)
        except TimeoutError:
            raise TimeoutError(f"{self.url.shown} did not answer in time") from None
        except OSError as error:
            raise ConnectionError(f"{self.url.shown}: {error.strerror or error}") from error
        except asyncpg.ClientConfigurationError as error:
            raise DatabaseUrlError(f"The connection settings are invalid: {error.args[0]}.") from None
        except ValueError as error:
            # An invalid host name or PGPORT: do not quote the text, which may contain anything.
            raise DatabaseUrlError(
                f"The database URL or a PG* variable has an invalid value ({type(error).__name__})."
            ) from None


async def close(connection: asyncpg.Connection) -> None:
    """Close a connection and cancel its statement; terminate it if that takes longer than two seconds."""
    try:
        await connection.close(timeout=2)
    except Exception:  # noqa: BLE001 - it is discarded anyway
        connection.terminate()
