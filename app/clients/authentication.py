"""Authenticate clients, and limit failed attempts by address."""

from __future__ import annotations

from typing import Protocol

from starlette.requests import HTTPConnection

from app.clients.credentials import CLIENT_ID_HEADER, CLIENT_SECRET_HEADER
from app.clients.directory import ClientDirectory
from app.clients.login_limiter import LoginLimiter
from app.clients.roles import Caller


class NotAuthenticatedError(Exception):
    """Credentials are missing or wrong."""


class TooManyAttemptsError(Exception):
    """An address has sent too many wrong credentials.

    Attributes:
        retry_after: seconds to wait.
    """

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(f"Too many wrong credentials; try again in {retry_after} seconds.")


class OnWrongCredentials(Protocol):
    """Records a request with wrong credentials."""

    def __call__(self, address: str, *, over_limit: bool) -> None:
        """Record one; `over_limit` says whether the address has sent too many."""


class Authenticator:
    """Authenticates callers by their credentials."""

    def __init__(
        self, directory: ClientDirectory, limiter: LoginLimiter, on_wrong_credentials: OnWrongCredentials
    ) -> None:
        self.directory = directory
        self._limiter = limiter
        self._on_wrong_credentials = on_wrong_credentials

    async def caller(self, connection: HTTPConnection, client_id: object, secret: object) -> Caller:
        """Return the authenticated caller.

        Args:
            connection: the request or WebSocket.
            client_id: as sent; None if missing.
            secret: as sent; None if missing.

        Raises:
            NotAuthenticatedError: the credentials are missing or wrong.
            TooManyAttemptsError: the address has sent too many wrong credentials.
        """
        if not (isinstance(client_id, str) and isinstance(secret, str) and client_id and secret):
            raise NotAuthenticatedError(f"Send the headers {CLIENT_ID_HEADER} and {CLIENT_SECRET_HEADER}.")
        address = connection.client.host if connection.client else ""
        if wait := self._limiter.seconds_to_wait(address, client_id):
            self._on_wrong_credentials(address, over_limit=True)
            raise TooManyAttemptsError(wait)
        caller = await self.directory.authenticate(client_id, secret)
        if caller is None:
            self._limiter.record_failure(address, client_id)
            self._on_wrong_credentials(address, over_limit=False)
            raise NotAuthenticatedError(f"The {CLIENT_ID_HEADER} or {CLIENT_SECRET_HEADER} is wrong.")
        return caller
