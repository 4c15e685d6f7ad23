"""Choose, lock and create the data folder of a server, and the database in it.

Where the account that serves root's data cannot enter the requested folder, permissions are not changed: the
data goes to a separate folder.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from app.local_postgres import programs
from app.local_postgres.programs import (
    Account,
    Binaries,
    EmbeddedPostgresError,
    as_account,
    explain_output,
    make_passable,
    run,
    server_account,
)

HOST = "127.0.0.1"
SUPERUSER = "postgres"
DATABASE = "genregraph"
UNFINISHED = "postgres.new."
NOTE_NAME = "WHERE-THE-DATA-IS.txt"

_CREATE_DATABASE = rf"""
SELECT 'CREATE DATABASE {DATABASE}' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{DATABASE}')
\gexec
"""  # noqa: S608  # nosec B608 - constants


@dataclass(frozen=True, slots=True)
class Place:
    """The requested folder, the server's data folder, and its account; None is that of this process."""

    requested: Path
    data: Path
    account: Account | None

    @property
    def has_data(self) -> bool:
        """Whether the data folder is complete."""
        return _has_data(self.data)

    @property
    def data_version(self) -> str:
        """The major version of PostgreSQL that created the data."""
        return (self.data / "PG_VERSION").read_text().strip()

    @property
    def is_relocated(self) -> bool:
        """Whether the data is outside the requested folder."""
        return self.data.parent != self.requested

    @property
    def is_abandoned(self) -> bool:
        """Whether the user has deleted the requested folder since the data was created."""
        return self.is_relocated and self.has_data and not (self.requested / NOTE_NAME).exists()

    def make(self) -> None:
        """Create missing folders; existing ones are not changed."""
        for folder in (self.requested, self.data.parent):
            if self.account is None:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            else:
                make_passable(folder)

    def lock(self) -> int:
        """Lock the data, and return the descriptor that holds the lock until it is closed.

        The requested folder is not locked: copies of that may refer to the same data.

        Raises:
            EmbeddedPostgresError: another process holds the lock.
            OSError: the lock file cannot be created.
        """
        import fcntl  # noqa: PLC0415  (absent on Windows, where importing this module must not fail)

        file = self.data.with_name("postgres.lock")
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(descriptor, 32).decode() or "?"
            os.close(descriptor)
            raise EmbeddedPostgresError(
                f"the data folder {self.requested} is in use by process {owner}; stop that process, or "
                f"{programs.USE_ANOTHER_FOLDER}"
            ) from None
        except OSError:
            os.close(descriptor)
            raise
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        return descriptor

    def set_aside(self) -> None:
        """Keep one backup of data whose folder the user deleted, in case that was a mistake."""
        aside = self.data.with_name("postgres.deleted")
        shutil.rmtree(aside, ignore_errors=True)
        self.data.rename(aside)

    def write_note(self) -> None:
        """Write a note to the requested folder that says where the data is."""
        if self.is_relocated:
            (self.requested / NOTE_NAME).write_text(
                "PostgreSQL does not run as root, and its account cannot enter this folder. "
                "The data is in the following folder, named after a hash of this folder's path:\n"
                f"{self.data}\n"
            )

    def check_version(self, binaries: Binaries) -> None:
        """Check that the data has the server's major version.

        Raises:
            EmbeddedPostgresError: it does not.
        """
        if self.data_version != binaries.major_version:
            raise EmbeddedPostgresError(
                f"{self.data} was created by PostgreSQL {self.data_version}, but this is version "
                f"{binaries.version}; move the folder away, or run PostgreSQL {self.data_version} on it and "
                "set GENREGRAPH_DATABASE_URL"
            )


def choose_place(requested: Path) -> Place:
    """Return where the data of a folder is, or where it would be created. Changes nothing.

    Raises:
        EmbeddedPostgresError: the server cannot reach the data, or it belongs to another folder.
    """
    inside = requested / "postgres"
    if _has_data(inside):
        account = server_account(inside)
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
    relocated = programs.REACHABLE_HOME / "data" / digest / "postgres"
    _refuse_note_of_another_folder(requested, relocated)
    if _has_data(relocated):
        return Place(requested, relocated, server_account(relocated))
    return Place(requested, inside if account.reaches(requested) else relocated, account)


def _has_data(data: Path) -> bool:
    return (data / "PG_VERSION").is_file()


def _refuse_note_of_another_folder(requested: Path, relocated: Path) -> None:
    """Refuse a folder that was moved or copied since its data was created."""
    note = requested / NOTE_NAME
    if not note.is_file():
        return
    recorded = Path(note.read_text().strip().rpartition("\n")[2])
    if recorded != relocated and _has_data(recorded):
        raise EmbeddedPostgresError(
            f"{requested} was moved or copied, but its data in {recorded} belongs to the old path; move it "
            f"back, or delete {note} to start with no data"
        )


def make_data_folder(place: Place, password_file: Path, binaries: Binaries, *, durable: bool) -> None:
    """Create the data folder, owned by its account, and its password.

    The folder is created under a temporary name and renamed, so that a full disk or a kill leaves no
    partial folder.

    Raises:
        EmbeddedPostgresError: initdb failed.
        OSError: a file operation failed.
    """
    parent, account = place.data.parent, place.account
    for unfinished in parent.glob(f"{UNFINISHED}*"):
        shutil.rmtree(unfinished, ignore_errors=True)
    # A unique name: the initdb of a killed service may still be writing to the previous one.
    temporary = Path(tempfile.mkdtemp(dir=parent, prefix=UNFINISHED))
    try:
        fresh, initdb_password = temporary / "data", temporary / "password"
        password = secrets.token_urlsafe(24)
        _write_secret(initdb_password, password)  # not /dev/stdin, which root still owns
        if account is not None:
            for path in (temporary, initdb_password):
                os.chown(path, account.uid, account.gid)
        _initdb(fresh, initdb_password, binaries, account, durable=durable)
        password_file.unlink(missing_ok=True)
        _write_secret(password_file, password)
        fresh.rename(place.data)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def create_database(binaries: Binaries, port: int, password: str) -> str | None:
    """Create the database on a running server, if it is missing; return the output of psql if that fails."""
    done = run(
        binaries.folder / "psql",
        *("--no-psqlrc", "--no-password", "--quiet", "--set=ON_ERROR_STOP=1"),
        *("--host", HOST, "--port", str(port), "--username", SUPERUSER, "--dbname", "postgres"),
        input=_CREATE_DATABASE,
        env={"PGPASSWORD": password, "PGCONNECT_TIMEOUT": "10", "LC_ALL": "C"},
    )
    return done.stderr if done.returncode else None


def _initdb(
    fresh: Path, password_file: Path, binaries: Binaries, account: Account | None, *, durable: bool
) -> None:
    done = run(
        binaries.folder / "initdb",
        *("--pgdata", fresh, "--username", SUPERUSER, f"--pwfile={password_file}"),
        *("--auth=scram-sha-256", "--encoding=UTF8", "--no-locale"),
        *(() if durable else ("--no-sync",)),
        **as_account(account),
    )
    if done.returncode != 0:
        raise EmbeddedPostgresError(explain_output(done.stderr or done.stdout, fresh.parents[1]))


def _write_secret(path: Path, secret: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secret)
        file.flush()
        os.fsync(descriptor)  # without its password the data would be lost
