"""Lock a data folder, create it atomically, and create the database in it."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from pathlib import Path

from app.local_postgres.binaries import Binaries
from app.local_postgres.errors import EmbeddedPostgresError, explain_output
from app.local_postgres.location import Account, as_account, data_version

HOST = "127.0.0.1"
SUPERUSER = "postgres"
DATABASE = "genregraph"
UNFINISHED = "postgres.new."

_CREATE_DATABASE = rf"""
SELECT 'CREATE DATABASE {DATABASE}' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{DATABASE}')
\gexec
"""  # noqa: S608  # nosec B608 - constants


def make_data_folder(
    data: Path, password_file: Path, binaries: Binaries, account: Account | None, *, durable: bool
) -> None:
    """Create the data folder, owned by the account, and its password.

    The folder is created under a temporary name and renamed, so that a full disk or a kill leaves no
    partial folder.

    Raises:
        EmbeddedPostgresError: initdb failed.
        OSError: a file operation failed.
    """
    for unfinished in data.parent.glob(f"{UNFINISHED}*"):
        shutil.rmtree(unfinished, ignore_errors=True)
    # A unique name: the initdb of a killed service may still be writing to the previous one.
    beside = Path(tempfile.mkdtemp(dir=data.parent, prefix=UNFINISHED))
    try:
        fresh, handover = beside / "data", beside / "password"
        password = secrets.token_urlsafe(24)
        _write_secret(handover, password)  # not /dev/stdin, which root still owns
        if account is not None:
            for path in (beside, handover):
                os.chown(path, account.uid, account.gid)
        _initdb(fresh, handover, binaries, account, durable=durable)
        password_file.unlink(missing_ok=True)
        _write_secret(password_file, password)
        fresh.rename(data)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def lock_folder(folder: Path, shown: Path) -> int:
    """Lock a folder, and return the descriptor that holds the lock until it is closed.

    Messages name the folder `shown`.

    Raises:
        EmbeddedPostgresError: another process holds the lock.
        OSError: the lock file cannot be created.
    """
    import fcntl  # noqa: PLC0415  (absent on Windows, where importing this module must not fail)

    descriptor = os.open(folder / "postgres.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(descriptor, 32).decode() or "?"
        os.close(descriptor)
        raise EmbeddedPostgresError(
            f"the data folder {shown} is in use by process {owner}; stop that process, or set "
            "GENREGRAPH_DATA_DIR to another folder"
        ) from None
    except OSError:
        os.close(descriptor)
        raise
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor


def check_version(data: Path, binaries: Binaries) -> None:
    """Check that the data has the server's major version.

    Raises:
        EmbeddedPostgresError: it does not.
    """
    made_by = data_version(data)
    if made_by != binaries.major_version:
        raise EmbeddedPostgresError(
            f"{data} was created by PostgreSQL {made_by}, but this is version {binaries.version}; move the "
            f"folder away, or run PostgreSQL {made_by} on it and set GENREGRAPH_DATABASE_URL"
        )


def set_aside(data: Path) -> None:
    """Keep one backup of data whose folder the user deleted, in case that was a mistake."""
    aside = data.with_name("postgres.deleted")
    shutil.rmtree(aside, ignore_errors=True)
    data.rename(aside)


def create_database(binaries: Binaries, port: int, password: str) -> str | None:
    """Create the database on a running server, if it is missing; return the output of psql if that fails."""
    done = subprocess.run(  # noqa: S603  (not user input)
        [
            binaries.folder / "psql",
            *("--no-psqlrc", "--no-password", "--quiet", "--set=ON_ERROR_STOP=1"),
            *("--host", HOST, "--port", str(port), "--username", SUPERUSER, "--dbname", "postgres"),
        ],
        input=_CREATE_DATABASE,
        check=False,
        capture_output=True,
        text=True,
        env={"PGPASSWORD": password, "PGCONNECT_TIMEOUT": "10", "LC_ALL": "C"},
    )
    return done.stderr if done.returncode else None


def _initdb(
    fresh: Path, password_file: Path, binaries: Binaries, account: Account | None, *, durable: bool
) -> None:
    done = subprocess.run(  # noqa: S603  (not user input)
        [
            binaries.folder / "initdb",
            *("--pgdata", str(fresh), "--username", SUPERUSER, f"--pwfile={password_file}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--no-locale"),
            *(() if durable else ("--no-sync",)),
        ],
        check=False,
        capture_output=True,
        text=True,
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
