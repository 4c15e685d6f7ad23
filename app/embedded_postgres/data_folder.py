"""Making a data folder whole or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from app.embedded_postgres.account import Account
from app.embedded_postgres.binaries import Binaries
from app.embedded_postgres.errors import EmbeddedPostgresError
from app.embedded_postgres.explanation import explain_output
from app.embedded_postgres.parent_death import stop_with_parent

SUPERUSER = "postgres"
UNFINISHED = "postgres.new."


def make_data_folder(
    data: Path, password_file: Path, binaries: Binaries, account: Account | None, *, durable: bool
) -> None:
    """Make the data folder and the password for it.

    It is made beside its place and renamed, so that a broken one never stands there, whether the disk
    fills up or the service is killed meanwhile.

    Args:
        data: the folder to make.
        password_file: the file to write the password to.
        binaries: the installation to use.
        account: who shall own the data, None for the account of this process.
        durable: whether the data must survive a power cut.

    Raises:
        EmbeddedPostgresError: PostgreSQL refuses.
        OSError: the system does.
    """
    for unfinished in data.parent.glob(f"{UNFINISHED}*"):
        shutil.rmtree(unfinished, ignore_errors=True)
    # A new name each time, since the initdb of a killed service might still write into the last one.
    beside = Path(tempfile.mkdtemp(dir=data.parent, prefix=UNFINISHED))
    try:
        fresh, handover = beside / "data", beside / "password"
        password = secrets.token_urlsafe(24)
        _write_secret(handover, password)  # not by /dev/stdin, which stays root's
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
    """Return the arguments that make `subprocess` start a server's program."""
    return {
        "cwd": "/",  # ours may be closed to the account
        "env": {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},  # none of our secrets
        "stdin": subprocess.DEVNULL,
        **({} if account is None else account.popen_arguments()),
    }


def _initdb(
    fresh: Path, password_file: Path, binaries: Binaries, account: Account | None, *, durable: bool
) -> None:
    done = subprocess.run(  # noqa: S603  (a program that we found ourselves)
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
        os.fsync(descriptor)  # data without its password would be lost
