"""Where a server's data is, and the account that serves it.

PostgreSQL refuses to run as root, so root starts it as another account. Other accounts cannot enter root's
home, where a container often has its checkout. Instead of changing permissions there, data and programs then
go to a separate folder.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.local_postgres.errors import EmbeddedPostgresError

CANDIDATES = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """An OS account as which root starts the server."""

    uid: int
    gid: int
    name: str

    def reaches(self, path: Path) -> bool:
        """Return whether the account can enter a folder or run a program, or enter its existing parents."""
        path = path.resolve()
        existing = next(place for place in (path, *path.parents) if place.exists())
        test = ["test", "-x", str(existing)]
        done = subprocess.run(test, check=False, **as_account(self))  # noqa: S603  # nosec B607
        return done.returncode == 0


def as_account(account: Account | None) -> dict[str, Any]:
    """Return the `subprocess` arguments that run a program as an account; None is that of this process."""
    return {
        "cwd": "/",  # the account may not be able to enter ours
        "env": {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},  # no secrets
        "stdin": subprocess.DEVNULL,
        **({} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}),
    }


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


REACHABLE_HOME = Path("/var/lib/genregraph")
"""The folder for what the server's account cannot reach elsewhere."""

NOTE_NAME = "WHERE-THE-DATA-IS.txt"


@dataclass(frozen=True, slots=True)
class Place:
    """The configured folder, the server's data folder, and its account; None is that of this process."""

    requested: Path
    data: Path
    account: Account | None

    @property
    def is_elsewhere(self) -> bool:
        """Whether the data is outside the requested folder."""
        return self.data.parent != self.requested

    def make(self) -> None:
        """Create missing folders; existing ones are not changed."""
        for folder in (self.requested, self.data.parent):
            if self.account is None:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            else:
                make_passable(folder)

    def is_abandoned(self) -> bool:
        """Return whether the user has deleted the requested folder since the data was created."""
        return self.is_elsewhere and has_data(self.data) and not (self.requested / NOTE_NAME).exists()

    def write_note(self) -> None:
        """Write a note to the requested folder that says where the data is."""
        if self.is_elsewhere:
            (self.requested / NOTE_NAME).write_text(
                "PostgreSQL does not run as root, and its account cannot enter this folder. "
                "The data is in the following folder, named after a hash of this folder's path:\n"
                f"{self.data}\n"
            )


def choose_place(requested: Path) -> Place:
    """Return where the data of a folder is, or where it would be created. Changes nothing.

    Raises:
        EmbeddedPostgresError: the server cannot reach the data, or it belongs to another folder.
    """
    inside = requested / "postgres"
    if has_data(inside):
        account = owner_account(inside)
        if account is not None and not account.reaches(requested):
            raise EmbeddedPostgresError(
                f"the server's account, {account.name}, can no longer reach the data in {inside}; move "
                "the folder back"
            )
        return Place(requested, inside, account)
    account = server_account()
    if account is None:
        return Place(requested, inside, None)
    digest = hashlib.sha256(str(requested).encode()).hexdigest()[:16]
    elsewhere = REACHABLE_HOME / "data" / digest / "postgres"
    _refuse_note_of_another_folder(requested, elsewhere)
    if has_data(elsewhere):
        return Place(requested, elsewhere, owner_account(elsewhere))
    return Place(requested, inside if account.reaches(requested) else elsewhere, account)


def make_passable(folder: Path) -> None:
    """Create a folder and its missing parents, accessible to all regardless of the umask.

    Raises:
        OSError: a folder cannot be created.
    """
    for path in (*reversed(folder.parents), folder):
        if not path.is_dir():
            path.mkdir(exist_ok=True)
            path.chmod(0o755)


def has_data(data: Path) -> bool:
    """Return whether a data folder is complete."""
    return (data / "PG_VERSION").is_file()


def data_version(data: Path) -> str:
    """Return the major version of PostgreSQL that created a data folder."""
    return (data / "PG_VERSION").read_text().strip()


def _refuse_note_of_another_folder(requested: Path, elsewhere: Path) -> None:
    """Refuse a folder that was moved or copied since its data was created."""
    note = requested / NOTE_NAME
    if not note.is_file():
        return
    noted = Path(note.read_text().strip().rpartition("\n")[2])
    if noted != elsewhere and has_data(noted):
        raise EmbeddedPostgresError(
            f"{requested} was moved or copied, but its data in {noted} belongs to the old path; move it "
            f"back, or delete {note} to start with no data"
        )
