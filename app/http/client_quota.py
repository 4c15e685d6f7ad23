"""How many of something one client may have at once, in this process."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass


class ClientQuota:
    """Counts what each client has open."""

    def __init__(self, limit: int) -> None:
        """Make an empty count.

        Args:
            limit: how many one client may have.
        """
        self.limit = limit
        self._open: Counter[str] = Counter()

    @property
    def total(self) -> int:
        """How many all clients together have open."""
        return self._open.total()

    def has_room(self, client_id: str) -> bool:
        """Tell whether a client may have one more."""
        return self._open.get(client_id, 0) < self.limit

    def take(self, client_id: str) -> bool:
        """Count one more for a client; False, and not counted, if it has all it may have."""
        if not self.has_room(client_id):
            return False
        self._open[client_id] += 1
        return True

    def give_back(self, client_id: str) -> None:
        """Count one less for a client."""
        self._open[client_id] -= 1
        if not self._open[client_id]:
            del self._open[client_id]  # ids of clients that are gone would pile up


@dataclass(frozen=True)
class ClientQuotas:
    """What a client may have open.

    Attributes:
        uploads: uploads under way.
        subscriptions: event streams, and operations under way over WebSockets.
        websockets: WebSockets.
    """

    uploads: ClientQuota
    subscriptions: ClientQuota
    websockets: ClientQuota
