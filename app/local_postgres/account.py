"""The account that the server runs as."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.local_postgres.errors import EmbeddedPostgresError

CANDIDATES = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """An OS account. PostgreSQL refuses to run as root, so root starts it as another account."""

    uid: int
    gid: int
    name: str

    def popen_arguments(self) -> dict[str, Any]:
        """Return the `subprocess` arguments that run a program as this account."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Change the owner of a file or folder to this account."""
        os.chown(path, self.uid, self.gid)

    def reaches(self, path: Path) -> bool:
        """Return whether the account can enter every parent folder and read the path."""
        resolved = path.resolve()
        folders = [parent for parent in resolved.parents if parent.exists()]
        return all(self._may(folder, 0o1) for folder in folders) and (
            not resolved.exists() or self._may(resolved, 0o5)
        )

    def _may(self, path: Path, bits: int) -> bool:
        status = path.stat()
        if status.st_uid == self.uid:
            bits <<= 6
        elif status.st_gid == self.gid:
            bits <<= 3
        return status.st_mode & bits == bits


def server_account() -> Account | None:
    """Return the account to run a new server as; None for this process's account.

    Raises:
        EmbeddedPostgresError: this process runs as root, and there is no suitable account.
    """
    import pwd  # noqa: PLC0415  (absent on Windows, where importing this module must not fail)

    if os.geteuid() != 0:
        return None
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, name)
    raise EmbeddedPostgresError(
        "PostgreSQL does not run as root, and this machine has no account postgres or nobody; "
        "run as an ordinary user, or set GENREGRAPH_DATABASE_URL to a server"
    )


def owner_account(data: Path) -> Account | None:
    """Return the account to serve existing data as: if this is root, the owner of the data.

    Raises:
        EmbeddedPostgresError: root owns the data, and there is no suitable account.
    """
    status = data.stat()
    if os.geteuid() != 0 or status.st_uid == 0:
        return server_account()
    return Account(status.st_uid, status.st_gid, f"with uid {status.st_uid}")
