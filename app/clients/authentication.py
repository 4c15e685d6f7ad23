"""Authenticate clients, and limit failed attempts by address."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import HTTPConnection

from app.clients.credentials import CLIENT_ID_HEADER, CLIENT_SECRET_HEADER
from app.clients.directory import ClientDirectory
from app.clients.roles import Caller
from app.observability.metrics import Metrics

WINDOW_SECONDS = 61.0
"""A little longer than wrong credentials count."""

ADDRESS_FACTOR = 10
"""An address's limit for all clients together, as a multiple of the limit for one client."""


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


class LoginLimiter:
    """Counts wrong credentials in the last minute, by address, and by address and client.

    Over the limit, an address gets 429 even for the right secret, or it could keep guessing. Other
    addresses of the client are not affected, so that nobody can lock it out.
    """

    def __init__(self, attempts_per_minute: int) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._failed_at = -math.inf
        self._by_client = RateLimitItemPerMinute(attempts_per_minute)
        self._by_address = RateLimitItemPerMinute(attempts_per_minute * ADDRESS_FACTOR)

    def seconds_to_wait(self, address: str, client_id: str) -> int:
        """Return how long an address must wait before it can try this client again; 0 if not limited."""
        if time.monotonic() - self._failed_at > WINDOW_SECONDS:
            return 0  # the usual case: there were no failures
        waits = [
            self._limiter.get_window_stats(item, *key).reset_time - time.time()
            for item, key in self._limits(address, client_id)
            if not self._limiter.test(item, *key)
        ]
        return max(1, round(max(waits))) if waits else 0

    def record_failure(self, address: str, client_id: str) -> None:
        """Count a failed attempt."""
        self._failed_at = time.monotonic()
        for item, key in self._limits(address, client_id):
            self._limiter.hit(item, *key)

    def _limits(self, address: str, client_id: str) -> list[tuple[RateLimitItemPerMinute, tuple[str, ...]]]:
        # Clients may send ids of any length and, in JSON, with lone surrogates.
        digest = hashlib.sha256(client_id.encode(errors="surrogatepass")).hexdigest()
        return [(self._by_client, (address, digest)), (self._by_address, (address,))]


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Authenticates callers by their credentials."""

    directory: ClientDirectory
    limiter: LoginLimiter
    metrics: Metrics

    async def caller(self, connection: HTTPConnection, client_id: object, secret: object) -> Caller:
        """Return the caller with these credentials, which are as sent: of any type, or None.

        Raises:
            NotAuthenticatedError: the credentials are missing or wrong.
            TooManyAttemptsError: the address has sent too many wrong credentials.
        """
        if not (isinstance(client_id, str) and isinstance(secret, str) and client_id and secret):
            raise NotAuthenticatedError(f"Send the headers {CLIENT_ID_HEADER} and {CLIENT_SECRET_HEADER}.")
        address = connection.client.host if connection.client else ""
        if wait := self.limiter.seconds_to_wait(address, client_id):
            self.metrics.record_wrong_credentials(address, over_limit=True)
            raise TooManyAttemptsError(wait)
        caller = await self.directory.authenticate(client_id, secret)
        if caller is None:
            self.limiter.record_failure(address, client_id)
            self.metrics.record_wrong_credentials(address, over_limit=False)
            raise NotAuthenticatedError(f"The {CLIENT_ID_HEADER} or {CLIENT_SECRET_HEADER} is wrong.")
        return caller
