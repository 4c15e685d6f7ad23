"""Callers and their roles."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """A client's role; each includes the permissions of the previous ones."""

    READER = "reader"
    """Query songs, genres, the model, and its own batches."""
    WRITER = "writer"
    """Classify songs; cancel its own batches, and delete them and their songs."""
    ADMIN = "admin"
    """See, cancel and delete the batches and songs of all clients."""

    def includes(self, other: Role) -> bool:
        """Return whether this role has the permissions of another."""
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated client."""

    client_id: str
    role: Role

    @property
    def batches_of(self) -> str | None:
        """The client whose batches the caller can access; None for all clients."""
        return None if self.role is Role.ADMIN else self.client_id

    def may_see(self, client_id: str) -> bool:
        """Return whether the caller can access a client's batches."""
        return self.batches_of in (None, client_id)


NOBODY = Caller("", Role.READER)
"""The caller of a WebSocket before authentication; none of its operations are executed."""
