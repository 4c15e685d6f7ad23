"""The clients that may call the service, and the check of their secrets."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping


class ClientsError(ValueError):
    """The list of clients cannot be read."""


class Clients:
    """Clients and the hashes of their secrets. A client may have several, so that they can be rotated.

    The secrets are those of programs, long and random, so one round of SHA-256 keeps them as safe as
    a slow password hash would, and costs each request nothing.
    """

    def __init__(self, hashes: Mapping[str, tuple[bytes, ...]]) -> None:
        self._hashes = dict(hashes)
        # Whoever guesses client ids must not learn from the time which exist.
        self._no_secret = (b"\0" * hashlib.sha256().digest_size,)

    @classmethod
    def parse(cls, text: str) -> Clients:
        """Read `id:secret,id:secret,…`; an id given twice has both secrets.

        Raises:
            ClientsError: an entry is not of that form; the message does not repeat any secret.
        """
        hashes: dict[str, tuple[bytes, ...]] = {}
        for number, entry in enumerate((part.strip() for part in text.split(",")), start=1):
            client_id, colon, secret = entry.partition(":")
            if not (client_id and colon and secret):
                raise ClientsError(f"entry {number} is not of the form client-id:client-secret")
            hashes[client_id] = (*hashes.get(client_id, ()), _hash(secret))
        return cls(hashes)

    def __len__(self) -> int:
        return len(self._hashes)

    def knows(self, client_id: str, secret: str) -> bool:
        """Tell whether the secret is one of the client's, in a time that does not depend on the answer."""
        presented = _hash(secret)
        matches = [
            hmac.compare_digest(presented, kept) for kept in self._hashes.get(client_id, self._no_secret)
        ]
        return any(matches)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
