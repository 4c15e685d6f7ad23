"""Who calls, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a client may do; each role may do what those before it may."""

    READER = "reader"
    """Query songs, genres, the model, and its own batches."""
    WRITER = "writer"
    """Classify songs, and cancel its own batches."""
    ADMIN = "admin"
    """See and cancel the batches of all clients."""

    def includes(self, other: Role) -> bool:
        """Tell whether this role may do what another may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class Caller:
    """A client that has shown its secret."""

    client_id: str
    role: Role

    @property
    def batches_of(self) -> str | None:
        """The client whose batches the caller may see; None for all."""
        return None if self.role is Role.ADMIN else self.client_id

    def may_see(self, client_id: str) -> bool:
        """Tell whether the caller may see the batches of a client."""
        return self.batches_of in (None, client_id)


NOBODY = Caller("", Role.READER)
"""Who has opened a WebSocket and not said yet who it is; nothing of theirs is executed."""
