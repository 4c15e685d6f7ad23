"""Create, parse and hash client secrets."""

from __future__ import annotations

import difflib
import hashlib
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from app.clients.roles import Role
from ml.errors import UserError

CLIENT_ID_HEADER = "client-id"
CLIENT_SECRET_HEADER = "client-secret"  # noqa: S105  (a header's name)

HASH_PREFIX = "sha256$"

CLIENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

_ID = re.compile(r"""[!#-&(-9;-~]+""")
"""Ids that survive in a header; quotes are probably left over from a shell or an env file."""

_ROLES = [role.value for role in Role]

_MISSPELT = 0.75
"""Similarity to a role above which the end of a secret is refused: about one wrong or two swapped letters."""

_FORM = "client-id:client-secret, optionally followed by :reader, :writer or :admin"


class ClientsError(UserError, ValueError):
    """A list of clients is invalid; the message contains no secret."""


@dataclass(frozen=True, slots=True)
class Credential:
    """The hash of a client's secret.

    Since secrets are long and random, one round of SHA-256 is as safe as a slow password hash.
    """

    client_id: str
    role: Role
    secret_hash: bytes
    expires_at: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Return whether the secret has not expired."""
        return self.expires_at is None or now < self.expires_at


def new_secret() -> str:
    """Return a new secret of 256 random bits, 43 characters of A-Z, a-z, 0-9, - and _."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> bytes:
    """Return the hash that is stored for a secret."""
    # JSON may contain lone surrogates.
    return hashlib.sha256(secret.encode(errors="surrogatepass")).digest()


def parse_clients(entries: Iterable[str]) -> list[Credential]:
    """Parse entries of the form `id:secret`, `id:secret:role` or `id:sha256$HEX:role`.

    An id can have several entries, one per secret. The role defaults to writer; it must be given if the
    secret itself ends with a colon and something similar to a role.

    Raises:
        ClientsError: an entry is malformed or its role misspelt, or a client has two roles.
    """
    parsed = [_parse(number, entry.strip()) for number, entry in enumerate(entries, start=1)]
    roles: dict[str, Role] = {}
    for number, (client_id, _, role) in enumerate(parsed, start=1):
        if role is not None and roles.setdefault(client_id, role) is not role:
            raise ClientsError(f"Entry {number} gives its client another role than an earlier entry.")
    return [
        Credential(client_id, roles.get(client_id, Role.WRITER), secret_hash)
        for client_id, secret_hash, _ in parsed
    ]


def file_entries(path: Path) -> list[str]:
    """Return the entries of a clients file, one per line, without blank lines and comments.

    Raises:
        OSError, UnicodeDecodeError: the file cannot be read.
    """
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    return [line for line in lines if line.strip() and not line.lstrip().startswith("#")]


def plain_secrets(entries: Iterable[str]) -> list[tuple[str, str]]:
    """Return the id and secret of each entry whose secret is not hashed."""
    split = [_split(entry.strip()) for entry in entries]
    return [(client_id, secret) for client_id, secret, _ in split if not secret.startswith(HASH_PREFIX)]


def _split(entry: str) -> tuple[str, str, Role | None]:
    client_id, _, secret = entry.partition(":")
    beginning, colon, ending = secret.rpartition(":")
    if colon and beginning and ending in _ROLES:
        return client_id, beginning, Role(ending)
    return client_id, secret, None


def _parse(number: int, entry: str) -> tuple[str, bytes, Role | None]:
    client_id, secret, role = _split(entry)
    if not (client_id and secret):
        raise ClientsError(f"Entry {number} is not of the form {_FORM}.")
    if not _ID.fullmatch(client_id):
        raise ClientsError(
            f"The id in entry {number} has spaces, quotes or other characters not allowed in a header."
        )
    if not secret.isascii() or not secret.isprintable() or secret != secret.strip():
        raise ClientsError(
            f"The secret in entry {number} starts or ends with a space or has non-ASCII characters."
        )
    if role is None and (meant := _misspelt_role(secret)):
        raise ClientsError(
            f"Entry {number} ends with what looks like a misspelt role: did you mean :{meant}? "
            "If it belongs to the secret, add the role after it."
        )
    if not secret.startswith(HASH_PREFIX):
        return client_id, hash_secret(secret), role
    digits = secret.removeprefix(HASH_PREFIX)
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ClientsError(f"Entry {number} needs 64 hexadecimal digits after {HASH_PREFIX}.")
    return client_id, bytes.fromhex(digits), role


def _misspelt_role(secret: str) -> str | None:
    """Return the role that the part after a secret's last colon resembles."""
    _, colon, ending = secret.rpartition(":")
    near = difflib.get_close_matches(ending.lower(), _ROLES, n=1, cutoff=_MISSPELT) if colon else []
    return near[0] if near else None
