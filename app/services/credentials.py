"""Secrets of clients, as they are made, written down and kept: only their hashes."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from app.services.roles import Role

HASH_PREFIX = "sha256$"

CLIENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

_FORM = "client-id:client-secret, with :reader, :writer or :admin behind it if need be"


class ClientsError(ValueError):
    """A list of clients cannot be read; the message names no secret."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A secret of a client, by its hash.

    The secrets are those of programs, long and random, so one round of SHA-256 keeps them as safe as
    a slow password hash would, and costs each request nothing.
    """

    client_id: str
    role: Role
    secret_hash: bytes
    expires_at: datetime | None = None


def new_secret() -> str:
    """Return a new secret of 256 random bits, 43 characters of A-Z, a-z, 0-9, - and _."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> bytes:
    """Return what is kept of a secret."""
    return hashlib.sha256(secret.encode()).digest()


def parse_clients(entries: Iterable[str]) -> list[Credential]:
    """Read entries `id:secret`, `id:secret:role` or `id:sha256$HEX:role`.

    An id given twice has both secrets; its role need be given once, and is writer otherwise.

    Raises:
        ClientsError: an entry is not of that form, or a client has two roles.
    """
    parsed = [_parse(number, entry.strip()) for number, entry in enumerate(entries, start=1)]
    roles: dict[str, Role] = {}
    for number, (client_id, _, role) in enumerate(parsed, start=1):
        if role is not None and roles.setdefault(client_id, role) is not role:
            raise ClientsError(f"entry {number} gives its client another role than an earlier one")
    return [
        Credential(client_id, roles.get(client_id, Role.WRITER), secret_hash)
        for client_id, secret_hash, _ in parsed
    ]


def _parse(number: int, entry: str) -> tuple[str, bytes, Role | None]:
    client_id, _, secret = entry.partition(":")
    beginning, colon, ending = secret.rpartition(":")
    role = None
    if colon and beginning and ending in {role.value for role in Role}:
        secret, role = beginning, Role(ending)
    if not (client_id and secret):
        raise ClientsError(f"entry {number} is not of the form {_FORM}")
    if not secret.startswith(HASH_PREFIX):
        return client_id, hash_secret(secret), role
    digits = secret.removeprefix(HASH_PREFIX)
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ClientsError(f"entry {number} has no 64 hexadecimal digits behind {HASH_PREFIX}")
    return client_id, bytes.fromhex(digits), role
