"""Create a data folder atomically, and lock it."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from app.local_postgres.binaries import Binaries
from app.local_postgres.errors import EmbeddedPostgresError, explain_output
from app.local_postgres.location import Account
from app.local_postgres.processes import stop_with_parent


class FolderLock:
    """A file lock that the OS releases when its process ends."""

    def __init__(self, folder: Path, shown: Path) -> None:
        """Prepare the lock without acquiring it.

        Args:
            folder: the data folder.
            shown: the folder to name in messages.
        """
        self._path = folder / "postgres.lock"
        self._shown = shown
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Acquire the lock.

        Raises:
            EmbeddedPostgresError: another process holds it.
            OSError: the lock file cannot be created.
        """
        import fcntl  # noqa: PLC0415  (absent on Windows, where importing this module must not fail)

        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(descriptor, 32).decode() or "?"
            os.close(descriptor)
            raise EmbeddedPostgresError(
                f"the data folder {self._shown} is in use by process {owner}; stop that process, or set "
                "GENREGRAPH_DATA_DIR to another folder"
            ) from None
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())

    def release(self) -> None:
        """Release the lock, if it is held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


SUPERUSER = "postgres"
UNFINISHED = "postgres.new."


def make_data_folder(
    data: Path, password_file: Path, binaries: Binaries, account: Account | None, *, durable: bool
) -> None:
    """Create the data folder and its password.

    The folder is created under a temporary name and renamed, so that a full disk or a kill leaves no
    partial folder.

    Args:
        data: the folder to create.
        password_file: the file to write the password to.
        binaries: the installation to use.
        account: the owner of the data; None for the account of this process.
        durable: whether the data must survive a power loss.

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
            account.own(beside)
            account.own(handover)
        _initdb(fresh, handover, binaries, account, durable=durable)
        password_file.unlink(missing_ok=True)
        _write_secret(password_file, password)
        fresh.rename(data)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def as_account(account: Account | None) -> dict[str, Any]:
    """Return the `subprocess` arguments that run a PostgreSQL program as an account."""
    return {
        "cwd": "/",  # the account may not be able to enter ours
        "env": {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},  # no secrets
        "stdin": subprocess.DEVNULL,
        **({} if account is None else account.popen_arguments()),
    }


def check_version(data: Path, binaries: Binaries) -> None:
    """Check that the data has the server's major version.

    Raises:
        EmbeddedPostgresError: it does not.
    """
    made_by = (data / "PG_VERSION").read_text().strip()
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


def says_ready(pid_file: Path, pid: int) -> bool:
    """Return whether the server's lock file reports that it accepts connections."""
    try:
        lines = pid_file.read_text().split("\n")
    except FileNotFoundError:
        return False
    return lines[0] == str(pid) and any(line.strip() == "ready" for line in lines[7:])


def _initdb(
    fresh: Path, password_file: Path, binaries: Binaries, account: Account | None, *, durable: bool
) -> None:
    done = subprocess.run(  # noqa: S603  (not user input)
        [
            binaries.program("initdb"),
            *("--pgdata", str(fresh), "--username", SUPERUSER, f"--pwfile={password_file}"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--no-locale"),
            *(() if durable else ("--no-sync",)),
        ],
        check=False,
        capture_output=True,
        text=True,
        preexec_fn=stop_with_parent(signal.SIGTERM),
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
