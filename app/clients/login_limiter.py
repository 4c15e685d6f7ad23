"""Limit wrong credentials, against brute force."""

from __future__ import annotations

import hashlib
import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

WINDOW_SECONDS = 61.0
"""A little longer than wrong credentials count."""

ADDRESS_FACTOR = 10
"""An address's limit for all clients together, as a multiple of the limit for one client."""


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
        # Clients may send ids of any length.
        digest = hashlib.sha256(client_id.encode()).hexdigest()
        return [(self._by_client, (address, digest)), (self._by_address, (address,))]
