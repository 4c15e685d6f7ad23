"""A limit on wrong credentials, so that nobody can try secrets by the thousand."""

from __future__ import annotations

import hashlib
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

ADDRESS_FACTOR = 10
"""So many times the attempts of one client are an address's for all clients together."""


class LoginLimiter:
    """Counts wrong credentials of the last minute, by address and client and by address.

    The one who is over the limit for a client is answered 429 whatever secret comes next: an answer to
    the right one would make the limit none. A client that calls from elsewhere is not touched, so that nobody
    can lock it out.
    """

    def __init__(self, attempts_per_minute: int) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._by_client = RateLimitItemPerMinute(attempts_per_minute)
        self._by_address = RateLimitItemPerMinute(attempts_per_minute * ADDRESS_FACTOR)

    def seconds_to_wait(self, address: str, client_id: str) -> int:
        """Return how long an address has to wait before it may try this client again; 0 if it need not."""
        waits = [
            self._limiter.get_window_stats(item, *key).reset_time - time.time()
            for item, key in self._limits(address, client_id)
            if not self._limiter.test(item, *key)
        ]
        return max(1, round(max(waits))) if waits else 0

    def note_failure(self, address: str, client_id: str) -> None:
        """Count wrong credentials."""
        for item, key in self._limits(address, client_id):
            self._limiter.hit(item, *key)

    def _limits(self, address: str, client_id: str) -> list[tuple[RateLimitItemPerMinute, tuple[str, ...]]]:
        # Ids are as long as their sender likes.
        digest = hashlib.sha256(client_id.encode()).hexdigest()
        return [(self._by_client, (address, digest)), (self._by_address, (address,))]
